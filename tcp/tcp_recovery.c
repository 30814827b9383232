/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion state. Losses come from RACK (tcp_rack.c) with SACK, else from duplicate ACKs (RFC 6582); the
 * reduction is spread by PRR (RFC 9937) and taken back when timestamps (RFC 3522, 4015) or D-SACKs (RFC 3708)
 * show that nothing was lost.
 */
#include "tcp/tcp_recovery.h"

#include "tcp/tcp_cc.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_frto.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_segment.h"

#define DUP_THRESH       3
#define LIMITED_TRANSMIT 2u /* segments, RFC 3042 */

static bool has_sack(const struct tcp_conn *c)
{
	return c->options & TCP_INFO_SACK;
}

uint32_t tcp_recovery_pipe(const struct tcp_conn *c)
{
	uint32_t left = c->dup_acks;

	/* After a timeout all is presumed lost, and duplicate ACKs tell nothing about what was sent since. */
	if (has_sack(c) || c->phase == TCP_PHASE_LOSS)
		return c->flight_bytes;
	/* Without SACK each duplicate ACK tells that one segment has left the network. Those that start no
	 * recovery (RFC 6582 section 3.2 step 1) let two segments go beyond cwnd, no more (RFC 3042). */
	if (c->phase <= TCP_PHASE_CWR && left > LIMITED_TRANSMIT)
		left = LIMITED_TRANSMIT;
	left *= c->mss;
	return c->flight_bytes > left ? c->flight_bytes - left : 0;
}

uint32_t tcp_recovery_initial_window(const struct tcp_engine *e, const struct tcp_conn *c)
{
	uint32_t segments = e->config.initial_window_mss;
	uint32_t window = segments * c->mss;
	uint32_t limit = 2u * c->mss > 14600 ? 2u * c->mss : 14600; /* RFC 6928 section 2 */

	if (segments <= 10 && window > limit)
		window = limit;
	return window > c->mss ? window : c->mss;
}

/* Without SACK the first segment that is not acknowledged is the lost one (RFC 6582 section 3.2). */
static void mark_first_lost(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t head = e->links[conn].sent_head;

	if (head == TCP_NONE || (e->sent[head].flags & SENT_LOST))
		return;
	if (tcp_seq_span(e->sent[head].start, e->sent[head].end) > c->mss)
		tcp_sent_split(e, conn, head, e->sent[head].start + c->mss);
	tcp_sent_mark_lost(e, conn, head);
}

static void save_undo(struct tcp_conn *c)
{
	c->undo_cwnd = c->cwnd;
	c->undo_ssthresh = c->ssthresh;
	/* The duplicate of a tail loss probe may still be told of, and says nothing about what follows. */
	if (!(c->flags & CONN_TLP_RETRANS))
		c->undo_bytes = 0;
	c->undo_start = (uint32_t)c->snd_una;
	c->undo_ts = 0;
	c->flags |= CONN_UNDO;
}

/* RFC 3168 section 6.1.2: the first new data after a reduction tells of it, whatever the reason was. */
static void owe_cwr(struct tcp_conn *c)
{
	if ((c->options & (TCP_INFO_ECN | TCP_INFO_ACCECN)) == TCP_INFO_ECN)
		c->flags |= CONN_CWR_OWED;
}

/* `used` is the window at the last output; cwnd may be larger by now. */
static void enter_recovery(struct tcp_engine *e, uint32_t conn, const struct tcp_ack_sample *sample,
			   uint32_t used)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t in_flight = tcp_seq_span(c->snd_una, c->snd_nxt);

	/* A loss in the window of a mark is answered already (RFC 3168 section 6.1.2). */
	if (c->phase != TCP_PHASE_CWR || c->snd_una >= c->recovery_point) {
		save_undo(c);
		c->ssthresh = tcp_cc_ops_of(c)->ssthresh(c, tcp_cc_flight(c, c->snd_una, used), false);
		owe_cwr(c);
	}
	c->phase = TCP_PHASE_RECOVERY;
	c->recovery_point = c->snd_nxt;
	c->flags |= CONN_RETRANS_ONE;
	c->flags &= ~(uint32_t)(CONN_TLP | CONN_TLP_RETRANS | CONN_TLP_OWED);
	c->prr_delivered = 0;
	c->prr_out = 0;
	c->prr_flight = in_flight - c->sacked_bytes + sample->sacked_bytes + sample->acked_bytes;
	if (c->prr_flight == 0)
		c->prr_flight = c->mss;
	e->stats->fast_recoveries++;
	if (has_sack(c))
		e->stats->sack_recoveries++;
}

