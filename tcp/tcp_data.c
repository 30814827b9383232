/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly. Bytes are stored by the user at once, in order or not; the engine keeps only the ranges that
 * it has, sorted, in a few nodes inside the connection record and then in nodes from a pool. Ranges never
 * touch: neighbours are joined.
 */
#include "tcp/tcp_data.h"

#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"

/* The first nodes are in the record, node n + TCP_OOO_INLINE is number n of the pool. */
static struct tcp_ooo *node_at(struct tcp_engine *e, uint32_t conn, uint32_t node)
{
	if (node < TCP_OOO_INLINE)
		return &e->conns[conn].ooo[node];
	return &e->ooo[node - TCP_OOO_INLINE];
}

void tcp_data_init(struct tcp_engine *e)
{
	for (uint32_t i = 0; i < e->limits.ooo_records; i++)
		e->ooo[i].next = i + 1 < e->limits.ooo_records ? i + 1 : TCP_NONE;
	e->ooo_free = e->limits.ooo_records > 0 ? 0 : TCP_NONE;
}

static uint32_t node_alloc(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_links *l = &e->links[conn];
	uint32_t node;

	if (l->ooo_count >= TCP_OOO_RANGES_MAX)
		return TCP_NONE;
	for (node = 0; node < TCP_OOO_INLINE; node++) {
		if (!(l->ooo_inline_used & 1u << node)) {
			l->ooo_inline_used |= (uint16_t)(1u << node);
			l->ooo_count++;
			return node;
		}
	}
	node = e->ooo_free;
	if (node == TCP_NONE)
		return TCP_NONE;
	e->ooo_free = e->ooo[node].next;
	l->ooo_count++;
	return node + TCP_OOO_INLINE;
}

static void node_remove(struct tcp_engine *e, uint32_t conn, uint32_t node)
{
	struct tcp_links *l = &e->links[conn];
	struct tcp_ooo *n = node_at(e, conn, node);

	if (n->prev == TCP_NONE)
		l->ooo_head = n->next;
	else
		node_at(e, conn, n->prev)->next = n->next;
	if (n->next == TCP_NONE)
		l->ooo_tail = n->prev;
	else
		node_at(e, conn, n->next)->prev = n->prev;
	l->ooo_count--;
	if (node < TCP_OOO_INLINE) {
		l->ooo_inline_used &= (uint16_t) ~(1u << node);
		return;
	}
	n->next = e->ooo_free;
	e->ooo_free = node - TCP_OOO_INLINE;
}

static void node_insert_after(struct tcp_engine *e, uint32_t conn, uint32_t node, uint32_t prev)
{
	struct tcp_links *l = &e->links[conn];
	struct tcp_ooo *n = node_at(e, conn, node);

	n->prev = prev;
	n->next = prev == TCP_NONE ? l->ooo_head : node_at(e, conn, prev)->next;
	if (n->next == TCP_NONE)
		l->ooo_tail = node;
	else
		node_at(e, conn, n->next)->prev = node;
	if (prev == TCP_NONE)
		l->ooo_head = node;
	else
		node_at(e, conn, prev)->next = node;
}

void tcp_data_free_all(struct tcp_engine *e, uint32_t conn)
{
	while (e->links[conn].ooo_head != TCP_NONE)
		node_remove(e, conn, e->links[conn].ooo_head);
	e->conns[conn].ooo_bytes = 0;
}

/* Ranges hold low halves of positions; all lie within a window above rcv_nxt. */
static int64_t widen(const struct tcp_conn *c, uint32_t low)
{
	return tcp_seq_unwrap(low, 0, c->rcv_nxt);
}

struct tcp_span {
	int64_t start, end;
};

/* Hands bytes to the user. False: no memory for them. */
static bool store(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s, int64_t from, int64_t to)
{
	if (e->ops->rx_store(e->ctx, conn, tcp_seq_off(from), s->payload + tcp_seq_span(s->pos, from),
			     tcp_seq_span(from, to)))
		return true;
	e->stats->drop_no_memory++;
	return false;
}

