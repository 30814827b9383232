/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event layer against a daemon played by hand: what is said to ixd, in which order and how often, and
 * what the application hears.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ix/ixev.h>

#include "tests/unit/client-lib/fake_ixd.h"

#define HANDLE UINT64_C(0x1234)

static struct fake_ixd fake;
static struct ix_client *client;
static struct ixev_loop *loop;

/* What the handlers of the connection under test heard. */
static struct heard {
	unsigned accepts, opens, readables, writables, sents, eofs, deads;
	enum ix_reason reason;
	int error, outcome;
	struct ixev_conn *conn;
} heard;

static int accept_answer;
static void (*readable_hook)(struct ixev_conn *conn);

static void setup(void)
{
	fake.cmd_slots = 32;
	fake.evt_slots = 64;
	fake.cores = 2;
	client = fake_open(&fake);
	cr_assert_eq(ixev_loop_new(client, 0, 0, &loop), 0);
}

static void teardown(void)
{
	ixev_loop_free(loop);
	ix_close(client);
	fake_stop(&fake);
}

TestSuite(ixev, .init = setup, .fini = teardown, .timeout = 30);

static void on_open(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	cr_assert_eq(arg, &heard);
	heard.opens++;
}

static void on_readable(struct ixev_conn *conn, void *arg)
{
	(void)arg;
	heard.readables++;
	if (readable_hook)
		readable_hook(conn);
}

static void on_writable(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	heard.writables++;
}

static void on_sent(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	heard.sents++;
}

static void on_eof(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	heard.eofs++;
}

static void on_dead(struct ixev_conn *conn, void *arg, enum ix_reason reason)
{
	(void)arg;
	heard.deads++;
	heard.reason = reason;
	heard.error = ixev_error(conn);
	heard.conn = NULL;
}

static const struct ixev_handlers handlers = {on_open, on_readable, on_writable, on_sent, on_eof, on_dead};

static void on_listening(struct ixev_listener *listener, void *arg, int outcome)
{
	(void)listener;
	(void)arg;
	heard.outcome = outcome;
}

static int on_accept(struct ixev_listener *listener, struct ixev_conn *conn, void *arg)
{
	(void)listener;
	(void)arg;
	heard.accepts++;
	heard.conn = conn;
	ixev_set_handlers(conn, &handlers, &heard);
	return accept_answer;
}

static const struct ixev_listener_handlers listener_handlers = {on_listening, on_accept};

static void turn(void)
{
	cr_assert_eq(ixev_turn(loop, 0), 0);
}

static struct ixev_listener *listen_now(uint64_t *cookie)
{
	struct ix_addr local = {.port = 80};
	struct ixev_listener *listener;

	cr_assert_eq(ixev_listen(loop, &local, NULL, &listener_handlers, NULL, &listener), 0);
	turn();
	*cookie = fake_expect(&fake, 0, IX_OP_LISTEN).cookie;
	heard.outcome = 1;
	fake_post(&fake, 0, &(struct ix_event){.type = IX_EV_LISTENING, .cookie = *cookie, .handle = 99});
	turn();
	cr_assert_eq(heard.outcome, 0);
	return listener;
}

static void knock(unsigned core, uint64_t cookie)
{
	struct ix_event event = {
	    .type = IX_EV_KNOCK, .cookie = cookie, .handle = HANDLE, .remote_port = 5555};

	fake_post(&fake, core, &event);
	turn();
}

/* An accepted connection on core 1 that may send `limit` bytes. Returns its cookie. */
static uint64_t accepted(uint64_t limit)
{
	uint64_t listener;
	struct ix_cmd cmd;

	listen_now(&listener);
	knock(1, listener);
	cr_assert_eq(heard.accepts, 1);
	cmd = fake_expect(&fake, 1, IX_OP_ACCEPT);
	cr_assert_eq(cmd.handle, HANDLE);
	fake_post_sent(&fake, 1, cmd.accept.cookie, 0, limit);
	turn();
	cr_assert_eq(heard.opens, 1);
	return cmd.accept.cookie;
}

static void expect_silence(unsigned core)
{
	struct ix_cmd cmd;

	cr_assert_not(fake_take(&fake, core, &cmd), "unexpected op %d", cmd.op);
}

