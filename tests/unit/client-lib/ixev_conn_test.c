/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection from its beginning, accepted or asked for, to its end.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/client-lib/ixev_rig.h"

TestSuite(ixev_conn, .init = rig_setup, .fini = rig_teardown, .timeout = 30);

Test(ixev_conn, reading_in_place_and_by_copy)
{
	uint64_t cookie = rig_accepted(0);
	const void *data;
	struct iovec parts[4];
	char copy[16];

	fake_post_recv(&rig.fake, 1, cookie, 100, "hello ", 6);
	fake_post_recv(&rig.fake, 1, cookie, 106, "world", 5);
	fake_post_recv(&rig.fake, 1, cookie, 500, "again", 5);
	rig_turn();
	cr_assert_eq(rig.heard.readables, 3);
	cr_assert_eq(ixev_readable(rig.heard.conn), 16);
	cr_assert_eq(ixev_peek(rig.heard.conn, &data), 11, "neighbours are joined");
	cr_assert_eq(memcmp(data, "hello world", 11), 0);
	cr_assert_eq(ixev_peekv(rig.heard.conn, parts, 4), 2);
	cr_assert_eq(parts[1].iov_len, 5);
	rig_expect_silence(1);
	ixev_consume(rig.heard.conn, 4);
	ixev_consume(rig.heard.conn, 4);
	rig_turn();
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_RECV_DONE).recv_done.bytes, 8);
	rig_expect_silence(1);
	cr_assert_eq(ixev_read(rig.heard.conn, copy, sizeof(copy)), 8);
	cr_assert_eq(memcmp(copy, "rldagain", 8), 0);
	rig_turn();
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_RECV_DONE).recv_done.bytes, 8);
	cr_assert_eq(ixev_peek(rig.heard.conn, &data), 0);
}

static void echo_and_close(struct ixev_conn *conn)
{
	const void *data;
	size_t len = ixev_peek(conn, &data);

	ixev_write(conn, data, len);
	ixev_consume(conn, len);
	ixev_close(conn);
}

Test(ixev_conn, order_is_recv_done_then_data_then_close)
{
	uint64_t cookie = rig_accepted(100);

	rig.readable_hook = echo_and_close;
	fake_post_recv(&rig.fake, 1, cookie, 0, "abc", 3);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_RECV_DONE);
	fake_expect(&rig.fake, 1, IX_OP_SENDV);
	fake_expect(&rig.fake, 1, IX_OP_CLOSE);
	rig_expect_silence(1);
	cr_assert_eq(rig.heard.deads, 0);
	rig_post_dead(cookie, IX_REASON_CLOSED);
	cr_assert_eq(rig.heard.deads, 1);
	cr_assert_eq(rig.heard.reason, IX_REASON_CLOSED);
	cr_assert_eq(ixev_conn_count(rig.loop), 0);
	rig_expect_silence(1);
}

Test(ixev_conn, close_waits_for_the_send_limit)
{
	uint64_t cookie = rig_accepted(1);

	ixev_write(rig.heard.conn, "abc", 3);
	ixev_close(rig.heard.conn);
	cr_assert_eq(ixev_write(rig.heard.conn, "d", 1), 0, "wrote after close");
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_SENDV);
	rig_expect_silence(1);
	fake_post_recv(&rig.fake, 1, cookie, 0, "nobody reads this", 17);
	fake_post_sent(&rig.fake, 1, cookie, 1, 10);
	rig_turn();
	cr_assert_eq(rig.heard.readables, 0);
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_RECV_DONE).recv_done.bytes, 17);
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_SENDV).sg[0].len, 2);
	fake_expect(&rig.fake, 1, IX_OP_CLOSE);
}

Test(ixev_conn, soft_errors_are_told_until_close)
{
	uint64_t cookie = rig_accepted(10);
	struct ix_event event = {.type = IX_EV_SOFT_ERROR, .outcome = -EHOSTUNREACH, .cookie = cookie};

	fake_post(&rig.fake, 1, &event);
	rig_turn();
	cr_expect_eq(rig.heard.softs, 1);
	cr_expect_eq(rig.heard.error, -EHOSTUNREACH);
	cr_expect_eq(rig.heard.deads, 0);
	ixev_close(rig.heard.conn);
	fake_post(&rig.fake, 1, &event);
	rig_turn();
	cr_expect_eq(rig.heard.softs, 1);
}

