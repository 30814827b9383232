/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of connections: taking, freeing, moving records, their lists, and finding them by handle or
 * cookie.
 */
#include "daemon/dataplane/conn_table.h"

#include <string.h>

#include "daemon/dataplane/channel.h"
#include "daemon/dataplane/chunk.h"
#include "daemon/dataplane/ephemeral.h"
#include "daemon/dataplane/event.h"
#include "daemon/dataplane/rx_memory.h"

/* A handle is index and generation; the generation is counted from 1 so that no handle is 0. */
uint64_t conn_handle(const struct client_side *side, uint32_t conn)
{
	return (uint64_t)(side->conns[conn].generation + 1) << 32 | conn;
}

struct conn_record *conn_record_open(struct client_side *side, uint32_t conn, uint8_t phase)
{
	struct conn_record *rec = &side->conns[conn];
	struct conn_local *loc = &side->local[conn];
	uint32_t work_next = loc->work_next;
	uint16_t listed = loc->flags & CONN_IS_LISTED;

	*rec = (struct conn_record){
	    .generation = rec->generation,
	    .client = STATE_NONE,
	    .listener = STATE_NONE,
	    .phase = phase,
	    .chunk_head = STATE_NONE,
	    .chunk_tail = STATE_NONE,
	    .chunk_cursor = STATE_NONE,
	    .cell_head = RX_NONE,
	    .cell_tail = RX_NONE,
	    .neigh = MIRROR_NO_NEIGH,
	    /* Not the present one: whoever sends first looks the route up. */
	    .route_generation = side->core->mirror->generation - 1,
	};
	*loc = (struct conn_local){
	    .store_at = RX_NONE,
	    .post_at = RX_NONE,
	    .chunk_again = STATE_NONE,
	    /* The index may still stand in the list of wants from the connection before. */
	    .work_next = work_next,
	    .flags = listed,
	    .list_next = STATE_NONE,
	    .list_prev = STATE_NONE,
	};
	side->conns_live++;
	side->core->stats->conns_open = side->conns_live;
	return rec;
}

void conn_record_free(struct client_side *side, uint32_t conn)
{
	struct conn_record *rec = &side->conns[conn];
	struct conn_local *loc = &side->local[conn];

	/* The generation first: after a crash in between, the old handles are stale all the same. */
	rec->generation++;
	__atomic_signal_fence(__ATOMIC_RELEASE);
	rec->phase = CONN_FREE;
	rec->client = STATE_NONE;
	if (loc->flags & CONN_IS_GHOST) {
		loc->flags &= (uint16_t) ~(CONN_IS_GHOST | CONN_IS_HELD);
		side->ghosts--;
		tcp_release(side->core->tcp, conn);
		return;
	}
	side->conns_live--;
	side->core->stats->conns_open = side->conns_live;
}

bool conn_has_room(const struct client_side *side)
{
	return side->conns_live + side->ghosts < side->conns_max;
}

void conn_record_to_ghost(struct client_side *side, uint32_t conn)
{
	struct conn_local *loc = &side->local[conn];

	loc->flags |= CONN_IS_GHOST;
	if (conn_is_held(&side->conns[conn]))
		loc->flags |= CONN_IS_HELD;
	side->ghosts++;
	side->conns_live--;
	side->core->stats->conns_open = side->conns_live;
}

void conn_attach(struct client_side *side, uint32_t conn, struct channel *channel)
{
	struct conn_local *loc = &side->local[conn];

	side->conns[conn].client = channel->client;
	loc->list_prev = STATE_NONE;
	loc->list_next = channel->conns_head;
	if (channel->conns_head != STATE_NONE)
		side->local[channel->conns_head].list_prev = conn;
	channel->conns_head = conn;
	channel->conns++;
}

