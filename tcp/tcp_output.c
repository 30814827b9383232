/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is owed goes out: for each connection on the output list SYNs, probes, retransmissions, new data in
 * trains, and acknowledgements that found nothing to ride on.
 */
#include <errno.h>

#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_frto.h"
#include "tcp/tcp_recovery.h"
#include "tcp/tcp_rtt.h"
#include "tcp/tcp_timer.h"

#define TRAIN_BYTES_MAX 65535u

/* One connection's turn. */
struct turn {
	struct tcp_engine *e;
	struct tcp_conn *c;
	uint32_t conn;
	uint32_t budget; /* trains that may still go */
	uint32_t trains;
	bool is_blocked; /* out of budget or frames: stays on the list */
	bool has_sent_new;
};

static bool has_budget(struct turn *t)
{
	if (t->trains < t->budget)
		return true;
	t->is_blocked = true;
	return false;
}

/* Emits a range within the budget. Returns positions sent; 0 and is_blocked when none could go. */
static uint32_t emit(struct turn *t, int64_t start, int64_t end, bool is_retransmission)
{
	int64_t went;

	if (!has_budget(t))
		return 0;
	went = tcp_emit_range(t->e, t->conn, start, end, is_retransmission);
	if (went < 0) {
		t->is_blocked = true;
		return 0;
	}
	t->trains++;
	if (went < end - start)
		t->is_blocked = true;
	return (uint32_t)went;
}

/* Whole segments only. */
static uint32_t round_down(uint32_t len, uint32_t mss)
{
	if (mss == 0 || len < 2 * mss)
		return len < mss ? len : mss;
	return len - len % mss;
}

static uint32_t segments_of(uint32_t len, uint32_t mss)
{
	return len <= mss ? 1 : (len + mss - 1) / mss;
}

static void retransmit_record(struct turn *t, uint32_t index, uint32_t len)
{
	struct tcp_engine *e = t->e;
	struct tcp_sent *r = &e->sent[index];
	uint32_t went = emit(t, r->start, r->start + len, true);
	uint32_t segments;

	if (went == 0)
		return;
	/* Without a record to split off the rest, all counts as sent again; what was not is found lost later.
	 */
	if (r->start + went < r->end)
		tcp_sent_split(e, t->conn, index, r->start + went);
	segments = segments_of(went, t->c->mss);
	tcp_sent_retransmitted(e, t->conn, index);
	t->c->sent_ns = e->now_ns;
	tcp_recovery_on_retransmit(e, t->conn, e->sent[index].start, went);
	t->c->prr_out += went;
	t->c->retransmits += segments;
	e->stats->retransmits += segments;
}

static uint32_t cwnd_room(const struct tcp_conn *c)
{
	uint32_t pipe = tcp_recovery_pipe(c);

	return c->cwnd > pipe ? c->cwnd - pipe : 0;
}

static void send_lost(struct turn *t)
{
	struct tcp_conn *c = t->c;
	const struct tcp_links *l = &t->e->links[t->conn];
	uint32_t mss = tcp_emit_mss(t->e, t->conn);

	/* A closed window is the probe's business. */
	while (l->lost_head != TCP_NONE && c->snd_wnd > 0 && !t->is_blocked) {
		const struct tcp_sent *r = &t->e->sent[l->lost_head];
		uint32_t len = tcp_seq_span(r->start, r->end);
		uint32_t room = cwnd_room(c);

		if ((c->flags & CONN_RETRANS_ONE) && room < mss)
			room = mss;
		if (room < len && room < mss) {
			c->flags |= CONN_CWND_LIMITED | CONN_CWND_FULL;
			return;
		}
		if (len < mss && r->next != TCP_NONE) { /* RFC 9293 section 3.8.1: repacketised */
			tcp_sent_merge_lost(t->e, t->conn, l->lost_head, room < mss ? mss : room);
			len = tcp_seq_span(r->start, r->end);
		}
		len = len < TRAIN_BYTES_MAX ? len : TRAIN_BYTES_MAX;
		if (room < len)
			len = round_down(room, mss);
		retransmit_record(t, l->lost_head, len);
	}
}

/* How much new data may go in the next train; sender's silly window avoidance and Nagle are here
 * (RFC 9293 sections 3.8.6.2.1 and 3.7.4). */
