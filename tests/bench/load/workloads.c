/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of workloads. */
#include <stdio.h>
#include <string.h>

#include "tests/bench/load/workload.h"

extern const struct load_workload load_echo, load_source, load_sink, load_usr, load_etc;

static const struct load_workload *const workloads[] = {&load_echo, &load_source, &load_sink, &load_usr,
							&load_etc};

const struct load_workload *load_workload_find(const char *name)
{
	for (unsigned i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (strcmp(workloads[i]->name, name) == 0)
			return workloads[i];
	return NULL;
}

void load_workload_list(void)
{
	puts("\nworkloads:");
	for (unsigned i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		printf("  %-28s %s\n", workloads[i]->name, workloads[i]->help);
}
