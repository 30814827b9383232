/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool of pieces, a connection's list of them, and the copy out of client memory.
 */
#include "daemon/dataplane/chunk.h"

bool chunk_has_room(const struct client_side *side, const struct channel *channel, uint32_t count)
{
	uint32_t left = side->chunks_max - side->chunks_used;

	/* One client alone gets half of the pool, two get a third each, and so on: whoever comes late finds
	 * some. */
	return left >= count && channel->chunks + count <= left;
}

static uint32_t chunk_take(struct client_side *side, struct channel *channel)
{
	uint32_t index = side->chunk_free;

	if (index != STATE_NONE)
		side->chunk_free = side->chunks[index].next;
	else
		index = side->chunk_fresh++;
	side->chunks_used++;
	channel->chunks++;
	return index;
}

static void chunk_give(struct client_side *side, struct channel *channel, uint32_t index)
{
	side->chunks[index].next = side->chunk_free;
	side->chunk_free = index;
	side->chunks_used--;
	channel->chunks--;
}

void chunk_append(struct client_side *side, struct channel *channel, uint32_t conn, uint64_t arena_off,
		  uint32_t len)
{
	struct conn_record *rec = &side->conns[conn];
	uint32_t tail = rec->chunk_tail;
	uint32_t index;

	if (tail != STATE_NONE) {
		struct send_chunk *last = &side->chunks[tail];

		if (last->arena_off + last->len == arena_off && last->len <= UINT32_MAX - len) {
			last->len += len;
			rec->sent_given_off += len;
			return;
		}
	}
	index = chunk_take(side, channel);
	side->chunks[index] = (struct send_chunk){
	    .stream_off = rec->sent_given_off, .arena_off = arena_off, .len = len, .next = STATE_NONE};
	if (tail != STATE_NONE)
		side->chunks[tail].next = index;
	else
		rec->chunk_head = index;
	rec->chunk_tail = index;
	if (rec->chunk_cursor == STATE_NONE)
		rec->chunk_cursor = index;
	rec->sent_given_off += len;
}

static void drop_head(struct client_side *side, struct channel *channel, struct conn_record *rec,
		      struct conn_local *loc)
{
	uint32_t index = rec->chunk_head;

	rec->chunk_head = side->chunks[index].next;
	if (rec->chunk_head == STATE_NONE)
		rec->chunk_tail = STATE_NONE;
	if (rec->chunk_cursor == index)
		rec->chunk_cursor = rec->chunk_head;
	if (loc->chunk_again == index)
		loc->chunk_again = STATE_NONE;
	chunk_give(side, channel, index);
}

void chunk_acked(struct client_side *side, struct channel *channel, uint32_t conn, uint64_t acked_off)
{
	struct conn_record *rec = &side->conns[conn];

	while (rec->chunk_head != STATE_NONE) {
		const struct send_chunk *head = &side->chunks[rec->chunk_head];

		if (head->stream_off + head->len > acked_off)
			return;
		drop_head(side, channel, rec, &side->local[conn]);
	}
}

void chunk_free_all(struct client_side *side, struct channel *channel, struct conn_record *rec,
		    struct conn_local *loc)
{
	while (rec->chunk_head != STATE_NONE)
		drop_head(side, channel, rec, loc);
}

/* The piece that holds stream offset off: new data goes on where it was, a retransmission where the last one
 * was. */
static uint32_t chunk_find(const struct client_side *side, struct conn_record *rec, struct conn_local *loc,
			   uint64_t off)
{
	const struct send_chunk *chunks = side->chunks;
	uint32_t *cursor = &rec->chunk_cursor;
	uint32_t at = *cursor;

	if (at == STATE_NONE || chunks[at].stream_off > off) {
		cursor = &loc->chunk_again;
		at = *cursor;
		if (at == STATE_NONE || chunks[at].stream_off > off)
			at = rec->chunk_head;
	}
	while (at != STATE_NONE && off - chunks[at].stream_off >= chunks[at].len)
		at = chunks[at].next;
	if (at == STATE_NONE || off < chunks[at].stream_off)
		return STATE_NONE;
	*cursor = at;
	return at;
}

/* The sum of a part that lies at an odd place of the whole has its bytes exchanged (RFC 1071, section 2 (B)).
 */
static uint64_t sum_at_odd(uint64_t sum)
{
	uint16_t folded = (uint16_t)~inet_checksum_fold(sum);

	return (uint64_t)(uint16_t)(folded << 8 | folded >> 8);
}

uint32_t conn_gather_pieces(struct core *core, uint32_t conn, uint64_t off, uint32_t len,
			    struct iovec *pieces, uint32_t *count)
{
	struct client_side *side = core->clients;
	struct conn_record *rec = &side->conns[conn];
	struct channel *channel = channel_of(side, rec->client);
	uint32_t at = STATE_NONE, done = 0, used = 0;

	if (channel && off + len <= rec->sent_given_off)
		at = chunk_find(side, rec, &side->local[conn], off);
	for (; done < len && at != STATE_NONE && used < *count; at = side->chunks[at].next) {
		const struct send_chunk *chunk = &side->chunks[at];
		uint32_t within = (uint32_t)(off + done - chunk->stream_off);
		uint32_t part = chunk->len - within < len - done ? chunk->len - within : len - done;

		/* writev() only reads, though iovec has no const. */
		pieces[used++] =
		    (struct iovec){.iov_base = (void *)(uintptr_t)(channel->tx + chunk->arena_off + within),
				   .iov_len = part};
		done += part;
	}
	*count = used;
	return done;
}

bool conn_gather(struct core *core, uint32_t conn, uint64_t off, uint32_t len, uint8_t *dst, uint64_t *sum)
{
	struct client_side *side = core->clients;
	struct conn_record *rec = &side->conns[conn];
	struct channel *channel = channel_of(side, rec->client);
	uint32_t at, done = 0;

	if (!channel || off + len > rec->sent_given_off)
		return false;
	at = chunk_find(side, rec, &side->local[conn], off);
	while (done < len) {
		const struct send_chunk *chunk;
		const uint8_t *src;
		uint32_t within, part;

		if (at == STATE_NONE)
			return false;
		chunk = &side->chunks[at];
		within = (uint32_t)(off + done - chunk->stream_off);
		part = chunk->len - within < len - done ? chunk->len - within : len - done;
		src = channel->tx + chunk->arena_off + within;
		/* The client may be changing these bytes: they are read once, and what was copied is what is
		 * summed. */
		if (!sum)
			__builtin_memcpy(dst + done, src, part);
		else if (done & 1)
			*sum += sum_at_odd(inet_checksum_copy(0, dst + done, src, part));
		else
			*sum = inet_checksum_copy(*sum, dst + done, src, part);
		done += part;
		at = chunk->next;
	}
	return true;
}