static uint32_t new_data_allowed(struct tcp_conn *c, uint32_t unsent, uint32_t mss)
{
	uint32_t room = cwnd_room(c);
	uint32_t window = tcp_seq_span(c->snd_nxt, c->snd_una + c->snd_wnd);
	uint32_t len = unsent < window ? unsent : window;
	bool is_idle = c->snd_nxt == c->snd_una;

	if (room < len) {
		c->flags |= CONN_CWND_LIMITED | CONN_CWND_FULL;
		len = room;
	} else if (unsent > 0 && room < 2 * len) {
		c->flags |= CONN_CWND_LIMITED; /* nearly so: cwnd must be allowed to grow */
	}
	len = len < TRAIN_BYTES_MAX ? len : TRAIN_BYTES_MAX;
	if (len == unsent) {
		bool has_tail = len % mss != 0;

		if (!has_tail || is_idle || !(c->flags & CONN_NAGLE) || (c->flags & CONN_FIN_QUEUED))
			return len;
		return len < mss ? 0 : round_down(len, mss);
	}
	if (len >= mss)
		return round_down(len, mss);
	/* Less than a segment, and not all: only if it is half of the largest window ever seen; with Nagle
	 * only while nothing is in flight. */
	if (len == window && len > 0 && len >= c->snd_wnd_max / 2 && (is_idle || !(c->flags & CONN_NAGLE)))
		return len;
	return 0;
}

/* RFC 5681 section 4.1: after an idle time longer than the RTO the path is unknown again. */
static void restart_after_idle(struct turn *t)
{
	struct tcp_conn *c = t->c;
	uint32_t window;

	if (c->snd_nxt != c->snd_una || !(c->flags & CONN_SENT_ANY) || c->phase > TCP_PHASE_CWR ||
	    t->e->now_ns - c->sent_ns < tcp_rto_ns(c, &t->e->config))
		return;
	window = tcp_recovery_initial_window(t->e, c);
	if (c->cwnd > window)
		c->cwnd = window;
	if (c->cwnd == 0)
		c->cwnd = c->mss; /* the timer, too, would have expired */
}

static void note_new_data(struct turn *t, uint32_t len, uint32_t went, uint32_t mss)
{
	struct tcp_conn *c = t->c;

	if (c->snd_nxt == c->snd_una && !(c->flags & CONN_PERSIST)) /* else since it waits for the window */
		c->progress_tick = tcp_tick(t->e);
	tcp_sent_append(t->e, t->conn, went, segments_of(went, mss));
	t->e->stats->bytes_out += went < len ? went : len;
	c->prr_out += went;
	c->sent_ns = t->e->now_ns;
	c->flags |= CONN_SENT_ANY;
	t->has_sent_new = true;
}

static void send_new(struct turn *t)
{
	struct tcp_conn *c = t->c;
	uint32_t mss = tcp_emit_mss(t->e, t->conn);

	c->flags &= ~(uint32_t)(CONN_CWND_LIMITED | CONN_CWND_FULL);
	while (!t->is_blocked) {
		uint32_t unsent = tcp_seq_span(c->snd_nxt, c->snd_end);
		bool has_fin = (c->flags & CONN_FIN_QUEUED) && c->snd_nxt <= c->snd_end;
		uint32_t len, went;
		int64_t end;

		if (unsent == 0 && (!has_fin || c->state == TCP_SYN_RCVD))
			return;
		if (!tcp_sent_has_room(t->e, t->conn) && c->lost_bytes + c->sacked_bytes > 0)
			return; /* the pool is empty and the last record cannot grow: wait for ACKs */
		len = new_data_allowed(c, unsent, mss);
		end = c->snd_nxt + len;
		/* A FIN takes a place in the window like a byte. */
		if (has_fin && len == unsent && c->state != TCP_SYN_RCVD &&
		    (c->snd_una + c->snd_wnd > end || len > 0))
			end++;
		if (end == c->snd_nxt)
			return;
		went = emit(t, c->snd_nxt, end, false);
		if (went > 0)
			note_new_data(t, len, went, mss);
	}
}

/* RFC 9293 section 3.8.6.1: one byte (or the FIN) beyond the closed window. Never ECN capable, and without
 * CWR, like a repetition (RFC 3168 section 6.1.6). */
static void send_window_probe(struct turn *t)
{
	struct tcp_conn *c = t->c;
	const struct tcp_links *l = &t->e->links[t->conn];

	if (c->snd_wnd > 0) {
		c->flags &= ~(uint32_t)CONN_PROBE_OWED;
		return;
	}
	if (l->sent_head != TCP_NONE) {
		int64_t start = t->e->sent[l->sent_head].start;

		if (emit(t, start, start + 1, true) == 0)
			return;
		/* Karn: which of the two is acknowledged will not be told. */
		t->e->sent[l->sent_head].flags |= SENT_RETRANS;
		t->c->retransmits++;
		t->e->stats->retransmits++;
	} else {
		bool has_fin = (c->flags & CONN_FIN_QUEUED) && c->snd_nxt == c->snd_end;

		if (c->snd_nxt < c->snd_end || has_fin) {
			if (emit(t, c->snd_nxt, c->snd_nxt + 1, true) == 0)
				return;
			note_new_data(t, has_fin ? 0 : 1, 1, c->mss);
			c->flags |= CONN_PROBED;
		}
	}
	c->flags &= ~(uint32_t)CONN_PROBE_OWED;
	t->e->stats->zero_window_probes++;
}