bool tcp_data_other_range(const struct tcp_engine *e, uint32_t conn, struct tcp_range *range)
{
	const struct tcp_conn *c = &e->conns[conn];
	uint32_t node = e->links[conn].ooo_tail;

	/* At most one step more than are kept: all ranges differ. */
	while (node != TCP_NONE) {
		const struct tcp_ooo *n =
		    node < TCP_OOO_INLINE ? &c->ooo[node] : &e->ooo[node - TCP_OOO_INLINE];
		bool is_kept = n->start == n->end; /* just made, and filled after this ACK */

		for (uint8_t i = 0; i < c->sack_count; i++)
			is_kept |= c->sacks[i].end == n->end;
		if (!is_kept) {
			*range = (struct tcp_range){n->start, n->end};
			return true;
		}
		node = n->prev;
	}
	return false;
}

/* Where blocks have gone, the next ACK names ranges that had no place (RFC 2018 section 4: as many distinct
 * blocks as possible). */
static void sacks_refill(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	while (c->sack_count < TCP_SACK_KEPT && e->links[conn].ooo_count > c->sack_count &&
	       tcp_data_other_range(e, conn, &c->sacks[c->sack_count]))
		c->sack_count++;
}

static void sacks_prune(struct tcp_conn *c)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < c->sack_count; i++)
		if (widen(c, c->sacks[i].end) > c->rcv_nxt)
			c->sacks[kept++] = c->sacks[i];
	c->sack_count = kept;
}

/* RFC 2018 section 4: the block with the latest segment comes first, then those reported most recently. */
static void sacks_put_first(struct tcp_conn *c, int64_t start, int64_t end)
{
	struct tcp_range kept[TCP_SACK_KEPT];
	uint8_t count = 0;

	for (uint8_t i = 0; i < c->sack_count; i++)
		if (widen(c, c->sacks[i].end) < start || widen(c, c->sacks[i].start) > end)
			kept[count++] = c->sacks[i];
	c->sacks[0].start = (uint32_t)start;
	c->sacks[0].end = (uint32_t)end;
	if (count > TCP_SACK_KEPT - 1)
		count = TCP_SACK_KEPT - 1;
	for (uint8_t i = 0; i < count; i++)
		c->sacks[i + 1] = kept[i];
	c->sack_count = (uint8_t)(count + 1);
}

/* All segments of a batch are processed before they are acknowledged (RFC 9293 section 3.8.6.3), but not
 * where one ACK cannot say it all. Then the one that is owed goes first; if it cannot, the next says what it
 * can. */
static void ack_apart(struct tcp_engine *e, uint32_t conn)
{
	(void)tcp_emit_ack(e, conn);
}

static void owe_dsack(struct tcp_engine *e, uint32_t conn, int64_t start, int64_t end)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (!(c->options & TCP_INFO_SACK) || start >= end)
		return;
	if (c->flags & CONN_DSACK_OWED)
		ack_apart(e, conn); /* one D-SACK in each ACK (RFC 2883 section 4) */
	c->dsack_start = (uint32_t)start;
	c->dsack_end = (uint32_t)end;
	c->flags |= CONN_DSACK_OWED;
}

void tcp_data_report_duplicate(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	int64_t end = s->pos + s->payload_len;

	if (s->payload_len > 0)
		owe_dsack(e, conn, s->pos, end < c->rcv_nxt ? end : c->rcv_nxt);
	tcp_ack_now(e, conn);
}

/* Of a segment up to `end` the range was there already: RFC 2883 section 4 tells of the first such part. */
static void note_twice(struct tcp_span *twice, int64_t range_start, int64_t range_end, int64_t end)
{
	if (twice->start == twice->end && range_start < end)
		*twice = (struct tcp_span){range_start, range_end < end ? range_end : end};
}

/* The same where the segment begins at rcv_nxt. Where it begins below, that part is what is told: one is all.
 */
static __attribute__((noinline)) void report_first_range(struct tcp_engine *e, uint32_t conn, int64_t end)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);
	const struct tcp_ooo *first = node_at(e, conn, e->links[conn].ooo_head);
	struct tcp_span twice = {0, 0};

	note_twice(&twice, widen(c, first->start), widen(c, first->end), end);
	owe_dsack(e, conn, twice.start, twice.end);
}

