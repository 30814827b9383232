/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-kv: a key-value server that speaks memcached's protocols. The event layer used for speed: requests are
 * parsed where ixd put them, answers are written where they will be sent from, and a turn of the loop ends
 * with one flush for all connections.
 *
 * A peer that does not read its answers is not read from: its requests stay with ixd, whose window closes.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <ix/ixev.h>

#include "client-lib/examples/kv_session.h"
#include "client-lib/examples/options.h"

/* Answers of one connection that may wait for its peer, and how many when TX memory is nearly used up: so
 * that many who do not read cannot keep those from being answered who do. */
#define PENDING_MAX_BYTES  (1u << 20)
#define PENDING_LEAN_BYTES (16u << 10)
#define LEAN_FRACTION      4u

struct peer {
	struct ixev_conn *conn;
	struct kv_session session;
	/* An answer that was written and found no TX memory; rare, so it has memory of its own. */
	uint8_t *spill;
	uint32_t spill_bytes, spill_sent;
	bool is_stalled; /* until the peer acknowledges */
	bool is_ending;
	struct peer *next, **link;
};

static struct {
	const char *listen;
	const char *instance;
	uint32_t spin_us;
	uint32_t memory_mb;
	bool has_json;
} config = {.listen = "*:11211", .spin_us = 50, .memory_mb = 64};

static struct kv_store *store;
static struct peer *peers;
static struct ix_channel *channels[IX_CORES_MAX];
static unsigned channel_count;

/* What the parts of a request are joined in when they came in several pieces. */
static uint8_t joined[KV_IN_MIN_BYTES];

static bool is_memory_lean(void)
{
	size_t total = 0, avail = 0;

	for (unsigned i = 0; i < channel_count; i++) {
		total += ix_tx_total(channels[i]);
		avail += ix_tx_avail(channels[i]);
	}
	return avail < total / LEAN_FRACTION;
}

static bool may_answer(const struct peer *peer)
{
	size_t pending = ixev_pending(peer->conn);

	return pending < PENDING_LEAN_BYTES || (pending < PENDING_MAX_BYTES && !is_memory_lean());
}

/* Sends what was left over. False: some of it still is. */
static bool spill_send(struct peer *peer)
{
	if (!peer->spill_bytes)
		return true;
	peer->spill_sent += (uint32_t)ixev_write(peer->conn, peer->spill + peer->spill_sent,
						 peer->spill_bytes - peer->spill_sent);
	if (peer->spill_sent < peer->spill_bytes)
		return false;
	free(peer->spill);
	peer->spill = NULL;
	peer->spill_bytes = peer->spill_sent = 0;
	return true;
}

static void spill_keep(struct peer *peer, const uint8_t *bytes, size_t len)
{
	peer->spill = malloc(len);
	if (!peer->spill) {
		ixev_abort(peer->conn);
		peer->is_ending = true;
		return;
	}
	memcpy(peer->spill, bytes, len);
	peer->spill_bytes = (uint32_t)len;
	peer->spill_sent = 0;
}

/* Runs the session on input from `in`; *used is how much of it is done with. False: there is no room for its
 * answer, ixev tells when there is. */
static bool run_once(struct peer *peer, const void *in, size_t len, size_t *used, enum kv_verdict *verdict)
{
	uint8_t scratch[2 * KV_OUT_MIN_BYTES];
	struct kv_io io = {.in = in, .in_end = (const uint8_t *)in + len};
	size_t room, taken;
	uint8_t *out = ixev_reserve(peer->conn, kv_session_room(&peer->session), &room);
	bool is_direct = out && room >= KV_OUT_MIN_BYTES;

	*used = 0;
	if (!out)
		return false;
	/* The end of a chunk is too small to begin an answer in: this one crosses over to the next. */
	if (!is_direct) {
		out = scratch;
		room = sizeof(scratch);
	}
	io.out = out;
	io.out_end = out + room;
	*verdict = kv_session_run(&peer->session, &io);
	*used = (size_t)(io.in - (const uint8_t *)in);
	room = (size_t)(io.out - out);
	if (is_direct) {
		ixev_commit(peer->conn, room);
	} else if (room) {
		taken = ixev_write(peer->conn, out, room);
		if (taken < room)
			spill_keep(peer, out + taken, room - taken);
	}
	return !peer->spill_bytes && !peer->is_ending;
}

/* The same with as much input as lies in several parts, since the first alone is less than a request. */
static bool run_joined(struct peer *peer, size_t *used, enum kv_verdict *verdict)
{
	struct iovec parts[16];
	unsigned count = ixev_peekv(peer->conn, parts, sizeof(parts) / sizeof(parts[0]));
	size_t len = 0;

	for (unsigned i = 0; i < count && len < sizeof(joined); i++) {
		size_t part = parts[i].iov_len;

		if (part > sizeof(joined) - len)
			part = sizeof(joined) - len;
		memcpy(joined + len, parts[i].iov_base, part);
		len += part;
	}
	return run_once(peer, joined, len, used, verdict);
}

/* One look at the input. False: nothing more can be done now. */
static bool advance(struct peer *peer, enum kv_verdict *verdict)
{
	const void *in = joined;
	size_t len = ixev_peek(peer->conn, &in), used;
	bool can_go_on;

	/* Whoever stops here has more to do, whatever the look before this one ended with. */
	*verdict = KV_WANTS_ROOM;
	peer->is_stalled = !may_answer(peer);
	if (peer->is_stalled)
		return false;
	can_go_on = run_once(peer, in, len, &used, verdict);
	ixev_consume(peer->conn, used);
	/* A request in several pieces. */
	if (can_go_on && *verdict == KV_WANTS_INPUT && used < len && ixev_readable(peer->conn) > len - used) {
		can_go_on = run_joined(peer, &used, verdict);
		ixev_consume(peer->conn, used);
		return can_go_on && used;
	}
	return can_go_on && (*verdict == KV_WANTS_ROOM || ixev_readable(peer->conn) > len - used);
}