/* RFC 8985 section 7.3: new data if there is any, else the last segment again. */
static void send_tail_probe(struct turn *t)
{
	struct tcp_engine *e = t->e;
	struct tcp_conn *c = t->c;
	struct tcp_links *l = &e->links[t->conn];
	uint32_t unsent = tcp_seq_span(c->snd_nxt, c->snd_end);
	uint32_t window = tcp_seq_span(c->snd_nxt, c->snd_una + c->snd_wnd);
	uint32_t mss = tcp_emit_mss(e, t->conn);
	uint32_t tail = l->sent_tail;

	if (tail == TCP_NONE || c->phase >= TCP_PHASE_RECOVERY ||
	    (e->sent[tail].flags & (SENT_SACKED | SENT_LOST))) {
		c->flags &= ~(uint32_t)CONN_TLP_OWED;
		return;
	}
	if (!t->has_sent_new && unsent > 0 && window >= (unsent < mss ? unsent : mss)) {
		uint32_t len = unsent < mss ? unsent : mss;
		uint32_t went = emit(t, c->snd_nxt, c->snd_nxt + len, false);

		if (went == 0)
			return;
		note_new_data(t, len, went, mss);
	} else if (!t->has_sent_new) {
		int64_t start = e->sent[tail].end - mss;

		if (start > e->sent[tail].start && tcp_sent_split(e, t->conn, tail, start))
			tail = l->sent_tail;
		c->undo_bytes = 0;
		retransmit_record(t, tail,
				  tcp_seq_span(e->sent[tail].start, e->sent[tail].end) < mss
				      ? tcp_seq_span(e->sent[tail].start, e->sent[tail].end)
				      : mss);
		if (t->is_blocked)
			return;
		c->flags |= CONN_TLP_RETRANS;
	}
	c->flags &= ~(uint32_t)CONN_TLP_OWED;
	c->flags |= CONN_TLP | CONN_TLP_UNMEASURED;
	c->tlp_end = (uint32_t)c->snd_nxt;
	e->stats->tlp_probes++;
}

/* RFC 9293 section 3.8.4: a segment below the window, which the peer must answer. */
static void send_keepalive(struct turn *t)
{
	if (!has_budget(t))
		return;
	if (tcp_emit_range(t->e, t->conn, t->c->snd_una - 1, t->c->snd_una - 1, true) < 0) {
		t->is_blocked = true;
		return;
	}
	t->trains++;
	t->c->flags &= ~(uint32_t)CONN_KEEPALIVE_OWED;
	t->e->stats->keepalive_probes++;
}

static bool is_ack_due(const struct turn *t, bool flush_acks)
{
	const struct tcp_conn *c = t->c;

	if (c->flags & CONN_ACK_NOW)
		return true;
	if (!(c->flags & CONN_ACK_DELAYED))
		return false;
	/* The second full segment (RFC 9293 section 3.8.6.3); positions wrap alike in both halves. */
	return flush_acks || t->e->now_ns >= c->ack_deadline_ns ||
	       (uint32_t)c->rcv_nxt - c->ack_sent >= 2u * c->rcv_mss;
}

static void send_ack(struct turn *t, bool flush_acks)
{
	if (!is_ack_due(t, flush_acks)) {
		if (t->c->flags & CONN_ACK_DELAYED)
			tcp_ack_list(t->e, t->conn);
		return;
	}
	if (!has_budget(t))
		return;
	if (tcp_emit_ack(t->e, t->conn) < 0)
		t->is_blocked = true;
	else
		t->trains++;
}

static void send_syn(struct turn *t)
{
	struct tcp_conn *c = t->c;

	/* What is not acceptable is answered before the handshake has ended as well (RFC 9293
	 * section 3.10.7.4, RFC 5961 section 3); a SYN-ACK that is due says the same. */
	if (c->state == TCP_SYN_RCVD && (c->flags & (CONN_SYN_OWED | CONN_ACK_NOW)) == CONN_ACK_NOW) {
		send_ack(t, false);
		return;
	}
	c->flags &= ~(uint32_t)(CONN_ACK_NOW | CONN_ACK_DELAYED);
	if (!(c->flags & CONN_SYN_OWED) || !has_budget(t))
		return;
	if (tcp_emit_syn(t->e, t->conn) < 0) {
		t->is_blocked = true;
		return;
	}
	t->trains++;
	c->flags &= ~(uint32_t)CONN_SYN_OWED;
	if (!(c->flags & CONN_SENT_ANY)) {
		c->sent_ns = t->e->now_ns;
		c->flags |= CONN_SENT_ANY;
	}
	if (c->flags & CONN_SYN_RETRANS) {
		c->retransmits++;
		t->e->stats->retransmits++;
	}
	if (c->rto_deadline_ns == 0)
		c->rto_deadline_ns = t->e->now_ns + tcp_rto_ns(c, &t->e->config);
}

