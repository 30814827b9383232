/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-echo: sends back what it receives. The low-level interface at its plainest: take a batch of events,
 * answer each with commands, flush once.
 *
 * Each connection owns one buffer of TX memory, used as a circle: received bytes are copied into it and sent
 * from there, and what the peer has acknowledged makes room again. Received bytes for which the circle or the
 * send limit has no room are not given back to ixd, so a peer that does not read is not read from.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/ix.h>

#include "client-lib/examples/options.h"

#define CIRCLE_MAX_BYTES 262144u
#define CIRCLE_MIN_BYTES 4096u
#define LISTENER_COOKIE  0u
#define EVENTS_PER_TURN  256u

/* Received bytes that wait for room in the circle. */
struct piece {
	const uint8_t *data;
	uint32_t len;
};

/* A connection; its cookie is its address. All counts are of bytes since the connection began. */
struct conn {
	uint64_t handle;
	uint8_t *circle;
	uint32_t circle_bytes; /* a power of two */
	uint64_t queued;       /* copied into the circle */
	uint64_t sent;         /* given to ix_sendv() */
	uint64_t acked;
	uint64_t send_limit;
	uint64_t done; /* copied, but not yet covered by ix_recv_done() */
	struct piece *pieces;
	uint32_t piece_head, piece_count, piece_slots; /* piece_slots: a power of two */
	bool is_eof;
	bool is_closed; /* nothing more to say */
	bool is_dead;
	bool is_dirty;
	struct conn *next_dirty;
};

/* A channel, and the connections that have something to say at the end of the turn. */
struct core {
	struct ix_channel *channel;
	struct conn *dirty;
};

static struct {
	const char *listen;
	const char *instance;
	uint32_t spin_us;
	bool is_once;
} config = {.listen = "*:7", .spin_us = 50};

static bool is_over;

static void mark(struct core *core, struct conn *conn)
{
	if (conn->is_dirty)
		return;
	conn->is_dirty = true;
	conn->next_dirty = core->dirty;
	core->dirty = conn;
}

/* As large a circle as there is memory for; a crowd of connections gets small ones. */
static bool circle_alloc(struct core *core, struct conn *conn)
{
	for (uint32_t bytes = CIRCLE_MAX_BYTES; bytes >= CIRCLE_MIN_BYTES; bytes /= 2) {
		/* One connection takes a small part of what is left at most, or a few hundred would leave nothing
		 * to the next. */
		if (bytes > ix_tx_avail(core->channel) / 256 && bytes > CIRCLE_MIN_BYTES)
			continue;
		conn->circle = ix_tx_alloc(core->channel, bytes);
		conn->circle_bytes = bytes;
		if (conn->circle)
			return true;
	}
	return false;
}

static void conn_free(struct core *core, struct conn *conn)
{
	ix_tx_free(core->channel, conn->circle);
	free(conn->pieces);
	free(conn);
}

static void on_knock(struct core *core, const struct ix_event *event)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn && circle_alloc(core, conn)) {
		conn->handle = event->handle;
		ix_accept(core->channel, event->handle, (uintptr_t)conn);
		return;
	}
	free(conn);
	ix_reject(core->channel, event->handle);
}

/* Remembers received bytes; false when there is no memory to do so. */
static bool piece_add(struct conn *conn, const uint8_t *data, uint32_t len)
{
	if (conn->piece_count == conn->piece_slots) {
		uint32_t slots = conn->piece_slots ? 2 * conn->piece_slots : 8;
		struct piece *pieces = malloc(slots * sizeof(*pieces));

		if (!pieces)
			return false;
		for (uint32_t i = 0; i < conn->piece_count; i++)
			pieces[i] = conn->pieces[(conn->piece_head + i) & (conn->piece_slots - 1)];
		free(conn->pieces);
		conn->pieces = pieces;
		conn->piece_slots = slots;
		conn->piece_head = 0;
	}
	conn->pieces[(conn->piece_head + conn->piece_count++) & (conn->piece_slots - 1)] =
	    (struct piece){data, len};
	return true;
}

static void on_listening(const struct ix_event *event)
{
	struct ix_addr addr;
	char text[IX_ADDR_STRLEN];

	if (event->outcome)
		die("cannot listen on %s: %s", config.listen, ix_strerror(event->outcome));
	ix_addr_parse(config.listen, &addr);
	printf("listening on %s\n", ix_addr_format(&addr, text));
	fflush(stdout);
}

/* Answers one event with one command at the most; the rest is said at the end of the turn. */
static void on_event(struct core *core, const struct ix_event *event)
{
	struct conn *conn = (struct conn *)(uintptr_t)event->cookie;

	if (event->type == IX_EV_LISTENING)
		on_listening(event);
	if (event->type == IX_EV_KNOCK)
		on_knock(core, event);
	/* No cookie: a knock that ended before its accept was taken. The accept's error tells. */
	if (!conn)
		return;
	switch (event->type) {
	case IX_EV_RECV:
		if (!piece_add(conn, ix_rx_ptr(core->channel, event->off), event->recv.len)) {
			ix_abort(core->channel, conn->handle);
			conn->is_closed = true;
		}
		break;
	case IX_EV_SENT:
		conn->acked = event->acked_total;
		conn->send_limit = event->sent.send_limit;
		break;
	case IX_EV_EOF:
		conn->is_eof = true;
		break;
	case IX_EV_ERROR:
		/* A knock that was over before it could be taken; nothing else can go wrong here, except
		 * after the connection has ended, and then its dead event is on the way. */
		if (event->error.op != IX_OP_ACCEPT)
			return;
		conn->is_dead = true;
		break;
	case IX_EV_DEAD:
		conn->is_dead = true;
		break;
	default:
		return;
	}
	mark(core, conn);
}

