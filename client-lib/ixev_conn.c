/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a connection of the event layer: slots and cookies, its events, and conn_flush(), the one place
 * that says something to ixd about it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ixev_internal.h"

#define HIGH_WATER_DEFAULT 262144u
#define QUEUE_MIN_PLACES   4u
#define SLOTS_MIN          64u
#define NO_SLOT            UINT32_MAX
#define GENERATION_MAX     0x7fffffffu /* the top bit of a cookie says listener; and 0 is no cookie at all */

void *queue_grow(struct queue *queue, void *array, size_t element_size)
{
	uint32_t places = queue->places ? 2 * queue->places : QUEUE_MIN_PLACES;
	uint32_t head = queue->places ? queue_place(queue, 0) : 0;
	uint32_t first = queue->places - head;
	uint8_t *old = array, *grown;

	if (queue->count < queue->places)
		return array;
	grown = calloc(places, element_size);
	if (!grown)
		return NULL;
	/* Full: the elements lie from head to the end, then from the beginning to head. */
	if (old) {
		memcpy(grown, old + head * element_size, first * element_size);
		memcpy(grown + first * element_size, old, head * element_size);
	}
	free(old);
	queue->head = 0;
	queue->places = places;
	return grown;
}

static int slots_grow(struct ixev_loop *loop)
{
	uint32_t count = loop->slot_count ? 2 * loop->slot_count : SLOTS_MIN;
	struct conn_slot *slots;

	if (loop->slot_count > NO_SLOT / 4)
		return -ENOMEM;
	slots = realloc(loop->slots, count * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = count; i-- > loop->slot_count;) {
		slots[i] = (struct conn_slot){.generation = 1, .next_free = loop->free_slot};
		loop->free_slot = i;
	}
	loop->slots = slots;
	loop->slot_count = count;
	return 0;
}

static const struct ixev_handlers no_handlers;

struct ixev_conn *conn_new(struct ixev_loop *loop, struct ev_core *core)
{
	struct ixev_conn *conn;
	struct conn_slot *slot;

	if (loop->free_slot == NO_SLOT && slots_grow(loop))
		return NULL;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return NULL;
	slot = &loop->slots[loop->free_slot];
	conn->cookie = (uint64_t)slot->generation << 32 | loop->free_slot;
	loop->free_slot = slot->next_free;
	slot->conn = conn;
	loop->conn_count++;
	conn->loop = loop;
	conn->core = core;
	conn->rx_base = ix_rx_ptr(core->channel, 0);
	conn->handlers = &no_handlers;
	conn->high_water = HIGH_WATER_DEFAULT;
	list_init(&conn->to_flush);
	list_init(&conn->to_write);
	return conn;
}

void conn_free(struct ixev_conn *conn)
{
	struct ixev_loop *loop = conn->loop;
	uint32_t index = (uint32_t)conn->cookie;
	struct conn_slot *slot = &loop->slots[index];

	list_remove(&conn->to_flush);
	list_remove(&conn->to_write);
	tx_drop(conn);
	free(conn->tx_chunks);
	free(conn->rx_parts);
	free(conn->rx_legacy);
	/* The slot's next connection has another generation: late events of this one find nobody. */
	slot->generation = slot->generation % GENERATION_MAX + 1;
	slot->conn = NULL;
	slot->next_free = loop->free_slot;
	loop->free_slot = index;
	loop->conn_count--;
	free(conn);
}

void conn_dead(struct ixev_conn *conn, enum ix_reason reason)
{
	if (conn->handlers->on_dead)
		conn->handlers->on_dead(conn, conn->arg, reason);
	conn_free(conn);
}

struct ixev_conn *conn_find(const struct ixev_loop *loop, uint64_t cookie)
{
	uint32_t index = (uint32_t)cookie;

	if (index >= loop->slot_count || loop->slots[index].generation != cookie >> 32)
		return NULL;
	return loop->slots[index].conn;
}

void conn_mark(struct ixev_conn *conn)
{
	list_append(&conn->core->dirty, &conn->to_flush);
}

/* With Fast Open the first bytes go in the same batch, so that they cannot come too late; without any there
 * is nothing to be fast with, and the SYN would wait for them. */