/* RFC 5682 step 2b: up to two new segments although older ones are marked lost; cwnd has room for no more. */
static void send_for_frto(struct turn *t)
{
	struct tcp_conn *c = t->c;
	uint32_t cwnd = c->cwnd, limit = tcp_recovery_pipe(c) + 2u * c->mss;

	c->cwnd = cwnd < limit ? cwnd : limit; /* the ACK may have opened it further */
	send_new(t);
	c->cwnd = cwnd;
	if (t->is_blocked && !t->has_sent_new)
		return; /* no frames: again in the next turn */
	if (t->has_sent_new)
		t->e->stats->frto_probes++;
	tcp_frto_on_output(t->c, t->has_sent_new);
}

static void send_all(struct turn *t, bool flush_acks)
{
	struct tcp_conn *c = t->c;

	/* How the SYN-ACK came is told by one segment, not by a train (RFC 9768 section 3.2.2.1). */
	if ((c->accecn.flags & TCP_ACCECN_HANDSHAKE_OWED) && (c->flags & CONN_ACK_NOW))
		send_ack(t, true);
	if (c->flags & CONN_KEEPALIVE_OWED)
		send_keepalive(t);
	if (c->flags & CONN_PROBE_OWED)
		send_window_probe(t);
	restart_after_idle(t);
	if (tcp_frto_wants_new_data(c))
		send_for_frto(t);
	if (!tcp_frto_holds_back(c)) {
		send_lost(t);
		if (!t->is_blocked && (c->lost_bytes == 0 || c->snd_wnd == 0))
			send_new(t);
	}
	if (!t->is_blocked && (c->flags & CONN_TLP_OWED))
		send_tail_probe(t);
	if (!t->is_blocked && (c->flags & (CONN_ACK_NOW | CONN_ACK_DELAYED)))
		send_ack(t, flush_acks);
	tcp_timer_on_output(t->e, t->conn, t->has_sent_new);
}

/* RFC 7413 section 4.2.2: data may follow the SYN-ACK at once where the SYN's cookie was valid; what is lost
 * of it, and a FIN, wait for the end of the handshake. */
static void send_opening(struct turn *t)
{
	struct tcp_conn *c = t->c;

	send_syn(t);
	if (c->state == TCP_SYN_RCVD && (c->flags & CONN_FAST_OPEN) && (c->flags & CONN_PASSIVE) &&
	    !(c->flags & CONN_SYN_OWED) && c->lost_bytes == 0)
		send_new(t);
}

static uint32_t take_turn(struct tcp_engine *e, uint32_t conn, uint32_t budget, bool flush_acks)
{
	struct turn t = {.e = e, .c = tcp_conn_at(e, conn), .conn = conn, .budget = budget};

	if (t.c->state == TCP_SYN_SENT || t.c->state == TCP_SYN_RCVD)
		send_opening(&t);
	else
		send_all(&t, flush_acks);
	tcp_timer_arm(e, conn);
	if (t.is_blocked)
		tcp_output_list(e, conn);
	return t.trains;
}

/* Delayed ACKs become due at once: the application has had its turn. */
static void flush_delayed(struct tcp_engine *e)
{
	while (e->ack.head != TCP_NONE) {
		uint32_t conn = e->ack.head;

		e->ack.head = e->links[conn].ack_next;
		e->links[conn].is_ack_listed = 0;
		if (e->conns[conn].flags & CONN_ACK_DELAYED)
			tcp_output_list(e, conn);
	}
}

uint32_t tcp_output(struct tcp_engine *e, tcp_time now, uint32_t budget, bool flush_acks)
{
	struct tcp_queue todo;
	uint32_t trains = 0;

	e->now_ns = now.ns;
	if (flush_acks)
		flush_delayed(e);
	/* Only what is listed now: what stays listed gets its turn in the next call. */
	todo = e->output;
	e->output.head = TCP_NONE;
	while (todo.head != TCP_NONE && trains < budget) {
		uint32_t conn = todo.head;

		todo.head = e->links[conn].output_next;
		e->links[conn].is_listed = 0;
		if (e->conns[conn].state != TCP_CLOSED)
			trains += take_turn(e, conn, budget - trains, flush_acks);
	}
	if (todo.head != TCP_NONE) { /* those without a turn come first next time */
		e->links[todo.tail].output_next = e->output.head;
		if (e->output.head == TCP_NONE)
			e->output.tail = todo.tail;
		e->output.head = todo.head;
	}
	return trains;
}

bool tcp_output_pending(const struct tcp_engine *e)
{
	return e->output.head != TCP_NONE;
}