static void post_dead(uint64_t cookie, enum ix_reason reason)
{
	fake_post(&fake, 1,
		  &(struct ix_event){.type = IX_EV_DEAD, .cookie = cookie, .reason = (uint8_t)reason});
	turn();
}

Test(ixev, small_writes_of_a_turn_leave_in_one_command)
{
	struct ix_cmd cmd;

	accepted(1000);
	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(ixev_write(heard.conn, "0123456789", 10), 10);
	expect_silence(1);
	turn();
	cmd = fake_expect(&fake, 1, IX_OP_SENDV);
	cr_assert(cmd.handle == HANDLE && cmd.sg_count == 1 && cmd.sg[0].len == 100);
	cr_assert_eq(memcmp(fake.tx + cmd.sg[0].off + 90, "0123456789", 10), 0);
	expect_silence(1);
	cr_assert_eq(ixev_pending(heard.conn), 100);
}

Test(ixev, sends_no_more_than_the_limit_and_goes_on_when_it_rises)
{
	uint64_t cookie = accepted(150);
	char bytes[400];

	memset(bytes, 'x', sizeof(bytes));
	cr_assert_eq(ixev_write(heard.conn, bytes, 400), 400);
	turn();
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_SENDV).sg[0].len, 150);
	expect_silence(1);
	fake_post_sent(&fake, 1, cookie, 100, 250);
	turn();
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_SENDV).sg[0].len, 100);
	cr_assert_eq(ixev_acked(heard.conn), 100);
	cr_assert_eq(heard.sents, 1);
	fake_post_sent(&fake, 1, cookie, 250, 1000);
	turn();
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_SENDV).sg[0].len, 150);
	cr_assert_eq(ixev_pending(heard.conn), 150);
}

Test(ixev, acknowledged_memory_is_free_again)
{
	uint64_t cookie = accepted(1 << 20);
	struct ix_channel *channel = ix_channel(client, 1);
	size_t before = ix_tx_avail(channel);
	static char bytes[100000];

	cr_assert_eq(ixev_write(heard.conn, bytes, sizeof(bytes)), sizeof(bytes));
	turn();
	cr_assert_lt(ix_tx_avail(channel), before);
	fake_post_sent(&fake, 1, cookie, sizeof(bytes), 2 << 20);
	turn();
	cr_assert_eq(ix_tx_avail(channel), before);
}

static unsigned returned;

static void on_returned(struct ixev_loan *loan)
{
	(void)loan;
	returned++;
}

#define LENT 65536

Test(ixev, lent_bytes_leave_from_where_they_lie_and_come_back)
{
	struct ix_channel *channel = ix_channel(client, 0); /* another than the connection's */
	uint8_t *memory = ix_tx_alloc(channel, LENT);
	struct ixev_loan loan = {on_returned};
	uint64_t cookie = accepted(500);
	struct ix_cmd cmd;

	ixev_set_high_water(heard.conn, 1000);
	cr_assert_eq(ixev_write(heard.conn, "head", 4), 4);
	cr_assert_eq(ixev_lend(heard.conn, memory, LENT, &loan), LENT, "a loan uses up no memory");
	cr_assert_eq(ixev_pending(heard.conn), 4 + LENT);
	turn();
	cmd = fake_expect(&fake, 1, IX_OP_SENDV);
	cr_assert_eq(cmd.sg_count, 2);
	cr_assert_eq(cmd.sg[0].len, 4);
	cr_assert_eq(cmd.sg[1].off, ix_tx_off(channel, memory));
	cr_assert_eq(cmd.sg[1].len, 496);
	fake_post_sent(&fake, 1, cookie, 500, 1 << 20);
	turn();
	cmd = fake_expect(&fake, 1, IX_OP_SENDV);
	cr_assert_eq(cmd.sg[0].off, ix_tx_off(channel, memory) + 496);
	cr_assert_eq(cmd.sg[0].len, LENT - 496);
	/* What follows is not written into it. */
	cr_assert_eq(ixev_write(heard.conn, "tail", 4), 4);
	turn();
	cmd = fake_expect(&fake, 1, IX_OP_SENDV);
	cr_assert_eq(cmd.sg[0].len, 4);
	cr_assert(memcmp(fake.tx + cmd.sg[0].off, "tail", 4) == 0);
	fake_post_sent(&fake, 1, cookie, 4 + LENT - 1, 1 << 20);
	turn();
	cr_assert_eq(returned, 0);
	fake_post_sent(&fake, 1, cookie, 4 + LENT, 1 << 20);
	turn();
	cr_assert_eq(returned, 1);
	cr_assert_eq(ix_tx_free(channel, memory), 0, "it is still the application's");
}