void conn_detach(struct client_side *side, uint32_t conn)
{
	struct conn_local *loc = &side->local[conn];
	struct conn_record *rec = &side->conns[conn];
	struct channel *channel = channel_of(side, rec->client);

	if (!channel)
		return;
	if (loc->flags & CONN_IS_QUEUED)
		conn_queue_remove(side, rec->phase == CONN_ORPHANED ? &side->orphans : &channel->owed, conn);
	if (loc->flags & CONN_IS_COUNTED) {
		loc->flags &= (uint16_t)~CONN_IS_COUNTED;
		client_shared_uncount(&channel->rx.shared->conns);
	}
	if (loc->list_prev != STATE_NONE)
		side->local[loc->list_prev].list_next = loc->list_next;
	else
		channel->conns_head = loc->list_next;
	if (loc->list_next != STATE_NONE)
		side->local[loc->list_next].list_prev = loc->list_prev;
	channel->conns--;
	rec->client = STATE_NONE;
}

void conn_queue_push(struct client_side *side, struct conn_queue *queue, uint32_t conn)
{
	struct conn_local *loc = &side->local[conn];

	if (loc->flags & CONN_IS_QUEUED)
		return;
	loc->flags |= CONN_IS_QUEUED;
	loc->queue_next = STATE_NONE;
	loc->queue_prev = queue->tail;
	if (queue->tail != STATE_NONE)
		side->local[queue->tail].queue_next = conn;
	else
		queue->head = conn;
	queue->tail = conn;
}

void conn_queue_remove(struct client_side *side, struct conn_queue *queue, uint32_t conn)
{
	struct conn_local *loc = &side->local[conn];

	if (!(loc->flags & CONN_IS_QUEUED))
		return;
	loc->flags &= (uint16_t)~CONN_IS_QUEUED;
	if (loc->queue_prev != STATE_NONE)
		side->local[loc->queue_prev].queue_next = loc->queue_next;
	else
		queue->head = loc->queue_next;
	if (loc->queue_next != STATE_NONE)
		side->local[loc->queue_next].queue_prev = loc->queue_prev;
	else
		queue->tail = loc->queue_prev;
}

void conn_want(struct client_side *side, uint32_t conn, enum conn_want want)
{
	struct conn_local *loc = &side->local[conn];

	loc->flags |= (uint16_t)want;
	if (loc->flags & CONN_IS_LISTED)
		return;
	loc->flags |= CONN_IS_LISTED;
	loc->work_next = side->work_head;
	side->work_head = conn;
}

void conn_work_run(struct client_side *side)
{
	while (side->work_head != STATE_NONE) {
		uint32_t conn = side->work_head;
		struct conn_local *loc = &side->local[conn];
		uint16_t want = loc->flags & CONN_WANT_ANY;

		side->work_head = loc->work_next;
		loc->flags &= (uint16_t) ~(CONN_IS_LISTED | CONN_WANT_ANY);
		if (want & CONN_WANT_ABORT)
			conn_abort(side, conn);
		else if (want & CONN_WANT_LIMIT)
			rx_window_update(side, conn);
	}
}

void conn_abort(struct client_side *side, uint32_t conn)
{
	struct core *core = side->core;

	/* The engine calls conn_on_dead(). When it does not know the connection, the record is a leftover. */
	if (tcp_abort(core->tcp, core->now, conn) < 0)
		conn_end_unknown(side, conn, IX_REASON_ABORTED);
}

static uint32_t *bucket(const struct client_side *side, uint32_t client, uint64_t key)
{
	uint64_t input[2] = {client, key};
	uint64_t hash = keyed_hash(side->hash_key, input, sizeof(input));

	return (uint32_t *)(uintptr_t)&side->bucket[hash % CONN_BUCKETS];
}

uint32_t conn_by_handle(const struct client_side *side, uint32_t client, uint64_t handle)
{
	uint32_t conn = (uint32_t)handle;
	const struct conn_record *rec;

	if (conn >= side->conns_max)
		return STATE_NONE;
	rec = &side->conns[conn];
	/* A handle of another client, right or guessed, is no handle: nothing distinguishes the two answers.
	 * A handshake in progress has no handle that a client could know. */
	if (rec->client != client || rec->phase <= CONN_OPENING || conn_handle(side, conn) != handle)
		return STATE_NONE;
	return !conn_is_over(rec) || side->local[conn].flags & CONN_IS_HELD ? conn : STATE_NONE;
}

