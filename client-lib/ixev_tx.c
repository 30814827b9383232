/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending: a queue of chunks of TX memory that hold a connection's bytes from the first unacknowledged one
 * on. Writes fill the last chunk; the end of the turn gives what is new to ixd, as far as the send limit
 * allows; acknowledged chunks are freed. Small writes therefore share a chunk, a command and a segment.
 */
#include <errno.h>
#include <string.h>

#include "client-lib/ixev_internal.h"

#define CHUNK_MIN_BYTES  512u
#define CHUNK_MAX_BYTES  65536u

/* Its length fits into a descriptor's, and a chunk that is full is full. */
#define LOAN_MAX_BYTES   (1u << 30)

/* Pieces per call of ix_sendv(): four commands. */
#define SG_PER_CALL      (4 * IX_SG_MAX)

/* What goes before the send limit is known: a SYN carries no more, and no limit is less. */
#define EARLY_BYTES      4096u

/* Starved connections that may try again per turn, so that they do not all find one freed chunk. */
#define STARVED_PER_TURN 32

static struct tx_chunk *chunk_at(struct ixev_conn *conn, uint32_t i)
{
	return &conn->tx_chunks[queue_place(&conn->tx, i)];
}

static bool can_write(const struct ixev_conn *conn)
{
	return conn->state != CONN_ENDED && !conn->wants_shutdown && !conn->wants_close && !conn->wants_abort;
}

static bool chunks_grow(struct ixev_conn *conn)
{
	struct tx_chunk *chunks = queue_grow(&conn->tx, conn->tx_chunks, sizeof(*chunks));

	if (!chunks)
		return false;
	conn->tx_chunks = chunks;
	return true;
}

/* A fresh chunk at the queue's end, for `want` bytes and more of their kind. NULL: no memory. */
static struct tx_chunk *chunk_append(struct ixev_conn *conn, size_t want)
{
	const struct tx_chunk *last = conn->tx.count ? chunk_at(conn, conn->tx.count - 1) : NULL;
	size_t size = want < CHUNK_MIN_BYTES ? CHUNK_MIN_BYTES : want;
	struct tx_chunk chunk = {.start = conn->tx_queued};

	/* A stream of small writes gets ever larger chunks. */
	if (last && !last->loan && size < 2 * (size_t)last->size)
		size = 2 * (size_t)last->size;
	if (size > CHUNK_MAX_BYTES)
		size = CHUNK_MAX_BYTES;
	if (!chunks_grow(conn))
		return NULL;
	for (; !chunk.memory && size >= CHUNK_MIN_BYTES; size /= 2)
		chunk.memory = ix_tx_alloc(conn->core->channel, size);
	if (!chunk.memory)
		return NULL;
	chunk.size = (uint32_t)ix_tx_size(conn->core->channel, chunk.memory);
	*chunk_at(conn, conn->tx.count) = chunk;
	return chunk_at(conn, conn->tx.count++);
}

static void fall_short(struct ixev_conn *conn, bool is_starved)
{
	conn->is_short = true;
	if (is_starved) {
		list_append(&conn->core->starved, &conn->to_write);
		conn->core->has_freed_tx = false; /* whatever was freed is used up */
	} else {
		conn_mark(conn); /* the flush decides when there is room */
	}
}

IX_EXPORT void *ixev_reserve(struct ixev_conn *conn, size_t want, size_t *room)
{
	uint64_t unsent = conn->tx_queued - conn->tx_given;
	size_t allowed = unsent < conn->high_water ? conn->high_water - (size_t)unsent : 0;
	struct tx_chunk *last = conn->tx.count ? chunk_at(conn, conn->tx.count - 1) : NULL;

	*room = 0;
	if (!can_write(conn) || !want)
		return NULL;
	if (!allowed) {
		fall_short(conn, false);
		return NULL;
	}
	if (!last || last->len == last->size)
		last = chunk_append(conn, want < allowed ? want : allowed);
	if (!last) {
		fall_short(conn, true);
		return NULL;
	}
	*room = last->size - last->len;
	if (*room > allowed)
		*room = allowed;
	if (*room > want)
		*room = want;
	return last->memory + last->len;
}

IX_EXPORT void ixev_commit(struct ixev_conn *conn, size_t bytes)
{
	struct tx_chunk *last = conn->tx.count ? chunk_at(conn, conn->tx.count - 1) : NULL;

	if (!last || !bytes || !can_write(conn))
		return;
	if (bytes > last->size - last->len)
		bytes = last->size - last->len;
	last->len += (uint32_t)bytes;
	conn->tx_queued += bytes;
	conn_mark(conn);
}

IX_EXPORT size_t ixev_write(struct ixev_conn *conn, const void *data, size_t bytes)
{
	const uint8_t *from = data;
	size_t taken = 0;

	while (taken < bytes) {
		size_t room;
		void *to = ixev_reserve(conn, bytes - taken, &room);

		if (!to)
			break;
		memcpy(to, from + taken, room);
		ixev_commit(conn, room);
		taken += room;
	}
	return taken;
}

IX_EXPORT size_t ixev_lend(struct ixev_conn *conn, const void *memory, size_t bytes, struct ixev_loan *loan)
{
	uint32_t len = bytes < LOAN_MAX_BYTES ? (uint32_t)bytes : LOAN_MAX_BYTES;

	if (!can_write(conn) || !len || !chunks_grow(conn))
		return 0;
	/* Nothing is written through this pointer: the chunk is full. */
	*chunk_at(conn, conn->tx.count++) = (struct tx_chunk){
	    .memory = (uint8_t *)(uintptr_t)memory,
	    .size = len,
	    .len = len,
	    .start = conn->tx_queued,
	    .loan = loan,
	};
	conn->tx_queued += len;
	conn_mark(conn);
	return len;
}

