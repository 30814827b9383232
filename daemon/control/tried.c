/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was tried, as README.md's table had it when this was built; the table is made from the tests' reports.
 */
#include "daemon/control/tried.h"

#include <stdbool.h>
#include <string.h>

struct trial {
	const char *kernel, *driver;
	int checks;
	bool has_failed;
};

/* The last row: a table without any would be no array. */
static const struct trial trials[] = {
#include "tried_table.h"
    {NULL, NULL, 0, false},
};

json_t *tried_json(const char *driver)
{
	json_t *list = json_array();

	for (const struct trial *trial = trials; trial->kernel != NULL; trial++)
		if (strcmp(trial->driver, driver) == 0 &&
		    json_array_append_new(list,
					  json_pack("{s:s, s:i, s:b}", "kernel", trial->kernel, "checks",
						    trial->checks, "has_failed", trial->has_failed))) {
			json_decref(list);
			return NULL;
		}
	return list;
}