Test(ixev, lent_bytes_come_back_when_the_connection_ends)
{
	uint8_t *memory = ix_tx_alloc(ix_channel(client, 1), 1000);
	struct ixev_loan loan = {on_returned};
	uint64_t cookie = accepted(1 << 20);

	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(ixev_lend(heard.conn, memory, 1000, &loan), 1000);
	cr_assert_eq(ixev_lend(heard.conn, memory, 0, &loan), 0);
	turn();
	fake_expect(&fake, 1, IX_OP_SENDV);
	post_dead(cookie, IX_REASON_RESET);
	cr_assert_eq(heard.deads, 1);
	cr_assert_eq(returned, 3);
}

Test(ixev, nothing_is_lent_after_the_end)
{
	uint8_t *memory = ix_tx_alloc(ix_channel(client, 1), 1000);
	struct ixev_loan loan = {on_returned};

	accepted(1 << 20);
	ixev_close(heard.conn);
	cr_assert_eq(ixev_lend(heard.conn, memory, 1000, &loan), 0);
	cr_assert_eq(returned, 0);
}

/* A stream through many limits, chunks and acknowledgements arrives byte for byte. */
Test(ixev, stream_is_whole)
{
	uint64_t cookie = accepted(0), given = 0, limit = 0, written = 0;

	srandom(3);
	while (given < 2000000) {
		uint8_t bytes[3000];
		size_t want = 1 + (size_t)random() % sizeof(bytes);
		struct ix_cmd cmd;

		for (size_t i = 0; i < want; i++)
			bytes[i] = (uint8_t)((written + i) * 7 >> 3);
		written += ixev_write(heard.conn, bytes, want);
		turn();
		while (fake_take(&fake, 1, &cmd)) {
			cr_assert_eq(cmd.op, IX_OP_SENDV);
			for (unsigned p = 0; p < cmd.sg_count; p++)
				for (uint32_t i = 0; i < cmd.sg[p].len; i++, given++)
					cr_assert_eq(fake.tx[cmd.sg[p].off + i], (uint8_t)(given * 7 >> 3));
		}
		cr_assert_leq(given, limit);
		limit = given + (uint64_t)random() % 20000;
		fake_post_sent(&fake, 1, cookie, given, limit);
	}
}

Test(ixev, short_write_is_made_good_by_on_writable)
{
	uint64_t cookie = accepted(100);
	static char bytes[4000];

	ixev_set_high_water(heard.conn, 1000);
	cr_assert_eq(ixev_write(heard.conn, bytes, sizeof(bytes)), 1000);
	turn();
	cr_assert_eq(heard.writables, 0);
	fake_post_sent(&fake, 1, cookie, 0, 900);
	turn();
	cr_assert_eq(heard.writables, 1);
	turn();
	cr_assert_eq(heard.writables, 1, "told twice");
}

Test(ixev, exhausted_memory_is_made_good_by_on_writable)
{
	uint64_t cookie = accepted(UINT64_C(1) << 40);
	size_t total = ix_tx_total(ix_channel(client, 1)), taken = 0, got;
	static char bytes[65536];

	ixev_set_high_water(heard.conn, SIZE_MAX);
	while ((got = ixev_write(heard.conn, bytes, sizeof(bytes))))
		taken += got;
	cr_assert_gt(taken, total / 2);
	turn();
	cr_assert_eq(heard.writables, 0);
	cr_assert_eq(ixev_turn(loop, 1000000), 0, "a starved connection keeps the loop from sleeping");
	while (fake_take(&fake, 1, &(struct ix_cmd){0}))
		;
	fake_post_sent(&fake, 1, cookie, taken / 2, UINT64_C(1) << 40);
	turn();
	cr_assert_eq(heard.writables, 1);
}

