/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often strangers may make the supervisor write a log line: a short burst, then two a second. What is
 * left out is counted and told of with the next line.
 */
#ifndef DAEMON_SUPERVISOR_LOG_BUDGET_H
#define DAEMON_SUPERVISOR_LOG_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_BUDGET_BURST     64
#define LOG_BUDGET_PERIOD_NS 500000000ull

struct log_budget {
	uint64_t lines;   /* that may be written now */
	uint64_t last_ns; /* when the last line was earned; 0: not used yet */
	uint64_t left_out;
};

/* True when a line may be written now; then *left_out is how many were not since the last one. */
static inline bool log_budget_take(struct log_budget *budget, uint64_t now_ns, uint64_t *left_out)
{
	uint64_t earned =
	    budget->last_ns ? (now_ns - budget->last_ns) / LOG_BUDGET_PERIOD_NS : LOG_BUDGET_BURST;

	if (earned > 0)
		budget->last_ns = now_ns;
	budget->lines = budget->lines + earned > LOG_BUDGET_BURST ? LOG_BUDGET_BURST : budget->lines + earned;
	if (budget->lines == 0) {
		budget->left_out++;
		return false;
	}
	budget->lines--;
	*left_out = budget->left_out;
	budget->left_out = 0;
	return true;
}

#endif
