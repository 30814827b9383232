/* SPDX-License-Identifier: BSD-2-Clause */
/* RACK-TLP, RFC 8985. Section numbers in this file are those of the RFC. */
#include "tcp/tcp_rack.h"

#include "tcp/tcp_engine.h"
#include "tcp/tcp_rtt.h"
#include "tcp/tcp_segment.h"

#define DUP_THRESH      3
#define REO_WND_PERSIST 16  /* recoveries after which a widened window narrows again */
#define PTO_MIN_DIVISOR 100 /* of the smallest RTO: 2 ms by default, which is what Linux adds (two ticks) */

/* 6.2 step 2: RACK_sent_after() */
static bool sent_after(uint64_t t1, int64_t end1, uint64_t t2, int64_t end2)
{
	return t1 > t2 || (t1 == t2 && end1 > end2);
}

/* 6.2 step 2: an ACK so soon after a retransmission, or one that echoes an older timestamp, is for the
 * original. */
static bool is_original(const struct tcp_conn *c, const struct tcp_sent *r, uint64_t rtt_ns,
			const struct tcp_segment *s)
{
	uint32_t sent_ts = (uint32_t)(r->sent_ns / 1000000u) + c->ts_offset;

	return rtt_ns < c->min_rtt_ns ||
	       ((c->options & TCP_INFO_TIMESTAMPS) && s->has_ts && tcp_ts_before(s->ts_ecr, sent_ts));
}

void tcp_rack_on_delivered(struct tcp_engine *e, uint32_t conn, const struct tcp_sent *r, int64_t end,
			   const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint64_t rtt = e->now_ns - r->sent_ns;
	bool is_retrans = r->flags & SENT_RETRANS;

	if (is_retrans && is_original(c, r, rtt, s)) {
		/* Step 3, which asks for segments never sent again: the original of this one has come, and
		 * came late. Else no reordering would be seen where each late segment is repeated at once.
		 * (Beyond the first missing byte a timestamp proves nothing: its echo is that of the left
		 * edge.) */
		if (end < c->rack_fack && r->start == c->snd_una)
			c->flags |= CONN_REORDERED;
		return;
	}
	if (sent_after(r->sent_ns, end, c->rack_sent_ns, c->rack_end)) {
		c->rack_sent_ns = r->sent_ns;
		c->rack_end = end;
		c->rack_rtt_ns = rtt > 0 ? rtt : 1;
	}
	/* Step 3: something never repeated arrives below what has arrived: the path reorders. */
	if (end > c->rack_fack)
		c->rack_fack = end;
	else if (end < c->rack_fack && !is_retrans)
		c->flags |= CONN_REORDERED;
}

uint64_t tcp_rack_window_ns(const struct tcp_conn *c)
{
	uint64_t window;

	/* 6.2 step 4: without reordering seen, three SACKed segments are proof enough. */
	if (!(c->flags & CONN_REORDERED) && (c->phase == TCP_PHASE_RECOVERY || c->phase == TCP_PHASE_LOSS ||
					     c->sacked_segments >= DUP_THRESH))
		return 0;
	window = c->min_rtt_ns / 4 * (c->reo_wnd_mult > 0 ? c->reo_wnd_mult : 1);
	return window < c->srtt_ns ? window : c->srtt_ns;
}

void tcp_rack_update_window(struct tcp_engine *e, uint32_t conn, const struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (c->rack_dsack_round != 0 && (int32_t)((uint32_t)c->snd_una - c->rack_dsack_round) >= 0)
		c->rack_dsack_round = 0; /* a round trip has passed since the last widening */
	if (c->rack_dsack_round == 0 && sample->is_dsack) {
		c->rack_dsack_round = (uint32_t)c->snd_nxt;
		if (c->reo_wnd_mult < UINT8_MAX)
			c->reo_wnd_mult++;
		c->reo_wnd_persist = REO_WND_PERSIST;
	}
}

