/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments in: from the packet to the handler of the connection's state (RFC 9293 section 3.10.7). */
#include "tcp/tcp_input.h"

#include "tcp/tcp_accecn.h"
#include "tcp/tcp_ack.h"
#include "tcp/tcp_data.h"
#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_handshake.h"
#include "tcp/tcp_hash.h"
#include "tcp/tcp_time_wait.h"
#include "tcp/tcp_timer.h"

#define PREFETCH_LINE  64
#define PREFETCH_BYTES 256               /* what data in order touches */
#define PAWS_IDLE_S    (24u * 24 * 3600) /* RFC 7323 section 5.5: after 24 days a timestamp says nothing */

/* RFC 9293 section 3.10.7.4, first check. One thing is wider than its table: a segment without payload may
 * sit exactly at the right edge, where a peer that has filled the window sends its ACKs from. */
static bool is_in_window(const struct tcp_conn *c, const struct tcp_segment *s)
{
	int64_t edge = c->rcv_adv > c->rcv_nxt ? c->rcv_adv : c->rcv_nxt;

	if (s->end == s->pos)
		return s->pos >= c->rcv_nxt && s->pos <= edge;
	if (edge == c->rcv_nxt)
		return s->pos == c->rcv_nxt; /* its payload will be cut off, its ACK counts */
	return s->pos < edge && s->end > c->rcv_nxt;
}

/* An ACK from one below rcv_nxt: a keepalive, or a peer whose probe of our window we took while it does not
 * know yet, and which stays inside the window that it knows. What it acknowledges counts: if both sides probe
 * at the same time, nothing else would ever come. */
static bool is_ack_behind_probe(const struct tcp_conn *c, const struct tcp_segment *s)
{
	return s->end == s->pos && s->pos == c->rcv_nxt - 1 && c->state != TCP_SYN_RCVD &&
	       (s->flags & (TCP_SYN | TCP_FIN | TCP_ACK)) == TCP_ACK;
}

static bool is_paws_stale(const struct tcp_engine *e, const struct tcp_conn *c, const struct tcp_segment *s)
{
	if (!tcp_ts_before(s->ts_val, c->ts_recent))
		return false;
	return (uint32_t)(e->now_ns / 1000000000u) - c->ts_recent_s < PAWS_IDLE_S;
}

/* Two ACKs that only passed each other on the way: the later one is stale for PAWS, but it can do no harm, it
 * may be a duplicate that counts, and it needs no answer. Not if it would change the window. */
