/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of sent ranges: the pool, the lists, splitting and joining, cumulative acknowledgement. */
#include "tcp/tcp_sent.h"

#include "tcp/tcp_engine.h"
#include "tcp/tcp_frto.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_sent_list.h"

/* One connection may hold so large a part of what is left of the pool, and so many in any case. */
#define SENT_SHARE_SHIFT 2
#define SENT_SHARE_MIN   64

void tcp_sent_init(struct tcp_engine *e)
{
	uint32_t count = e->limits.sent_records + e->limits.conns;

	for (uint32_t i = 0; i < count; i++)
		e->sent[i].next = i + 1 < count ? i + 1 : TCP_NONE;
	e->sent_free = 0;
	e->sent_extra = 0;
}

/* The first record of a connection comes from a share that nobody else can use up (the pool has one more
 * for each connection), so that sending never stops for want of a record. */
bool tcp_sent_has_room(const struct tcp_engine *e, uint32_t conn)
{
	uint32_t count = e->links[conn].sent_count;
	uint32_t left;

	if (count == 0)
		return true;
	/* Peers that split what was sent, by acknowledging every second byte, get less each: it takes dozens
	 * of them to leave nothing for the others. */
	left = e->limits.sent_records - e->sent_extra;
	return left > 0 && (count < SENT_SHARE_MIN || count < left >> SENT_SHARE_SHIFT);
}

static uint32_t record_alloc(struct tcp_engine *e, uint32_t conn)
{
	uint32_t index = e->sent_free;

	if (!tcp_sent_has_room(e, conn) || index == TCP_NONE)
		return TCP_NONE;
	e->sent_free = e->sent[index].next;
	if (e->links[conn].sent_count++ > 0)
		e->sent_extra++;
	return index;
}

static void record_free(struct tcp_engine *e, uint32_t conn, uint32_t index)
{
	if (--e->links[conn].sent_count > 0)
		e->sent_extra--;
	e->sent[index].next = e->sent_free;
	e->sent_free = index;
}

/* Enters a record into the list by position, after `prev` (TCP_NONE: first). */
static void link_after(struct tcp_engine *e, uint32_t conn, uint32_t index, uint32_t prev)
{
	struct tcp_links *l = &e->links[conn];
	struct tcp_sent *r = &e->sent[index];

	r->prev = prev;
	r->next = prev == TCP_NONE ? l->sent_head : e->sent[prev].next;
	if (r->next == TCP_NONE)
		l->sent_tail = index;
	else
		e->sent[r->next].prev = index;
	if (prev == TCP_NONE)
		l->sent_head = index;
	else
		e->sent[prev].next = index;
}

void tcp_sent_remove(struct tcp_engine *e, uint32_t conn, uint32_t index)
{
	struct tcp_links *l = &e->links[conn];
	struct tcp_sent *r = &e->sent[index];

	tcp_sent_time_unlink(e, conn, index);
	if (r->prev == TCP_NONE)
		l->sent_head = r->next;
	else
		e->sent[r->prev].next = r->next;
	if (r->next == TCP_NONE)
		l->sent_tail = r->prev;
	else
		e->sent[r->next].prev = r->prev;
	if (l->sack_hint == index)
		l->sack_hint = r->prev != TCP_NONE ? r->prev : r->next;
	record_free(e, conn, index);
}

