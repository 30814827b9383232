/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for bytes to send: pieces that never overlap, room that comes back, pointers that are none.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/client-lib/fake_ixd.h"

static struct fake_ixd fake;
static struct ix_client *client;
static struct ix_channel *channel;

static void setup(void)
{
	fake.cores = 2;
	fake.tx_bytes = 2 * 1000 * 1024; /* not a power of two */
	client = fake_open(&fake);
	channel = ix_channel(client, 1);
}

static void teardown(void)
{
	ix_close(client);
	fake_stop(&fake);
}

TestSuite(tx, .init = setup, .fini = teardown, .timeout = 30);

Test(tx, memory_is_ixds_and_aligned)
{
	char *memory = ix_tx_alloc(channel, 100);

	cr_assert_not_null(memory);
	cr_assert_eq((uintptr_t)memory % 64, 0);
	cr_assert_geq(ix_tx_size(channel, memory), 100);
	strcpy(memory + 3, "seen");
	cr_assert_str_eq((char *)fake.tx + ix_tx_off(channel, memory + 3), "seen");
}

Test(tx, channels_have_their_own_parts)
{
	struct ix_channel *other = ix_channel(client, 0);
	char *mine = ix_tx_alloc(channel, 1), *theirs = ix_tx_alloc(other, 1);

	cr_assert_eq(ix_tx_total(channel), ix_tx_total(other));
	cr_assert_geq(ix_tx_off(channel, mine), ix_tx_total(other));
	cr_assert_lt(ix_tx_off(other, theirs), ix_tx_total(other));
	cr_assert_eq(ix_tx_free(other, mine), -EINVAL);
}

Test(tx, refuses_what_is_no_allocation)
{
	char *memory = ix_tx_alloc(channel, 1000);
	char local[1];

	cr_assert_null(ix_tx_alloc(channel, 0));
	cr_assert_null(ix_tx_alloc(channel, SIZE_MAX));
	cr_assert_null(ix_tx_alloc(channel, ix_tx_total(channel) + 1));
	cr_assert_eq(ix_tx_free(channel, memory + 128), -EINVAL);
	cr_assert_eq(ix_tx_free(channel, memory + 1), -EINVAL);
	cr_assert_eq(ix_tx_free(channel, local), -EINVAL);
	cr_assert_eq(ix_tx_free(channel, NULL), 0);
	cr_assert_eq(ix_tx_free(channel, memory), 0);
	cr_assert_eq(ix_tx_free(channel, memory), -EINVAL, "freed twice");
	cr_assert_eq(ix_tx_size(channel, memory), 0);
}

Test(tx, everything_can_be_had_and_given_back)
{
	static void *held[20000];
	size_t total = ix_tx_total(channel);
	unsigned count = 0;

	while ((held[count] = ix_tx_alloc(channel, 128)))
		count++;
	cr_assert_eq(count, total / 128);
	cr_assert_eq(ix_tx_avail(channel), 0);
	while (count)
		cr_assert_eq(ix_tx_free(channel, held[--count]), 0);
	cr_assert_eq(ix_tx_avail(channel), total);
	/* Only if all the small ones were joined again is there room for a large one. */
	cr_assert_not_null(ix_tx_alloc(channel, 512 * 1024));
}

struct held {
	uint8_t *memory;
	size_t len;
	uint8_t mark;
};

static void check_and_free(struct held *held)
{
	for (size_t i = 0; i < held->len; i++)
		cr_assert_eq(held->memory[i], held->mark, "memory given twice");
	cr_assert_eq(ix_tx_free(channel, held->memory), 0);
	held->memory = NULL;
}

Test(tx, random_use_never_overlaps)
{
	static struct held held[300];
	size_t total = ix_tx_total(channel);

	srandom(1);
	for (unsigned round = 0; round < 100000; round++) {
		struct held *one = &held[(unsigned)random() % 300];

		if (one->memory) {
			check_and_free(one);
			continue;
		}
		one->len = 1 + (unsigned)random() % (1u << random() % 15);
		one->mark = (uint8_t)random();
		one->memory = ix_tx_alloc(channel, one->len);
		if (one->memory)
			memset(one->memory, one->mark, one->len);
	}
	for (unsigned i = 0; i < 300; i++)
		if (held[i].memory)
			check_and_free(&held[i]);
	cr_assert_eq(ix_tx_avail(channel), total);
}
