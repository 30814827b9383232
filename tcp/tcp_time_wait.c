/* SPDX-License-Identifier: BSD-2-Clause */
/* TIME_WAIT (RFC 9293 section 3.10.7.4, RFC 1337, RFC 6191). */
#include "tcp/tcp_time_wait.h"

#include <string.h>

#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_hash.h"
#include "tcp/tcp_listener.h"

#define NS_PER_MS 1000000u
#define IN_USE    1 /* tuple.reserved */

static uint32_t now_ms(const struct tcp_engine *e)
{
	return (uint32_t)(e->now_ns / NS_PER_MS);
}

static uint32_t deadline_from_now(const struct tcp_engine *e)
{
	return now_ms(e) + (uint32_t)(e->config.time_wait_ns / NS_PER_MS) + 1;
}

void tcp_time_wait_init(struct tcp_engine *e)
{
	e->time_wait_head = TCP_NONE;
	e->time_wait_tail = TCP_NONE;
	e->time_wait_free = TCP_NONE;
	for (uint32_t i = e->limits.time_waits; i-- > 0;) {
		e->time_wait_next[i] = e->time_wait_free;
		e->time_wait_free = i;
	}
}

static void queue_remove(struct tcp_engine *e, uint32_t index)
{
	uint32_t next = e->time_wait_next[index], prev = e->time_wait_prev[index];

	if (prev == TCP_NONE)
		e->time_wait_head = next;
	else
		e->time_wait_next[prev] = next;
	if (next == TCP_NONE)
		e->time_wait_tail = prev;
	else
		e->time_wait_prev[next] = prev;
}

static void queue_append(struct tcp_engine *e, uint32_t index)
{
	e->time_wait_next[index] = TCP_NONE;
	e->time_wait_prev[index] = e->time_wait_tail;
	if (e->time_wait_tail == TCP_NONE)
		e->time_wait_head = index;
	else
		e->time_wait_next[e->time_wait_tail] = index;
	e->time_wait_tail = index;
}

static uint32_t record_hash(struct tcp_engine *e, uint32_t index)
{
	struct tcp_tuple tuple = e->time_waits[index].tuple;

	tuple.reserved = 0;
	return tcp_hash_tuple(e->keys.hash, &tuple);
}

static void record_free(struct tcp_engine *e, uint32_t index)
{
	tcp_table_remove(e, record_hash(e, index), e->limits.conns + index);
	queue_remove(e, index);
	memset(&e->time_waits[index], 0, sizeof(e->time_waits[index]));
	e->time_wait_next[index] = e->time_wait_free;
	e->time_wait_free = index;
}

static void record_make(struct tcp_engine *e, const struct tcp_conn *from)
{
	struct tcp_time_wait *w;
	uint32_t index;

	if (e->limits.time_waits == 0)
		return;
	if (e->time_wait_free == TCP_NONE) {
		e->stats->time_waits_recycled++;
		record_free(e, e->time_wait_head);
	}
	index = e->time_wait_free;
	e->time_wait_free = e->time_wait_next[index];
	w = &e->time_waits[index];
	w->tuple = from->tuple;
	w->tuple.reserved = IN_USE;
	w->snd_nxt = tcp_seq_wire(from->iss, from->snd_nxt);
	w->rcv_nxt = tcp_seq_wire(from->irs, from->rcv_nxt);
	w->ts_recent = from->ts_recent;
	w->ts_offset = from->ts_offset;
	w->has_ts = (from->options & TCP_INFO_TIMESTAMPS) != 0;
	w->window = (uint16_t)(tcp_seq_span(from->rcv_nxt, from->rcv_adv) >> from->rcv_wscale);
	w->deadline_ms = deadline_from_now(e);
	queue_append(e, index);
	tcp_table_insert(e, record_hash(e, index), e->limits.conns + index);
	e->stats->time_waits++;
}

void tcp_time_wait_enter(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn copy;

	/* The peer's FIN is acknowledged at once; if this ACK is lost, the FIN comes again. */
	if (e->conns[conn].flags & (CONN_ACK_NOW | CONN_ACK_DELAYED))
		tcp_emit_ack(e, conn);
	copy = e->conns[conn];
	tcp_set_state(e, conn, TCP_TIME_WAIT);
	tcp_conn_end(e, conn, TCP_REASON_CLOSED);
	record_make(e, &copy);
}

static void answer(struct tcp_engine *e, const struct tcp_time_wait *w)
{
	struct tcp_tuple tuple = w->tuple;
	struct tcp_emit train = {
	    .tuple = &tuple,
	    .conn = TCP_NONE,
	    .seq = w->snd_nxt,
	    .ack = w->rcv_nxt,
	    .window = w->window,
	    .flags = TCP_ACK,
	};

	tuple.reserved = 0;
	if (w->has_ts)
		train.options_len =
		    tcp_options_write_ts(train.options, tcp_ts_clock(e) + w->ts_offset, w->ts_recent);
	tcp_emit_stateless(e, &train);
}

/* RFC 6191 section 2: a newer timestamp, or the first ones (old segments lack them), else a sequence number
 * above the last one seen. */
