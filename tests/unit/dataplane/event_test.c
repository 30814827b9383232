/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events under a full ring: nothing lost, nothing twice, one `dead` at the end.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/unit/dataplane/client_rig.h"

static struct rig *rig;

static void begin(void)
{
	rig = rig_new();
	rig->evt_slots = 16;
	rig_client_add(rig, 0, false);
	rig_listen(rig, 0);
}

static void end(void)
{
	rig_free(rig);
}

TestSuite(event, .init = begin, .fini = end, .timeout = 30);

/* Fills the ring with what knocks cost until nothing more is posted. */
static void fill_ring(void)
{
	for (unsigned i = 0; i < 16; i++)
		rig_peer_connect(rig);
	rig_turn(rig);
	cr_assert_eq(rig->clients[0].theirs->evt_prod - rig->clients[0].evt_cons, 14);
}

Test(event, full_ring_holds_back_and_loses_nothing)
{
	uint32_t peer, got = 0, eofs = 0, deads = 0, knocks = 0;
	uint64_t handle = rig_open(rig, 42, &peer);
	struct ix_event event;

	fill_ring();
	for (unsigned i = 0; i < 10; i++) {
		rig_peer_send(rig, peer, 1000);
		rig_turn(rig);
	}
	tcp_shutdown(rig->peer, rig->core.now, peer);
	rig_turn(rig);
	/* A ring with room for commands only still takes them. */
	rig_sendv(rig, 0, handle, 0, 100);
	rig_turn(rig);
	cr_expect_eq(rig->peers[peer].rx_end, 100);
	tcp_abort(rig->peer, rig->core.now, peer);
	rig_turn(rig);
	cr_expect_eq(rig->core.clients->ghosts, 1);
	for (;;) {
		if (!rig_event(rig, 0, &event)) {
			rig_turn(rig);
			if (!rig_event(rig, 0, &event))
				break;
		}
		if (event.type == IX_EV_KNOCK) {
			knocks++;
			continue;
		}
		cr_assert_eq(event.cookie, 42);
		cr_assert_eq(deads, 0, "an event after dead");
		if (event.type == IX_EV_RECV) {
			cr_assert_eq(eofs, 0);
			for (uint32_t i = 0; i < event.recv.len; i++)
				cr_assert_eq(rig->clients[0].rx[event.off + i], rig_pattern(got + i));
			got += event.recv.len;
		}
		eofs += event.type == IX_EV_EOF;
		deads += event.type == IX_EV_DEAD;
	}
	cr_expect_eq(got, 10000);
	cr_expect_eq(eofs, 1);
	cr_expect_eq(deads, 1);
	cr_expect_eq(knocks, 16);
	cr_expect_eq(rig->core.clients->ghosts, 0);
}

Test(event, a_record_is_not_used_again_before_its_old_end_is_told)
{
	uint32_t peer, deads = 0, knocks = 0;
	uint64_t handle = rig_open(rig, 42, &peer);
	struct ix_event event;

	fill_ring();
	for (unsigned i = 0; i < 20; i++) {
		/* Knocks that the client is never told of end without a word. */
		uint32_t other = rig_peer_connect(rig);

		rig_turn(rig);
		tcp_abort(rig->peer, rig->core.now, other);
		rig_turn(rig);
	}
	tcp_abort(rig->peer, rig->core.now, peer);
	rig_turn(rig);
	rig_peer_connect(rig);
	rig_turn(rig);
	cr_expect_eq(rig->core.clients->ghosts, 1);
	cr_expect_eq(rig->core.conns[(uint32_t)handle].phase, CONN_OPEN);
	cr_expect(tcp_is_held(rig->core.tcp, (uint32_t)handle));
	for (unsigned idle = 0; idle < 2;) {
		if (!rig_event(rig, 0, &event)) {
			rig_turn(rig);
			idle++;
			continue;
		}
		knocks += event.type == IX_EV_KNOCK;
		if (event.type == IX_EV_DEAD) {
			deads++;
			cr_expect_eq(event.handle, handle);
			cr_expect_eq(event.cookie, 42);
		}
	}
	cr_expect_eq(deads, 1);
	cr_expect_eq(knocks, 17);
	cr_expect_eq(rig->core.clients->ghosts, 0);
	cr_expect_not(tcp_is_held(rig->core.tcp, (uint32_t)handle));
	rig_peer_connect(rig);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_KNOCK);
	cr_expect_eq((uint32_t)event.handle, (uint32_t)handle, "freed last, used first");
	cr_expect_neq(event.handle, handle);
}