uint32_t tcp_rack_detect(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];
	uint64_t window = tcp_rack_window_ns(c);
	uint32_t before = c->lost_bytes;
	uint32_t next;

	if (c->flags & CONN_REO_TIMER) {
		c->flags &= ~(uint32_t)CONN_REO_TIMER;
		c->loss_deadline_ns = 0;
	}
	if (c->rack_sent_ns == 0)
		return 0;
	/* By time of sending: the first that was sent after the latest delivered ends the search, and so does
	 * the first that still has time, since all behind it have more. */
	for (uint32_t i = l->flight_head; i != TCP_NONE; i = next) {
		struct tcp_sent *r = &e->sent[i];
		uint64_t due = r->sent_ns + c->rack_rtt_ns + window;

		next = r->time_next;
		if (!sent_after(c->rack_sent_ns, c->rack_end, r->sent_ns, r->end))
			break;
		if (due > e->now_ns) {
			c->flags |= CONN_REO_TIMER;
			c->loss_deadline_ns = due;
			break;
		}
		tcp_sent_mark_lost(e, conn, i);
	}
	return c->lost_bytes - before;
}

void tcp_rack_on_rto(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_links *l = &e->links[conn];
	uint64_t rtt = c->rack_rtt_ns != 0 ? c->rack_rtt_ns : c->srtt_ns;
	uint64_t overdue = rtt + tcp_rack_window_ns(c);

	if (l->sent_head != TCP_NONE && (e->sent[l->sent_head].flags & SENT_SACKED))
		tcp_sent_forget_sacks(e, conn);
	if (l->sent_head != TCP_NONE)
		tcp_sent_mark_lost(e, conn, l->sent_head);
	while (l->flight_head != TCP_NONE) {
		if (rtt != 0 && e->sent[l->flight_head].sent_ns + overdue > e->now_ns)
			break;
		tcp_sent_mark_lost(e, conn, l->flight_head);
	}
}

uint64_t tcp_tlp_timeout_ns(const struct tcp_engine *e, uint32_t conn)
{
	const struct tcp_conn *c = &e->conns[conn];
	uint64_t pto;

	/* 7.2: only with SACK, not in recovery, nothing SACKed; 7.3: no probe of before still unanswered, and
	 * an RTT measured since that, or ever. */
	if (!(c->options & TCP_INFO_SACK) || c->phase == TCP_PHASE_RECOVERY || c->phase == TCP_PHASE_LOSS ||
	    c->sacked_bytes > 0 || c->lost_bytes > 0 ||
	    (c->flags & (CONN_TLP | CONN_TLP_OWED | CONN_TLP_UNMEASURED)) || c->backoff > 0 ||
	    c->srtt_ns == 0)
		return 0;
	pto = 2 * c->srtt_ns;
	/* Where a round trip takes microseconds, a receiver that waits for its turn on a CPU is no loss. */
	if (pto < e->config.rto_min_ns / PTO_MIN_DIVISOR)
		pto = e->config.rto_min_ns / PTO_MIN_DIVISOR;
	if (c->flight_bytes <= c->mss)
		pto += e->config.rto_min_ns; /* the peer may delay the ACK of a single segment */
	return pto;
}

void tcp_tlp_on_timer(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	c->flags |= CONN_TLP_OWED;
	tcp_output_list(e, conn);
}

bool tcp_tlp_on_ack(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
		    const struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_repair = false;
	int64_t probe_end;

	if (!(c->flags & CONN_TLP))
		return false;
	probe_end = tcp_seq_unwrap(c->tlp_end, 0, c->snd_una);
	if (s->ack_pos < probe_end)
		return false;
	/* The D-SACK of the probe, not of what the network has doubled. */
	if ((c->flags & CONN_TLP_RETRANS) &&
	    !(sample->is_dsack && tcp_seq_unwrap(s->sacks[0].end, c->iss, c->snd_una) == probe_end)) {
		/* Beyond the probe without a D-SACK: the original was lost and the probe repaired it. A pure
		 * duplicate at the probe's end: both arrived. Else it cannot be told yet. */
		if (s->ack_pos > probe_end)
			is_repair = true;
		else if (!sample->is_dup || s->sack_count > 0)
			return false;
	}
	c->flags &= ~(uint32_t)(CONN_TLP | CONN_TLP_RETRANS);
	return is_repair;
}