static bool is_late_ack(const struct tcp_engine *e, const struct tcp_conn *c, const struct tcp_segment *s)
{
	return s->end == s->pos && s->pos == c->rcv_nxt &&
	       (s->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK && s->ack_pos <= c->snd_una &&
	       (s->ack_pos < c->snd_una || s->window << c->snd_wscale == c->snd_wnd) &&
	       c->ts_recent - s->ts_val <= (uint32_t)(e->config.rto_min_ns / 1000000u);
}

/* RFC 5961 section 3.2: only a RST exactly at rcv_nxt resets. */
static void input_rst(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (s->pos != c->rcv_nxt) {
		if (s->pos > c->rcv_nxt && s->pos < c->rcv_adv && tcp_challenge_allowed(e, conn))
			tcp_ack_now(e, conn);
		else
			e->stats->drop_out_of_window++;
		return;
	}
	e->stats->resets_in++;
	tcp_conn_end(e, conn, TCP_REASON_RESET);
}

/* Data and FINs are always acknowledged; the ACK of an ACK is limited, else two hosts that disagree could go
 * on for ever, and so is that of a SYN, wherever it lies (RFC 5961 sections 4.2 and 7). */
static bool is_answered_always(const struct tcp_segment *s)
{
	return s->end > s->pos && !(s->flags & TCP_SYN);
}

static void answer_unacceptable(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (s->flags & TCP_SYN) /* the SYN-ACK again: our ACK was lost (RFC 9768 section 3.2.3.2.2) */
		c->accecn.flags |= TCP_ACCECN_NO_OPTION;
	if (s->end > s->pos && s->end <= c->rcv_nxt)
		e->stats->drop_duplicate++;
	else
		e->stats->drop_out_of_window++;
	if (is_answered_always(s))
		tcp_data_report_duplicate(e, conn, s);
	else if (tcp_challenge_allowed(e, conn))
		tcp_ack_now(e, conn);
}

/* The checks that all synchronised states share: PAWS, window, RST, SYN, ACK flag. False: dropped. */
bool tcp_input_check(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_late = false;

	s->pos = tcp_seq_unwrap(s->seq, c->irs, c->rcv_nxt);
	s->end = s->pos + s->payload_len + ((s->flags & TCP_SYN) != 0) + ((s->flags & TCP_FIN) != 0);
	s->ack_pos = tcp_seq_unwrap(s->ack, c->iss, c->snd_una);
	if (s->flags & TCP_RST) {
		input_rst(e, conn, s);
		return false;
	}
	if ((c->options & TCP_INFO_TIMESTAMPS) && !s->has_ts) {
		/* RFC 7323 section 3.2. Not a SYN: a peer that has forgotten the connection may do without
		 * timestamps now, and learns of it by the challenge ACK alone (RFC 9293 section 3.5.1). */
		if (!(s->flags & TCP_SYN)) {
			e->stats->drop_paws++;
			return false;
		}
	} else if (c->options & TCP_INFO_TIMESTAMPS) {
		is_late = is_paws_stale(e, c, s);
		if (is_late && !is_late_ack(e, c, s)) {
			e->stats->drop_paws++;
			if (is_answered_always(s) || tcp_challenge_allowed(e, conn))
				tcp_ack_now(e, conn);
			return false;
		}
	}
	if (!is_in_window(c, s)) {
		answer_unacceptable(e, conn, s);
		if (!is_ack_behind_probe(c, s))
			return false;
		is_late = true; /* RFC 7323 section 5.3 (R2): its timestamp is not taken from out there */
	}
	if (s->flags & TCP_SYN) { /* RFC 5961 section 4.2 */
		if (tcp_challenge_allowed(e, conn))
			tcp_ack_now(e, conn);
		return false;
	}
	if (!(s->flags & TCP_ACK)) {
		e->stats->drop_no_ack++;
		return false;
	}
	/* RFC 7323 section 4.3 (2): from the segment that spans the last ACK. */
	if (s->has_ts && !is_late && s->pos <= tcp_seq_unwrap(c->ack_sent, 0, c->rcv_nxt)) {
		c->ts_recent = s->ts_val;
		c->ts_recent_s = (uint32_t)(e->now_ns / 1000000000u);
	}
	c->heard_tick = tcp_tick(e);
	c->keepalive_sent = 0;
	return true;
}

/* Apart from the path of those without ECN. */
static __attribute__((noinline)) void note_ecn(struct tcp_engine *e, uint32_t conn,
					       const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_ce = s->ecn == 3;

	if (c->options & TCP_INFO_ACCECN) {
		tcp_accecn_receive(e, conn, s);
		return;
	}
	if (c->cc == TCP_CC_DCTCP) {
		/* RFC 8257 section 3.2: echo exactly what came; a change is told at once. */
		if (s->payload_len > 0 && is_ce != !!(c->flags & CONN_ECN_CE_SEEN)) {
			c->flags ^= CONN_ECN_CE_SEEN;
			c->flags |= CONN_ACK_NOW;
			c->flags = is_ce ? c->flags | CONN_ECE_OWED : c->flags & ~(uint32_t)CONN_ECE_OWED;
		}
		return;
	}
	if (s->flags & TCP_CWR)
		c->flags &= ~(uint32_t)CONN_ECE_OWED;
	if (is_ce)
		c->flags |= CONN_ECE_OWED;
}

/* Payload where the state still receives. False: the connection is gone. */
static bool input_payload(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	int64_t before = c->rcv_nxt;

	if (s->payload_len > 0 && (c->flags & CONN_CLOSED) && s->pos + s->payload_len > c->rcv_nxt) {
		/* RFC 9293 section 3.6.1 and RFC 2525 section 2.17: nobody will ever read this; say so. */
		tcp_emit_rst(e, conn);
		tcp_conn_end(e, conn, TCP_REASON_ABORTED);
		return false;
	}
	/* Data first: an ACK that must go before this segment's own says nothing of its mark. */
	if (s->payload_len > 0 || (s->flags & (TCP_FIN | TCP_URG)))
		tcp_data_input(e, conn, s);
	if (c->options & TCP_INFO_ECN)
		note_ecn(e, conn, s);
	if (c->rcv_nxt > before)
		tcp_ack_soon(e, conn);
	else if (c->flags & (CONN_ACK_NOW | CONN_ACK_DELAYED))
		tcp_output_list(e, conn);
	return true;
}

/* Without new data the peer's FIN leads into TIME_WAIT once ours is acknowledged. */
static bool is_fin_acked(const struct tcp_conn *c)
{
	return (c->flags & CONN_FIN_QUEUED) && c->snd_una > c->snd_end;
}

static void input_established(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	if (!tcp_input_check(e, conn, s) || !tcp_ack_input(e, conn, s) || !input_payload(e, conn, s))
		return;
	/* A user who has not closed yet often does when it hears of this, and the ACK rides on its FIN. Not
	 * where the segment fills the gap before a FIN (RFC 5681 section 4.2). */
	if (tcp_data_take_fin(e, conn, (s->flags & TCP_FIN) != 0))
		tcp_set_state(e, conn, TCP_CLOSE_WAIT);
}

static void input_fin_wait_1(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool has_fin;

	if (!tcp_input_check(e, conn, s) || !tcp_ack_input(e, conn, s) || !input_payload(e, conn, s))
		return;
	has_fin = tcp_data_take_fin(e, conn, false);
	if (is_fin_acked(c)) {
		if (has_fin) {
			tcp_time_wait_enter(e, conn);
			return;
		}
		tcp_set_state(e, conn, TCP_FIN_WAIT_2);
		if (c->flags & CONN_CLOSED)
			c->idle_deadline_ns = e->now_ns + e->config.fin_wait_2_ns;
	} else if (has_fin) {
		tcp_set_state(e, conn, TCP_CLOSING);
	}
}

static void input_fin_wait_2(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	if (!tcp_input_check(e, conn, s) || !tcp_ack_input(e, conn, s) || !input_payload(e, conn, s))
		return;
	if (tcp_data_take_fin(e, conn, false))
		tcp_time_wait_enter(e, conn);
}

/* Payload after the peer's FIN is ignored (RFC 9293 section 3.10.7.4, seventh check). */
static void input_close_wait(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	if (tcp_input_check(e, conn, s))
		tcp_ack_input(e, conn, s);
}

static void input_closing(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	if (!tcp_input_check(e, conn, s) || !tcp_ack_input(e, conn, s))
		return;
	if (is_fin_acked(tcp_conn_at(e, conn)))
		tcp_time_wait_enter(e, conn);
}

static void input_last_ack(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	if (!tcp_input_check(e, conn, s) || !tcp_ack_input(e, conn, s))
		return;
	if (is_fin_acked(tcp_conn_at(e, conn)))
		tcp_conn_end(e, conn, TCP_REASON_CLOSED);
}

typedef void (*state_handler)(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s);

static const state_handler handlers[TCP_STATE_COUNT] = {
    [TCP_SYN_SENT] = tcp_handshake_input_syn_sent,
    [TCP_SYN_RCVD] = tcp_handshake_input_syn_rcvd,
    [TCP_ESTABLISHED] = input_established,
    [TCP_FIN_WAIT_1] = input_fin_wait_1,
    [TCP_FIN_WAIT_2] = input_fin_wait_2,
    [TCP_CLOSE_WAIT] = input_close_wait,
    [TCP_CLOSING] = input_closing,
    [TCP_LAST_ACK] = input_last_ack,
};

void tcp_input_dispatch(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	handlers[c->state](e, conn, s);
	if (c->state != TCP_CLOSED)
		tcp_timer_arm(e, conn);
}

/* Nobody knows the connection (RFC 9293 section 3.10.7.1). */
static void input_closed(struct tcp_engine *e, const struct tcp_segment *s)
{
	e->stats->drop_no_listener++;
	tcp_emit_rst_reply(e, s);
}

static void input_unmatched(struct tcp_engine *e, struct tcp_segment *s)
{
	uint32_t listener;

	if (!tcp_address_is_host(s->tuple.remote) || !tcp_address_is_host(s->tuple.local)) {
		e->stats->drop_address++; /* RFC 9293 MUST-57, MUST-63: silently */
		return;
	}
	listener = tcp_listener_find(e, &s->tuple);
	if (listener != TCP_NONE)
		tcp_listener_input(e, listener, s);
	else
		input_closed(e, s);
}

void tcp_input(struct tcp_engine *e, tcp_time now, const struct tcp_packet *packet)
{
	struct tcp_segment s;
	uint32_t id;

	e->now_ns = now.ns;
	e->stats->segments_in++;
	if (!tcp_segment_parse(&s, packet)) {
		e->stats->drop_malformed++;
		return;
	}
	id = tcp_table_find(e, &s.tuple, tcp_hash_tuple(e->keys.hash, &s.tuple));
	if (id < e->limits.conns)
		tcp_input_dispatch(e, id, &s);
	else if (id == TCP_NONE || tcp_time_wait_input(e, id - e->limits.conns, &s))
		input_unmatched(e, &s);
}

uint32_t tcp_prefetch(struct tcp_engine *e, const struct tcp_packet *packet)
{
	struct tcp_tuple tuple;
	uint32_t hash;

	if (packet->len < TCP_HEADER_BYTES)
		return 0;
	tcp_segment_tuple(&tuple, packet);
	hash = tcp_hash_tuple(e->keys.hash, &tuple);
	__builtin_prefetch(&e->table.slots[hash & e->table.mask]);
	return hash;
}

uint32_t tcp_prefetch_record(const struct tcp_engine *e, uint32_t place)
{
	const struct tcp_table_slot *slot = &e->table.slots[place & e->table.mask];
	uint32_t conn = slot->id_plus_1 - 1;
	const uint8_t *record;

	/* At half load most are where they belong; the others are not worth the search. */
	if (slot->hash != place || conn >= e->limits.conns)
		return TCP_NONE;
	record = (const uint8_t *)&e->conns[conn];
	for (unsigned at = 0; at < PREFETCH_BYTES; at += PREFETCH_LINE)
		__builtin_prefetch(record + at);
	__builtin_prefetch(&e->links[conn]);
	return conn;
}
