/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection's life as its client sees it, with the real engine and a peer.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/dataplane/client_rig.h"

static struct rig *rig;

static void begin(void)
{
	rig = rig_new();
	rig_client_add(rig, 0, false);
	rig_listen(rig, 0);
}

static void end(void)
{
	rig_free(rig);
}

TestSuite(conn, .init = begin, .fini = end, .timeout = 30);

/* Nothing is left of any connection: records, pieces, cells, counts. */
static void expect_clean(void)
{
	struct client_side *side = rig->core.clients;
	struct channel *channel = &side->channel[0];

	rig_turn(rig);
	cr_expect_eq(side->conns_live, 0, "%u records", side->conns_live);
	cr_expect_eq(side->ghosts, 0);
	cr_expect_eq(side->chunks_used, 0);
	cr_expect_eq(channel->conns, 0);
	cr_expect_eq(channel->rx.charged, 0, "%u cells charged", channel->rx.charged);
	cr_expect_eq(channel->rx.half_open, 0);
	cr_expect_eq(channel->rx.shared->cells_reserved, 0);
	cr_expect_eq(channel->rx.shared->conns, 0);
}

/* Checks one recv event against the pattern and returns its length. */
static uint32_t check_recv(uint32_t client, const struct ix_event *event, uint64_t off)
{
	cr_assert_leq(event->off + event->recv.len, rig->rx_bytes);
	for (uint32_t i = 0; i < event->recv.len; i++)
		cr_assert_eq(rig->clients[client].rx[event->off + i], rig_pattern(off + i), "byte %u",
			     (unsigned)(off + i));
	return event->recv.len;
}

static void close_both(uint64_t handle, uint32_t peer, uint64_t cookie)
{
	struct ix_event event;

	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	tcp_close(rig->peer, rig->core.now, peer, false);
	rig_turn(rig);
	/* The peer's FIN may be here before the command. */
	do
		cr_assert(rig_event(rig, 0, &event));
	while (event.type == IX_EV_EOF);
	cr_expect_eq(event.type, IX_EV_DEAD);
	cr_expect_eq(event.reason, IX_REASON_CLOSED);
	cr_expect_eq(event.cookie, cookie);
	cr_expect_eq(event.handle, handle);
}

static uint32_t only_conn(void)
{
	uint32_t i = 0;

	while (i < rig->core.clients->conns_max && rig->core.clients->conns[i].phase == CONN_FREE)
		i++;
	cr_assert_lt(i, rig->core.clients->conns_max, "no connection");
	return i;
}

Test(conn, soft_errors_are_told_once_each_and_end_nothing)
{
	struct ix_event event;
	uint32_t peer, conn;
	uint64_t handle = rig_open(rig, 77, &peer);

	conn = only_conn();
	conn_on_soft_error(&rig->core, conn, TCP_SOFT_UNREACHABLE);
	conn_on_soft_error(&rig->core, conn, TCP_SOFT_UNREACHABLE);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_SOFT_ERROR);
	cr_expect_eq(event.outcome, -EHOSTUNREACH);
	cr_expect_eq(event.cookie, 77);
	rig_expect_none(rig, 0);
	rig->wire_is_cut = true;
	rig_sendv(rig, 0, handle, 0, 100);
	rig_turns(rig, 200, UINT64_C(100000000));
	event = rig_expect(rig, 0, IX_EV_SOFT_ERROR);
	cr_expect_eq(event.outcome, -ETIMEDOUT);
	rig_expect_none(rig, 0);
	rig->wire_is_cut = false;
	rig_turns(rig, 600, UINT64_C(100000000));
	event = rig_expect(rig, 0, IX_EV_SENT);
	cr_expect_eq(event.acked_total, 100);
	close_both(handle, peer, 77);
	expect_clean();
}