/* Stores [start, end), which begins at rcv_nxt, around the ranges already here, and swallows those. */
static void take_in_order(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s, int64_t end)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];
	int64_t before = c->rcv_nxt;
	bool was_ooo = l->ooo_head != TCP_NONE;

	if (was_ooo && s->pos == before)
		report_first_range(e, conn, end);
	for (;;) {
		uint32_t first = l->ooo_head;
		int64_t range_start =
		    first == TCP_NONE ? INT64_MAX : widen(c, node_at(e, conn, first)->start);
		int64_t upto = end < range_start ? end : range_start;

		if (upto > c->rcv_nxt) {
			if (!store(e, conn, s, c->rcv_nxt, upto))
				break;
			c->rcv_nxt = upto;
		}
		if (first == TCP_NONE || range_start > c->rcv_nxt)
			break;
		c->ooo_bytes -= node_at(e, conn, first)->end - node_at(e, conn, first)->start;
		c->rcv_nxt = widen(c, node_at(e, conn, first)->end);
		node_remove(e, conn, first);
	}
	if (c->rcv_nxt == before) {
		tcp_ack_now(e, conn); /* no memory: tell where we are */
		return;
	}
	e->stats->bytes_in += (uint64_t)(c->rcv_nxt - before);
	if (was_ooo) {
		sacks_prune(c);
		sacks_refill(e, conn);
		tcp_ack_now(e, conn); /* RFC 5681 section 4.2: at once when a gap is filled */
	}
	e->ops->on_readable(e->ctx, conn, tcp_seq_off(c->rcv_nxt));
}

/* The range that [start, ...) continues or lies in; else a fresh, empty one at start. TCP_NONE: no record. */
static uint32_t find_or_make_range(struct tcp_engine *e, uint32_t conn, int64_t start)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t prev = e->links[conn].ooo_tail;
	uint32_t node;

	/* From the end, where most arrive; at most TCP_OOO_RANGES_MAX steps. */
	while (prev != TCP_NONE && widen(c, node_at(e, conn, prev)->start) > start)
		prev = node_at(e, conn, prev)->prev;
	if (prev != TCP_NONE && widen(c, node_at(e, conn, prev)->end) >= start)
		return prev;
	node = node_alloc(e, conn);
	if (node == TCP_NONE)
		return TCP_NONE;
	node_at(e, conn, node)->start = (uint32_t)start;
	node_at(e, conn, node)->end = (uint32_t)start;
	node_insert_after(e, conn, node, prev);
	return node;
}

/* RFC 5681 section 4.2: without SACK the peer counts duplicate ACKs, and three of them are a loss. With SACK
 * a segment that continues the first block needs no ACK of its own; each other block is to come first once,
 * and then in the ACKs that follow (RFC 2018 section 4). */
static bool needs_own_ack(const struct tcp_conn *c, int64_t start)
{
	if (!(c->options & TCP_INFO_SACK))
		return c->flags & (CONN_ACK_NOW | CONN_ACK_DELAYED);
	return (c->flags & CONN_ACK_NOW) && c->sack_count > 0 && c->sacks[0].end != (uint32_t)start;
}

/* Stores what of [start, end) is not here yet; start lies beyond rcv_nxt. */
static void take_out_of_order(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s, int64_t start,
			      int64_t end)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_span twice = {0, 0};
	uint32_t node = find_or_make_range(e, conn, start);
	struct tcp_ooo *n;
	int64_t at;

	if (needs_own_ack(c, start))
		ack_apart(e, conn);
	if (node == TCP_NONE) {
		e->stats->drop_no_record++;
		return;
	}
	n = node_at(e, conn, node);
	at = widen(c, n->end);
	note_twice(&twice, start, at, end);
	for (;;) {
		int64_t next_start =
		    n->next == TCP_NONE ? INT64_MAX : widen(c, node_at(e, conn, n->next)->start);
		int64_t upto = end < next_start ? end : next_start;

		if (upto > at) {
			if (!store(e, conn, s, at, upto))
				break;
			c->ooo_bytes += tcp_seq_span(at, upto);
			n->end = (uint32_t)upto;
			at = upto;
		}
		if (next_start > at)
			break;
		/* The gap up to the next range is closed: the two become one. */
		n->end = node_at(e, conn, n->next)->end;
		at = widen(c, n->end);
		note_twice(&twice, next_start, at, end);
		node_remove(e, conn, n->next);
	}
	if (n->start == n->end) {
		node_remove(e, conn, node); /* no memory for the first byte: it never was */
		return;
	}
	owe_dsack(e, conn, twice.start, twice.end);
	sacks_put_first(c, widen(c, n->start), widen(c, n->end));
	sacks_refill(e, conn);
}

