/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often strangers may make the supervisor write.
 */
#include <criterion/criterion.h>

#include "daemon/supervisor/log_budget.h"

Test(log_budget, burst_then_trickle)
{
	struct log_budget budget = {0};
	uint64_t now_ns = 1, left_out = 0;

	for (unsigned i = 0; i < LOG_BUDGET_BURST; i++)
		cr_assert(log_budget_take(&budget, now_ns, &left_out));
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_not(log_budget_take(&budget, now_ns, &left_out));
	now_ns += LOG_BUDGET_PERIOD_NS;
	cr_expect(log_budget_take(&budget, now_ns, &left_out));
	cr_expect_eq(left_out, 1000);
	cr_expect_not(log_budget_take(&budget, now_ns, &left_out));
	now_ns += 1000 * LOG_BUDGET_PERIOD_NS;
	unsigned lines = 0;
	while (log_budget_take(&budget, now_ns, &left_out))
		lines++;
	cr_expect_eq(lines, LOG_BUDGET_BURST, "a long pause earns no more than the burst");
}
