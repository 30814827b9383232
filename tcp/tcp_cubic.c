/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406) for slow start.
 *
 * Time is counted in units of u = 2^20 ns. With C = 0.4 segments/s^3, C u^3 = 4.6117e-10 segments, which is
 * 1014 / 2^41 within 0.02 %; so W_cubic(t) = w_max + mss * (t - K)^3 * 1014 / 2^41 needs no division.
 */
#include "tcp/tcp_cc.h"

#include <string.h>

#include "tcp/tcp_sent.h"

#define UNIT_SHIFT            20
#define T_MAX                 (1 << 17)   /* 137 s from K: beyond, the curve is capped anyway */
#define K_CUBED_PER_SEGMENT   2168404345u /* 1 / (C u^3) */
#define BETA_TENTHS           7u
#define FAST_CONVERGENCE_1024 870u /* (1 + 0.7) / 2 */
#define ALPHA_1024            542u /* 3 (1 - 0.7) / (1 + 0.7) = 0.529 */
#define EST_STEPS             8u

#define HYSTART_SAMPLES       8      /* N_RTT_SAMPLE */
#define HYSTART_MIN_US        4000u  /* MIN_RTT_THRESH */
#define HYSTART_MAX_US        16000u /* MAX_RTT_THRESH */
#define CSS_DIVISOR           4
#define CSS_ROUNDS            5

static uint32_t scale_1024(uint32_t v, uint32_t factor)
{
	return (uint32_t)((uint64_t)v * factor >> 10);
}

static uint32_t cube_root(uint64_t v)
{
	uint64_t root = 0;

	/* Digit by digit; 2^21 cubed is the largest that fits. */
	for (int bit = 20; bit >= 0; bit--) {
		uint64_t next = root | UINT64_C(1) << bit;

		if (next * next * next <= v)
			root = next;
	}
	return (uint32_t)root;
}

static void cubic_init(struct tcp_conn *c)
{
	c->hystart_done = 0;
	c->ccd.cubic.hystart.round_end = c->snd_nxt;
	c->ccd.cubic.hystart.round_min_us = UINT32_MAX;
	c->ccd.cubic.hystart.last_min_us = UINT32_MAX;
}

/* Section 4.2: the start of a congestion avoidance stage. */
static void epoch_start(struct tcp_conn *c, uint64_t now_ns)
{
	struct tcp_cubic_growth *q = &c->ccd.cubic.growth;

	q->epoch_ns = now_ns;
	q->per_mss = 0;
	q->update_at = 0;
	q->credit = 0;
	q->est_credit = 0;
	q->w_est = c->cwnd;
	if (q->w_max <= c->cwnd) {
		q->w_max = c->cwnd;
		q->k = 0;
	} else {
		q->k = cube_root((uint64_t)(q->w_max - c->cwnd) * K_CUBED_PER_SEGMENT / c->mss);
	}
}

static uint32_t w_cubic(const struct tcp_conn *c, uint64_t t_ns)
{
	const struct tcp_cubic_growth *q = &c->ccd.cubic.growth;
	int64_t t = (int64_t)(t_ns >> UNIT_SHIFT) - q->k;
	uint64_t distance = (uint64_t)(t < 0 ? -t : t);
	uint64_t delta;

	if (distance > T_MAX)
		distance = T_MAX;
	delta = ((distance * distance * distance >> 10) * 1014 >> 10) * c->mss >> 21;
	if (t < 0)
		return delta < q->w_max ? q->w_max - (uint32_t)delta : 0;
	return delta < TCP_CWND_MAX - q->w_max ? q->w_max + (uint32_t)delta : TCP_CWND_MAX;
}

/* Section 4.3: what Reno would have, in steps of an eighth of a segment for an eighth of a window, so that
 * the fraction that a reduction leaves counts towards the next whole segment. */
static void update_w_est(struct tcp_conn *c, uint32_t acked_bytes)
{
	struct tcp_cubic_growth *q = &c->ccd.cubic.growth;
	uint32_t alpha = q->w_est < q->w_prior ? ALPHA_1024 : 1024;
	uint32_t step = c->cwnd / EST_STEPS + 1;

	q->est_credit += scale_1024(acked_bytes, alpha);
	/* A segment per ACK at most: what one ACK of a window is worth. */
	for (unsigned i = 0; i < EST_STEPS && q->est_credit >= step; i++) {
		q->est_credit -= step;
		q->w_est += c->mss / EST_STEPS;
		q->per_mss = 0; /* to be looked at now, not in a millisecond */
	}
}