void conn_cookie_add(struct client_side *side, uint32_t conn)
{
	uint32_t *head = bucket(side, side->conns[conn].client, side->conns[conn].cookie);
	struct conn_local *loc = &side->local[conn];

	loc->hash_next = *head;
	loc->hash_prev = 0;
	if (*head)
		side->local[*head - 1].hash_prev = conn + 1;
	loc->flags |= CONN_IS_HASHED;
	*head = conn + 1;
}

void conn_cookie_remove(struct client_side *side, uint32_t conn)
{
	struct conn_local *loc = &side->local[conn];

	if (!(loc->flags & CONN_IS_HASHED))
		return;
	loc->flags &= (uint16_t)~CONN_IS_HASHED;
	/* In both directions, since a client may give all its connects the same cookie. */
	if (loc->hash_prev)
		side->local[loc->hash_prev - 1].hash_next = loc->hash_next;
	else
		*bucket(side, side->conns[conn].client, side->conns[conn].cookie) = loc->hash_next;
	if (loc->hash_next)
		side->local[loc->hash_next - 1].hash_prev = loc->hash_prev;
	loc->since_ns = 0;
}

uint32_t conn_cookie_find(const struct client_side *side, uint32_t client, uint64_t cookie)
{
	uint32_t link = *bucket(side, client, cookie);

	for (; link; link = side->local[link - 1].hash_next) {
		uint32_t conn = link - 1;

		if (side->conns[conn].client == client && side->conns[conn].cookie == cookie)
			return conn;
	}
	return STATE_NONE;
}

bool conn_is_held(const struct conn_record *rec)
{
	return rec->dead_reason == IX_REASON_CLOSED && rec->phase == CONN_OPEN &&
	       rec->rx_done_off < rec->rx_ready_off;
}

/* The client was told of the connection, or asked for it, and so has to be told of its end. */
static bool client_knows(const struct conn_record *rec)
{
	if (rec->phase == CONN_OPENING)
		return rec->listener == STATE_NONE;
	return !(rec->owed & CONN_OWED_KNOCK);
}

/* False: nothing is owed, and the record is free. */
static bool end(struct client_side *side, uint32_t conn, uint8_t reason)
{
	struct conn_record *rec = &side->conns[conn];
	struct conn_local *loc = &side->local[conn];
	struct channel *channel = channel_of(side, rec->client);

	conn_cookie_remove(side, conn);
	loc->flags &= (uint16_t)~CONN_WANT_ANY;
	if (loc->port) {
		/* Only an orderly end leaves a TIME_WAIT behind. */
		ephemeral_put(side, loc->port, reason == IX_REASON_CLOSED);
		loc->port = 0;
	}
	if (channel) {
		chunk_free_all(side, channel, rec, loc);
		rx_unreserve(channel, rec, loc);
	}
	if (!channel || channel->state != CHANNEL_OPEN || !client_knows(rec)) {
		conn_forget(side, conn, channel, false, 0);
		return false;
	}
	if (rec->phase == CONN_OPENING)
		rec->owed |= CONN_OWED_CONNECTED;
	rec->dead_reason = reason & 15u;
	rec->owed |= CONN_OWED_DEAD;
	conn_queue_push(side, &channel->owed, conn);
	channel_mark_busy(channel);
	return conn_is_held(rec) || !event_post_conn(channel, conn);
}

bool conn_end(struct client_side *side, uint32_t conn, uint8_t reason)
{
	if (!end(side, conn, reason))
		return false;
	conn_record_to_ghost(side, conn);
	return true;
}

void conn_end_unknown(struct client_side *side, uint32_t conn, uint8_t reason)
{
	struct channel *channel = channel_of(side, side->conns[conn].client);

	if (!end(side, conn, reason))
		return;
	channel_fault(channel, "no record is left for the events that it does not take");
	conn_forget(side, conn, channel, false, 0);
}

void conn_forget(struct client_side *side, uint32_t conn, struct channel *channel, bool is_told,
		 uint32_t evt_index)
{
	struct conn_record *rec = &side->conns[conn];
	struct conn_local *loc = &side->local[conn];

	if (channel) {
		/* What was told may still be being read, until the client has taken the `dead` event. */
		if (is_told && loc->cells)
			rx_bury(channel, rec, loc, evt_index);
		else
			rx_free_all(channel, rec, loc);
		conn_detach(side, conn);
	}
	conn_record_free(side, conn);
}