Test(ixev, reading_in_place_and_by_copy)
{
	uint64_t cookie = accepted(0);
	const void *data;
	struct iovec parts[4];
	char copy[16];

	fake_post_recv(&fake, 1, cookie, 100, "hello ", 6);
	fake_post_recv(&fake, 1, cookie, 106, "world", 5);
	fake_post_recv(&fake, 1, cookie, 500, "again", 5);
	turn();
	cr_assert_eq(heard.readables, 3);
	cr_assert_eq(ixev_readable(heard.conn), 16);
	cr_assert_eq(ixev_peek(heard.conn, &data), 11, "neighbours are joined");
	cr_assert_eq(memcmp(data, "hello world", 11), 0);
	cr_assert_eq(ixev_peekv(heard.conn, parts, 4), 2);
	cr_assert_eq(parts[1].iov_len, 5);
	expect_silence(1);
	ixev_consume(heard.conn, 4);
	ixev_consume(heard.conn, 4);
	turn();
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_RECV_DONE).recv_done.bytes, 8);
	expect_silence(1);
	cr_assert_eq(ixev_read(heard.conn, copy, sizeof(copy)), 8);
	cr_assert_eq(memcmp(copy, "rldagain", 8), 0);
	turn();
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_RECV_DONE).recv_done.bytes, 8);
	cr_assert_eq(ixev_peek(heard.conn, &data), 0);
}

static void echo_and_close(struct ixev_conn *conn)
{
	const void *data;
	size_t len = ixev_peek(conn, &data);

	ixev_write(conn, data, len);
	ixev_consume(conn, len);
	ixev_close(conn);
}

Test(ixev, order_is_recv_done_then_data_then_close)
{
	uint64_t cookie = accepted(100);

	readable_hook = echo_and_close;
	fake_post_recv(&fake, 1, cookie, 0, "abc", 3);
	turn();
	fake_expect(&fake, 1, IX_OP_RECV_DONE);
	fake_expect(&fake, 1, IX_OP_SENDV);
	fake_expect(&fake, 1, IX_OP_CLOSE);
	expect_silence(1);
	cr_assert_eq(heard.deads, 0);
	post_dead(cookie, IX_REASON_CLOSED);
	cr_assert_eq(heard.deads, 1);
	cr_assert_eq(heard.reason, IX_REASON_CLOSED);
	cr_assert_eq(ixev_conn_count(loop), 0);
	expect_silence(1);
}

Test(ixev, close_waits_for_the_send_limit)
{
	uint64_t cookie = accepted(1);

	ixev_write(heard.conn, "abc", 3);
	ixev_close(heard.conn);
	cr_assert_eq(ixev_write(heard.conn, "d", 1), 0, "wrote after close");
	turn();
	fake_expect(&fake, 1, IX_OP_SENDV);
	expect_silence(1);
	fake_post_recv(&fake, 1, cookie, 0, "nobody reads this", 17);
	fake_post_sent(&fake, 1, cookie, 1, 10);
	turn();
	cr_assert_eq(heard.readables, 0);
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_RECV_DONE).recv_done.bytes, 17);
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_SENDV).sg[0].len, 2);
	fake_expect(&fake, 1, IX_OP_CLOSE);
}

Test(ixev, shutdown_is_said_once_and_receiving_goes_on)
{
	uint64_t cookie = accepted(10);

	ixev_write(heard.conn, "abc", 3);
	ixev_shutdown(heard.conn);
	turn();
	fake_expect(&fake, 1, IX_OP_SENDV);
	fake_expect(&fake, 1, IX_OP_SHUTDOWN);
	ixev_shutdown(heard.conn);
	fake_post_recv(&fake, 1, cookie, 0, "x", 1);
	fake_post(&fake, 1, &(struct ix_event){.type = IX_EV_EOF, .cookie = cookie});
	turn();
	cr_assert(heard.readables == 1 && heard.eofs == 1);
	expect_silence(1);
	ixev_close(heard.conn);
	turn();
	fake_expect(&fake, 1, IX_OP_RECV_DONE);
	fake_expect(&fake, 1, IX_OP_CLOSE);
}

