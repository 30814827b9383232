/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands that are refused, each with its errno, its counter, and no effect.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/unit/dataplane/client_rig.h"

static struct rig *rig;
static uint32_t peer;
static uint64_t handle;

static void begin(void)
{
	rig = rig_new();
	rig_client_add(rig, 0, false);
	rig_client_add(rig, 1, false);
	rig_listen(rig, 0);
	handle = rig_open(rig, 1, &peer);
}

static void end(void)
{
	rig_free(rig);
}

TestSuite(command, .init = begin, .fini = end, .timeout = 30);

static void expect_error(uint32_t client, struct ix_cmd cmd, int error, const uint64_t *counter)
{
	uint64_t before = *counter;
	uint32_t seq = rig_cmd(rig, client, cmd);
	struct ix_event event;

	rig_turn(rig);
	event = rig_expect(rig, client, IX_EV_ERROR);
	cr_expect_eq(event.outcome, error, "outcome %d, expected %d", event.outcome, error);
	cr_expect_eq(event.error.seq, seq);
	cr_expect_eq(event.error.op, cmd.op);
	cr_expect_eq(*counter, before + 1);
	rig_expect_none(rig, client);
}

Test(command, unknown_operation)
{
	expect_error(0, (struct ix_cmd){.op = 0}, -EOPNOTSUPP, &rig->stats.refused_bad_op);
	expect_error(0, (struct ix_cmd){.op = IX_OP_COUNT}, -EOPNOTSUPP, &rig->stats.refused_bad_op);
	expect_error(0, (struct ix_cmd){.op = 255}, -EOPNOTSUPP, &rig->stats.refused_bad_op);
}

Test(command, handles_that_are_none)
{
	const uint64_t *counter = &rig->stats.refused_stale_handle;
	const uint64_t wrong[] = {
	    0, UINT64_MAX, handle + 1, handle + (UINT64_C(1) << 32), (uint32_t)handle, handle | 0x80000000u};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		for (uint8_t op = IX_OP_ACCEPT; op < IX_OP_COUNT; op++)
			expect_error(0, (struct ix_cmd){.op = op, .handle = wrong[i]}, -ESTALE, counter);
	/* Another client's, which is right for that one. */
	for (uint8_t op = IX_OP_ACCEPT; op < IX_OP_COUNT; op++)
		expect_error(1, (struct ix_cmd){.op = op, .handle = handle}, -ESTALE, counter);
	expect_error(1, (struct ix_cmd){.op = IX_OP_UNLISTEN, .handle = handle}, -ESTALE, counter);
	cr_expect_not(rig->peers[peer].is_dead);
}

Test(command, handle_after_the_end_is_stale)
{
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_ABORT, .handle = handle});
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_DEAD);
	expect_error(0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle}, -ESTALE,
		     &rig->stats.refused_stale_handle);
}

Test(command, sendv_outside_the_arena)
{
	const uint64_t tx = rig->clients[0].mapping.layout.tx_bytes;
	const struct ix_sg wrong[] = {
	    {.off = 0, .len = 0},
	    {.off = tx, .len = 1},
	    {.off = tx - 1, .len = 2},
	    {.off = UINT64_MAX, .len = 1},
	    {.off = UINT64_MAX - 9, .len = 100},
	    {.off = 1, .len = UINT32_MAX},
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_error(0,
			     (struct ix_cmd){.op = IX_OP_SENDV,
					     .sg_count = 2,
					     .handle = handle,
					     .sg = {{.off = 0, .len = 10}, wrong[i]}},
			     -EINVAL, &rig->stats.refused_bad_sg);
	expect_error(0, (struct ix_cmd){.op = IX_OP_SENDV, .sg_count = 0, .handle = handle}, -EINVAL,
		     &rig->stats.refused_bad_sg);
	expect_error(0, (struct ix_cmd){.op = IX_OP_SENDV, .sg_count = 4, .handle = handle}, -EINVAL,
		     &rig->stats.refused_bad_sg);
	cr_expect_eq(rig->peers[peer].rx_end, 0, "refused whole");
}

Test(command, sendv_beyond_the_limit_is_refused_whole)
{
	struct ix_event event;

	rig->wire_is_cut = true;
	rig_sendv(rig, 0, handle, 0, 131000);
	rig_turn(rig);
	expect_error(0,
		     (struct ix_cmd){
			 .op = IX_OP_SENDV, .sg_count = 1, .handle = handle, .sg = {{.off = 0, .len = 73}}},
		     -EMSGSIZE, &rig->stats.refused_send_limit);
	expect_error(
	    0,
	    (struct ix_cmd){.op = IX_OP_SENDV,
			    .sg_count = 3,
			    .handle = handle,
			    .sg = {{.off = 0, .len = 70}, {.off = 0, .len = 2}, {.off = 0, .len = 1}}},
	    -EMSGSIZE, &rig->stats.refused_send_limit);
	rig_sendv(rig, 0, handle, 0, 72);
	rig_turn(rig);
	rig_expect_none(rig, 0);
	rig->wire_is_cut = false;
	rig_turns(rig, 20, 300000000);
	cr_expect_eq(rig->peers[peer].rx_end, 131072);
	while (rig_event(rig, 0, &event))
		cr_expect_eq(event.type, IX_EV_SENT);
	cr_expect_eq(event.acked_total, 131072);
}

Test(command, one_client_cannot_take_all_pieces)
{
	struct ix_event event = {.type = 0};
	unsigned refused = 0;

	rig->wire_is_cut = true;
	for (unsigned i = 0; i < 200; i++) {
		rig_sendv(rig, 0, handle, 100 * i, 1); /* never joined */
		rig_turn(rig);
	}
	while (rig_event(rig, 0, &event)) {
		cr_assert_eq(event.outcome, -ENOBUFS);
		refused++;
	}
	cr_expect_eq(refused, 72, "half of 256 pieces, %u refused", refused);
	cr_expect_eq(rig->core.clients->chunks_used, 128);
}

Test(command, recv_done_beyond_what_was_told)
{
	rig_peer_send(rig, peer, 10);
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_RECV);
	expect_error(0, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 11}},
		     -EINVAL, &rig->stats.refused_state);
	expect_error(
	    0, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = UINT64_MAX}},
	    -EINVAL, &rig->stats.refused_state);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 10}});
	rig_turn(rig);
	rig_expect_none(rig, 0);
	expect_error(0, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 1}},
		     -EINVAL, &rig->stats.refused_state);
}

