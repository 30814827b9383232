/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-echo: sends back what it receives. The low-level interface at its plainest: take a batch of events,
 * answer each with commands, flush once.
 *
 * Received bytes are copied into a block of TX memory as soon as the send limit and the memory allow, and
 * given back to ixd; the block is freed when the peer has acknowledged it. What cannot be copied yet stays
 * with ixd, so a peer that does not read is not read from. A connection that has nothing under way holds no
 * memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/ix.h>

#include "client-lib/examples/options.h"

#define BLOCK_MAX_BYTES     65536u
#define LISTENER_COOKIE     0u
#define EVENTS_PER_TURN     256u

/* Commands by which a connection is answered: recv_done, sendv, close. */
#define COMMANDS_PER_ANSWER 3u

/* A run of bytes: received ones that are not answered yet, or a block that was sent. */
struct piece {
	uint8_t *memory; /* of a block */
	const uint8_t *data;
	uint32_t len;
};

/* A queue of pieces in an array of 2^n places. */
struct queue {
	struct piece *pieces;
	uint32_t head, count, places;
};

/* A connection; its cookie is its address. */
struct conn {
	uint64_t handle;
	struct queue received, blocks;
	/* Bytes since the connection began. */
	uint64_t sent, send_limit;
	uint64_t block_start; /* of the oldest block */
	bool is_eof;
	bool is_closed; /* nothing more to say */
	bool is_dead;
	bool is_dirty;
	bool is_hungry;
	struct conn *next_dirty, *next_hungry;
};

/* A channel, the connections that have something to say at the end of the turn, and those that found no TX
 * memory, in the order in which they shall have it. */
struct core {
	struct ix_channel *channel;
	struct conn *dirty;
	struct conn *hungry, **hungry_end;
	bool is_out_of_memory; /* in this turn */
	uint32_t space;        /* commands that the ring takes for sure */
};

static struct {
	const char *listen;
	const char *instance;
	uint32_t spin_us;
	bool is_once, is_fast_open;
	const char *congestion;
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

static void hunger(struct core *core, struct conn *conn)
{
	core->is_out_of_memory = true;
	if (conn->is_hungry)
		return;
	conn->is_hungry = true;
	conn->next_hungry = NULL;
	*core->hungry_end = conn;
	core->hungry_end = &conn->next_hungry;
}

/* Memory was freed: the one that has waited longest tries again. */
static void feed(struct core *core)
{
	struct conn *conn = core->hungry;

	if (!conn)
		return;
	core->hungry = conn->next_hungry;
	if (!core->hungry)
		core->hungry_end = &core->hungry;
	conn->is_hungry = false;
	mark(core, conn);
}

static void stop_hunger(struct core *core, const struct conn *conn)
{
	struct conn **at = &core->hungry;

	if (!conn->is_hungry)
		return;
	while (*at != conn)
		at = &(*at)->next_hungry;
	*at = conn->next_hungry;
	if (!*at)
		core->hungry_end = at;
}

static struct piece *queue_first(const struct queue *queue)
{
	return &queue->pieces[queue->head & (queue->places - 1)];
}

static void queue_drop_first(struct queue *queue)
{
	queue->head++;
	queue->count--;
}

/* Makes room for one more; false when there is no memory. */
static bool queue_reserve(struct queue *queue)
{
	uint32_t places = queue->places ? 2 * queue->places : 4;
	struct piece *pieces;

	if (queue->count < queue->places)
		return true;
	pieces = malloc(places * sizeof(*pieces));
	if (!pieces)
		return false;
	for (uint32_t i = 0; i < queue->count; i++)
		pieces[i] = queue->pieces[(queue->head + i) & (queue->places - 1)];
	free(queue->pieces);
	*queue = (struct queue){.pieces = pieces, .count = queue->count, .places = places};
	return true;
}

/* Appends to a queue that has room. */
static void queue_append(struct queue *queue, struct piece piece)
{
	queue->pieces[(queue->head + queue->count++) & (queue->places - 1)] = piece;
}

static void block_free_first(struct core *core, struct conn *conn)
{
	conn->block_start += queue_first(&conn->blocks)->len;
	ix_tx_free(core->channel, queue_first(&conn->blocks)->memory);
	queue_drop_first(&conn->blocks);
	feed(core);
}

static void conn_free(struct core *core, struct conn *conn)
{
	stop_hunger(core, conn);
	while (conn->blocks.count)
		block_free_first(core, conn);
	free(conn->blocks.pieces);
	free(conn->received.pieces);
	free(conn);
}

static void on_knock(struct core *core, const struct ix_event *event)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		ix_reject(core->channel, event->handle);
		return;
	}
	conn->handle = event->handle;
	ix_accept(core->channel, event->handle, (uintptr_t)conn);
}

