/* SPDX-License-Identifier: BSD-2-Clause */
/* What an ACK does: scoreboard, RTT, loss detection, congestion control, timers, in this order. */
#include "tcp/tcp_ack.h"

#include "tcp/tcp_accecn.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_icmp.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_recovery.h"
#include "tcp/tcp_rtt.h"
#include "tcp/tcp_timer.h"

bool tcp_ack_update_window(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t window = s->window;
	bool was_closed = c->snd_wnd == 0;
	int64_t wl1 = tcp_seq_unwrap(c->snd_wl1, 0, c->rcv_nxt);
	int64_t wl2 = tcp_seq_unwrap(c->snd_wl2, 0, c->snd_una);
	bool has_changed;

	/* What acknowledges something new is newer than all before, though its sequence number may be that of
	 * data sent again. Were its window left, the right edge would move on by what it acknowledges. */
	if (s->ack_pos <= c->snd_una && (wl1 > s->pos || (wl1 == s->pos && wl2 > s->ack_pos)))
		return false;
	if (!(s->flags & TCP_SYN)) /* the window of a SYN is never scaled (RFC 7323 section 2.2) */
		window <<= c->snd_wscale;
	has_changed = window != c->snd_wnd;
	c->snd_wnd = window;
	c->snd_wl1 = (uint32_t)s->pos;
	c->snd_wl2 = (uint32_t)s->ack_pos;
	if (window > c->snd_wnd_max) {
		c->snd_wnd_max = window;
		tcp_conn_note_window(c);
	}
	if (window == 0 && !was_closed)
		e->stats->zero_windows_in++;
	if (window > 0 && was_closed && (c->flags & CONN_PROBED)) {
		/* What the probe carried was refused with the window closed: it is due again at once. */
		c->flags &= ~(uint32_t)CONN_PROBED;
		if (e->links[conn].sent_head != TCP_NONE && s->ack_pos < c->snd_nxt)
			tcp_sent_mark_lost(e, conn, e->links[conn].sent_head);
	}
	return has_changed;
}

/* RFC 5961 section 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT, all else gets a challenge ACK. */
static bool is_ack_acceptable(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);

	if (s->ack_pos <= c->snd_nxt &&
	    (s->ack_pos >= c->snd_una || /* nearly always, and for less */
	     s->ack_pos >= c->snd_una - ((int64_t)c->snd_wnd_seen << c->snd_wscale)))
		return true;
	e->stats->drop_bad_ack++;
	/* An ACK that is due already is the answer to this as well, and counts once. */
	if (!(c->flags & CONN_ACK_NOW) && tcp_challenge_allowed(e, conn))
		tcp_ack_now(e, conn);
	return false;
}

/* Karn: what was sent twice measures nothing, and the RTO stays as long as it has become (RFC 6298 section
 * 5). A timestamp tells which of the two is acknowledged. */
static __attribute__((noinline)) void end_backoff(struct tcp_conn *c, const struct tcp_ack_sample *sample)
{
	unsigned kept = (unsigned)c->backoff_kept + c->backoff;

	/* Window probes back off although each is answered: that says nothing about the path. */
	if (sample->has_retrans && !(c->options & TCP_INFO_TIMESTAMPS) && !(c->flags & CONN_PERSIST))
		c->backoff_kept = (kept < TCP_BACKOFF_MAX ? kept : TCP_BACKOFF_MAX) & TCP_BACKOFF_MAX;
	c->backoff = 0;
}

static void take_cumulative(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
			    struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	int64_t old_off = c->snd_una < c->snd_end ? c->snd_una : c->snd_end;
	int64_t new_off = s->ack_pos < c->snd_end ? s->ack_pos : c->snd_end; /* the FIN is not a byte */

	tcp_sent_ack(e, conn, s->ack_pos, s, sample);
	sample->acked_bytes = tcp_seq_span(c->snd_una, s->ack_pos);
	if (sample->has_retrans) {
		/* Karn: what came behind a retransmission waited for it in the peer's queue. */
		sample->rtt_first_ns = 0;
		sample->rtt_last_ns = 0;
	}
	c->snd_una = s->ack_pos;
	if (c->backoff > 0)
		end_backoff(c, sample);
	c->progress_tick = tcp_tick(e);
	if (c->flags & CONN_BLACKHOLE)
		tcp_icmp_probe_up(e, conn);
	if (c->snd_una >= c->snd_nxt)
		c->flags &= ~(uint32_t)CONN_PROBED;
	if (new_off > old_off)
		e->ops->on_acked(e->ctx, conn, tcp_seq_off(new_off));
}

