/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new dataplane on the state of the one before.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/unit/dataplane/client_rig.h"

static struct rig *rig;

static void begin(void)
{
	rig = rig_new();
	rig_client_add(rig, 0, false);
	rig_client_add(rig, 1, false);
	rig_listen(rig, 0);
}

static void end(void)
{
	rig_free(rig);
}

TestSuite(conn_recover, .init = begin, .fini = end, .timeout = 30);

Test(conn_recover, connections_are_reset_and_told_of_and_listeners_stay)
{
	uint32_t peers[3], dead = 0;
	uint64_t handles[3];
	struct ix_event event;
	uint32_t prod;

	for (unsigned i = 0; i < 3; i++)
		handles[i] = rig_open(rig, 100 + i, &peers[i]);
	rig_peer_connect(rig); /* knocked, told */
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_KNOCK);
	rig_peer_send(rig, peers[0], 5000);
	rig_turn(rig); /* told, not taken */
	prod = rig->clients[0].theirs->evt_prod;
	rig_restart(rig);
	rig_client_add(rig, 0, true);
	rig_client_add(rig, 1, true);
	cr_expect_eq(rig->clients[0].theirs->epoch, 1);
	cr_expect_eq(rig->core.clients->channel[0].evt_prod, prod, "indices go on");
	rig_turn(rig);
	for (unsigned i = 0; i < 4; i++)
		cr_expect(rig->peers[i].is_dead && rig->peers[i].reason == TCP_REASON_RESET);

	/* A new connection gets no memory while the client may still be reading the old bytes. */
	peers[0] = rig_peer_connect(rig);
	rig_turn(rig);
	cr_expect_eq(rig->core.clients->channel[0].rx.owned, 0);
	rig_expect(rig, 0, IX_EV_RECV);
	for (unsigned i = 0; i < 4; i++) {
		event = rig_expect(rig, 0, IX_EV_DEAD);
		cr_expect_eq(event.reason, IX_REASON_RESTART);
		if (event.cookie) {
			cr_expect_eq(event.handle, handles[event.cookie - 100]);
			dead |= 1u << (event.cookie - 100);
		}
	}
	cr_expect_eq(dead, 7);
	event = rig_expect(rig, 0, IX_EV_KNOCK);
	rig_expect_none(rig, 0);
	rig_turn(rig);
	cr_expect_not(rig->core.clients->channel[0].is_quarantined);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handles[0]});
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_ACCEPT, .handle = event.handle, .accept = {.cookie = 5}});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_ERROR).outcome, -ESTALE);
	rig_expect(rig, 0, IX_EV_SENT);
	rig_peer_send(rig, peers[0], 5000);
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_RECV).cookie, 5);
	cr_expect_eq(rig->core.clients->ghosts, 0);
}

Test(conn_recover, ends_that_were_owed_before_are_told_after)
{
	uint32_t peer, deads = 0;
	uint64_t handle = rig_open(rig, 42, &peer);
	struct ix_event event;

	rig_free(rig);
	rig = rig_new();
	rig->evt_slots = 16;
	rig_client_add(rig, 0, false);
	rig_listen(rig, 0);
	handle = rig_open(rig, 42, &peer);
	for (unsigned i = 0; i < 20; i++)
		rig_peer_connect(rig);
	rig_turn(rig);
	tcp_abort(rig->peer, rig->core.now, peer);
	rig_turn(rig);
	cr_assert_eq(rig->core.clients->ghosts, 1);
	rig_restart(rig);
	rig_client_add(rig, 0, true);
	for (unsigned idle = 0; idle < 3;) {
		if (!rig_event(rig, 0, &event)) {
			rig_turn(rig);
			idle++;
			continue;
		}
		if (event.type == IX_EV_DEAD && event.cookie == 42) {
			deads++;
			cr_expect_eq(event.handle, handle);
		}
	}
	cr_expect_eq(deads, 1);
	cr_expect_eq(rig->core.clients->ghosts, 0);
}

Test(conn_recover, a_client_that_did_not_come_back_leaves_nothing_to_its_successor)
{
	uint32_t peer;

	rig_open(rig, 42, &peer);
	rig_restart(rig);
	cr_expect_eq(rig->core.clients->ghosts, 1);
	rig_client_free(rig, 0);
	rig_client_add(rig, 0, false);
	rig_turn(rig);
	rig_expect_none(rig, 0);
	cr_expect_eq(rig->core.clients->ghosts, 0);
	cr_expect_eq(rig->core.clients->conns_live, 0);
}

Test(conn_recover, connects_are_answered)
{
	struct ix_event event;

	rig->clients[0].policy.rules_count = 1;
	rig->clients[0].policy.rules[0] = (struct policy_rule){.is_allow = 1, .port_last = 65535};
	rig->wire_is_cut = true;
	rig_cmd(
	    rig, 0,
	    (struct ix_cmd){.op = IX_OP_CONNECT,
			    .cookie = 5,
			    .open = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}, .port = 7}});
	rig_turn(rig);
	rig_restart(rig);
	rig_client_add(rig, 0, true);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_CONNECTED);
	cr_expect_eq(event.outcome, -ECONNRESET);
	cr_expect_eq(event.cookie, 5);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_DEAD).reason, IX_REASON_RESTART);
	for (unsigned i = 0; i < IXD_EPHEMERAL_SPAN_MAX; i++)
		cr_assert_eq(rig->ephemeral.users[i], 0);
}