/* RFC 9937 section 6. */
static void prr_on_ack(struct tcp_conn *c, const struct tcp_ack_sample *sample, uint32_t delivered)
{
	uint32_t pipe = tcp_recovery_pipe(c);
	int64_t send;

	if (delivered == 0)
		return;
	c->prr_delivered += delivered;
	if (pipe > c->ssthresh) {
		uint64_t share = (uint64_t)c->prr_delivered * c->ssthresh;

		send = (int64_t)((share + c->prr_flight - 1) / c->prr_flight) - c->prr_out;
	} else {
		bool is_safe = sample->acked_bytes > 0 && sample->lost_bytes == 0;

		send = (int64_t)c->prr_delivered - c->prr_out;
		if (send < delivered)
			send = delivered;
		if (is_safe)
			send += c->mss;
		if (send > (int64_t)c->ssthresh - pipe)
			send = (int64_t)c->ssthresh - pipe;
	}
	if (send < 0)
		send = 0;
	if (c->prr_out == 0 && send == 0)
		send = c->mss; /* the fast retransmit */
	c->cwnd = pipe + (uint32_t)send;
	if (c->cwnd < c->mss)
		c->cwnd = c->mss;
}

/* Without SACK a mark's window lasts until something beyond it is acknowledged: three duplicates of its last
 * byte mean a loss, but at the end of a recovery needless repetitions. */
static bool is_over(const struct tcp_conn *c)
{
	return c->snd_una > c->recovery_point ||
	       (c->snd_una == c->recovery_point && (has_sack(c) || c->phase != TCP_PHASE_CWR));
}

static void leave_recovery(struct tcp_conn *c)
{
	/* RFC 9937: PRR ends with cwnd = ssthresh. After an RTO cwnd has grown by itself, and after a mark it
	 * may be smaller. */
	if (c->phase == TCP_PHASE_RECOVERY)
		c->cwnd = c->ssthresh > c->mss ? c->ssthresh : c->mss;
	/* RFC 8985 section 6.2 step 4: so many recoveries, fast ones or by timeout, without a D-SACK. */
	if (c->phase >= TCP_PHASE_RECOVERY && c->reo_wnd_persist > 0 && --c->reo_wnd_persist == 0)
		c->reo_wnd_mult = 1;
	c->phase = TCP_PHASE_OPEN;
	c->dup_acks = 0;
	c->frto = TCP_FRTO_OFF;
	c->flags &= ~(uint32_t)(CONN_RETRANS_ONE | CONN_UNDO);
}

static void undo(struct tcp_engine *e, uint32_t conn, const struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t ssthresh = c->undo_ssthresh;
	const struct tcp_cc_ops *cc = tcp_cc_ops_of(c);

	e->stats->spurious_recoveries++;
	tcp_sent_unmark_lost(e, conn);
	if (cc->undo && c->cwnd < c->undo_cwnd)
		cc->undo(c, e->now_ns);
	if (c->phase == TCP_PHASE_LOSS) {
		/* RFC 4015 section 3.2 step 7: no burst, though one late ACK may tell of all; slow start
		 * leads back to what was in flight. */
		uint32_t burst = tcp_recovery_initial_window(e, c);

		burst = burst < sample->delivered_bytes ? burst : sample->delivered_bytes;
		ssthresh = ssthresh > c->undo_cwnd ? ssthresh : c->undo_cwnd;
		c->cwnd = c->flight_bytes + burst > c->mss ? c->flight_bytes + burst : c->mss;
	} else if (c->cwnd < c->undo_cwnd) {
		c->cwnd = c->undo_cwnd;
	}
	if (c->ssthresh < ssthresh)
		c->ssthresh = ssthresh;
	c->phase = TCP_PHASE_OPEN;
	c->dup_acks = 0;
	c->backoff_kept = 0;
	c->frto = TCP_FRTO_OFF;
	c->flags &= ~(uint32_t)(CONN_RETRANS_ONE | CONN_UNDO | CONN_CWR_OWED);
}

/* Was the reduction wrong? Eifel: an ACK that advances and echoes a timestamp from before the first
 * retransmission. D-SACK: every byte that was sent again arrived twice. */
static bool is_spurious(const struct tcp_conn *c, const struct tcp_segment *s,
			const struct tcp_ack_sample *sample)
{
	if (!(c->flags & CONN_UNDO))
		return false;
	/* Before anything could be sent again, all that was thought lost has come: of a batch of ACKs the
	 * first made it seem so, and a later one knew better. */
	if (c->lost_bytes == 0 && (c->flags & CONN_RETRANS_ONE) && c->undo_bytes == 0)
		return true;
	if (sample->is_dsack && !(c->flags & CONN_RETRANS_ONE) && c->undo_bytes == 0)
		return true;
	return sample->acked_bytes > 0 && (c->options & TCP_INFO_TIMESTAMPS) && s->has_ts && s->ts_ecr != 0 &&
	       c->undo_ts != 0 && tcp_ts_before(s->ts_ecr, c->undo_ts);
}