Test(ixev, abort_drops_what_is_unsent)
{
	accepted(10);
	ixev_write(heard.conn, "abc", 3);
	ixev_abort(heard.conn);
	turn();
	fake_expect(&fake, 1, IX_OP_ABORT);
	expect_silence(1);
}

Test(ixev, refused_knock_is_rejected_and_forgotten)
{
	uint64_t cookie;

	listen_now(&cookie);
	accept_answer = -1;
	knock(0, cookie);
	cr_assert_eq(fake_expect(&fake, 0, IX_OP_REJECT).handle, HANDLE);
	cr_assert_eq(heard.deads, 0);
	cr_assert_eq(ixev_conn_count(loop), 0);
}

Test(ixev, knock_after_unlisten_is_rejected)
{
	uint64_t cookie;
	struct ixev_listener *listener = listen_now(&cookie);

	ixev_unlisten(listener);
	turn();
	cr_assert_eq(fake_expect(&fake, 0, IX_OP_UNLISTEN).handle, 99);
	knock(0, cookie);
	cr_assert_eq(heard.accepts, 0);
	fake_expect(&fake, 0, IX_OP_REJECT);
}

Test(ixev, accept_that_came_too_late_is_dead)
{
	uint64_t cookie;
	struct ix_cmd cmd;

	listen_now(&cookie);
	knock(1, cookie);
	cmd = fake_expect(&fake, 1, IX_OP_ACCEPT);
	fake_post(&fake, 1,
		  &(struct ix_event){.type = IX_EV_ERROR,
				     .outcome = -ESTALE,
				     .cookie = cmd.accept.cookie,
				     .handle = HANDLE,
				     .error = {.seq = cmd.seq, .op = IX_OP_ACCEPT}});
	turn();
	cr_assert(heard.deads == 1 && heard.error == -ESTALE);
	cr_assert_eq(ixev_conn_count(loop), 0);
}

Test(ixev, failed_listen_is_told_once_and_ends_the_run)
{
	struct ix_addr local = {.port = 80};
	uint64_t cookie;

	cr_assert_eq(ixev_listen(loop, &local, NULL, &listener_handlers, NULL, NULL), 0);
	turn();
	cookie = fake_expect(&fake, 0, IX_OP_LISTEN).cookie;
	fake_post(&fake, 0,
		  &(struct ix_event){.type = IX_EV_LISTENING, .cookie = cookie, .outcome = -EACCES});
	cr_assert_eq(ixev_run(loop), 0, "nothing is left, so the run ends");
	cr_assert_eq(heard.outcome, -EACCES);
}

static uint64_t connecting(void)
{
	struct ix_addr remote;

	cr_assert_eq(ix_addr_parse("192.0.2.1:80", &remote), 0);
	cr_assert_eq(ixev_connect(loop, 1, &remote, NULL, NULL, &handlers, &heard, &heard.conn), 0);
	ixev_write(heard.conn, "early", 5);
	turn();
	return fake_expect(&fake, 1, IX_OP_CONNECT).cookie;
}

static void post_connected(uint64_t cookie, int16_t outcome)
{
	fake_post(&fake, 1,
		  &(struct ix_event){.type = IX_EV_CONNECTED,
				     .cookie = cookie,
				     .outcome = outcome,
				     .handle = HANDLE,
				     .local_port = 61234,
				     .open.send_limit = 100});
	turn();
}

Test(ixev, connect_sends_what_was_written_before)
{
	uint64_t cookie = connecting();
	struct ix_addr local;

	expect_silence(1);
	post_connected(cookie, 0);
	cr_assert_eq(heard.opens, 1);
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_SENDV).sg[0].len, 5);
	ixev_local(heard.conn, &local);
	cr_assert_eq(local.port, 61234);
}

/* With Fast Open what was written goes in the same batch as the connect, and ixev goes on behind it. */
Test(ixev, fast_open_sends_with_the_connect)
{
	struct ix_options options = {.flags = IX_FAST_OPEN};
	struct ix_addr remote;
	struct ix_cmd cmd;

	cr_assert_eq(ix_addr_parse("192.0.2.1:80", &remote), 0);
	cr_assert_eq(ixev_connect(loop, 1, &remote, NULL, &options, &handlers, &heard, &heard.conn), 0);
	ixev_write(heard.conn, "early", 5);
	turn();
	cmd = fake_expect(&fake, 1, IX_OP_CONNECT);
	cr_assert_eq(cmd.flags, IX_FAST_OPEN);
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_SEND_EARLY).sg[0].len, 5);
	ixev_write(heard.conn, "late", 4);
	turn();
	expect_silence(1);
	post_connected(cmd.cookie, 0);
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_SENDV).sg[0].len, 4);
}