static void take_times(struct tcp_engine *e, struct tcp_conn *c, const struct tcp_ack_sample *sample)
{
	uint64_t delivered = (uint64_t)c->snd_una + c->sacked_bytes;
	uint64_t took_ns;

	if (sample->rtt_first_ns != 0) {
		tcp_rtt_sample(c, sample->rtt_first_ns);
		c->backoff_kept = 0;
		c->flags &= ~(uint32_t)CONN_TLP_UNMEASURED;
	}
	if (sample->rtt_last_ns != 0)
		tcp_rtt_sample_min(c, sample->rtt_last_ns, e->now_ns);
	if (sample->rate_ns == 0 || e->now_ns <= sample->rate_ns)
		return;
	/* The quotient is left to tcp_info(). */
	took_ns = e->now_ns - sample->rate_ns;
	c->rate_us = took_ns >> 10 > UINT32_MAX ? UINT32_MAX : (uint32_t)(took_ns >> 10);
	c->rate_bytes = (uint32_t)(delivered - sample->rate_delivered);
}

/* RFC 5681 section 2, but for the data in flight. */
static bool is_duplicate(const struct tcp_conn *c, const struct tcp_segment *s, bool has_window_changed)
{
	return s->ack_pos == c->snd_una && s->payload_len == 0 && !has_window_changed &&
	       !(s->flags & (TCP_SYN | TCP_FIN));
}

/* The duplicate of the last segment is told behind the ACK of all, by a D-SACK or by a mere duplicate ACK. */
static __attribute__((noinline)) void
take_late_duplicate(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s, bool has_window_changed)
{
	struct tcp_ack_sample sample = {.is_dup = is_duplicate(&e->conns[conn], s, has_window_changed)};

	if (!(e->conns[conn].options & TCP_INFO_SACK))
		return;
	if (s->sack_count > 0)
		tcp_sent_sack(e, conn, s, &sample);
	if (sample.is_dsack)
		tcp_rack_update_window(e, conn, &sample);
	(void)tcp_tlp_on_ack(e, conn, s, &sample); /* nothing beyond the probe is acknowledged here */
}

bool tcp_ack_input(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_ack_sample sample = {.prior_una = c->snd_una, .prior_flight = c->flight_bytes};
	bool has_in_flight = c->snd_nxt > c->snd_una;
	bool has_window_changed;

	if (!is_ack_acceptable(e, conn, s))
		return false;
	has_window_changed = s->ack_pos >= c->snd_una && tcp_ack_update_window(e, conn, s);
	/* Not of an ACK that was overtaken: it may be from before CWR was heard. */
	sample.is_ece = (s->flags & TCP_ECE) &&
			(c->options & (TCP_INFO_ECN | TCP_INFO_ACCECN)) == TCP_INFO_ECN &&
			s->ack_pos >= c->snd_una;
	sample.is_dup = is_duplicate(c, s, has_window_changed) && has_in_flight;
	if (s->ack_pos > c->snd_una)
		take_cumulative(e, conn, s, &sample);
	if (has_in_flight && s->sack_count > 0 && (c->options & TCP_INFO_SACK))
		tcp_sent_sack(e, conn, s, &sample);
	if (c->options & TCP_INFO_ACCECN)
		tcp_accecn_feedback(e, conn, s, &sample);
	if (has_in_flight) {
		take_times(e, c, &sample);
		if (c->options & TCP_INFO_SACK) {
			tcp_rack_update_window(e, conn, &sample);
			sample.lost_bytes = tcp_rack_detect(e, conn);
		}
		tcp_recovery_on_ack(e, conn, s, &sample);
		tcp_timer_on_ack(e, conn, sample.acked_bytes > 0 || sample.sacked_bytes > 0);
	} else {
		if (s->sack_count > 0 || (c->flags & CONN_TLP))
			take_late_duplicate(e, conn, s, has_window_changed);
		if (has_window_changed)
			tcp_timer_on_ack(e, conn, false);
	}
	if (c->snd_nxt < c->snd_end || c->lost_bytes > 0 ||
	    ((c->flags & CONN_FIN_QUEUED) && c->snd_nxt == c->snd_end))
		tcp_output_list(e, conn);
	return true;
}