static bool flush_connect(struct ixev_conn *conn)
{
	struct ix_channel *channel = conn->core->channel;
	struct ix_options options = conn->options;

	if (conn->tx_queued == 0 || ix_cmd_space(channel) < 2)
		options.flags &= (uint16_t)~IX_FAST_OPEN;
	if (ix_connect(channel, conn->cookie, &conn->remote, conn->has_from ? &conn->from : NULL, &options))
		return false;
	conn->open_seq = ix_last_seq(channel);
	conn->state = CONN_CONNECT_SENT;
	if (options.flags & IX_FAST_OPEN)
		tx_flush_early(conn);
	return true;
}

/* connect or accept: what must be said first. */
static bool flush_open(struct ixev_conn *conn)
{
	struct ix_channel *channel = conn->core->channel;
	int error = 0;

	if (conn->state == CONN_CONNECTING)
		return flush_connect(conn);
	if (conn->state == CONN_KNOCKED)
		error = ix_accept(channel, conn->handle, conn->cookie);
	else
		return true;
	if (error)
		return false;
	conn->open_seq = ix_last_seq(channel);
	conn->state = CONN_ACCEPT_SENT;
	return true;
}

/* A connection that ends before ixd took it: cancelled, rejected, or forgotten. */
static bool flush_early_end(struct ixev_conn *conn)
{
	struct ix_channel *channel = conn->core->channel;

	switch ((enum conn_state)conn->state) {
	case CONN_CONNECT_SENT:
		if (ix_cancel(channel, conn->cookie))
			return false;
		conn->has_said_end = true; /* connected or dead will tell */
		return true;
	case CONN_KNOCKED:
		if (ix_reject(channel, conn->handle))
			return false;
		break;
	default:
		break;
	}
	if (conn->wants_reject)
		conn_free(conn); /* never was the application's */
	else
		conn_dead(conn, IX_REASON_ABORTED);
	return true;
}

/* The end of an established connection, once everything before it is said. */
static bool flush_end(struct ixev_conn *conn)
{
	struct ix_channel *channel = conn->core->channel;
	bool is_all_given = conn->tx_given == conn->tx_queued;

	if (conn->wants_abort || (conn->wants_close && is_all_given)) {
		if (conn->wants_abort ? ix_abort(channel, conn->handle)
				      : ix_close_conn(channel, conn->handle))
			return false;
		conn->has_said_end = true;
	} else if (conn->wants_shutdown && is_all_given && !conn->has_shut_down) {
		if (ix_shutdown(channel, conn->handle))
			return false;
		conn->has_shut_down = true;
	}
	return true;
}

static bool flush_established(struct ixev_conn *conn)
{
	struct ix_channel *channel = conn->core->channel;

	if (conn->wants_abort)
		return flush_end(conn);
	if (conn->rx_owed) {
		if (ix_recv_done(channel, conn->handle, conn->rx_owed))
			return false;
		conn->rx_owed = 0;
	}
	if (conn->wants_setopt) {
		conn->options.flags &= (uint16_t)~IX_FAST_OPEN; /* too late for that */
		if (ix_setopt(channel, conn->handle, &conn->options))
			return false;
		conn->wants_setopt = false;
	}
	if (!tx_flush(conn))
		return false;
	tx_check_writable(conn);
	return flush_end(conn);
}

bool conn_flush(struct ixev_conn *conn)
{
	/* Only an abort stops a connect; a close waits for it, since what was written before shall arrive. */
	bool ends_early = conn->wants_reject || (conn->wants_abort && conn->state <= CONN_KNOCKED);

	if (conn->state == CONN_ENDED) {
		if (!conn->rx_bytes || conn->wants_close || conn->wants_abort)
			conn_dead(conn, IX_REASON_CLOSED);
		return true;
	}
	if (conn->has_said_end)
		return true;
	if (ends_early)
		return flush_early_end(conn);
	if (!flush_open(conn))
		return false;
	return conn->state == CONN_CONNECT_SENT || flush_established(conn);
}