/* How many bytes must be acknowledged for one MSS of growth. Computed anew once a millisecond or after
 * cwnd has changed, so that the division is not paid for every ACK. */
static void update_growth(struct tcp_conn *c, uint64_t now_ns)
{
	struct tcp_cubic_growth *q = &c->ccd.cubic.growth;
	uint32_t at = (uint32_t)((now_ns - q->epoch_ns) >> UNIT_SHIFT);
	uint32_t rtt = (uint32_t)(c->srtt_ns >> UNIT_SHIFT);
	uint64_t target;

	if (q->per_mss != 0 && q->update_at == at)
		return;
	/* Section 4.2: the time in which cwnd was not the limit is no part of t. ACKs that may raise cwnd
	 * come once a round trip at least. */
	if (at - q->update_at > rtt + 1) {
		q->epoch_ns += (uint64_t)(at - q->update_at - rtt) << UNIT_SHIFT;
		at = q->update_at + rtt;
	}
	q->update_at = at;
	target = w_cubic(c, now_ns - q->epoch_ns + c->srtt_ns);
	if (target < q->w_est) { /* section 4.3, the Reno-friendly region: cwnd is the estimate, at once */
		target = q->w_est;
		if (c->cwnd < q->w_est)
			c->cwnd = q->w_est;
	}
	if (target > c->cwnd + c->cwnd / 2)
		target = c->cwnd + c->cwnd / 2;
	if (target <= c->cwnd)
		q->per_mss = 100 * c->cwnd < c->cwnd ? UINT32_MAX : 100 * c->cwnd;
	else
		q->per_mss = (uint32_t)((uint64_t)c->cwnd * c->mss / (target - c->cwnd));
	if (q->per_mss < c->mss)
		q->per_mss = c->mss;
	/* What was saved where the curve is flat is not worth several segments where it is steep. */
	if (q->credit > q->per_mss)
		q->credit = q->per_mss;
}

/* RFC 9406 section 4.3: for the initial slow start only; its memory becomes that of congestion avoidance. */
static void hystart_end(struct tcp_conn *c)
{
	if (c->hystart_done)
		return;
	memset(&c->ccd.cubic, 0, sizeof(c->ccd.cubic));
	c->hystart_done = 1;
}

static void hystart_round(struct tcp_conn *c)
{
	struct tcp_hystart *q = &c->ccd.cubic.hystart;

	/* The ACK of what was sent last before the round began still measures the round before. */
	if (c->snd_una <= q->round_end)
		return;
	q->round_end = c->snd_nxt;
	q->last_min_us = q->round_min_us;
	q->round_min_us = UINT32_MAX;
	q->round_samples = 0;
	if (q->css_rounds > 0 && ++q->css_rounds > CSS_ROUNDS) {
		c->ssthresh = c->cwnd; /* slow start is over */
		hystart_end(c);
	}
}

/* RFC 9406 section 4.2; returns the bytes by which slow start may grow. */
static uint32_t hystart_on_ack(struct tcp_conn *c, const struct tcp_ack_sample *sample)
{
	struct tcp_hystart *q = &c->ccd.cubic.hystart;
	uint32_t thresh;

	if (c->hystart_done) {
		if (c->ssthresh < TCP_SSTHRESH_INFINITE)
			return sample->acked_bytes;
		/* The first reduction was undone: this is the initial slow start again. Unwatched it would
		 * end in a full queue; and there may be one by now, so that the present round is no
		 * yardstick. */
		memset(&c->ccd.cubic, 0, sizeof(c->ccd.cubic));
		cubic_init(c);
		q->last_min_us = (uint32_t)(c->min_rtt_ns / 1000);
	}
	hystart_round(c);
	if (c->hystart_done)
		return 0;
	if (sample->rtt_last_ns != 0) {
		uint64_t rtt_us = sample->rtt_last_ns / 1000;

		if (rtt_us < q->round_min_us)
			q->round_min_us = (uint32_t)rtt_us;
		if (q->round_samples < UINT16_MAX)
			q->round_samples++;
	}
	if (q->round_samples >= HYSTART_SAMPLES && q->round_min_us != UINT32_MAX &&
	    q->last_min_us != UINT32_MAX) {
		thresh = q->last_min_us / 8;
		thresh = thresh < HYSTART_MIN_US ? HYSTART_MIN_US : thresh;
		thresh = thresh > HYSTART_MAX_US ? HYSTART_MAX_US : thresh;
		if (q->css_rounds == 0 && q->round_min_us >= q->last_min_us + thresh) {
			q->css_rounds = 1;
			q->css_base_us = q->round_min_us;
		} else if (q->css_rounds > 0 && q->round_min_us < q->css_base_us) {
			q->css_rounds = 0; /* the rise was passing: back to slow start */
		}
	}
	return q->css_rounds > 0 ? sample->acked_bytes / CSS_DIVISOR : sample->acked_bytes;
}

