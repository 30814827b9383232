/* SPDX-License-Identifier: BSD-2-Clause */
/* Selective acknowledgements against the scoreboard (RFC 2018, 2883). */
#include "tcp/tcp_engine.h"
#include "tcp/tcp_sent_list.h"
#include "tcp/tcp_segment.h"

/* Steps through the scoreboard for one ACK. A SACK is advice: what lies beyond is left to the next one, which
 * goes on from the hint. */
#define SACK_WALK_MAX 256

struct walk {
	struct tcp_engine *e;
	uint32_t conn;
	unsigned steps;
	const struct tcp_segment *s;
	struct tcp_ack_sample *sample;
};

/* The record that holds `pos`, or the first after it. */
static uint32_t seek(struct walk *w, int64_t pos)
{
	const struct tcp_links *l = &w->e->links[w->conn];
	const struct tcp_sent *sent = w->e->sent;
	uint32_t i = l->sack_hint != TCP_NONE ? l->sack_hint : l->sent_head;

	while (i != TCP_NONE && sent[i].start > pos && sent[i].prev != TCP_NONE && w->steps++ < SACK_WALK_MAX)
		i = sent[i].prev;
	while (i != TCP_NONE && sent[i].end <= pos && w->steps++ < SACK_WALK_MAX)
		i = sent[i].next;
	return i;
}

static bool is_sacked(const struct tcp_engine *e, uint32_t index)
{
	return index != TCP_NONE && (e->sent[index].flags & SENT_SACKED);
}

/* Two SACKed neighbours become one record: they share all that still matters of them. */
static uint32_t join_with_prev(struct tcp_engine *e, uint32_t conn, uint32_t index)
{
	struct tcp_sent *r = &e->sent[index];
	uint32_t prev = r->prev;
	struct tcp_sent *p;

	if (!is_sacked(e, prev) || e->sent[prev].segments + r->segments > UINT16_MAX)
		return index;
	p = &e->sent[prev];
	p->end = r->end;
	p->segments = (uint16_t)(p->segments + r->segments);
	tcp_sent_remove(e, conn, index);
	return prev;
}

static uint32_t mark_sacked(struct walk *w, uint32_t index)
{
	struct tcp_engine *e = w->e;
	struct tcp_conn *c = tcp_conn_at(e, w->conn);
	struct tcp_sent *r = &e->sent[index];
	uint32_t len = tcp_seq_span(r->start, r->end);
	uint32_t next;

	tcp_sent_note_delivered(e, w->conn, r, r->end, w->s, w->sample);
	tcp_sent_time_unlink(e, w->conn, index);
	r->flags = (uint8_t)((r->flags & ~SENT_LOST) | SENT_SACKED);
	c->sacked_bytes += len;
	c->sacked_segments =
	    (uint8_t)(c->sacked_segments + r->segments < UINT8_MAX ? c->sacked_segments + r->segments
								   : UINT8_MAX);
	w->sample->sacked_bytes += len;
	w->sample->delivered_bytes += len;
	index = join_with_prev(e, w->conn, index);
	next = e->sent[index].next;
	if (is_sacked(e, next))
		index = join_with_prev(e, w->conn, next);
	return index;
}

static void apply_block(struct walk *w, int64_t start, int64_t end)
{
	struct tcp_engine *e = w->e;
	struct tcp_links *l = &e->links[w->conn];
	uint32_t i = seek(w, start);

	while (i != TCP_NONE && e->sent[i].start < end && w->steps++ < SACK_WALK_MAX) {
		if (!is_sacked(e, i) && e->sent[i].end > start) {
			if (e->sent[i].start < start) {
				if (!tcp_sent_split(e, w->conn, i, start))
					break;
				i = e->sent[i].next;
			}
			if (e->sent[i].end > end && !tcp_sent_split(e, w->conn, i, end))
				break;
			i = mark_sacked(w, i);
		}
		l->sack_hint = i;
		i = e->sent[i].next;
	}
}

/* RFC 2883 section 4: the first block tells of a duplicate when it lies below the cumulative ACK or inside
 * the second block. */
static bool is_dsack(const struct tcp_conn *c, const struct tcp_segment *s)
{
	int64_t start = tcp_seq_unwrap(s->sacks[0].start, c->iss, c->snd_una);
	int64_t end = tcp_seq_unwrap(s->sacks[0].end, c->iss, c->snd_una);
	int64_t start2, end2;

	if (end <= start)
		return false;
	if (start < s->ack_pos)
		return true;
	if (s->sack_count < 2)
		return false;
	start2 = tcp_seq_unwrap(s->sacks[1].start, c->iss, c->snd_una);
	end2 = tcp_seq_unwrap(s->sacks[1].end, c->iss, c->snd_una);
	return start >= start2 && end <= end2;
}

static void note_dsack(struct tcp_engine *e, struct tcp_conn *c, const struct tcp_segment *s,
		       struct tcp_ack_sample *sample)
{
	uint32_t len = s->sacks[0].end - s->sacks[0].start;
	int64_t start = tcp_seq_unwrap(s->sacks[0].start, c->iss, c->snd_una);

	e->stats->dsack_in++;
	sample->is_dsack = true;
	/* What lies below the first loss of this recovery was sent again by one before it. */
	if (c->phase >= TCP_PHASE_RECOVERY && (int32_t)((uint32_t)start - c->undo_start) < 0)
		return;
	c->undo_bytes -= len < c->undo_bytes ? len : c->undo_bytes;
}

void tcp_sent_sack(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
		   struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct walk w = {.e = e, .conn = conn, .s = s, .sample = sample};
	unsigned first = 0;

	if (is_dsack(c, s)) {
		note_dsack(e, c, s, sample);
		first = 1;
	}
	for (unsigned i = first; i < s->sack_count; i++) {
		int64_t start = tcp_seq_unwrap(s->sacks[i].start, c->iss, c->snd_una);
		int64_t end = tcp_seq_unwrap(s->sacks[i].end, c->iss, c->snd_una);

		/* Blocks outside what is in flight are old or lies. */
		if (start < c->snd_una || end > c->snd_nxt || start >= end)
			continue;
		apply_block(&w, start, end);
	}
}