Test(ixev_conn, urgent_bytes_are_counted_down)
{
	uint64_t cookie = rig_accepted(10);
	struct ix_event event = {.type = IX_EV_URGENT, .cookie = cookie, .urgent_end = 7};

	cr_expect_eq(ixev_urgent(rig.heard.conn), 0);
	fake_post_recv(&rig.fake, 1, cookie, 0, "abc", 3);
	fake_post(&rig.fake, 1, &event);
	rig_turn();
	cr_expect_eq(rig.heard.urgents, 1);
	cr_expect_eq(ixev_urgent(rig.heard.conn), 7);
	ixev_consume(rig.heard.conn, 2);
	cr_expect_eq(ixev_urgent(rig.heard.conn), 5);
	fake_post(&rig.fake, 1, &event);
	rig_turn();
	cr_expect_eq(rig.heard.urgents, 1, "known, and told again");
	fake_post_recv(&rig.fake, 1, cookie, 3, "defghi", 6);
	rig_turn();
	cr_expect_eq(ixev_urgent(rig.heard.conn), 5);
	ixev_consume(rig.heard.conn, 5);
	cr_expect_eq(ixev_urgent(rig.heard.conn), 0);
	ixev_consume(rig.heard.conn, 2);
	cr_expect_eq(ixev_urgent(rig.heard.conn), 0);
	ixev_close(rig.heard.conn);
	event.urgent_end = 100;
	fake_post(&rig.fake, 1, &event);
	rig_turn();
	cr_expect_eq(rig.heard.urgents, 1, "told after close");
}

Test(ixev_conn, shutdown_is_said_once_and_receiving_goes_on)
{
	uint64_t cookie = rig_accepted(10);

	ixev_write(rig.heard.conn, "abc", 3);
	ixev_shutdown(rig.heard.conn);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_SENDV);
	fake_expect(&rig.fake, 1, IX_OP_SHUTDOWN);
	ixev_shutdown(rig.heard.conn);
	fake_post_recv(&rig.fake, 1, cookie, 0, "x", 1);
	fake_post(&rig.fake, 1, &(struct ix_event){.type = IX_EV_EOF, .cookie = cookie});
	rig_turn();
	cr_assert(rig.heard.readables == 1 && rig.heard.eofs == 1);
	rig_expect_silence(1);
	ixev_close(rig.heard.conn);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_RECV_DONE);
	fake_expect(&rig.fake, 1, IX_OP_CLOSE);
}

Test(ixev_conn, abort_drops_what_is_unsent)
{
	rig_accepted(10);
	ixev_write(rig.heard.conn, "abc", 3);
	ixev_abort(rig.heard.conn);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_ABORT);
	rig_expect_silence(1);
}

static uint64_t connecting(void)
{
	struct ix_addr remote;

	cr_assert_eq(ix_addr_parse("192.0.2.1:80", &remote), 0);
	cr_assert_eq(
	    ixev_connect(rig.loop, 1, &remote, NULL, NULL, &rig_handlers, &rig.heard, &rig.heard.conn), 0);
	ixev_write(rig.heard.conn, "early", 5);
	rig_turn();
	return fake_expect(&rig.fake, 1, IX_OP_CONNECT).cookie;
}

static void post_connected(uint64_t cookie, int16_t outcome)
{
	fake_post(&rig.fake, 1,
		  &(struct ix_event){.type = IX_EV_CONNECTED,
				     .cookie = cookie,
				     .outcome = outcome,
				     .handle = HANDLE,
				     .local_port = 61234,
				     .open.send_limit = 100});
	rig_turn();
}

Test(ixev_conn, connect_sends_what_was_written_before)
{
	uint64_t cookie = connecting();
	struct ix_addr local;

	rig_expect_silence(1);
	post_connected(cookie, 0);
	cr_assert_eq(rig.heard.opens, 1);
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_SENDV).sg[0].len, 5);
	ixev_local(rig.heard.conn, &local);
	cr_assert_eq(local.port, 61234);
}

/* With Fast Open what was written goes in the same batch as the connect, and ixev goes on behind it. */
Test(ixev_conn, fast_open_sends_with_the_connect)
{
	struct ix_options options = {.flags = IX_FAST_OPEN};
	struct ix_addr remote;
	struct ix_cmd cmd;

	cr_assert_eq(ix_addr_parse("192.0.2.1:80", &remote), 0);
	cr_assert_eq(
	    ixev_connect(rig.loop, 1, &remote, NULL, &options, &rig_handlers, &rig.heard, &rig.heard.conn),
	    0);
	ixev_write(rig.heard.conn, "early", 5);
	rig_turn();
	cmd = fake_expect(&rig.fake, 1, IX_OP_CONNECT);
	cr_assert_eq(cmd.flags, IX_FAST_OPEN);
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_SEND_EARLY).sg[0].len, 5);
	ixev_write(rig.heard.conn, "late", 4);
	rig_turn();
	rig_expect_silence(1);
	post_connected(cmd.cookie, 0);
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_SENDV).sg[0].len, 4);
}

/* Nothing was written: the SYN must not wait. */
Test(ixev_conn, fast_open_without_data_is_an_ordinary_connect)
{
	struct ix_options options = {.flags = IX_FAST_OPEN};
	struct ix_addr remote;

	cr_assert_eq(ix_addr_parse("192.0.2.1:80", &remote), 0);
	cr_assert_eq(
	    ixev_connect(rig.loop, 1, &remote, NULL, &options, &rig_handlers, &rig.heard, &rig.heard.conn),
	    0);
	rig_turn();
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_CONNECT).flags, 0);
	rig_expect_silence(1);
}