static void run(struct peer *peer)
{
	enum kv_verdict verdict;

	if (peer->is_ending || !spill_send(peer))
		return;
	kv_store_tick(store, ixev_now_ns(ixev_conn_loop(peer->conn)));
	while (advance(peer, &verdict) && verdict != KV_WANTS_CLOSE)
		;
	/* A request that will never be whole is none. */
	if (!peer->spill_bytes &&
	    (verdict == KV_WANTS_CLOSE || (verdict == KV_WANTS_INPUT && ixev_is_eof(peer->conn)))) {
		peer->is_ending = true;
		ixev_close(peer->conn);
	}
}

static void peer_free(struct peer *peer)
{
	*peer->link = peer->next;
	if (peer->next)
		peer->next->link = peer->link;
	kv_session_end(&peer->session);
	free(peer->spill);
	free(peer);
}

static void on_run(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	run(arg);
}

static void on_sent(struct ixev_conn *conn, void *arg)
{
	struct peer *peer = arg;

	(void)conn;
	if (peer->is_stalled)
		run(peer);
}

static void on_dead(struct ixev_conn *conn, void *arg, enum ix_reason reason)
{
	struct peer *peer = arg;

	(void)conn;
	(void)reason;
	peer_free(peer);
}

static const struct ixev_handlers peer_handlers = {
    .on_readable = on_run,
    .on_writable = on_run,
    .on_sent = on_sent,
    .on_eof = on_run,
    .on_dead = on_dead,
};

static int on_accept(struct ixev_listener *listener, struct ixev_conn *conn, void *arg)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	(void)listener;
	(void)arg;
	if (!peer)
		return -ENOMEM;
	peer->conn = conn;
	peer->link = &peers;
	peer->next = peers;
	if (peers)
		peers->link = &peer->next;
	peers = peer;
	kv_session_init(&peer->session, store);
	ixev_set_handlers(conn, &peer_handlers, peer);
	return 0;
}

static void on_listening(struct ixev_listener *listener, void *arg, int outcome)
{
	struct ix_addr addr;
	char text[IX_ADDR_STRLEN];

	(void)listener;
	(void)arg;
	if (outcome)
		die("cannot listen on %s: %s", config.listen, ix_strerror(outcome));
	ix_addr_parse(config.listen, &addr);
	printf("listening on %s\n", ix_addr_format(&addr, text));
	fflush(stdout);
}

static const struct ixev_listener_handlers listener_handlers = {on_listening, on_accept};

static void on_signal(int fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	ixev_stop(arg);
}

/* INT and TERM end the loop, so that the statistics can be told. */
static void watch_signals(struct ixev_loop *loop)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || ixev_watch(loop, fd, POLLIN, on_signal, loop))
		die("cannot watch for signals: %s", strerror(errno));
}

static void serve(struct ix_client *client)
{
	struct ixev_loop *loop;
	struct ix_addr local;
	int error;

	if (ix_addr_parse(config.listen, &local))
		die("\"%s\" is no address: use ADDRESS:PORT, like 192.0.2.1:11211 or *:11211", config.listen);
	if (ixev_loop_new(client, 0, 0, &loop))
		die("out of memory");
	channel_count = ix_cores(client);
	for (unsigned i = 0; i < channel_count; i++)
		channels[i] = ix_channel(client, i);
	watch_signals(loop);
	error = ixev_listen(loop, &local, NULL, &listener_handlers, NULL, NULL);
	if (error)
		die("cannot listen on %s: %s", config.listen, ix_strerror(error));
	error = ixev_run(loop);
	if (config.has_json)
		kv_stats_json(store, stdout);
	if (error)
		die("ixd has gone: %s", ix_strerror(error));
	ixev_loop_free(loop);
	while (peers)
		peer_free(peers);
}

int main(int argc, char *argv[])
{
	const struct option_row rows[] = {
	    {'l', "listen", "ADDRESS:PORT", "where to listen (default *:11211)", OPTION_TEXT, &config.listen,
	     0, 0},
	    {'m', "memory", "MIB", "memory for items (default 64)", OPTION_U32, &config.memory_mb,
	     KV_MEMORY_MIN_BYTES >> 20, KV_MEMORY_MAX_BYTES >> 20},
	    {0, "json", NULL, "print the statistics as JSON at the end", OPTION_FLAG, &config.has_json, 0, 0},
	    {'i', "instance", "NAME", "ixd instance, or path of its socket", OPTION_TEXT, &config.instance, 0,
	     0},
	    {'s', "spin", "MICROSECONDS", "spin this long before sleeping (default 50)", OPTION_U32,
	     &config.spin_us, 0, UINT32_MAX},
	    {0},
	};
	const struct options options = {"[OPTION...]", "Serves memcached's protocols, through ixd.", rows};
	struct ix_open_params params = {0};
	struct ix_client *client;

	if (options_parse(&options, argc, argv) != argc)
		die("unexpected argument; see --help");
	store = kv_store_new((uint64_t)config.memory_mb << 20, ix_now_ns(), (uint64_t)time(NULL));
	if (!store)
		die("cannot map %u MiB for items: %s", config.memory_mb, strerror(errno));
	params.spin_us = config.spin_us;
	if (ix_open(config.instance, &params, &client))
		die("%s", ix_open_reason());
	serve(client);
	ix_close(client);
	kv_store_free(store);
	return 0;
}