/* Is the octet with this number waiting in a range? */
static bool is_text_at(struct tcp_engine *e, uint32_t conn, int64_t pos)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t node = e->links[conn].ooo_head;

	while (node != TCP_NONE && widen(c, node_at(e, conn, node)->end) <= pos)
		node = node_at(e, conn, node)->next;
	return node != TCP_NONE && widen(c, node_at(e, conn, node)->start) <= pos;
}

/* RFC 9293 section 3.10.7.4, sixth check. The pointer is the number of the byte behind the urgent ones, as
 * all stacks have it (RFC 6093 section 3.1), and counts from the sequence number, that of a SYN too; the
 * bytes themselves stay in line. */
static void note_urgent(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);
	int64_t end = tcp_seq_unwrap(s->seq, c->irs, c->rcv_nxt) + tcp_segment_urgent(s);

	e->stats->urgent_in++;
	if (end > 1 && e->ops->on_urgent && !(c->flags & CONN_CLOSED))
		e->ops->on_urgent(e->ctx, conn, tcp_seq_off(end));
}

/* What few segments have. */
static __attribute__((noinline)) void note_flags(struct tcp_engine *e, uint32_t conn,
						 const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	int64_t data_end = s->pos + s->payload_len;

	if (s->flags & TCP_URG)
		note_urgent(e, conn, s);
	/* What came first is kept, as with text: where text is already there is no FIN, and rcv_nxt, which
	 * will pass over it, would never be at its number. */
	if ((s->flags & TCP_FIN) && !(c->flags & CONN_FIN_SEEN) && data_end <= c->rcv_adv &&
	    !is_text_at(e, conn, data_end)) {
		c->rcv_fin = (uint32_t)data_end;
		c->flags |= CONN_FIN_SEEN;
	}
}

void tcp_data_input(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	int64_t data_end = s->pos + s->payload_len;
	int64_t start = s->pos > c->rcv_nxt ? s->pos : c->rcv_nxt;
	int64_t end = data_end < c->rcv_adv ? data_end : c->rcv_adv;

	if ((c->flags & CONN_FIN_SEEN) && end > widen(c, c->rcv_fin))
		end = widen(c, c->rcv_fin); /* nothing follows a FIN */
	if (s->flags & (TCP_FIN | TCP_URG))
		note_flags(e, conn, s);
	if (s->payload_len == 0) {
		/* Out of order, too (RFC 5681 section 4.2). */
		if ((s->flags & TCP_FIN) && s->pos > c->rcv_nxt) {
			e->stats->ooo_segments_in++;
			tcp_ack_now(e, conn);
		}
		return;
	}
	if (s->payload_len > c->rcv_mss)
		c->rcv_mss = (uint16_t)(s->payload_len < UINT16_MAX ? s->payload_len : UINT16_MAX);
	if (start >= end) {
		tcp_data_report_duplicate(e, conn, s);
		return;
	}
	if (start > s->pos)
		owe_dsack(e, conn, s->pos, start);
	if (start > c->rcv_nxt) {
		e->stats->ooo_segments_in++;
		take_out_of_order(e, conn, s, start, end);
		tcp_ack_now(e, conn);
		return;
	}
	take_in_order(e, conn, s, end);
	if (data_end > end)
		tcp_ack_now(e, conn); /* part of it was beyond the window */
}

bool tcp_data_take_fin(struct tcp_engine *e, uint32_t conn, bool may_wait)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (!(c->flags & CONN_FIN_SEEN) || (uint32_t)c->rcv_nxt != c->rcv_fin)
		return false;
	c->flags &= ~(uint32_t)CONN_FIN_SEEN; /* taken once */
	c->rcv_nxt++;
	tcp_data_free_all(e, conn);
	c->sack_count = 0;
	if (may_wait)
		tcp_ack_soon(e, conn);
	else
		tcp_ack_now(e, conn);
	e->ops->on_eof(e->ctx, conn);
	return true;
}
