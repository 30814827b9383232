/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of ports as text.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/supervisor/port_set.h"

Test(port_set, prints_what_it_parsed)
{
	static const char *const texts[] = {"", "22", "22,80-90", "0-65535", "1,3,5-7,65535"};
	struct port_set set;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_eq(port_set_parse(&set, texts[i]), 0);
		char *text = port_set_print(&set);
		cr_expect_str_eq(text, texts[i]);
		free(text);
	}
}

Test(port_set, joins_and_takes_apart)
{
	struct port_set set;

	cr_assert_eq(port_set_parse(&set, "61000-61003\n"), 0);
	port_set_put(&set, 61004, true);
	port_set_put(&set, 61001, false);
	cr_expect(port_set_has(&set, 61000));
	cr_expect_not(port_set_has(&set, 61001));
	char *text = port_set_print(&set);
	cr_expect_str_eq(text, "61000,61002-61004");
	free(text);
}

Test(port_set, refuses_what_is_no_set)
{
	static const char *const texts[] = {"x", "1-", "2-1", "65536", "1;2", "-3", "1--2"};
	struct port_set set;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(port_set_parse(&set, texts[i]), -EINVAL, "%s", texts[i]);
}
