/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a connection writes and lends: the commands that it leaves by, in which order and how often, and when
 * its memory is free again.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/client-lib/ixev_rig.h"

TestSuite(ixev_tx, .init = rig_setup, .fini = rig_teardown, .timeout = 30);

Test(ixev_tx, small_writes_of_a_turn_leave_in_one_command)
{
	struct ix_cmd cmd;

	rig_accepted(1000);
	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(ixev_write(rig.heard.conn, "0123456789", 10), 10);
	rig_expect_silence(1);
	rig_turn();
	cmd = fake_expect(&rig.fake, 1, IX_OP_SENDV);
	cr_assert(cmd.handle == HANDLE && cmd.sg_count == 1 && cmd.sg[0].len == 100);
	cr_assert_eq(memcmp(rig.fake.tx + cmd.sg[0].off + 90, "0123456789", 10), 0);
	rig_expect_silence(1);
	cr_assert_eq(ixev_pending(rig.heard.conn), 100);
}

Test(ixev_tx, sends_no_more_than_the_limit_and_goes_on_when_it_rises)
{
	uint64_t cookie = rig_accepted(150);
	char bytes[400];

	memset(bytes, 'x', sizeof(bytes));
	cr_assert_eq(ixev_write(rig.heard.conn, bytes, 400), 400);
	rig_turn();
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_SENDV).sg[0].len, 150);
	rig_expect_silence(1);
	fake_post_sent(&rig.fake, 1, cookie, 100, 250);
	rig_turn();
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_SENDV).sg[0].len, 100);
	cr_assert_eq(ixev_acked(rig.heard.conn), 100);
	cr_assert_eq(rig.heard.sents, 1);
	fake_post_sent(&rig.fake, 1, cookie, 250, 1000);
	rig_turn();
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_SENDV).sg[0].len, 150);
	cr_assert_eq(ixev_pending(rig.heard.conn), 150);
}

Test(ixev_tx, acknowledged_memory_is_free_again)
{
	uint64_t cookie = rig_accepted(1 << 20);
	struct ix_channel *channel = ix_channel(rig.client, 1);
	size_t before = ix_tx_avail(channel);
	static char bytes[100000];

	cr_assert_eq(ixev_write(rig.heard.conn, bytes, sizeof(bytes)), sizeof(bytes));
	rig_turn();
	cr_assert_lt(ix_tx_avail(channel), before);
	fake_post_sent(&rig.fake, 1, cookie, sizeof(bytes), 2 << 20);
	rig_turn();
	cr_assert_eq(ix_tx_avail(channel), before);
}

static unsigned returned;

static void on_returned(struct ixev_loan *loan)
{
	(void)loan;
	returned++;
}

#define LENT 65536

Test(ixev_tx, lent_bytes_leave_from_where_they_lie_and_come_back)
{
	struct ix_channel *channel = ix_channel(rig.client, 0); /* another than the connection's */
	uint8_t *memory = ix_tx_alloc(channel, LENT);
	struct ixev_loan loan = {on_returned};
	uint64_t cookie = rig_accepted(500);
	struct ix_cmd cmd;

	ixev_set_high_water(rig.heard.conn, 1000);
	cr_assert_eq(ixev_write(rig.heard.conn, "head", 4), 4);
	cr_assert_eq(ixev_lend(rig.heard.conn, memory, LENT, &loan), LENT, "a loan uses up no memory");
	cr_assert_eq(ixev_pending(rig.heard.conn), 4 + LENT);
	rig_turn();
	cmd = fake_expect(&rig.fake, 1, IX_OP_SENDV);
	cr_assert_eq(cmd.sg_count, 2);
	cr_assert_eq(cmd.sg[0].len, 4);
	cr_assert_eq(cmd.sg[1].off, ix_tx_off(channel, memory));
	cr_assert_eq(cmd.sg[1].len, 496);
	fake_post_sent(&rig.fake, 1, cookie, 500, 1 << 20);
	rig_turn();
	cmd = fake_expect(&rig.fake, 1, IX_OP_SENDV);
	cr_assert_eq(cmd.sg[0].off, ix_tx_off(channel, memory) + 496);
	cr_assert_eq(cmd.sg[0].len, LENT - 496);
	/* What follows is not written into it. */
	cr_assert_eq(ixev_write(rig.heard.conn, "tail", 4), 4);
	rig_turn();
	cmd = fake_expect(&rig.fake, 1, IX_OP_SENDV);
	cr_assert_eq(cmd.sg[0].len, 4);
	cr_assert(memcmp(rig.fake.tx + cmd.sg[0].off, "tail", 4) == 0);
	fake_post_sent(&rig.fake, 1, cookie, 4 + LENT - 1, 1 << 20);
	rig_turn();
	cr_assert_eq(returned, 0);
	fake_post_sent(&rig.fake, 1, cookie, 4 + LENT, 1 << 20);
	rig_turn();
	cr_assert_eq(returned, 1);
	cr_assert_eq(ix_tx_free(channel, memory), 0, "it is still the application's");
}

