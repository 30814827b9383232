/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bound on a turn's packets: halved when both ends wait for each other, grown when turns stay full.
 */
#include <criterion/criterion.h>

#include "daemon/dataplane/batch_bound.h"

#define CONFIGURED 64u

/* A turn that takes all that its bound allows of `waiting`, answered by a burst, then one that finds nothing.
 */
static void lockstep(struct batch_bound *bound, uint32_t waiting, uint64_t *bursts)
{
	uint32_t most = batch_bound_get(bound, CONFIGURED);

	batch_bound_note(bound, CONFIGURED, waiting < most ? waiting : most, *bursts);
	++*bursts;
	batch_bound_note(bound, CONFIGURED, 0, *bursts);
}

Test(batch_bound, is_the_configured_one_at_first)
{
	struct batch_bound bound = {0};

	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), CONFIGURED);
	cr_assert_eq(batch_bound_get(&bound, 1), 1);
}

Test(batch_bound, is_halved_when_nothing_waits_behind_a_burst)
{
	struct batch_bound bound = {0};
	uint64_t bursts = 0;

	lockstep(&bound, 64, &bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), 32);
	lockstep(&bound, 32, &bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), BATCH_BOUND_MIN);
	lockstep(&bound, 16, &bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), BATCH_BOUND_MIN, "and not below the minimum");
	cr_assert_eq(batch_bound_get(&bound, 8), 8, "nor above what is configured");
}

Test(batch_bound, is_left_alone_without_bursts_and_by_small_turns)
{
	struct batch_bound bound = {0};
	uint64_t bursts = 7;

	batch_bound_note(&bound, CONFIGURED, 0, bursts); /* learns the counter */
	batch_bound_note(&bound, CONFIGURED, 64, bursts);
	batch_bound_note(&bound, CONFIGURED, 0, bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), CONFIGURED,
		     "packet by packet there is no lockstep");
	for (int i = 0; i < 10; i++)
		lockstep(&bound, 2 * BATCH_BOUND_MIN - 1, &bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), CONFIGURED);
}

Test(batch_bound, grows_when_turns_are_full_for_long)
{
	struct batch_bound bound = {0};
	uint64_t bursts = 0;

	lockstep(&bound, 32, &bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), 16);
	for (uint32_t i = 0; i < BATCH_GROW_AFTER - 1; i++)
		batch_bound_note(&bound, CONFIGURED, 16, ++bursts);
	batch_bound_note(&bound, CONFIGURED, 15, ++bursts); /* not full: counted anew */
	for (uint32_t i = 0; i < BATCH_GROW_AFTER - 1; i++)
		batch_bound_note(&bound, CONFIGURED, 16, ++bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), 16);
	batch_bound_note(&bound, CONFIGURED, 16, ++bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), 32);
	for (uint32_t i = 0; i < BATCH_GROW_AFTER; i++)
		batch_bound_note(&bound, CONFIGURED, 32, ++bursts);
	cr_assert_eq(batch_bound_get(&bound, CONFIGURED), CONFIGURED);
}