/* Moves received bytes into the circle, as far as there is room. */
static void fill_circle(struct conn *conn)
{
	while (conn->piece_count) {
		struct piece *piece = &conn->pieces[conn->piece_head & (conn->piece_slots - 1)];
		uint64_t room = conn->circle_bytes - (conn->queued - conn->acked);
		uint32_t at = (uint32_t)conn->queued & (conn->circle_bytes - 1);
		uint32_t len = piece->len;

		if (!room)
			return;
		if (len > room)
			len = (uint32_t)room;
		if (len > conn->circle_bytes - at)
			len = conn->circle_bytes - at;
		memcpy(conn->circle + at, piece->data, len);
		conn->queued += len;
		conn->done += len;
		piece->data += len;
		piece->len -= len;
		if (!piece->len) {
			conn->piece_head++;
			conn->piece_count--;
		}
	}
}

static int send_circle(struct core *core, struct conn *conn)
{
	uint64_t allowed = conn->send_limit > conn->sent ? conn->send_limit - conn->sent : 0;
	uint64_t waiting = conn->queued - conn->sent;
	uint32_t bytes = (uint32_t)(waiting < allowed ? waiting : allowed);
	uint32_t at = (uint32_t)conn->sent & (conn->circle_bytes - 1);
	uint32_t first = bytes < conn->circle_bytes - at ? bytes : conn->circle_bytes - at;
	struct ix_sg sg[2] = {
	    {.off = ix_tx_off(core->channel, conn->circle + at), .len = first},
	    {.off = ix_tx_off(core->channel, conn->circle), .len = bytes - first},
	};
	int error;

	if (!bytes)
		return 0;
	error = ix_sendv(core->channel, conn->handle, sg, first < bytes ? 2 : 1);
	if (!error)
		conn->sent += bytes;
	return error;
}

/* Says what a connection has to say: three commands at the most. False when the ring was full before the end.
 */
static bool conn_answer(struct core *core, struct conn *conn)
{
	if (conn->is_closed)
		return true;
	fill_circle(conn);
	if (conn->done && ix_recv_done(core->channel, conn->handle, conn->done))
		return false;
	conn->done = 0;
	if (send_circle(core, conn))
		return false;
	if (!conn->is_eof || conn->piece_count || conn->sent != conn->queued)
		return true;
	if (ix_close_conn(core->channel, conn->handle))
		return false;
	conn->is_closed = true;
	return true;
}

static void answer_all(struct core *core)
{
	struct conn *conn = core->dirty;

	core->dirty = NULL;
	while (conn) {
		struct conn *next = conn->next_dirty;

		conn->is_dirty = false;
		if (conn->is_dead) {
			conn_free(core, conn);
			is_over = config.is_once;
		} else if (!conn_answer(core, conn)) {
			mark(core, conn);
		}
		conn = next;
	}
}

static void core_turn(struct core *core)
{
	const struct ix_event *events;
	int count = ix_peek(core->channel, &events);
	uint32_t space;

	if (count < 0)
		die("ixd has gone: %s", ix_strerror(count));
	/* No more events than there is room for commands: an answer that must be given always can. */
	space = ix_cmd_space(core->channel);
	if (space > EVENTS_PER_TURN)
		space = EVENTS_PER_TURN;
	if ((uint32_t)count > space)
		count = (int)space;
	for (int i = 0; i < count; i++)
		on_event(core, &events[i]);
	ix_release(core->channel, (unsigned)count);
	answer_all(core);
	ix_flush(core->channel);
}

static void serve(struct ix_client *client)
{
	unsigned cores = ix_cores(client);
	struct core core[IX_CORES_MAX] = {0};
	struct ix_channel *channels[IX_CORES_MAX];
	struct ix_addr local;

	for (unsigned i = 0; i < cores; i++)
		channels[i] = core[i].channel = ix_channel(client, i);
	if (ix_addr_parse(config.listen, &local))
		die("\"%s\" is no address: use ADDRESS:PORT, like 192.0.2.1:7 or *:7", config.listen);
	ix_listen(ix_channel(client, 0), LISTENER_COOKIE, &local, NULL);
	while (!is_over) {
		int ready = ix_wait_any(channels, cores, IX_WAIT_FOREVER);

		if (ready < 0 && ready != -EINTR)
			die("ixd has gone: %s", ix_strerror(ready));
		for (unsigned i = 0; i < cores; i++)
			core_turn(&core[i]);
	}
}

int main(int argc, char *argv[])
{
	const struct option_row rows[] = {
	    {'l', "listen", "ADDRESS:PORT", "where to listen (default *:7)", OPTION_TEXT, &config.listen, 0,
	     0},
	    {'i', "instance", "NAME", "ixd instance, or path of its socket", OPTION_TEXT, &config.instance, 0,
	     0},
	    {'s', "spin", "MICROSECONDS", "spin this long before sleeping (default 50)", OPTION_U32,
	     &config.spin_us, 0, UINT32_MAX},
	    {'1', "once", NULL, "end with the first connection", OPTION_FLAG, &config.is_once, 0, 0},
	    {0},
	};
	const struct options options = {"[OPTION...]", "Sends back what it receives, through ixd.", rows};
	struct ix_open_params params = {0};
	struct ix_client *client;

	if (options_parse(&options, argc, argv) != argc)
		die("unexpected argument; see --help");
	params.spin_us = config.spin_us;
	if (ix_open(config.instance, &params, &client))
		die("%s", ix_open_reason());
	serve(client);
	ix_close(client);
	return 0;
}