/* RFC 9293 MUST-32: when the place moves on, and not for what was taken. */
Test(conn, urgent_data_is_told_when_it_grows)
{
	struct ix_event event;
	uint32_t peer, conn;
	uint64_t handle = rig_open(rig, 77, &peer);

	conn = only_conn();
	conn_on_urgent(&rig->core, conn, 10);
	conn_on_urgent(&rig->core, conn, 12);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_URGENT);
	cr_expect_eq(event.urgent_end, 12);
	cr_expect_eq(event.cookie, 77);
	rig_expect_none(rig, 0);
	conn_on_urgent(&rig->core, conn, 12);
	conn_on_urgent(&rig->core, conn, 3);
	rig_turn(rig);
	rig_expect_none(rig, 0);
	rig_peer_send(rig, peer, 20);
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_RECV);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 20}});
	rig_turn(rig);
	conn_on_urgent(&rig->core, conn, 20);
	rig_turn(rig);
	rig_expect_none(rig, 0);
	conn_on_urgent(&rig->core, conn, 21);
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_URGENT).urgent_end, 21);
	close_both(handle, peer, 77);
	expect_clean();
	/* The next connection in the same place has none. */
	handle = rig_open(rig, 78, &peer);
	cr_assert_eq(only_conn(), conn);
	conn_on_urgent(&rig->core, conn, 5);
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_URGENT).urgent_end, 5);
	close_both(handle, peer, 78);
	expect_clean();
}

Test(conn, urgent_data_before_accept_is_told_after_it)
{
	uint64_t handle;

	rig_peer_connect(rig);
	rig_turn(rig);
	handle = rig_expect(rig, 0, IX_EV_KNOCK).handle;
	conn_on_urgent(&rig->core, only_conn(), 9);
	rig_turn(rig);
	rig_expect_none(rig, 0);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_ACCEPT, .handle = handle, .accept = {.cookie = 77}});
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_SENT);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_URGENT).urgent_end, 9);
	rig_expect_none(rig, 0);
}

Test(conn, soft_errors_before_accept_are_nobodys)
{
	uint64_t handle;

	rig_peer_connect(rig);
	rig_turn(rig);
	handle = rig_expect(rig, 0, IX_EV_KNOCK).handle;
	conn_on_soft_error(&rig->core, only_conn(), TCP_SOFT_UNREACHABLE);
	rig_turn(rig);
	rig_expect_none(rig, 0);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_ACCEPT, .handle = handle, .accept = {.cookie = 77}});
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_SENT);
	rig_expect_none(rig, 0);
}

Test(conn, knock_accept_echo_close)
{
	uint32_t peer = rig_peer_connect(rig);
	struct ix_event event;
	uint64_t handle;

	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_KNOCK);
	handle = event.handle;
	cr_expect_eq(event.cookie, RIG_COOKIE);
	cr_expect_eq(event.local_port, RIG_PORT);
	cr_expect_eq(event.open.remote[15], 2);

	/* What comes before accept waits. */
	rig_peer_send(rig, peer, 100);
	rig_turn(rig);
	rig_expect_none(rig, 0);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_ACCEPT, .handle = handle, .accept = {.cookie = 77}});
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_SENT);
	cr_expect_eq(event.cookie, 77);
	cr_expect_eq(event.acked_total, 0);
	cr_expect_eq(event.sent.send_limit, 131072);
	event = rig_expect(rig, 0, IX_EV_RECV);
	cr_expect_eq(check_recv(0, &event, 0), 100);

	memcpy(rig->clients[0].tx + 5000, "hello", 5);
	rig_cmd(rig, 0,
		(struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 100}});
	rig_sendv(rig, 0, handle, 5000, 5);
	rig_turn(rig);
	cr_expect_eq(rig->peers[peer].rx_end, 5);
	cr_expect_eq(memcmp(rig->peers[peer].rx, "hello", 5), 0);
	event = rig_expect(rig, 0, IX_EV_SENT);
	cr_expect_eq(event.acked_total, 5);
	cr_expect_eq(event.sent.send_limit, 131077);
	close_both(handle, peer, 77);
	rig_expect_none(rig, 0);
	expect_clean();
}