void tcp_sent_append(struct tcp_engine *e, uint32_t conn, uint32_t len, uint32_t segments)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];
	uint32_t tail = l->sent_tail;
	bool has_tail = tail != TCP_NONE;
	struct tcp_sent *r = &e->sent[has_tail ? tail : 0];
	bool can_join =
	    has_tail && r->flags == 0 && r->sent_ns == e->now_ns && r->segments + segments <= UINT16_MAX;
	uint32_t index = can_join ? TCP_NONE : record_alloc(e, conn);

	if (c->flight_bytes == 0)
		c->delivered_ns = e->now_ns; /* a new burst: the rate clock starts now */
	if (index == TCP_NONE && !has_tail)
		return; /* cannot be: the first record of a connection is set aside for it */
	if (index == TCP_NONE) {
		/* Joined, also when the pool is empty; then the older bytes look younger than they are, which
		 * makes loss detection late but never wrong. The tail is in flight or the caller waited. */
		r->end += len;
		r->sent_ns = e->now_ns;
		r->segments = (uint16_t)(r->segments + segments);
		c->flight_bytes += len;
		c->snd_nxt += len;
		return;
	}
	r = &e->sent[index];
	*r = (struct tcp_sent){
	    .start = c->snd_nxt,
	    .end = c->snd_nxt + len,
	    .sent_ns = e->now_ns,
	    .delivered_bytes = (uint64_t)c->snd_una + c->sacked_bytes,
	    .delivered_ns = c->delivered_ns,
	    .segments = (uint16_t)segments,
	};
	c->snd_nxt += len;
	link_after(e, conn, index, tail);
	tcp_sent_flight_push(e, conn, index);
}

bool tcp_sent_split(struct tcp_engine *e, uint32_t conn, uint32_t index, int64_t at)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t second = record_alloc(e, conn);
	struct tcp_sent *r = &e->sent[index];
	struct tcp_sent *n;
	uint32_t first_segments;

	if (second == TCP_NONE)
		return false;
	n = &e->sent[second];
	*n = *r;
	n->start = at;
	r->end = at;
	first_segments = (tcp_seq_span(r->start, at) + c->mss - 1) / c->mss;
	if (first_segments >= n->segments)
		first_segments = n->segments > 1 ? n->segments - 1u : 1;
	r->segments = (uint16_t)first_segments;
	n->segments = (uint16_t)(n->segments - first_segments > 0 ? n->segments - first_segments : 1);
	link_after(e, conn, second, index);
	if (!(n->flags & SENT_SACKED))
		tcp_sent_time_link_after(e, conn, second, index);
	return true;
}

/* What a record that is now delivered says about time: RTT, RACK, delivery rate. */
void tcp_sent_note_delivered(struct tcp_engine *e, uint32_t conn, const struct tcp_sent *r, int64_t end,
			     const struct tcp_segment *s, struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	tcp_rack_on_delivered(e, conn, r, end, s);
	if (!(r->flags & SENT_RETRANS)) {
		uint64_t rtt = e->now_ns - r->sent_ns;

		if (c->frto != TCP_FRTO_OFF)
			tcp_frto_on_delivered(c, end, sample);

		rtt = rtt > 0 ? rtt : 1;
		if (sample->rtt_first_ns < rtt)
			sample->rtt_first_ns = rtt;
		if (sample->rtt_last_ns == 0 || rtt < sample->rtt_last_ns)
			sample->rtt_last_ns = rtt;
	}
	if (sample->rate_ns == 0 || r->delivered_bytes > sample->rate_delivered) {
		sample->rate_delivered = r->delivered_bytes;
		sample->rate_ns = r->delivered_ns;
	}
	c->delivered_ns = e->now_ns;
}

void tcp_sent_ack(struct tcp_engine *e, uint32_t conn, int64_t ack_pos, const struct tcp_segment *s,
		  struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];

	while (l->sent_head != TCP_NONE) {
		uint32_t index = l->sent_head;
		struct tcp_sent *r = &e->sent[index];
		int64_t end = r->end < ack_pos ? r->end : ack_pos;
		uint32_t len = tcp_seq_span(r->start, end);

		if (len == 0)
			return;
		if (r->flags & SENT_RETRANS)
			sample->has_retrans = true;
		if (!(r->flags & SENT_SACKED)) {
			tcp_sent_note_delivered(e, conn, r, end, s, sample);
			sample->delivered_bytes += len;
		}
		if (end < r->end) {
			if (r->flags & SENT_SACKED)
				c->sacked_bytes -= len;
			else if (r->flags & SENT_LOST)
				c->lost_bytes -= len;
			else
				c->flight_bytes -= len;
			r->start = end;
			return;
		}
		if (r->flags & SENT_SACKED) {
			c->sacked_bytes -= len;
			c->sacked_segments =
			    (uint8_t)(c->sacked_segments > r->segments ? c->sacked_segments - r->segments
								       : 0);
		}
		tcp_sent_remove(e, conn, index);
	}
}