/* Bytes that ixd did not take are missing from the stream. */
Test(ixev_conn, refused_early_bytes_end_the_connection)
{
	struct ix_options options = {.flags = IX_FAST_OPEN};
	struct ix_addr remote;
	struct ix_cmd cmd;

	cr_assert_eq(ix_addr_parse("192.0.2.1:80", &remote), 0);
	cr_assert_eq(
	    ixev_connect(rig.loop, 1, &remote, NULL, &options, &rig_handlers, &rig.heard, &rig.heard.conn),
	    0);
	ixev_write(rig.heard.conn, "early", 5);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_CONNECT);
	cmd = fake_expect(&rig.fake, 1, IX_OP_SEND_EARLY);
	fake_post(&rig.fake, 1,
		  &(struct ix_event){.type = IX_EV_ERROR,
				     .cookie = cmd.cookie,
				     .outcome = -EMSGSIZE,
				     .error = {.seq = cmd.seq, .op = IX_OP_SEND_EARLY}});
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_CANCEL);
}

Test(ixev_conn, connect_closed_early_still_delivers)
{
	uint64_t cookie = connecting();

	ixev_close(rig.heard.conn);
	rig_turn();
	rig_expect_silence(1);
	post_connected(cookie, 0);
	cr_assert_eq(rig.heard.opens, 0);
	fake_expect(&rig.fake, 1, IX_OP_SENDV);
	fake_expect(&rig.fake, 1, IX_OP_CLOSE);
}

Test(ixev_conn, failed_connect_dies_once_with_its_error)
{
	uint64_t cookie = connecting();

	post_connected(cookie, -ECONNREFUSED);
	cr_assert(rig.heard.deads == 1 && rig.heard.reason == IX_REASON_REFUSED &&
		  rig.heard.error == -ECONNREFUSED);
	rig_post_dead(cookie, IX_REASON_REFUSED);
	cr_assert_eq(rig.heard.deads, 1);
}

Test(ixev_conn, aborted_connect_is_cancelled)
{
	uint64_t cookie = connecting();

	ixev_abort(rig.heard.conn);
	rig_turn();
	cr_assert_eq(fake_expect(&rig.fake, 1, IX_OP_CANCEL).cookie, cookie);
	/* Too late: it was established meanwhile. */
	post_connected(cookie, 0);
	cr_assert_eq(rig.heard.opens, 0);
	fake_expect(&rig.fake, 1, IX_OP_ABORT);
	rig_post_dead(cookie, IX_REASON_ABORTED);
	cr_assert_eq(rig.heard.deads, 1);
}

Test(ixev_conn, orderly_end_waits_until_everything_is_read)
{
	uint64_t cookie = rig_accepted(10);
	const void *data;

	ixev_shutdown(rig.heard.conn);
	fake_post_recv(&rig.fake, 1, cookie, 100, "hello ", 6);
	fake_post_recv(&rig.fake, 1, cookie, 600, "world", 5);
	fake_post(&rig.fake, 1, &(struct ix_event){.type = IX_EV_EOF, .cookie = cookie});
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_SHUTDOWN);
	ixev_consume(rig.heard.conn, 3);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_RECV_DONE);
	rig_post_dead(cookie, IX_REASON_CLOSED);
	memset(rig.fake.rx, 'x', 1000); /* ixd has given the memory to others */
	cr_assert_eq(rig.heard.deads, 0);
	cr_assert(ixev_is_eof(rig.heard.conn));
	cr_assert_eq(ixev_peek(rig.heard.conn, &data), 8);
	cr_assert_eq(memcmp(data, "lo world", 8), 0);
	ixev_consume(rig.heard.conn, 7);
	rig_turn();
	cr_assert_eq(rig.heard.deads, 0);
	ixev_consume(rig.heard.conn, 1);
	rig_turn();
	cr_assert(rig.heard.deads == 1 && rig.heard.reason == IX_REASON_CLOSED);
	rig_expect_silence(1);
}

Test(ixev_conn, closing_what_has_ended_is_enough)
{
	uint64_t cookie = rig_accepted(10);

	ixev_shutdown(rig.heard.conn);
	fake_post_recv(&rig.fake, 1, cookie, 100, "hello ", 6);
	rig_turn();
	fake_expect(&rig.fake, 1, IX_OP_SHUTDOWN);
	rig_post_dead(cookie, IX_REASON_CLOSED);
	cr_assert_eq(rig.heard.deads, 0);
	ixev_close(rig.heard.conn);
	rig_turn();
	cr_assert_eq(rig.heard.deads, 1);
	rig_expect_silence(1);
}

Test(ixev_conn, late_events_of_a_dead_connection_find_nobody)
{
	uint64_t cookie = rig_accepted(10);

	rig_post_dead(cookie, IX_REASON_RESET);
	cr_assert_eq(rig.heard.reason, IX_REASON_RESET);
	rig_knock(1, 0);
	fake_post_sent(&rig.fake, 1, cookie, 5, 50);
	fake_post_recv(&rig.fake, 1, cookie, 0, "x", 1);
	rig_turn();
	cr_assert(rig.heard.deads == 1 && rig.heard.readables == 0);
}