static bool is_newer(const struct tcp_engine *e, const struct tcp_time_wait *w, const struct tcp_segment *s,
		     uint32_t syn_seq)
{
	if (s->has_ts && e->config.timestamps) {
		if (!w->has_ts)
			return true;
		if (s->ts_val != w->ts_recent)
			return tcp_ts_before(w->ts_recent, s->ts_val);
	}
	return (int32_t)(syn_seq - w->rcv_nxt) >= 0;
}

/* A new SYN, or the ACK of the cookie that answered it. And somebody must listen: the port of a connection
 * that we opened waits until its time is over, whoever sends SYNs there (RFC 1337). */
static bool may_reopen(const struct tcp_engine *e, const struct tcp_time_wait *w, const struct tcp_segment *s)
{
	bool has_syn = s->flags & TCP_SYN, has_ack = s->flags & TCP_ACK;

	return has_syn != has_ack && is_newer(e, w, s, s->seq - has_ack) &&
	       (has_syn || tcp_cookie_is_valid(e, s)) && tcp_listener_find(e, &s->tuple) != TCP_NONE;
}

/* The FIN that led here, with what is sent again before it. By any other a stranger could hold the port. */
static bool is_their_fin(const struct tcp_time_wait *w, const struct tcp_segment *s)
{
	return (s->flags & (TCP_FIN | TCP_SYN)) == TCP_FIN && s->seq + s->payload_len + 1 == w->rcv_nxt;
}

bool tcp_time_wait_input(struct tcp_engine *e, uint32_t index, struct tcp_segment *s)
{
	struct tcp_time_wait *w = &e->time_waits[index];

	if (s->flags & TCP_RST) { /* RFC 1337: a RST does not end TIME_WAIT */
		e->stats->drop_out_of_window++;
		return false;
	}
	if (may_reopen(e, w, s)) {
		s->time_wait = index;
		return true;
	}
	if (w->has_ts && !s->has_ts && !(s->flags & TCP_SYN)) { /* RFC 7323 section 3.2 */
		e->stats->drop_paws++;
		return false;
	}
	if (w->has_ts && s->has_ts && tcp_ts_before(s->ts_val, w->ts_recent)) {
		e->stats->drop_paws++;
	} else if (is_their_fin(w, s)) { /* our last ACK was lost: 2 MSL begin again */
		w->deadline_ms = deadline_from_now(e);
		queue_remove(e, index);
		queue_append(e, index);
		answer(e, w);
		return false;
	}
	/* What is not acceptable is answered by where we are. An acceptable ACK is not: the other side may be
	 * in TIME_WAIT, too, and would answer back. */
	if (s->payload_len > 0 || (s->flags & (TCP_FIN | TCP_SYN)) == TCP_FIN ||
	    ((s->seq != w->rcv_nxt || (s->flags & TCP_SYN)) && tcp_challenge_allowed(e, TCP_NONE)))
		answer(e, w);
	return false;
}

uint32_t tcp_time_wait_snd_nxt(const struct tcp_engine *e, uint32_t index)
{
	return e->time_waits[index].snd_nxt;
}

void tcp_time_wait_end(struct tcp_engine *e, uint32_t index)
{
	record_free(e, index);
}

bool tcp_time_wait_expire(struct tcp_engine *e)
{
	uint32_t index = e->time_wait_head;

	if (index == TCP_NONE || (int32_t)(now_ms(e) - e->time_waits[index].deadline_ms) < 0)
		return false;
	record_free(e, index);
	return true;
}

uint64_t tcp_time_wait_next_ns(const struct tcp_engine *e)
{
	int32_t left;

	if (e->time_wait_head == TCP_NONE)
		return 0;
	left = (int32_t)(e->time_waits[e->time_wait_head].deadline_ms - now_ms(e));
	return e->now_ns - e->now_ns % NS_PER_MS + (uint64_t)(left > 0 ? left : 0) * NS_PER_MS;
}

void tcp_time_wait_rebuild(struct tcp_engine *e)
{
	e->time_wait_free = TCP_NONE;
	for (uint32_t i = e->limits.time_waits; i-- > 0;) {
		struct tcp_time_wait *w = &e->time_waits[i];
		int32_t left = (int32_t)(w->deadline_ms - now_ms(e));
		bool is_sane = w->tuple.reserved == IN_USE && left >= 0 &&
			       (uint64_t)left * NS_PER_MS <= e->config.time_wait_ns + 2 * NS_PER_MS;
		struct tcp_tuple tuple = w->tuple;

		tuple.reserved = 0;
		if (is_sane && tcp_tuple_is_free(e, &tuple)) {
			queue_append(e, i);
			tcp_table_insert(e, record_hash(e, i), e->limits.conns + i);
			continue;
		}
		if (w->tuple.reserved != 0 && !is_sane && left >= 0)
			e->stats->records_inconsistent++;
		memset(w, 0, sizeof(*w));
		e->time_wait_next[i] = e->time_wait_free;
		e->time_wait_free = i;
	}
}