static void on_recv(struct core *core, struct conn *conn, const struct ix_event *event)
{
	if (queue_reserve(&conn->received)) {
		queue_append(&conn->received, (struct piece){.data = ix_rx_ptr(core->channel, event->off),
							     .len = event->recv.len});
		return;
	}
	ix_abort(core->channel, conn->handle);
	conn->is_closed = true;
}

static void on_sent(struct core *core, struct conn *conn, const struct ix_event *event)
{
	conn->send_limit = event->sent.send_limit;
	while (conn->blocks.count &&
	       conn->block_start + queue_first(&conn->blocks)->len <= event->acked_total)
		block_free_first(core, conn);
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
		on_recv(core, conn, event);
		break;
	case IX_EV_SENT:
		on_sent(core, conn, event);
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

/* Moves received bytes into a block, up to `len`. */
static void fill(struct conn *conn, uint8_t *memory, uint32_t len)
{
	while (len) {
		struct piece *from = queue_first(&conn->received);
		uint32_t part = from->len < len ? from->len : len;

		memcpy(memory, from->data, part);
		memory += part;
		len -= part;
		from->data += part;
		from->len -= part;
		if (!from->len)
			queue_drop_first(&conn->received);
	}
}

/* How many of the received bytes go into the next block. */
static uint32_t next_block_bytes(const struct conn *conn)
{
	uint64_t allowed = conn->send_limit > conn->sent ? conn->send_limit - conn->sent : 0;
	uint64_t len = 0;

	if (allowed > BLOCK_MAX_BYTES)
		allowed = BLOCK_MAX_BYTES;
	for (uint32_t i = 0; i < conn->received.count && len < allowed; i++)
		len += conn->received.pieces[(conn->received.head + i) & (conn->received.places - 1)].len;
	return (uint32_t)(len < allowed ? len : allowed);
}

/* Sends one block back. False when there is nothing that can be sent now. The command ring has room. */
static bool echo_block(struct core *core, struct conn *conn)
{
	uint32_t len = next_block_bytes(conn);
	struct ix_sg sg = {.len = len};
	uint8_t *memory;

	if (!len)
		return false;
	memory = queue_reserve(&conn->blocks) ? ix_tx_alloc(core->channel, len) : NULL;
	if (!memory) {
		hunger(core, conn);
		return false;
	}
	fill(conn, memory, len);
	queue_append(&conn->blocks, (struct piece){.memory = memory, .len = len});
	sg.off = ix_tx_off(core->channel, memory);
	ix_recv_done(core->channel, conn->handle, len);
	ix_sendv(core->channel, conn->handle, &sg, 1);
	conn->sent += len;
	core->space -= 2;
	return true;
}

/* Says what a connection has to say. False when the command ring was full before the end. */
static bool conn_answer(struct core *core, struct conn *conn)
{
	if (conn->is_closed)
		return true;
	do {
		/* Asking means reading ixd's memory, so it is done when what was known is used up. */
		if (core->space < COMMANDS_PER_ANSWER)
			core->space = ix_cmd_space(core->channel);
		if (core->space < COMMANDS_PER_ANSWER)
			return false;
	} while (echo_block(core, conn));
	if (conn->is_eof && !conn->received.count) {
		ix_close_conn(core->channel, conn->handle);
		conn->is_closed = true;
		core->space--;
	}
	return true;
}

static void answer_all(struct core *core)
{
	struct conn *conn = core->dirty;

	core->dirty = NULL;
	core->space = ix_cmd_space(core->channel);
	core->is_out_of_memory = false;
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
	/* What one of the hungry left over is for the next. */
	if (!core->is_out_of_memory)
		feed(core);
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
	bool has_work = false;
	struct ix_options options = {.flags = config.is_fast_open ? IX_FAST_OPEN : 0,
				     .cc = option_congestion(config.congestion)};
	struct ix_addr local;

	for (unsigned i = 0; i < cores; i++) {
		channels[i] = core[i].channel = ix_channel(client, i);
		core[i].hungry_end = &core[i].hungry;
	}
	if (ix_addr_parse(config.listen, &local))
		die("\"%s\" is no address: use ADDRESS:PORT, like 192.0.2.1:7 or *:7", config.listen);
	ix_listen(ix_channel(client, 0), LISTENER_COOKIE, &local, &options);
	while (!is_over) {
		int ready = ix_wait_any(channels, cores, has_work ? 0 : IX_WAIT_FOREVER);

		if (ready < 0 && ready != -EINTR)
			die("ixd has gone: %s", ix_strerror(ready));
		has_work = false;
		for (unsigned i = 0; i < cores; i++) {
			core_turn(&core[i]);
			has_work |= core[i].dirty != NULL;
		}
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
	    {'F', "fast-open", NULL, "TCP Fast Open: take data that comes with a SYN", OPTION_FLAG,
	     &config.is_fast_open, 0, 0},
	    {'C', "congestion", "NAME", "congestion control: cubic, newreno or dctcp", OPTION_TEXT,
	     &config.congestion, 0, 0},
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
