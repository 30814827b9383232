/* SPDX-License-Identifier: BSD-2-Clause */
/* The flight and lost lists. flight_bytes and lost_bytes change here and nowhere else but at a partial ACK.
 */
#include "tcp/tcp_sent_list.h"

#include "tcp/tcp_engine.h"

/* Losses are mostly found in order; a peer that makes it otherwise gets them repeated out of order. */
#define LOST_WALK_MAX   64
/* What is back in flight is looked for as far; one that is too early in the list is found lost too late,
 * never wrongly. */
#define FLIGHT_WALK_MAX 64

struct ends {
	uint32_t *head, *tail;
};

static struct ends list_of(struct tcp_links *l, const struct tcp_sent *r)
{
	if (r->flags & SENT_LOST)
		return (struct ends){&l->lost_head, &l->lost_tail};
	return (struct ends){&l->flight_head, &l->flight_tail};
}

static void insert_after(struct tcp_engine *e, struct ends list, uint32_t index, uint32_t prev)
{
	struct tcp_sent *r = &e->sent[index];

	r->time_prev = prev;
	r->time_next = prev == TCP_NONE ? *list.head : e->sent[prev].time_next;
	if (r->time_next == TCP_NONE)
		*list.tail = index;
	else
		e->sent[r->time_next].time_prev = index;
	if (prev == TCP_NONE)
		*list.head = index;
	else
		e->sent[prev].time_next = index;
}

void tcp_sent_time_unlink(struct tcp_engine *e, uint32_t conn, uint32_t index)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_sent *r = &e->sent[index];
	struct ends list = list_of(&e->links[conn], r);
	uint32_t len = tcp_seq_span(r->start, r->end);

	if (r->flags & SENT_SACKED)
		return;
	if (r->time_prev == TCP_NONE)
		*list.head = r->time_next;
	else
		e->sent[r->time_prev].time_next = r->time_next;
	if (r->time_next == TCP_NONE)
		*list.tail = r->time_prev;
	else
		e->sent[r->time_next].time_prev = r->time_prev;
	if (r->flags & SENT_LOST)
		c->lost_bytes -= len;
	else
		c->flight_bytes -= len;
}

void tcp_sent_flight_push(struct tcp_engine *e, uint32_t conn, uint32_t index)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];
	struct tcp_sent *r = &e->sent[index];

	c->flight_bytes += tcp_seq_span(r->start, r->end);
	insert_after(e, list_of(l, r), index, l->flight_tail);
}

/* Sent before the other; of one time, lower ones first. */
static bool is_before(const struct tcp_sent *a, const struct tcp_sent *b)
{
	return a->sent_ns < b->sent_ns || (a->sent_ns == b->sent_ns && a->end < b->end);
}

uint32_t tcp_sent_flight_insert(struct tcp_engine *e, uint32_t conn, uint32_t index, uint32_t hint)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];
	struct tcp_sent *r = &e->sent[index];
	uint32_t prev = hint != TCP_NONE && is_before(&e->sent[hint], r) ? hint : TCP_NONE;
	uint32_t next = prev == TCP_NONE ? l->flight_head : e->sent[prev].time_next;
	unsigned steps = 0;

	while (next != TCP_NONE && is_before(&e->sent[next], r) && steps++ < FLIGHT_WALK_MAX) {
		prev = next;
		next = e->sent[next].time_next;
	}
	c->flight_bytes += tcp_seq_span(r->start, r->end);
	insert_after(e, list_of(l, r), index, prev);
	return index;
}

void tcp_sent_lost_insert(struct tcp_engine *e, uint32_t conn, uint32_t index)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];
	struct tcp_sent *r = &e->sent[index];
	uint32_t prev = l->lost_tail;
	unsigned steps = 0;

	while (prev != TCP_NONE && e->sent[prev].start > r->start && steps++ < LOST_WALK_MAX)
		prev = e->sent[prev].time_prev;
	c->lost_bytes += tcp_seq_span(r->start, r->end);
	insert_after(e, list_of(l, r), index, prev);
}

void tcp_sent_time_link_after(struct tcp_engine *e, uint32_t conn, uint32_t index, uint32_t prev)
{
	insert_after(e, list_of(&e->links[conn], &e->sent[index]), index, prev);
}