/* Nothing was written: the SYN must not wait. */
Test(ixev, fast_open_without_data_is_an_ordinary_connect)
{
	struct ix_options options = {.flags = IX_FAST_OPEN};
	struct ix_addr remote;

	cr_assert_eq(ix_addr_parse("192.0.2.1:80", &remote), 0);
	cr_assert_eq(ixev_connect(loop, 1, &remote, NULL, &options, &handlers, &heard, &heard.conn), 0);
	turn();
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_CONNECT).flags, 0);
	expect_silence(1);
}

/* Bytes that ixd did not take are missing from the stream. */
Test(ixev, refused_early_bytes_end_the_connection)
{
	struct ix_options options = {.flags = IX_FAST_OPEN};
	struct ix_addr remote;
	struct ix_cmd cmd;

	cr_assert_eq(ix_addr_parse("192.0.2.1:80", &remote), 0);
	cr_assert_eq(ixev_connect(loop, 1, &remote, NULL, &options, &handlers, &heard, &heard.conn), 0);
	ixev_write(heard.conn, "early", 5);
	turn();
	fake_expect(&fake, 1, IX_OP_CONNECT);
	cmd = fake_expect(&fake, 1, IX_OP_SEND_EARLY);
	fake_post(&fake, 1,
		  &(struct ix_event){.type = IX_EV_ERROR,
				     .cookie = cmd.cookie,
				     .outcome = -EMSGSIZE,
				     .error = {.seq = cmd.seq, .op = IX_OP_SEND_EARLY}});
	turn();
	fake_expect(&fake, 1, IX_OP_CANCEL);
}

Test(ixev, connect_closed_early_still_delivers)
{
	uint64_t cookie = connecting();

	ixev_close(heard.conn);
	turn();
	expect_silence(1);
	post_connected(cookie, 0);
	cr_assert_eq(heard.opens, 0);
	fake_expect(&fake, 1, IX_OP_SENDV);
	fake_expect(&fake, 1, IX_OP_CLOSE);
}

Test(ixev, failed_connect_dies_once_with_its_error)
{
	uint64_t cookie = connecting();

	post_connected(cookie, -ECONNREFUSED);
	cr_assert(heard.deads == 1 && heard.reason == IX_REASON_REFUSED && heard.error == -ECONNREFUSED);
	post_dead(cookie, IX_REASON_REFUSED);
	cr_assert_eq(heard.deads, 1);
}

Test(ixev, aborted_connect_is_cancelled)
{
	uint64_t cookie = connecting();

	ixev_abort(heard.conn);
	turn();
	cr_assert_eq(fake_expect(&fake, 1, IX_OP_CANCEL).cookie, cookie);
	/* Too late: it was established meanwhile. */
	post_connected(cookie, 0);
	cr_assert_eq(heard.opens, 0);
	fake_expect(&fake, 1, IX_OP_ABORT);
	post_dead(cookie, IX_REASON_ABORTED);
	cr_assert_eq(heard.deads, 1);
}

Test(ixev, orderly_end_waits_until_everything_is_read)
{
	uint64_t cookie = accepted(10);
	const void *data;

	ixev_shutdown(heard.conn);
	fake_post_recv(&fake, 1, cookie, 100, "hello ", 6);
	fake_post_recv(&fake, 1, cookie, 600, "world", 5);
	fake_post(&fake, 1, &(struct ix_event){.type = IX_EV_EOF, .cookie = cookie});
	turn();
	fake_expect(&fake, 1, IX_OP_SHUTDOWN);
	ixev_consume(heard.conn, 3);
	turn();
	fake_expect(&fake, 1, IX_OP_RECV_DONE);
	post_dead(cookie, IX_REASON_CLOSED);
	memset(fake.rx, 'x', 1000); /* ixd has given the memory to others */
	cr_assert_eq(heard.deads, 0);
	cr_assert(ixev_is_eof(heard.conn));
	cr_assert_eq(ixev_peek(heard.conn, &data), 8);
	cr_assert_eq(memcmp(data, "lo world", 8), 0);
	ixev_consume(heard.conn, 7);
	turn();
	cr_assert_eq(heard.deads, 0);
	ixev_consume(heard.conn, 1);
	turn();
	cr_assert(heard.deads == 1 && heard.reason == IX_REASON_CLOSED);
	expect_silence(1);
}