void tcp_sent_mark_lost(struct tcp_engine *e, uint32_t conn, uint32_t index)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_sent *r = &e->sent[index];

	if (r->flags & (SENT_LOST | SENT_SACKED))
		return;
	tcp_sent_time_unlink(e, conn, index);
	c->lost_segments += r->segments;
	r->flags |= SENT_LOST;
	tcp_sent_lost_insert(e, conn, index);
}

void tcp_sent_merge_lost(struct tcp_engine *e, uint32_t conn, uint32_t index, uint32_t limit)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_sent *r = &e->sent[index];
	uint32_t before = tcp_seq_span(r->start, r->end);
	uint32_t len;

	while (r->next != TCP_NONE && (e->sent[r->next].flags & SENT_LOST)) {
		int64_t end = e->sent[r->next].end;

		if (tcp_seq_span(r->start, end) > limit)
			break;
		r->flags |= e->sent[r->next].flags;
		tcp_sent_remove(e, conn, r->next);
		r->end = end;
	}
	len = tcp_seq_span(r->start, r->end);
	c->lost_bytes += len - before;
	if (len > before)
		r->segments = (uint16_t)(len > c->mss ? (len + c->mss - 1) / c->mss : 1);
}

void tcp_sent_retransmitted(struct tcp_engine *e, uint32_t conn, uint32_t index)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_sent *r = &e->sent[index];

	tcp_sent_time_unlink(e, conn, index);
	r->flags = SENT_RETRANS;
	r->sent_ns = e->now_ns;
	r->delivered_bytes = (uint64_t)c->snd_una + c->sacked_bytes;
	r->delivered_ns = c->delivered_ns;
	tcp_sent_flight_push(e, conn, index);
}

void tcp_sent_forget_sacks(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	for (uint32_t i = e->links[conn].sent_head; i != TCP_NONE; i = e->sent[i].next) {
		struct tcp_sent *r = &e->sent[i];

		if (!(r->flags & SENT_SACKED))
			continue;
		r->flags = (uint8_t)((r->flags & ~SENT_SACKED) | SENT_LOST);
		c->sacked_bytes -= tcp_seq_span(r->start, r->end);
		tcp_sent_lost_insert(e, conn, i);
	}
	c->sacked_segments = 0;
}

void tcp_sent_unmark_lost(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_links *l = &e->links[conn];
	uint32_t last = TCP_NONE;

	/* To where their times belong: RACK looks no further than to the first that has time left. */
	while (l->lost_head != TCP_NONE) {
		uint32_t index = l->lost_head;

		tcp_sent_time_unlink(e, conn, index);
		e->sent[index].flags &= (uint8_t)~SENT_LOST;
		last = tcp_sent_flight_insert(e, conn, index, last);
	}
}

void tcp_sent_rebuild(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	int64_t from = c->snd_una > 1 ? c->snd_una : 1; /* the SYN has no record */
	uint32_t len = tcp_seq_span(from, c->snd_nxt);

	c->flight_bytes = 0;
	c->sacked_bytes = 0;
	c->lost_bytes = 0;
	c->sacked_segments = 0;
	if (len == 0)
		return;
	c->snd_nxt = from;
	tcp_sent_append(e, conn, len, 1);
	e->sent[e->links[conn].sent_head].flags |= SENT_RETRANS; /* no RTT from what another process sent */
	tcp_sent_mark_lost(e, conn, e->links[conn].sent_head);
}

void tcp_sent_free_all(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];

	while (l->sent_head != TCP_NONE)
		tcp_sent_remove(e, conn, l->sent_head);
	c->sacked_bytes = 0;
	c->sacked_segments = 0;
}