IX_EXPORT size_t ixev_pending(const struct ixev_conn *conn)
{
	return (size_t)(conn->tx_queued - conn->tx_acked);
}

IX_EXPORT uint64_t ixev_acked(const struct ixev_conn *conn)
{
	return conn->tx_acked;
}

IX_EXPORT void ixev_set_high_water(struct ixev_conn *conn, size_t bytes)
{
	conn->high_water = bytes ? bytes : 1;
}

static void chunk_free_first(struct ixev_conn *conn)
{
	struct tx_chunk first = *chunk_at(conn, 0);

	conn->tx.head++;
	conn->tx.count--;
	if (!first.loan)
		ix_tx_free(conn->core->channel, first.memory);
	else if (first.loan->on_returned)
		first.loan->on_returned(first.loan);
	conn->core->has_freed_tx = true;
}

void tx_acked(struct ixev_conn *conn, uint64_t acked_total)
{
	if (acked_total > conn->tx_acked)
		conn->tx_acked = acked_total;
	/* An empty chunk at the end was reserved and not committed; it goes as well. */
	while (conn->tx.count && chunk_at(conn, 0)->start + chunk_at(conn, 0)->len <= conn->tx_acked)
		chunk_free_first(conn);
}

void tx_drop(struct ixev_conn *conn)
{
	while (conn->tx.count)
		chunk_free_first(conn);
}

/* Collects unsent pieces from chunk *at on, up to `allowed` bytes. Returns their number, *bytes their sum. */
static unsigned collect(struct ixev_conn *conn, uint32_t *at, uint64_t allowed, struct ix_sg *sg,
			uint64_t *bytes)
{
	unsigned pieces = 0;

	*bytes = 0;
	for (; *at < conn->tx.count && pieces < SG_PER_CALL && *bytes < allowed; ++*at) {
		const struct tx_chunk *chunk = chunk_at(conn, *at);
		uint64_t from = conn->tx_given + *bytes - chunk->start;
		uint64_t len;

		if (from >= chunk->len)
			continue;
		len = chunk->len - from;
		if (len > allowed - *bytes)
			len = allowed - *bytes;
		sg[pieces++] = (struct ix_sg){
		    .off = ix_tx_off(conn->core->channel, chunk->memory) + from,
		    .len = (uint32_t)len,
		};
		*bytes += len;
		if (from + len < chunk->len)
			break;
	}
	return pieces;
}

/* The chunk that holds the first unsent byte. From the end: what is unsent is there. */
static uint32_t first_unsent(struct ixev_conn *conn)
{
	uint32_t i = conn->tx.count;

	while (i && chunk_at(conn, i - 1)->start > conn->tx_given)
		i--;
	return i ? i - 1 : 0;
}

void tx_flush_early(struct ixev_conn *conn)
{
	struct ix_sg sg[SG_PER_CALL];
	uint32_t at = 0;
	uint64_t bytes;
	unsigned pieces = collect(conn, &at, EARLY_BYTES, sg, &bytes);

	if (pieces > IX_SG_MAX)
		pieces = IX_SG_MAX;
	bytes = 0;
	for (unsigned i = 0; i < pieces; i++)
		bytes += sg[i].len;
	if (pieces && !ix_send_early(conn->core->channel, conn->cookie, sg, pieces))
		conn->tx_given += bytes;
}

bool tx_flush(struct ixev_conn *conn)
{
	struct ix_sg sg[SG_PER_CALL];
	uint32_t at;

	if (conn->tx_queued == conn->tx_given)
		return true;
	at = first_unsent(conn);
	while (conn->tx_given < conn->send_limit && conn->tx_given < conn->tx_queued) {
		uint64_t bytes;
		unsigned pieces = collect(conn, &at, conn->send_limit - conn->tx_given, sg, &bytes);

		if (!pieces)
			return true;
		if (ix_sendv(conn->core->channel, conn->handle, sg, pieces))
			return false;
		conn->tx_given += bytes;
	}
	return true;
}

void tx_check_writable(struct ixev_conn *conn)
{
	if (!conn->is_short || !list_is_empty(&conn->to_write))
		return;
	if (conn->tx_queued - conn->tx_given <= conn->high_water / 2)
		list_append(&conn->core->writable, &conn->to_write);
}

static void release_starved(struct ev_core *core)
{
	if (!core->has_freed_tx)
		return;
	for (int i = 0; i < STARVED_PER_TURN && !list_is_empty(&core->starved); i++)
		list_append(&core->writable, core->starved.next);
	/* Those left have their turn next time, unless these use everything up. */
	core->has_freed_tx = !list_is_empty(&core->starved);
}

bool tx_run_writable(struct ev_core *core)
{
	struct list due;
	bool had_any;

	release_starved(core);
	list_move(&due, &core->writable);
	had_any = !list_is_empty(&due);
	while (!list_is_empty(&due)) {
		struct ixev_conn *conn = container(due.next, struct ixev_conn, to_write);

		list_remove(&conn->to_write);
		conn->is_short = false;
		if (can_write(conn) && conn->handlers->on_writable)
			conn->handlers->on_writable(conn, conn->arg);
	}
	return had_any;
}
