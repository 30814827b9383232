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
static uint64_t handle_make(uint32_t conn, uint32_t generation)
{
	return (uint64_t)(generation + 1) << 32 | conn;
}

struct conn_record *conn_record_open(struct client_side *side, uint32_t conn, uint8_t phase)
{
	struct conn_record *rec = &side->conns[conn];
	struct conn_local *loc = &side->local[conn];
	uint32_t work_next = loc->work_next;
	uint8_t listed = loc->flags & CONN_IS_LISTED;

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
	    .handle = handle_make(conn, rec->generation),
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

	rec->phase = CONN_FREE;
	rec->client = STATE_NONE;
	rec->generation++;
	if (conn >= side->conns_max) {
		side->local[conn].list_next = side->ghost_free;
		side->ghost_free = conn;
		side->ghosts--;
		return;
	}
	side->conns_live--;
	side->core->stats->conns_open = side->conns_live;
}

static uint32_t ghost_alloc(struct client_side *side)
{
	uint32_t ghost = side->ghost_free;

	if (ghost != STATE_NONE)
		side->ghost_free = side->local[ghost].list_next;
	else if (side->ghost_fresh < 2 * side->conns_max)
		ghost = side->ghost_fresh++;
	if (ghost != STATE_NONE)
		side->ghosts++;
	return ghost;
}

bool conn_has_room(const struct client_side *side)
{
	return side->conns_live + side->ghosts < side->conns_max;
}

uint32_t conn_record_to_ghost(struct client_side *side, uint32_t conn)
{
	struct conn_record *rec = &side->conns[conn];
	struct channel *channel = channel_of(side, rec->client);
	uint32_t ghost = ghost_alloc(side);
	bool is_counted = side->local[conn].flags & CONN_IS_COUNTED;
	bool is_queued = side->local[conn].flags & CONN_IS_QUEUED;
	uint32_t generation;

	if (ghost == STATE_NONE)
		return STATE_NONE;
	/* Detaching takes the connection out of the client's count; the ghost goes on counting in its place.
	 */
	side->local[conn].flags &= (uint8_t)~CONN_IS_COUNTED;
	conn_detach(side, conn);
	generation = side->conns[ghost].generation;
	side->local[ghost] = side->local[conn];
	side->local[ghost].flags = is_counted ? CONN_IS_COUNTED : 0;
	side->conns[ghost] = *rec;
	side->conns[ghost].generation = generation;
	side->conns[ghost].client = STATE_NONE;
	/* The copy is whole before the original is freed: a crash in between leaves two, of which recovery
	 * tells the client once more than needed, never once too little. */
	__atomic_signal_fence(__ATOMIC_RELEASE);
	conn_attach(side, ghost, channel);
	if (is_queued)
		conn_queue_push(side, &channel->owed, ghost);
	side->local[conn].cells = 0;
	conn_record_free(side, conn);
	return ghost;
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
		loc->flags &= (uint8_t)~CONN_IS_COUNTED;
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
	loc->flags &= (uint8_t)~CONN_IS_QUEUED;
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

	loc->flags |= (uint8_t)want;
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
		uint8_t want = loc->flags & CONN_WANT_ANY;

		side->work_head = loc->work_next;
		loc->flags &= (uint8_t) ~(CONN_IS_LISTED | CONN_WANT_ANY);
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
		conn_end(side, conn, IX_REASON_ABORTED);
}

static uint32_t *bucket(const struct client_side *side, uint32_t client, uint64_t key)
{
	uint64_t input[2] = {client, key};
	uint64_t hash = keyed_hash(side->hash_key, input, sizeof(input));

	return (uint32_t *)(uintptr_t)&side->bucket[hash % CONN_BUCKETS];
}

/* Connections that are looked for by something else than their index: connects by cookie, held ghosts by
 * handle. */
static uint64_t key_of(const struct client_side *side, uint32_t conn)
{
	return conn < side->conns_max ? side->conns[conn].cookie : side->conns[conn].handle;
}

static void hash_add(struct client_side *side, uint32_t conn)
{
	uint32_t *head = bucket(side, side->conns[conn].client, key_of(side, conn));

	side->local[conn].hash_next = *head;
	side->local[conn].flags |= CONN_IS_HASHED;
	*head = conn + 1;
}

static void hash_remove(struct client_side *side, uint32_t conn)
{
	uint32_t *link;

	if (!(side->local[conn].flags & CONN_IS_HASHED))
		return;
	side->local[conn].flags &= (uint8_t)~CONN_IS_HASHED;
	link = bucket(side, side->conns[conn].client, key_of(side, conn));
	for (; *link; link = &side->local[*link - 1].hash_next) {
		if (*link == conn + 1) {
			*link = side->local[conn].hash_next;
			return;
		}
	}
}

static uint32_t hash_find(const struct client_side *side, uint32_t client, uint64_t key, bool is_ghost)
{
	for (uint32_t link = *bucket(side, client, key); link; link = side->local[link - 1].hash_next) {
		uint32_t conn = link - 1;

		if (side->conns[conn].client == client && (conn >= side->conns_max) == is_ghost &&
		    key_of(side, conn) == key)
			return conn;
	}
	return STATE_NONE;
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
	if (rec->client == client && rec->phase > CONN_OPENING && rec->handle == handle)
		return conn;
	return side->ghosts ? hash_find(side, client, handle, true) : STATE_NONE;
}

void conn_cookie_add(struct client_side *side, uint32_t conn)
{
	hash_add(side, conn);
}

void conn_cookie_remove(struct client_side *side, uint32_t conn)
{
	hash_remove(side, conn);
}

uint32_t conn_cookie_find(const struct client_side *side, uint32_t client, uint64_t cookie)
{
	return hash_find(side, client, cookie, false);
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

void conn_end(struct client_side *side, uint32_t conn, uint8_t reason)
{
	struct conn_record *rec = &side->conns[conn];
	struct conn_local *loc = &side->local[conn];
	struct channel *channel = channel_of(side, rec->client);
	uint32_t ghost;

	conn_cookie_remove(side, conn);
	loc->flags &= (uint8_t)~CONN_WANT_ANY;
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
		return;
	}
	if (rec->phase == CONN_OPENING)
		rec->owed |= CONN_OWED_CONNECTED;
	rec->owed |= CONN_OWED_DEAD;
	rec->dead_reason = reason;
	conn_queue_push(side, &channel->owed, conn);
	channel_mark_busy(channel);
	if (!conn_is_held(rec) && event_post_conn(channel, conn))
		return;
	ghost = conn_record_to_ghost(side, conn);
	if (ghost != STATE_NONE) {
		if (conn_is_held(&side->conns[ghost]))
			hash_add(side, ghost);
	} else {
		/* conn_has_room() keeps a place for each, so this takes an engine that opened one without
		 * asking. */
		channel_fault(channel, "no record is left for the events that it does not take");
		conn_forget(side, conn, channel, false, 0);
	}
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
		hash_remove(side, conn);
		conn_detach(side, conn);
	}
	conn_record_free(side, conn);
}