Test(conn, pieces_of_odd_length_arrive_as_given)
{
	static const uint32_t lens[] = {1, 3, 1460, 7, 2, 4095, 1, 1, 9001, 5};
	uint64_t off = 3, total = 0;
	struct ix_event event;
	uint32_t peer;
	uint64_t handle = rig_open(rig, 1, &peer);

	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (uint32_t j = 0; j < lens[i]; j++)
			rig->clients[0].tx[off + j] = rig_pattern(total + j);
		rig_sendv(rig, 0, handle, off, lens[i]);
		off += lens[i] + (i % 2 ? 13 : 0); /* some follow each other in the arena, some do not */
		total += lens[i];
	}
	rig_turn(rig);
	cr_assert_eq(rig->peers[peer].rx_end, total);
	for (uint64_t i = 0; i < total; i++)
		cr_assert_eq(rig->peers[peer].rx[i], rig_pattern(i));
	while (rig_event(rig, 0, &event))
		cr_assert_eq(event.type, IX_EV_SENT);
	cr_expect_eq(event.acked_total, total);
	cr_expect_eq(rig->core.clients->chunks_used, 0);
	close_both(handle, peer, 1);
	expect_clean();
}

Test(conn, eof_comes_after_all_bytes_and_half_close_goes_on)
{
	uint32_t peer;
	uint64_t handle = rig_open(rig, 1, &peer);
	struct ix_event event;
	uint32_t got = 0;

	rig_peer_send(rig, peer, 20000);
	tcp_shutdown(rig->peer, rig->core.now, peer);
	rig_turn(rig);
	while (got < 20000) {
		event = rig_expect(rig, 0, IX_EV_RECV);
		got += check_recv(0, &event, got);
	}
	rig_expect(rig, 0, IX_EV_EOF);
	rig_cmd(rig, 0,
		(struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = got}});
	rig_sendv(rig, 0, handle, 0, 1000);
	rig_turn(rig);
	cr_expect_eq(rig->peers[peer].rx_end, 1000);
	rig_expect(rig, 0, IX_EV_SENT);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	rig_turn(rig);
	cr_expect(rig->peers[peer].has_eof);
	event = rig_expect(rig, 0, IX_EV_DEAD);
	cr_expect_eq(event.reason, IX_REASON_CLOSED);
	expect_clean();
}

/* Both directions end while the client has not read: the bytes stay, and `dead` waits for it. */
static uint64_t half_read(uint32_t *peer)
{
	uint64_t handle = rig_open(rig, 8, peer);
	struct ix_event event;

	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_SHUTDOWN, .handle = handle});
	rig_turn(rig);
	cr_assert(rig->peers[*peer].has_eof);
	rig_peer_send(rig, *peer, 5000);
	tcp_close(rig->peer, rig->core.now, *peer, false);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_RECV);
	cr_expect_eq(check_recv(0, &event, 0), 5000);
	rig_expect(rig, 0, IX_EV_EOF);
	rig_expect_none(rig, 0);
	cr_expect_eq(rig->core.clients->conns_live, 0, "the engine has forgotten it");
	return handle;
}

Test(conn, an_orderly_end_waits_for_the_reader)
{
	uint32_t peer, other;
	uint64_t handle = half_read(&peer);

	/* Its record is nobody else's meanwhile. */
	cr_expect_neq((uint32_t)rig_open(rig, 9, &other), (uint32_t)handle);
	rig_cmd(rig, 0,
		(struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 4999}});
	rig_turn(rig);
	rig_expect_none(rig, 0);
	rig_sendv(rig, 0, handle, 0, 1);
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_ERROR).outcome, -EPIPE);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 2}});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_ERROR).outcome, -EINVAL);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 1}});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_DEAD).cookie, 8);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_ERROR).outcome, -ESTALE);
	tcp_abort(rig->peer, rig->core.now, other);
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_DEAD);
	expect_clean();
}

Test(conn, a_reader_may_close_before_the_end)
{
	uint32_t peer;
	uint64_t handle = half_read(&peer);

	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_DEAD).reason, IX_REASON_CLOSED);
	expect_clean();
}

Test(conn, a_reader_may_die_before_the_end)
{
	struct mail mail;
	uint32_t peer;

	half_read(&peer);
	channel_del(&rig->core, 0);
	cr_expect(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	cr_expect_eq(rig->core.clients->ghosts, 0);
}

Test(conn, close_with_unread_bytes_resets)
{
	uint32_t peer;
	uint64_t handle = rig_open(rig, 1, &peer);

	rig_peer_send(rig, peer, 10);
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_RECV);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_DEAD);
	cr_expect(rig->peers[peer].is_dead);
	cr_expect_eq(rig->peers[peer].reason, TCP_REASON_RESET);
	expect_clean();
}