Test(ixev, closing_what_has_ended_is_enough)
{
	uint64_t cookie = accepted(10);

	ixev_shutdown(heard.conn);
	fake_post_recv(&fake, 1, cookie, 100, "hello ", 6);
	turn();
	fake_expect(&fake, 1, IX_OP_SHUTDOWN);
	post_dead(cookie, IX_REASON_CLOSED);
	cr_assert_eq(heard.deads, 0);
	ixev_close(heard.conn);
	turn();
	cr_assert_eq(heard.deads, 1);
	expect_silence(1);
}

Test(ixev, late_events_of_a_dead_connection_find_nobody)
{
	uint64_t cookie = accepted(10);

	post_dead(cookie, IX_REASON_RESET);
	cr_assert_eq(heard.reason, IX_REASON_RESET);
	knock(1, 0);
	fake_post_sent(&fake, 1, cookie, 5, 50);
	fake_post_recv(&fake, 1, cookie, 0, "x", 1);
	turn();
	cr_assert(heard.deads == 1 && heard.readables == 0);
}

Test(ixev, full_command_ring_delays_and_loses_nothing)
{
	uint64_t cookies[50], listener;
	struct ixev_conn *conns[50];
	unsigned sent = 0;
	struct ix_cmd cmd;

	listen_now(&listener);
	for (unsigned i = 0; i < 50; i++) {
		knock(1, listener);
		conns[i] = heard.conn;
		cookies[i] = fake_expect(&fake, 1, IX_OP_ACCEPT).accept.cookie;
		fake_post_sent(&fake, 1, cookies[i], 0, 1000);
		turn();
	}
	for (unsigned i = 0; i < 50; i++)
		ixev_write(conns[i], "x", 1);
	for (unsigned round = 0; round < 10 && sent < 50; round++) {
		turn();
		while (fake_take(&fake, 1, &cmd)) {
			cr_assert_eq(cmd.op, IX_OP_SENDV);
			sent++;
		}
	}
	cr_assert_eq(sent, 50);
}

static unsigned fired[3];

static void on_timer(struct ixev_timer *timer, void *arg)
{
	unsigned *slot = arg;

	*slot = ++fired[2] * 10;
	if (*slot >= 20)
		ixev_timer_free(timer);
}

Test(ixev, timers_fire_in_order_and_end_the_run)
{
	struct ixev_timer *first, *second, *never;
	uint64_t start_ns = ix_now_ns();

	cr_assert_eq(ixev_timer_new(loop, on_timer, &fired[0], &first), 0);
	cr_assert_eq(ixev_timer_new(loop, on_timer, &fired[1], &second), 0);
	cr_assert_eq(ixev_timer_new(loop, on_timer, NULL, &never), 0);
	ixev_timer_set(never, 1000);
	ixev_timer_set(second, 8000000);
	ixev_timer_set(first, 90000000);
	ixev_timer_set(first, 4000000);
	ixev_timer_cancel(never);
	cr_assert_eq(ixev_run(loop), 0);
	cr_assert_geq(ix_now_ns() - start_ns, 8000000);
	cr_assert(fired[0] == 10 && fired[1] == 20);
}

static void on_tick(struct ixev_timer *timer, void *arg)
{
	unsigned *ticks = arg;

	(void)timer;
	++*ticks;
}

Test(ixev, many_timers_keep_the_heap_in_order)
{
	static struct ixev_timer *timers[500];
	unsigned ticks = 0, cancelled = 0;

	srandom(5);
	for (unsigned i = 0; i < 500; i++) {
		cr_assert_eq(ixev_timer_new(loop, on_tick, &ticks, &timers[i]), 0);
		ixev_timer_set(timers[i], (uint64_t)random() % 5000000);
	}
	for (unsigned i = 0; i < 500; i += 3, cancelled++)
		ixev_timer_cancel(timers[i]);
	cr_assert_eq(ixev_run(loop), 0);
	cr_assert_eq(ticks, 500 - cancelled);
}