void tcp_recovery_on_retransmit(struct tcp_engine *e, uint32_t conn, int64_t start, uint32_t bytes)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	c->undo_bytes += bytes;
	tcp_frto_on_retransmit(c, start + bytes);
	/* Only where the first to be sent again is the first that is missing: what was sent again by an
	 * earlier recovery, and is still on its way below, is acknowledged with its own, older time. */
	if (c->undo_ts == 0 && (c->flags & CONN_RETRANS_ONE) && start == c->snd_una) {
		c->undo_ts = tcp_ts_clock(e) + c->ts_offset;
		c->undo_ts += c->undo_ts == 0;
	}
	c->flags &= ~(uint32_t)CONN_RETRANS_ONE;
}

static void count_dup_acks(struct tcp_engine *e, uint32_t conn, const struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (sample->is_dup) {
		e->stats->dup_acks_in++;
		if (c->dup_acks < UINT8_MAX)
			c->dup_acks++;
		/* RFC 6582 section 3.2 step 1: not again for the window of an earlier loss; where all of it
		 * is acknowledged and no more, its needless repetitions look like this. After a mark nothing
		 * was repeated. */
		if (!has_sack(c) && c->dup_acks == DUP_THRESH &&
		    (c->phase == TCP_PHASE_CWR ||
		     (c->phase == TCP_PHASE_OPEN && c->snd_una > c->recovery_point)))
			mark_first_lost(e, conn);
	} else if (sample->acked_bytes > 0 && c->phase != TCP_PHASE_RECOVERY) {
		c->dup_acks = 0;
	}
}

/* RFC 3168 section 6.1.2: at most one reduction per window. An ACK of exactly the recovery point speaks of
 * that window still, and was sent before CWR could be heard. */
static bool is_new_mark(const struct tcp_conn *c, const struct tcp_ack_sample *sample)
{
	return sample->is_ece && c->snd_una != c->recovery_point;
}

/* For a mark, or for a loss that the probe has repaired (RFC 8985 section 7.4.2). A mark may leave one
 * segment where a loss leaves two (RFC 3168 section 6.1.2, RFC 9438 section 4.6). */
static void enter_cwr(struct tcp_conn *c, const struct tcp_ack_sample *sample, bool is_mark, uint32_t used)
{
	bool is_one = is_mark && c->cwnd <= c->mss;

	/* What was in flight before this ACK, which may be one for all of it. */
	c->cwnd = tcp_cc_ops_of(c)->ssthresh(c, tcp_cc_flight(c, sample->prior_una, used), is_mark);
	c->ssthresh = c->cwnd > 2u * c->mss ? c->cwnd : 2u * c->mss;
	c->phase = TCP_PHASE_CWR;
	c->recovery_point = c->snd_nxt;
	owe_cwr(c);
	c->flags &= ~(uint32_t)CONN_UNDO;
	/* Less than one segment a round trip is one for each expiry of the timer. */
	if (is_one)
		c->cwnd = 0;
}

static void in_recovery(struct tcp_engine *e, uint32_t conn, struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t delivered = sample->delivered_bytes;

	if (!has_sack(c) && sample->acked_bytes > 0) {
		/* A partial ACK: the next hole, and the window deflates by what left (RFC 6582 step 3). All
		 * but the first segment may have been told of by duplicates, and counts once (DeliveredData
		 * of RFC 9937). */
		uint32_t behind = (sample->acked_bytes - 1u) / c->mss;
		uint32_t told = c->dup_acks < behind ? c->dup_acks : behind;

		delivered -= told * c->mss;
		c->dup_acks = (uint8_t)(c->dup_acks - told);
		mark_first_lost(e, conn);
		c->flags |= CONN_RETRANS_ONE; /* at once, whatever the window says */
	} else if (!has_sack(c) && sample->is_dup) {
		delivered = c->mss;
	}
	if (c->phase == TCP_PHASE_RECOVERY)
		prr_on_ack(c, sample, delivered);
}

static void may_grow(struct tcp_engine *e, struct tcp_conn *c, const struct tcp_ack_sample *sample)
{
	bool is_limited =
	    (c->flags & CONN_CWND_LIMITED) || (c->cwnd < c->ssthresh && sample->prior_flight >= c->cwnd / 2);

	/* An ACK that tells of marks opens nothing, and with a window of 0 only the timer does (RFC 3168
	 * section 6.1.2). */
	if (sample->acked_bytes > 0 && is_limited && !sample->is_ece && c->cwnd - 1 < TCP_CWND_MAX / 2)
		tcp_cc_ops_of(c)->on_ack(c, sample, e->now_ns);
}

