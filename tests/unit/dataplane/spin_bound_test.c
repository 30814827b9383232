/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a core sleeps: as configured, but for the moment in which the next packet has been coming.
 */
#include <criterion/criterion.h>

#include "daemon/dataplane/spin_bound.h"

#define SOON_NS (SPIN_BRIEF_NS - 1)

/* Traffic, then a wait of `ns`, by which traffic comes again or the core has gone to sleep. Whether it had.
 */
static bool gap(struct spin_bound *bound, uint64_t ns, uint64_t configured_ns)
{
	bool is_asleep;

	spin_bound_note_traffic(bound);
	is_asleep = spin_bound_is_over(bound, 0, configured_ns);
	return is_asleep || spin_bound_is_over(bound, ns, configured_ns);
}

/* Sleeps of `count` waits. */
static unsigned gaps(struct spin_bound *bound, unsigned count, uint64_t ns)
{
	unsigned sleeps = 0;

	for (unsigned i = 0; i < count; i++)
		sleeps += gap(bound, ns, 0);
	return sleeps;
}

Test(spin_bound, is_the_configured_one_at_first)
{
	struct spin_bound bound = {0};

	cr_assert(spin_bound_is_over(&bound, 0, 0));
	spin_bound_note_traffic(&bound);
	cr_assert_not(spin_bound_is_over(&bound, 999, 1000));
	cr_assert(spin_bound_is_over(&bound, 1000, 1000));
}

Test(spin_bound, what_was_configured_is_never_shortened)
{
	struct spin_bound bound = {0};

	for (unsigned i = 0; i < 100; i++) {
		spin_bound_note_traffic(&bound);
		cr_assert_not(spin_bound_is_over(&bound, 49999, 50000));
		cr_assert(spin_bound_is_over(&bound, 50000, 50000));
	}
}

Test(spin_bound, learns_that_packets_come_soon)
{
	struct spin_bound bound = {0};

	cr_assert_eq(gaps(&bound, 1000, SOON_NS), SPIN_PROBE_EVERY - 1, "until it was tried");
	spin_bound_note_traffic(&bound);
	cr_assert_not(spin_bound_is_over(&bound, SOON_NS, 0));
	cr_assert(spin_bound_is_over(&bound, SPIN_BRIEF_NS, 0), "and no longer than it is worth");
}

Test(spin_bound, a_single_long_wait_changes_nothing)
{
	struct spin_bound bound = {0};

	gaps(&bound, 100, SOON_NS);
	cr_assert_eq(gaps(&bound, 1, 1000000), 1);
	cr_assert_eq(gaps(&bound, 100, SOON_NS), 0);
}

Test(spin_bound, gives_up_where_packets_come_late)
{
	struct spin_bound bound = {0};
	unsigned looks = 0;

	gaps(&bound, 100, SOON_NS);
	for (unsigned i = 0; i < 1600; i++) {
		spin_bound_note_traffic(&bound);
		looks += !spin_bound_is_over(&bound, 0, 0);
		cr_assert(spin_bound_is_over(&bound, 1000000, 0));
	}
	cr_assert_leq(looks, SPIN_TRUST_MAX + 1600 / SPIN_PROBE_EVERY + 1);
}

Test(spin_bound, wake_ups_without_traffic_teach_nothing)
{
	struct spin_bound bound = {0};

	for (unsigned i = 0; i < 100; i++)
		cr_assert(spin_bound_is_over(&bound, 1000000, 0), "a timer's turn goes back to sleep");
	cr_assert_eq(bound.sleeps, 0);
	gaps(&bound, 100, SOON_NS);
	for (unsigned i = 0; i < 100; i++)
		cr_assert(spin_bound_is_over(&bound, 1000000, 0));
	cr_assert_eq(bound.trust, SPIN_TRUST_MAX - 1,
		     "the first of them was a failure, the others were none");
}