static void on_pipe(int fd, short events, void *arg)
{
	char byte;

	(void)events;
	(void)arg;
	cr_assert_eq(read(fd, &byte, 1), 1);
	if (byte == 'q')
		ixev_unwatch(loop, fd);
}

Test(ixev, watches_are_called_until_ended)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "abq", 3), 3);
	cr_assert_eq(ixev_watch(loop, ends[0], POLLIN, on_pipe, NULL), 0);
	cr_assert_eq(ixev_watch(loop, -1, POLLIN, on_pipe, NULL), -EINVAL);
	cr_assert_eq(ixev_run(loop), 0);
	close(ends[0]);
	close(ends[1]);
}

Test(ixev, events_are_served_beside_a_watch)
{
	uint64_t cookie = accepted(10);
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(ixev_watch(loop, ends[0], POLLIN, on_pipe, NULL), 0);
	fake_post_recv(&fake, 1, cookie, 0, "x", 1);
	cr_assert_eq(ixev_turn(loop, IX_WAIT_FOREVER), 0);
	cr_assert_eq(heard.readables, 1);
	close(ends[0]);
	close(ends[1]);
}

Test(ixev, refused_sendv_resets_since_bytes_are_missing)
{
	accepted(10);
	ixev_write(heard.conn, "abc", 3);
	turn();
	fake_expect(&fake, 1, IX_OP_SENDV);
	fake_post(
	    &fake, 1,
	    &(struct ix_event){
		.type = IX_EV_ERROR, .outcome = -EMSGSIZE, .handle = HANDLE, .error = {.op = IX_OP_SENDV}});
	turn();
	fake_expect(&fake, 1, IX_OP_ABORT);
}

Test(ixev, knock_that_dies_before_its_accept_is_dead_once)
{
	uint64_t cookie;
	struct ix_cmd cmd;

	listen_now(&cookie);
	knock(1, cookie);
	cmd = fake_expect(&fake, 1, IX_OP_ACCEPT);
	/* ixd did not know the cookie yet. */
	post_dead(0, IX_REASON_RESET);
	cr_assert_eq(heard.deads, 0);
	fake_post(&fake, 1,
		  &(struct ix_event){.type = IX_EV_ERROR,
				     .outcome = -ESTALE,
				     .cookie = cmd.accept.cookie,
				     .error = {.seq = cmd.seq, .op = IX_OP_ACCEPT}});
	turn();
	cr_assert_eq(heard.deads, 1);
}

Test(ixev, when_ixd_goes_every_connection_hears_it)
{
	accepted(10);
	fake_hang_up(&fake);
	cr_assert_eq(ixev_run(loop), -ECONNRESET);
	cr_assert(heard.deads == 1 && heard.reason == IX_REASON_RESTART);
}

Test(ixev, freeing_a_loop_resets_its_connections)
{
	accepted(10);
	ixev_loop_free(loop);
	loop = NULL;
	fake_expect(&fake, 1, IX_OP_ABORT);
	fake_expect(&fake, 0, IX_OP_UNLISTEN);
	cr_assert_eq(heard.deads, 0);
}

Test(ixev, refuses_wrong_arguments)
{
	struct ix_addr addr = {.port = 1};
	struct ix_options bad = {.flags = 0x8000};
	struct ixev_loop *other;

	cr_assert_eq(ixev_loop_new(client, 2, 1, &other), -EINVAL);
	cr_assert_eq(ixev_loop_new(client, 1, 2, &other), -EINVAL);
	cr_assert_eq(ixev_listen(loop, NULL, NULL, &listener_handlers, NULL, NULL), -EINVAL);
	cr_assert_eq(ixev_listen(loop, &addr, &bad, &listener_handlers, NULL, NULL), -EINVAL);
	cr_assert_eq(ixev_connect(loop, 2, &addr, NULL, NULL, &handlers, NULL, NULL), -EINVAL);
	cr_assert_eq(ixev_connect(loop, 0, &addr, &addr, NULL, &handlers, NULL, NULL), -EINVAL);
}
