/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each counter of the engine has to move in a run over many seeds: a rule that no seed reaches is not tested
 * by any. The list is the engine's own, so that a new counter is in it; what cannot happen here has its
 * reason.
 */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/sim.h"

static const struct {
	const char *name, *reason;
} impossible[] = {
    {"records_inconsistent",
     "memory survives a restart undamaged here; tests/unit/tcp/tcp_engine_test.c damages it"},
};

static const char *reason_of(const char *name)
{
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++)
		if (strcmp(impossible[i].name, name) == 0)
			return impossible[i].reason;
	return NULL;
}

static unsigned judge(const char *name, uint64_t value)
{
	const char *reason = reason_of(name);

	if ((value == 0) == (reason != NULL))
		return 0;
	if (reason)
		printf("%s happened %" PRIu64 " times, which was thought impossible: %s\n", name, value,
		       reason);
	else
		printf("never happened over all seeds: %s\n", name);
	return 1;
}

unsigned sim_counters_missing(const struct tcp_stats *total)
{
	unsigned missing = 0;

#define JUDGE(name, doc) missing += judge(#name, total->name);
	TCP_STATS(JUDGE)
#undef JUDGE
	return missing;
}