Test(command, code_points)
{
	const struct conn_record *rec = rig->core.conns;
	uint32_t conn = 0;

	while (rec[conn].phase != CONN_OPEN)
		conn++;
	cr_expect_eq(rec[conn].dscp, 0);
	expect_error(0, (struct ix_cmd){.op = IX_OP_SETOPT, .handle = handle, .flags = IX_DSCP_MASK}, -EINVAL,
		     &rig->stats.refused_state);
	expect_error(0, (struct ix_cmd){.op = IX_OP_SETOPT, .handle = handle, .flags = IX_DSCP(46) | 0x8000},
		     -EINVAL, &rig->stats.refused_state);
	cr_expect_eq(rec[conn].dscp, 0);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_SETOPT, .handle = handle, .flags = IX_DSCP(46)});
	rig_turn(rig);
	rig_expect_none(rig, 0);
	cr_expect_eq(rec[conn].dscp, CONN_DSCP_GIVEN | 46);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_SETOPT, .handle = handle, .flags = IX_NAGLE});
	rig_turn(rig);
	rig_expect_none(rig, 0);
	cr_expect_eq(rec[conn].dscp, 0);
}

Test(command, operations_that_do_not_fit_the_state)
{
	const uint64_t *counter = &rig->stats.refused_state;
	struct ix_event knock;

	expect_error(0, (struct ix_cmd){.op = IX_OP_ACCEPT, .handle = handle}, -EINVAL, counter);
	expect_error(0, (struct ix_cmd){.op = IX_OP_REJECT, .handle = handle}, -EINVAL, counter);
	expect_error(0, (struct ix_cmd){.op = IX_OP_SETOPT, .handle = handle, .flags = 8}, -EINVAL, counter);
	expect_error(0, (struct ix_cmd){.op = IX_OP_SETOPT, .handle = handle, .setopt = {.cc = IX_CC_COUNT}},
		     -EINVAL, counter);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_SETOPT, .handle = handle, .flags = IX_NAGLE});
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_SHUTDOWN, .handle = handle});
	rig_turn(rig);
	rig_expect_none(rig, 0);
	expect_error(
	    0,
	    (struct ix_cmd){.op = IX_OP_SENDV, .sg_count = 1, .handle = handle, .sg = {{.off = 0, .len = 1}}},
	    -EPIPE, counter);
	rig_peer_connect(rig);
	rig_turn(rig);
	knock = rig_expect(rig, 0, IX_EV_KNOCK);
	expect_error(
	    0,
	    (struct ix_cmd){
		.op = IX_OP_SENDV, .sg_count = 1, .handle = knock.handle, .sg = {{.off = 0, .len = 1}}},
	    -EINVAL, counter);
	expect_error(0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = knock.handle}, -EINVAL, counter);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	rig_turn(rig);
	expect_error(0, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle}, -EINVAL, counter);
}

Test(command, many_clients_are_served_in_turn)
{
	/* Client 0 fills its ring; client 1's one command is not behind all of them. */
	for (unsigned i = 0; i < 64; i++)
		rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
	rig_cmd(rig, 1, (struct ix_cmd){.op = 98});
	command_drain(&rig->core, 40);
	cr_expect_eq(rig->clients[1].theirs->cmd_cons, 1);
	cr_expect_eq(rig->clients[0].theirs->cmd_cons, 1 + 39);
}