Test(conn, reject_resets_and_ends_with_dead)
{
	uint32_t peer = rig_peer_connect(rig);
	struct ix_event event;

	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_KNOCK);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_REJECT, .handle = event.handle});
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_DEAD);
	cr_expect_eq(event.cookie, 0);
	cr_expect(rig->peers[peer].is_dead);
	expect_clean();
}

Test(conn, peers_reset_after_data_still_delivers_it_first)
{
	uint32_t peer;
	struct ix_event event;

	rig_open(rig, 9, &peer);
	rig_peer_send(rig, peer, 3000);
	tcp_output(rig->peer, rig->core.now, 64, true);
	tcp_abort(rig->peer, rig->core.now, peer);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_RECV);
	cr_expect_eq(check_recv(0, &event, 0), 3000);
	/* Not freed before `dead` is taken: the client may be reading. */
	cr_expect_gt(rig->core.clients->channel[0].rx.charged, 0);
	event = rig_expect(rig, 0, IX_EV_DEAD);
	cr_expect_eq(event.reason, IX_REASON_RESET);
	expect_clean();
}

Test(conn, window_closes_without_recv_done_and_opens_with_it)
{
	uint32_t peer, got = 0;
	uint64_t handle = rig_open(rig, 1, &peer);
	struct ix_event event;

	rig_peer_send(rig, peer, 400000);
	rig_turn(rig);
	while (rig_event(rig, 0, &event))
		got += check_recv(0, &event, got);
	cr_expect_leq(got, 65536);
	cr_expect_gt(got, 60000);
	cr_expect_eq(rig->stats.rx_no_memory, 0);
	for (unsigned i = 0; i < 200 && got < 400000; i++) {
		rig_cmd(rig, 0,
			(struct ix_cmd){
			    .op = IX_OP_RECV_DONE,
			    .handle = handle,
			    .recv_done = {.bytes = got - rig->core.conns[(uint32_t)handle].rx_done_off}});
		rig_turns(rig, 1, 1000);
		while (rig_event(rig, 0, &event))
			got += check_recv(0, &event, got);
	}
	cr_assert_eq(got, 400000);
	/* Consumed within a round trip each time: the window has grown to its maximum. */
	cr_expect_eq(rig->core.conns[(uint32_t)handle].rx_window_bytes, 262144);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_ABORT, .handle = handle});
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_DEAD);
	expect_clean();
}

Test(conn, without_memory_the_window_is_one_segment)
{
	uint32_t peers[40], reserved = 0, last;
	uint64_t handle = 0;

	/* 2 MB in all: 512 cells, of which 384 can be reserved, 18 for each window of 64 KB. */
	for (unsigned i = 0; i < 40; i++)
		handle = rig_open(rig, i, &peers[i]);
	for (uint32_t i = 0; i < 40; i++)
		reserved += rig->core.conns[i].rx_reserved_cells > 0;
	cr_expect_eq(reserved, 21, "%u connections have a reservation", reserved);
	cr_expect_leq(rig->core.clients->channel[0].rx.charged, rig->core.clients->channel[0].rx.owned);
	/* All others are full of bytes that nobody reads; one segment at a time still comes through. */
	last = peers[39];
	for (unsigned i = 0; i < 39; i++)
		rig_peer_send(rig, peers[i], 70000);
	rig_turn(rig);
	for (uint32_t got = 0, turn = 0; got < 10000 && turn < 100; turn++) {
		struct ix_event event;

		if (!turn)
			rig_peer_send(rig, last, 10000);
		rig_turns(rig, 1, 1000000);
		while (rig_event(rig, 0, &event)) {
			if (event.cookie != 39)
				continue;
			got += check_recv(0, &event, got);
			rig_cmd(rig, 0,
				(struct ix_cmd){.op = IX_OP_RECV_DONE,
						.handle = handle,
						.recv_done = {.bytes = event.recv.len}});
		}
		cr_assert(turn < 99 || got == 10000, "%u bytes", got);
	}
	cr_expect_eq(rig->stats.rx_no_memory, 0);
}

