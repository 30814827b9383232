/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arithmetic of flow groups, RSS slots and queues; and an interface without RSS.
 */
#include "daemon/supervisor/rss.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/supervisor/netns_env.h"

#define GROUPS 256u

static struct rss rss;
static uint32_t core_of_group[GROUPS];

/* What drivers begin with: the queues in turn. */
static void table_default(uint32_t slots, uint32_t queues)
{
	rss.slots = slots;
	for (uint32_t i = 0; i < slots; i++)
		rss.table[i] = i % queues;
}

static uint32_t groups_of(uint32_t core)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < GROUPS; i++)
		count += core_of_group[i] == core;
	return count;
}

Test(rss, the_usual_table_is_aligned)
{
	static const uint32_t slots[] = {64, 128, 256, 512};
	const struct rss_queues queues = {.base = 0, .count = 4, .cores = 2};

	for (unsigned i = 0; i < 4; i++) {
		table_default(slots[i], 4);
		cr_expect(rss_groups_derive(&rss, &queues, GROUPS, core_of_group), "%u slots", slots[i]);
		cr_expect_eq(groups_of(0), GROUPS / 2);
		cr_expect(rss_is_aligned(&rss, &queues, GROUPS, core_of_group));
	}
}

Test(rss, queues_that_do_not_divide_the_groups_are_not)
{
	const struct rss_queues queues = {.base = 0, .count = 6, .cores = 2};
	const struct rss_queues three = {.base = 0, .count = 3, .cores = 3};

	/* 512 slots in turn over three queues: a group's two slots lead to different ones. */
	table_default(512, 3);
	cr_expect_not(rss_groups_derive(&rss, &three, GROUPS, core_of_group));
	/* Over six for two cores they are of one core. */
	table_default(512, 6);
	cr_expect(rss_groups_derive(&rss, &queues, GROUPS, core_of_group));
}

Test(rss, a_queue_without_sockets_is_refused)
{
	const struct rss_queues queues = {.base = 0, .count = 2, .cores = 2};

	table_default(128, 4);
	cr_expect_not(rss_groups_derive(&rss, &queues, GROUPS, core_of_group));
	cr_expect(rss_table_make(&rss, &queues, GROUPS,
				 (memset(core_of_group, 0, sizeof(core_of_group)), core_of_group)));
	for (uint32_t i = 0; i < rss.slots; i++)
		cr_expect_eq(rss.table[i], 0, "all groups are core 0's, whose only queue is 0");
}

Test(rss, everything_to_one_queue_is_no_share_for_the_others)
{
	const struct rss_queues queues = {.base = 0, .count = 4, .cores = 2};

	table_default(128, 1);
	cr_expect_not(rss_groups_derive(&rss, &queues, GROUPS, core_of_group));
}

Test(rss, a_table_is_made_that_is_aligned_and_uses_every_queue)
{
	static const struct rss_queues tried[] = {
	    {0, 4, 2}, {3, 4, 2}, {1, 8, 3}, {0, 5, 4}, {7, 64 - 7, 32}};

	for (unsigned t = 0; t < sizeof(tried) / sizeof(tried[0]); t++) {
		uint64_t used = 0;

		for (uint32_t group = 0; group < GROUPS; group++)
			core_of_group[group] = group % tried[t].cores;
		rss.slots = 512;
		cr_expect(rss_table_make(&rss, &tried[t], GROUPS, core_of_group), "case %u", t);
		cr_expect(rss_is_aligned(&rss, &tried[t], GROUPS, core_of_group), "case %u", t);
		for (uint32_t i = 0; i < rss.slots; i++)
			used |= 1ull << rss.table[i];
		cr_expect_eq(used, (1ull << tried[t].count) - 1, "case %u", t);
	}
}

Test(rss, no_table_where_a_core_has_no_queue_or_groups_share_a_slot)
{
	const struct rss_queues few = {.base = 0, .count = 2, .cores = 4};
	const struct rss_queues queues = {.base = 0, .count = 4, .cores = 3};

	for (uint32_t group = 0; group < GROUPS; group++)
		core_of_group[group] = group % 4;
	rss.slots = 128;
	cr_expect_not(rss_table_make(&rss, &few, GROUPS, core_of_group));
	for (uint32_t group = 0; group < GROUPS; group++)
		core_of_group[group] = group % 3; /* 128 is no multiple of 3 */
	cr_expect_not(rss_table_make(&rss, &queues, GROUPS, core_of_group));
}

Test(rss, an_interface_without_it_says_why, .timeout = 30)
{
	struct why why = {""};

	netns_enter();
	netns_veth(2);
	cr_expect_lt(rss_read("va0", &rss, &why), 0);
	cr_expect_not_null(strstr(why.text, "RSS"), "%s", why.text);
	cr_expect_lt(rss_read("nosuch0", &rss, &why), 0);
}