Test(ixev_tx, lent_bytes_come_back_when_the_connection_ends)
{
	uint8_t *memory = ix_tx_alloc(ix_channel(rig.client, 1), 1000);
	struct ixev_loan loan = {on_returned};
	uint64_t cookie = rig_accepted(1 << 20);

	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(ixev_lend(rig.heard.conn, memory, 1000, &loan), 1000);
	cr_assert_eq(ixev_lend(rig.heard.conn, memory, 0, &loan), 0);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_SENDV);
	rig_post_dead(cookie, IX_REASON_RESET);
	cr_assert_eq(rig.heard.deads, 1);
	cr_assert_eq(returned, 3);
}

Test(ixev_tx, nothing_is_lent_after_the_end)
{
	uint8_t *memory = ix_tx_alloc(ix_channel(rig.client, 1), 1000);
	struct ixev_loan loan = {on_returned};

	rig_accepted(1 << 20);
	ixev_close(rig.heard.conn);
	cr_assert_eq(ixev_lend(rig.heard.conn, memory, 1000, &loan), 0);
	cr_assert_eq(returned, 0);
}

/* A stream through many limits, chunks and acknowledgements arrives byte for byte. */
Test(ixev_tx, stream_is_whole)
{
	uint64_t cookie = rig_accepted(0), given = 0, limit = 0, written = 0;

	srandom(3);
	while (given < 2000000) {
		uint8_t bytes[3000];
		size_t want = 1 + (size_t)random() % sizeof(bytes);
		struct ix_cmd cmd;

		for (size_t i = 0; i < want; i++)
			bytes[i] = (uint8_t)((written + i) * 7 >> 3);
		written += ixev_write(rig.heard.conn, bytes, want);
		rig_turn();
		while (fake_take(&rig.fake, 1, &cmd)) {
			cr_assert_eq(cmd.op, IX_OP_SENDV);
			for (unsigned p = 0; p < cmd.sg_count; p++)
				for (uint32_t i = 0; i < cmd.sg[p].len; i++, given++)
					cr_assert_eq(rig.fake.tx[cmd.sg[p].off + i],
						     (uint8_t)(given * 7 >> 3));
		}
		cr_assert_leq(given, limit);
		limit = given + (uint64_t)random() % 20000;
		fake_post_sent(&rig.fake, 1, cookie, given, limit);
	}
}

Test(ixev_tx, short_write_is_made_good_by_on_writable)
{
	uint64_t cookie = rig_accepted(100);
	static char bytes[4000];

	ixev_set_high_water(rig.heard.conn, 1000);
	cr_assert_eq(ixev_write(rig.heard.conn, bytes, sizeof(bytes)), 1000);
	rig_turn();
	cr_assert_eq(rig.heard.writables, 0);
	fake_post_sent(&rig.fake, 1, cookie, 0, 900);
	rig_turn();
	cr_assert_eq(rig.heard.writables, 1);
	rig_turn();
	cr_assert_eq(rig.heard.writables, 1, "told twice");
}

Test(ixev_tx, exhausted_memory_is_made_good_by_on_writable)
{
	uint64_t cookie = rig_accepted(UINT64_C(1) << 40);
	size_t total = ix_tx_total(ix_channel(rig.client, 1)), taken = 0, got;
	static char bytes[65536];

	ixev_set_high_water(rig.heard.conn, SIZE_MAX);
	while ((got = ixev_write(rig.heard.conn, bytes, sizeof(bytes))))
		taken += got;
	cr_assert_gt(taken, total / 2);
	rig_turn();
	cr_assert_eq(rig.heard.writables, 0);
	cr_assert_eq(ixev_turn(rig.loop, 1000000), 0, "a starved connection keeps the loop from sleeping");
	while (fake_take(&rig.fake, 1, &(struct ix_cmd){0}))
		;
	fake_post_sent(&rig.fake, 1, cookie, taken / 2, UINT64_C(1) << 40);
	rig_turn();
	cr_assert_eq(rig.heard.writables, 1);
}

Test(ixev_tx, full_command_ring_delays_and_loses_nothing)
{
	uint64_t cookies[50], listener;
	struct ixev_conn *conns[50];
	unsigned sent = 0;
	struct ix_cmd cmd;

	rig_listen(&listener);
	for (unsigned i = 0; i < 50; i++) {
		rig_knock(1, listener);
		conns[i] = rig.heard.conn;
		cookies[i] = fake_expect(&rig.fake, 1, IX_OP_ACCEPT).accept.cookie;
		fake_post_sent(&rig.fake, 1, cookies[i], 0, 1000);
		rig_turn();
	}
	for (unsigned i = 0; i < 50; i++)
		ixev_write(conns[i], "x", 1);
	for (unsigned round = 0; round < 10 && sent < 50; round++) {
		rig_turn();
		while (fake_take(&rig.fake, 1, &cmd)) {
			cr_assert_eq(cmd.op, IX_OP_SENDV);
			sent++;
		}
	}
	cr_assert_eq(sent, 50);
}

Test(ixev_tx, refused_sendv_resets_since_bytes_are_missing)
{
	rig_accepted(10);
	ixev_write(rig.heard.conn, "abc", 3);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_SENDV);
	fake_post(
	    &rig.fake, 1,
	    &(struct ix_event){
		.type = IX_EV_ERROR, .outcome = -EMSGSIZE, .handle = HANDLE, .error = {.op = IX_OP_SENDV}});
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_ABORT);
}