Test(conn, unsent_data_outlives_the_client)
{
	struct mail mail;
	uint32_t peer, other;
	uint64_t handle = rig_open(rig, 1, &peer);

	rig_open(rig, 2, &other);
	rig->wire_is_cut = true;
	rig_sendv(rig, 0, handle, 0, 100000);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	rig_turn(rig);
	channel_del(&rig->core, 0);
	rig_turn(rig);
	cr_expect_not(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	rig->wire_is_cut = false;
	rig_turns(rig, 20, 300000000);
	cr_expect_eq(rig->peers[peer].rx_end, 100000);
	cr_expect(rig->peers[peer].has_eof);
	cr_expect(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	tcp_close(rig->peer, rig->core.now, peer, false);
	rig_turn(rig);
	cr_expect_eq(rig->core.clients->conns_live, 0);
	cr_expect_eq(rig->core.clients->chunks_used, 0);
}

Test(conn, commands_of_a_client_that_has_left_still_count)
{
	struct mail mail;
	uint32_t peer;
	uint64_t handle = rig_open(rig, 1, &peer);

	/* All in the ring, none taken, when the news of its exit comes. */
	rig_sendv(rig, 0, handle, 0, 100000);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	channel_del(&rig->core, 0);
	rig_turns(rig, 20, 300000000);
	cr_expect_eq(rig->peers[peer].rx_end, 100000);
	cr_expect(rig->peers[peer].has_eof);
	cr_expect(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
}

Test(conn, linger_ends_an_orphan_that_cannot_send)
{
	struct mail mail;
	uint32_t peer;
	uint64_t handle = rig_open(rig, 1, &peer);

	rig->wire_is_cut = true;
	rig_sendv(rig, 0, handle, 0, 100000);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	rig_turn(rig);
	channel_del(&rig->core, 0);
	cr_expect_neq(client_side_next_timer(&rig->core).ns, 0);
	rig_turns(rig, 3, 200000000);
	cr_expect_not(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	rig_turns(rig, 3, 200000000);
	cr_expect(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	cr_expect_eq(rig->core.clients->conns_live, 0);
	cr_expect_eq(rig->core.clients->chunks_used, 0);
}

Test(conn, other_connections_of_a_dead_client_are_reset)
{
	struct mail mail;
	uint32_t peers[5];

	for (unsigned i = 0; i < 4; i++)
		rig_open(rig, i, &peers[i]);
	peers[4] = rig_peer_connect(rig); /* knocked, not accepted */
	rig_turn(rig);
	rig_peer_send(rig, peers[0], 5000);
	rig_turn(rig);
	channel_del(&rig->core, 0);
	rig_turn(rig);
	for (unsigned i = 0; i < 5; i++)
		cr_expect(rig->peers[peers[i]].is_dead);
	cr_expect(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	cr_expect_not(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	cr_expect_eq(rig->core.clients->conns_live, 0);
	/* Nobody is left to take it. */
	peers[0] = rig_peer_connect(rig);
	rig_turn(rig);
	cr_expect(rig->peers[peers[0]].is_dead);
}

Test(conn, a_thousand_short_connections_leave_nothing)
{
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t peer;
		uint64_t handle = rig_open(rig, i, &peer);
		struct ix_event event;

		rig_peer_send(rig, peer, 64);
		rig_turn(rig);
		cr_assert_eq(rig_expect(rig, 0, IX_EV_RECV).recv.len, 64);
		rig_cmd(rig, 0,
			(struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = 64}});
		rig_sendv(rig, 0, handle, 64 * (i % 100), 64);
		rig_turn(rig);
		rig_expect(rig, 0, IX_EV_SENT);
		cr_assert_eq(rig->peers[peer].rx_end, 64);
		if (i % 2) {
			close_both(handle, peer, i);
		} else {
			tcp_abort(rig->peer, rig->core.now, peer);
			rig_turn(rig);
			event = rig_expect(rig, 0, IX_EV_DEAD);
			cr_assert_eq(event.reason, IX_REASON_RESET);
		}
		/* The peer connects actively, so the TIME_WAITs are its own or ours; let them pass. */
		rig->core.now.ns += 100000000;
	}
	expect_clean();
}