static void cubic_on_ack(struct tcp_conn *c, const struct tcp_ack_sample *sample, uint64_t now_ns)
{
	struct tcp_cubic_growth *q = &c->ccd.cubic.growth;
	uint32_t left = sample->acked_bytes;
	uint32_t before;

	if (c->cwnd < c->ssthresh) {
		left = tcp_cc_slow_start(c, hystart_on_ack(c, sample));
		/* Section 4.8: after a timeout W_max is where congestion avoidance begins, and K is 0. After
		 * idle time W_max stays; but a new stage begins, from this cwnd and not with the W_est of
		 * before. */
		if (c->cwnd >= c->ssthresh && c->hystart_done) {
			q->w_max = q->epoch_ns == 0 ? c->cwnd : q->w_max;
			q->epoch_ns = 0;
		}
		if (left == 0)
			return;
	}
	hystart_end(c); /* cwnd is at ssthresh, whoever set that */
	if (q->epoch_ns == 0)
		epoch_start(c, now_ns);
	update_w_est(c, left);
	update_growth(c, now_ns);
	before = c->cwnd;
	tcp_cc_additive(c, &q->credit, left, q->per_mss);
	if (c->cwnd != before)
		q->per_mss = 0;
}

static uint32_t cubic_ssthresh(struct tcp_conn *c, uint32_t flight_bytes, bool is_ecn)
{
	struct tcp_cubic_growth *q = &c->ccd.cubic.growth;
	uint32_t ssthresh = (uint32_t)((uint64_t)flight_bytes * BETA_TENTHS / 10);

	hystart_end(c);
	/* A timeout in a fast recovery is one event with it. */
	if (c->phase != TCP_PHASE_RECOVERY) {
		q->undo_epoch_ns = q->epoch_ns;
		q->undo_w_max = q->w_max;
		q->undo_w_prior = q->w_prior;
	}
	q->epoch_ns = 0;
	q->w_prior = c->cwnd;
	/* Section 4.7: a flow that did not get back to w_max gives way faster. */
	q->w_max = c->cwnd < q->w_max ? scale_1024(c->cwnd, FAST_CONVERGENCE_1024) : c->cwnd;
	return tcp_cc_at_least(c, ssthresh, is_ecn);
}

/* Section 4.9.2: as if nothing had happened. K and W_est were left alone. */
static void cubic_undo(struct tcp_conn *c, uint64_t now_ns)
{
	struct tcp_cubic_growth *q = &c->ccd.cubic.growth;

	if (!c->hystart_done || q->epoch_ns != 0)
		return; /* a new stage has begun meanwhile */
	q->w_max = q->undo_w_max;
	q->w_prior = q->undo_w_prior;
	q->epoch_ns = q->undo_epoch_ns;
	q->update_at = (uint32_t)((now_ns - q->epoch_ns) >> UNIT_SHIFT);
	q->per_mss = 0;
	q->credit = 0;
	q->est_credit = 0;
}

const struct tcp_cc_ops tcp_cc_cubic = {
    .name = "cubic",
    .init = cubic_init,
    .on_ack = cubic_on_ack,
    .ssthresh = cubic_ssthresh,
    .undo = cubic_undo,
};