IX_EXPORT int ixev_connect(struct ixev_loop *loop, unsigned core, const struct ix_addr *remote,
			   const struct ix_addr *from, const struct ix_options *options,
			   const struct ixev_handlers *handlers, void *arg, struct ixev_conn **result)
{
	struct ixev_conn *conn;

	if (core >= loop->core_count || !remote || !handlers || (from && from->port) ||
	    (options && (!ix_flags_are_valid(options->flags) || options->cc >= IX_CC_COUNT)))
		return -EINVAL;
	conn = conn_new(loop, &loop->cores[core]);
	if (!conn)
		return -ENOMEM;
	conn->state = CONN_CONNECTING;
	conn->remote = *remote;
	if (from) {
		conn->has_from = true;
		conn->from = *from;
	}
	if (options)
		conn->options = *options;
	conn->handlers = handlers;
	conn->arg = arg;
	conn_mark(conn);
	if (result)
		*result = conn;
	return 0;
}

IX_EXPORT void ixev_set_handlers(struct ixev_conn *conn, const struct ixev_handlers *handlers, void *arg)
{
	conn->handlers = handlers ? handlers : &no_handlers;
	conn->arg = arg;
}

IX_EXPORT void ixev_shutdown(struct ixev_conn *conn)
{
	conn->wants_shutdown = true;
	conn_mark(conn);
}

IX_EXPORT void ixev_close(struct ixev_conn *conn)
{
	conn->wants_close = true;
	/* What is unread is nobody's any more. */
	ixev_consume(conn, conn->rx_bytes);
	conn_mark(conn);
}

IX_EXPORT void ixev_abort(struct ixev_conn *conn)
{
	conn->wants_abort = true;
	conn_mark(conn);
}

IX_EXPORT int ixev_setopt(struct ixev_conn *conn, const struct ix_options *options)
{
	if (!options || !ix_flags_are_valid(options->flags) || options->cc >= IX_CC_COUNT)
		return -EINVAL;
	conn->options = *options;
	conn->wants_setopt = conn->state != CONN_CONNECTING; /* a connect takes them along */
	conn_mark(conn);
	return 0;
}

IX_EXPORT struct ixev_loop *ixev_conn_loop(const struct ixev_conn *conn)
{
	return conn->loop;
}

IX_EXPORT void ixev_local(const struct ixev_conn *conn, struct ix_addr *addr)
{
	*addr = conn->local;
}

IX_EXPORT void ixev_remote(const struct ixev_conn *conn, struct ix_addr *addr)
{
	*addr = conn->remote;
}

IX_EXPORT int ixev_error(const struct ixev_conn *conn)
{
	return conn->error;
}

/* Handlers other than on_dead are for connections whose owner has not left. */
static bool is_heard(const struct ixev_conn *conn)
{
	return !conn->wants_close && !conn->wants_abort;
}

static enum ix_reason reason_of(int error)
{
	switch (error) {
	case -ECONNREFUSED:
		return IX_REASON_REFUSED;
	case -ETIMEDOUT:
		return IX_REASON_TIMEOUT;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return IX_REASON_UNREACHABLE;
	case -ECONNRESET:
		return IX_REASON_RESET;
	case -ECANCELED:
		return IX_REASON_ABORTED;
	default:
		return IX_REASON_NO_RESOURCE;
	}
}

static void conn_opened(struct ixev_conn *conn)
{
	conn->state = CONN_OPEN;
	conn_mark(conn);
	if (is_heard(conn) && conn->handlers->on_open)
		conn->handlers->on_open(conn, conn->arg);
}

static void on_connected(struct ixev_conn *conn, const struct ix_event *event)
{
	if (event->outcome) {
		conn->error = event->outcome;
		conn_dead(conn, reason_of(event->outcome));
		return;
	}
	conn->handle = event->handle;
	conn->send_limit = event->open.send_limit;
	ix_event_local(event, &conn->local);
	ix_event_remote(event, &conn->remote);
	/* A cancel that came too late: the connection is there, and unwanted. */
	conn->has_said_end = false;
	conn_opened(conn);
}

static void on_recv(struct ixev_conn *conn, const struct ix_event *event)
{
	if (!is_heard(conn)) {
		conn->rx_owed += event->recv.len;
		conn_mark(conn);
		return;
	}
	if (!rx_add(conn, event->off, event->recv.len)) {
		ixev_abort(conn);
		return;
	}
	if (conn->handlers->on_readable)
		conn->handlers->on_readable(conn, conn->arg);
}