Test(event, commands_wait_for_room_for_their_errors)
{
	struct ix_event event;

	for (unsigned i = 0; i < 40; i++)
		rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
	rig_turn(rig);
	cr_expect_eq(rig->clients[0].theirs->evt_prod, 16, "a full ring of errors");
	cr_expect_eq(rig->clients[0].theirs->cmd_cons, 16);
	cr_expect_geq(rig->stats.client_paused, 1);
	for (uint32_t seq = 1; seq <= 40; seq++) {
		if (!rig_event(rig, 0, &event)) {
			rig_turn(rig);
			event = rig_expect(rig, 0, IX_EV_ERROR);
		}
		cr_assert_eq(event.error.seq, seq);
		cr_assert_eq(event.error.op, 99);
	}
}

Test(event, bytes_that_follow_each_other_are_told_together)
{
	uint32_t peer;
	struct ix_event event;

	rig_open(rig, 1, &peer);
	rig_peer_send(rig, peer, 12000);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_RECV);
	cr_expect_eq(event.recv.len, 12000, "%u bytes", event.recv.len);
	rig_expect_none(rig, 0);
}

Test(event, what_came_before_accept_is_owed_by_it)
{
	struct ix_event event;
	uint32_t peer = rig_peer_connect(rig);

	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_KNOCK);
	rig_peer_send(rig, peer, 64);
	rig_turn(rig);
	rig_expect_none(rig, 0);
	cr_expect(!event_is_owed(&rig->core));
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_ACCEPT, .handle = event.handle, .accept.cookie = 7});
	command_drain(&rig->core, 64);
	cr_expect(event_is_owed(&rig->core));
	event_flush(&rig->core);
	cr_expect(!event_is_owed(&rig->core));
	rig_expect(rig, 0, IX_EV_SENT);
	rig_expect(rig, 0, IX_EV_RECV);
}

Test(event, doorbell_is_rung_only_for_a_sleeper_and_once)
{
	struct pollfd fd = {.events = POLLIN};
	char bytes[64];
	uint32_t peer;

	rig_open(rig, 1, &peer);
	fd.fd = rig->clients[0].doorbell;
	rig_peer_send(rig, peer, 10);
	rig_turn(rig);
	cr_expect_eq(poll(&fd, 1, 0), 0, "a client that is awake is left alone");
	rig_expect(rig, 0, IX_EV_RECV);
	rig->clients[0].mine->is_sleeping = 1;
	rig_peer_send(rig, peer, 10);
	rig_turn(rig);
	rig_peer_send(rig, peer, 10);
	rig_turn(rig);
	cr_expect_eq(recv(fd.fd, bytes, sizeof(bytes), MSG_DONTWAIT), 1, "one byte for two batches");
	rig_expect(rig, 0, IX_EV_RECV);
	rig_peer_send(rig, peer, 10);
	rig_turn(rig);
	cr_expect_eq(poll(&fd, 1, 0), 1, "it has taken events and slept again");
}

Test(event, a_client_that_was_quick_is_rung_the_next_time)
{
	struct channel *channel = &rig->core.clients->channel[0];
	char bytes[64];
	uint32_t peer;

	rig_open(rig, 1, &peer);
	rig_peer_send(rig, peer, 10);
	rig_turn(rig);
	/* It takes the event and sleeps again before the flag is read. */
	rig_expect(rig, 0, IX_EV_RECV);
	rig->clients[0].mine->is_sleeping = 1;
	channel->evt_published--;
	channel_mark_busy(channel);
	channels_publish(rig->core.clients);
	cr_expect_eq(recv(rig->clients[0].doorbell, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	rig_peer_send(rig, peer, 10);
	rig_turn(rig);
	cr_expect_eq(recv(rig->clients[0].doorbell, bytes, sizeof(bytes), MSG_DONTWAIT), 1);
}