/* After a timeout one ACK may cover what arrived long before: only what it says to have arrived now opens the
 * window (RFC 5681 section 3.1, RFC 3465 section 2.3). */
static void grow_after_loss(struct tcp_engine *e, struct tcp_conn *c, const struct tcp_ack_sample *sample)
{
	struct tcp_ack_sample counted = *sample;
	uint32_t limit = has_sack(c) ? sample->delivered_bytes : c->mss;

	if (counted.acked_bytes > limit)
		counted.acked_bytes = limit;
	may_grow(e, c, &counted);
}

/* All but an ACK in order, of nothing but data that went well. */
static __attribute__((noinline)) void take_trouble(struct tcp_engine *e, uint32_t conn,
						   const struct tcp_segment *s, struct tcp_ack_sample *sample,
						   bool is_probe_repair)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint8_t before = c->phase;
	bool is_undone =
	    is_spurious(c, s, sample) || (c->frto != TCP_FRTO_OFF && tcp_frto_on_ack(e, conn, sample));
	uint32_t used;

	if (is_undone)
		undo(e, conn, sample);
	count_dup_acks(e, conn, sample);
	used = c->cwnd;
	if (c->phase != TCP_PHASE_OPEN && is_over(c))
		leave_recovery(c);
	if (c->phase <= TCP_PHASE_CWR && c->lost_bytes > 0)
		enter_recovery(e, conn, sample, used);
	else if (c->phase == TCP_PHASE_OPEN && (is_new_mark(c, sample) || is_probe_repair))
		enter_cwr(c, sample, !is_probe_repair, used);
	if (c->phase == TCP_PHASE_RECOVERY || (c->phase == TCP_PHASE_LOSS && !has_sack(c)))
		in_recovery(e, conn, sample);
	if (c->phase != TCP_PHASE_OPEN && c->phase != TCP_PHASE_LOSS)
		return;
	/* The ACK that ends a fast recovery covers what that has counted already (RFC 9937 section 6); so
	 * does one that takes a timeout back. */
	if (before <= TCP_PHASE_CWR)
		may_grow(e, c, sample);
	else if (before == TCP_PHASE_LOSS && !is_undone)
		grow_after_loss(e, c, sample);
}

void tcp_recovery_on_ack(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
			 struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	const struct tcp_cc_ops *cc = tcp_cc_ops_of(c);
	bool is_probe_repair = tcp_tlp_on_ack(e, conn, s, sample);

	if (cc->on_marks)
		cc->on_marks(c, sample);
	/* There is nothing to be undone in TCP_PHASE_OPEN. */
	if (c->phase != TCP_PHASE_OPEN || c->lost_bytes > 0 || sample->is_dup || sample->is_ece ||
	    is_probe_repair) {
		take_trouble(e, conn, s, sample, is_probe_repair);
	} else if (sample->acked_bytes > 0) {
		c->dup_acks = 0;
		may_grow(e, c, sample);
	}
}

void tcp_recovery_on_reo_timer(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_ack_sample sample = {.lost_bytes = c->lost_bytes};

	if (c->lost_bytes > 0 && c->phase <= TCP_PHASE_CWR) {
		enter_recovery(e, conn, &sample, c->cwnd);
		c->cwnd = tcp_recovery_pipe(c) + c->mss;
	}
	tcp_output_list(e, conn);
}

void tcp_recovery_on_rto(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_first = c->phase <= TCP_PHASE_CWR;

	/* A repeated timeout of the same window keeps ssthresh (RFC 5681 equation 4). */
	if (c->phase != TCP_PHASE_LOSS || c->snd_una >= c->recovery_point) {
		if (c->phase != TCP_PHASE_RECOVERY)
			save_undo(c);
		c->ssthresh = tcp_cc_ops_of(c)->ssthresh(c, tcp_cc_flight(c, c->snd_una, c->cwnd), false);
	}
	c->phase = TCP_PHASE_LOSS;
	c->recovery_point = c->snd_nxt;
	c->dup_acks = 0;
	c->flags &= ~(uint32_t)(CONN_TLP | CONN_TLP_RETRANS | CONN_TLP_OWED);
	c->flags |= CONN_RETRANS_ONE;
	owe_cwr(c);
	tcp_rack_on_rto(e, conn);
	c->cwnd = c->mss; /* the loss window (RFC 5681 section 3.1), whatever was sent late */
	tcp_conn_back_off(c);
	tcp_frto_on_rto(e, conn, is_first);
	tcp_output_list(e, conn);
}