static void on_sent(struct ixev_conn *conn, const struct ix_event *event)
{
	uint64_t before = conn->tx_acked;

	conn->send_limit = event->sent.send_limit;
	tx_acked(conn, event->acked_total);
	conn_mark(conn);
	if (conn->state == CONN_ACCEPT_SENT)
		conn_opened(conn);
	if (conn->tx_acked > before && is_heard(conn) && conn->handlers->on_sent)
		conn->handlers->on_sent(conn, conn->arg);
}

/* Both sides have ended in order, and the application has not read everything: it may. */
static bool outlives(struct ixev_conn *conn)
{
	if (!conn->rx_bytes || !is_heard(conn) || !rx_inherit(conn))
		return false;
	conn->state = CONN_ENDED;
	tx_drop(conn);
	return true;
}

void conn_event(struct ev_core *core, struct ixev_conn *conn, const struct ix_event *event)
{
	(void)core;
	switch (event->type) {
	case IX_EV_CONNECTED:
		on_connected(conn, event);
		return;
	case IX_EV_RECV:
		on_recv(conn, event);
		return;
	case IX_EV_SENT:
		on_sent(conn, event);
		return;
	case IX_EV_EOF:
		conn->is_eof = true;
		if (is_heard(conn) && conn->handlers->on_eof)
			conn->handlers->on_eof(conn, conn->arg);
		return;
	case IX_EV_SOFT_ERROR:
		if (is_heard(conn) && conn->handlers->on_soft_error)
			conn->handlers->on_soft_error(conn, conn->arg, event->outcome);
		return;
	case IX_EV_URGENT:
		if (event->urgent_end <= conn->urgent_end)
			return; /* a dataplane that was restarted may tell again what is known */
		conn->urgent_end = event->urgent_end;
		if (is_heard(conn) && conn->handlers->on_urgent)
			conn->handlers->on_urgent(conn, conn->arg);
		return;
	case IX_EV_DEAD:
		if (event->reason == IX_REASON_CLOSED && outlives(conn))
			return;
		conn_dead(conn,
			  event->reason < IX_REASON_COUNT ? (enum ix_reason)event->reason : IX_REASON_RESET);
		return;
	default:
		return;
	}
}

/* The connection whose connect or accept has this sequence number: for what went wrong before ixd knew its
 * cookie. Rare, hence a walk. */
static struct ixev_conn *find_opening(const struct ixev_loop *loop, const struct ev_core *core, uint32_t seq)
{
	for (uint32_t i = 0; i < loop->slot_count; i++) {
		struct ixev_conn *conn = loop->slots[i].conn;

		if (conn && conn->core == core && conn->open_seq == seq &&
		    (conn->state == CONN_ACCEPT_SENT || conn->state == CONN_CONNECT_SENT))
			return conn;
	}
	return NULL;
}

/* By handle, which the errors of other commands carry. */
static struct ixev_conn *find_handle(const struct ixev_loop *loop, const struct ev_core *core,
				     uint64_t handle)
{
	for (uint32_t i = 0; i < loop->slot_count; i++) {
		struct ixev_conn *conn = loop->slots[i].conn;

		if (conn && conn->core == core && conn->state == CONN_OPEN && conn->handle == handle)
			return conn;
	}
	return NULL;
}

void conn_error(struct ixev_loop *loop, struct ev_core *core, const struct ix_event *event)
{
	struct ixev_conn *conn;

	switch (event->error.op) {
	case IX_OP_ACCEPT:
	case IX_OP_CONNECT:
		conn = find_opening(loop, core, event->error.seq);
		if (!conn)
			return;
		conn->error = event->outcome;
		conn_dead(conn, event->outcome == -ESTALE ? IX_REASON_RESET : reason_of(event->outcome));
		return;
	case IX_OP_SEND_EARLY:
		conn = conn_find(loop, event->cookie);
		if (conn)
			ixev_abort(conn); /* as below; before the connection is there it has no handle */
		return;
	case IX_OP_SENDV:
		/* Bytes are missing from the stream now, so it must not go on. A connection that is over
		 * anyway
		 * (-ESTALE) has its dead event on the way. */
		conn = event->outcome == -ESTALE ? NULL : find_handle(loop, core, event->handle);
		if (conn)
			ixev_abort(conn);
		return;
	default:
		/* recv_done, shutdown, close and the like of a connection that ended meanwhile. */
		return;
	}
}
