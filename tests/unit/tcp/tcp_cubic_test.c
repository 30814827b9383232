/* SPDX-License-Identifier: BSD-2-Clause */
/* CUBIC (RFC 9438) and HyStart++ (RFC 9406) by numbers worked out from the text. */
#include <criterion/criterion.h>

#include "tests/unit/tcp/rig.h"
#include "tcp/tcp_cc.h"

#define MSS 1000u

static struct tcp_config config;

static struct tcp_conn start(uint32_t cwnd_segments, uint32_t ssthresh_segments)
{
	struct tcp_conn c = {.mss = MSS,
			     .cwnd = cwnd_segments * MSS,
			     .ssthresh = ssthresh_segments * MSS,
			     .snd_una = 1,
			     .snd_nxt = 1 + cwnd_segments * MSS,
			     .srtt_ns = 100 * RIG_MS};

	tcp_config_default(&config);
	tcp_cc_start(&c, TCP_CC_CUBIC, &config);
	return c;
}

static void ack(struct tcp_conn *c, uint32_t bytes, uint64_t now_ns, uint64_t rtt_ns)
{
	struct tcp_ack_sample sample = {.acked_bytes = bytes, .rtt_last_ns = rtt_ns};

	c->snd_una += bytes;
	c->snd_nxt += bytes;
	tcp_cc_ops_of(c)->on_ack(c, &sample, now_ns);
}

/* A loss: ssthresh from the algorithm, cwnd there, as recovery leaves it. */
static void lose(struct tcp_conn *c)
{
	c->ssthresh = tcp_cc_ops_of(c)->ssthresh(c, tcp_cc_flight(c, c->snd_una, c->cwnd), false);
	c->cwnd = c->ssthresh;
	c->snd_nxt = c->snd_una + c->cwnd;
}

Test(tcp_cubic, rfc9438_4_6_beta_is_0_7)
{
	struct tcp_conn c = start(100, 100);

	lose(&c);
	/* 0.7 * 100 segments, within the 1/1024 of the fixed point */
	cr_assert(c.ssthresh >= 69900 && c.ssthresh <= 70100, "%u", c.ssthresh);
}

/* Of a batch of ACKs that took 90 segments out of the flight, the last one finds a loss: the window was
 * needed. */
Test(tcp_cubic, rfc9438_4_6_flight_is_that_of_the_last_output)
{
	struct tcp_conn limited = start(100, 100), idle = start(100, 100);

	limited.flags |= CONN_CWND_FULL;
	limited.snd_una += 90 * MSS;
	idle.snd_una += 90 * MSS;
	lose(&limited);
	lose(&idle);
	cr_assert(limited.ssthresh >= 69900 && limited.ssthresh <= 70100, "%u", limited.ssthresh);
	/* Not limited by cwnd: only what was really in flight counts. */
	cr_assert(idle.ssthresh >= 6990 && idle.ssthresh <= 7010, "%u", idle.ssthresh);
}

Test(tcp_cubic, rfc9438_4_6_not_below_two_segments)
{
	struct tcp_conn c = start(2, 2);

	lose(&c);
	cr_assert_eq(c.ssthresh, 2 * MSS);
}

Test(tcp_cubic, rfc9438_4_7_fast_convergence)
{
	struct tcp_conn c = start(100, 100);

	lose(&c);
	cr_assert_eq(c.ccd.cubic.growth.w_max, 100 * MSS);
	lose(&c);
	/* cwnd 70 < w_max 100: w_max = 70 * (1 + 0.7) / 2 = 59.5 segments */
	cr_assert(c.ccd.cubic.growth.w_max >= 59300 && c.ccd.cubic.growth.w_max <= 59700, "%u",
		  c.ccd.cubic.growth.w_max);
}

/* A loss that was none, and the timeout in its recovery: the curve goes on as if nothing had happened. */
Test(tcp_cubic, rfc9438_4_9_2_undo_goes_back_to_the_curve)
{
	struct tcp_conn c = start(100, 100);
	uint64_t now = 1000 * RIG_S;
	struct tcp_cubic_growth before;

	lose(&c);
	for (uint32_t i = 0; i < 200; i++)
		ack(&c, MSS, now += 10 * RIG_MS, 0);
	before = c.ccd.cubic.growth;
	lose(&c);
	c.phase = TCP_PHASE_RECOVERY;
	lose(&c);
	cr_assert_neq(c.ccd.cubic.growth.w_max, before.w_max);
	tcp_cc_ops_of(&c)->undo(&c, now);
	cr_assert_eq(c.ccd.cubic.growth.w_max, before.w_max);
	cr_assert_eq(c.ccd.cubic.growth.w_prior, before.w_prior);
	cr_assert_eq(c.ccd.cubic.growth.epoch_ns, before.epoch_ns);
	cr_assert_eq(c.ccd.cubic.growth.k, before.k);
	cr_assert_eq(c.ccd.cubic.growth.w_est, before.w_est);
}

Test(tcp_cubic, rfc9438_4_2_back_at_w_max_after_k)
{
	struct tcp_conn c = start(100, 100);
	uint64_t now = 1000 * RIG_S;
	uint64_t k_ns;

	lose(&c);
	/* K = cbrt((100 - 70) / 0.4) = cbrt(75) = 4.217 s. With one window acknowledged per 100 ms cwnd must
	 * be at w_max then, and Reno's estimate (70 + 42 * 0.53 = 92 segments) must not be ahead of it. */
	k_ns = 4217 * RIG_MS;
	for (uint64_t t = 0; t <= k_ns; t += 100 * RIG_MS)
		for (uint32_t i = 0, n = c.cwnd / MSS; i < n; i++)
			ack(&c, MSS, now + t, 0);
	cr_assert(c.cwnd >= 97 * MSS && c.cwnd <= 102 * MSS, "cwnd %u", c.cwnd);
}

Test(tcp_cubic, rfc9438_4_2_convex_after_w_max)
{
	struct tcp_conn c = start(100, 100);
	uint64_t now = 1000 * RIG_S;

	lose(&c);
	/* 3 s beyond K: w_max + 0.4 * 27 = 110.8 segments; Reno: 70 + 72 rounds * ~0.6 = 112 */
	for (uint64_t t = 0; t <= 7217 * RIG_MS; t += 100 * RIG_MS)
		for (uint32_t i = 0, n = c.cwnd / MSS; i < n; i++)
			ack(&c, MSS, now + t, 0);
	cr_assert(c.cwnd >= 105 * MSS && c.cwnd <= 118 * MSS, "cwnd %u", c.cwnd);
}

Test(tcp_cubic, rfc9438_4_3_reno_friendly_on_short_paths)
{
	struct tcp_conn c = start(20, 20);
	uint64_t now = 1000 * RIG_S;

	c.srtt_ns = RIG_MS;
	lose(&c); /* 14 segments */
	/* 20 rounds of 1 ms: W_cubic has not moved. Reno gains alpha = 0.53 segments a round up to the old
	 * cwnd of 20 (11.3 rounds), then one (section 4.3): 14 + 6 + 8.7 = 28.7. */
	for (uint64_t t = 0; t < 20 * RIG_MS; t += RIG_MS)
		for (uint32_t i = 0, n = c.cwnd / MSS; i < n; i++)
			ack(&c, MSS, now + t, 0);
	cr_assert(c.cwnd >= 26 * MSS && c.cwnd <= 30 * MSS, "cwnd %u", c.cwnd);
}

/* The estimate is not in whole segments, and cwnd is it at once: from 2.8 segments the third needs 0.2 / 0.53
 * of a window, 1.06 segments acknowledged, and the fourth a window (3.5 on the way) / 0.53, 6.6 more. */
Test(tcp_cubic, rfc9438_4_3_fractions_of_a_segment_count)
{
	struct tcp_conn c = start(4, 4);
	uint64_t now = 1000 * RIG_S;

	c.srtt_ns = RIG_MS;
	lose(&c); /* 2.8 segments */
	ack(&c, MSS, now, 0);
	cr_assert(c.cwnd > 2800 && c.cwnd < 3 * MSS, "cwnd %u", c.cwnd);
	ack(&c, MSS, now, 0);
	cr_assert(c.cwnd >= 3 * MSS && c.cwnd < 3200, "cwnd %u", c.cwnd);
	for (unsigned i = 0; i < 6; i++)
		ack(&c, MSS, now, 0);
	cr_assert(c.cwnd >= 3900 && c.cwnd <= 4200, "cwnd %u", c.cwnd);
}

Test(tcp_cubic, rfc5681_3_1_slow_start_doubles)
{
	struct tcp_conn c = start(10, 1000);
	uint64_t now = 1000 * RIG_S;

	for (uint32_t i = 0; i < 10; i++)
		ack(&c, MSS, now, 100 * RIG_MS);
	cr_assert_eq(c.cwnd, 20 * MSS);
}

/* L of section 4.3 is infinite, although output is not paced: tests/conformance/README.md says why. */
Test(tcp_cubic, rfc9406_4_3_one_ack_of_many_segments_counts_whole)
{
	struct tcp_conn c = start(44, 1000);

	ack(&c, 44 * MSS, 1000 * RIG_S, 100 * RIG_MS);
	cr_assert_eq(c.cwnd, 88 * MSS);
}

Test(tcp_cubic, rfc9406_4_2_rising_rtt_ends_slow_start)
{
	struct tcp_conn c = start(16, 100000);
	uint64_t now = 1000 * RIG_S;

	c.ssthresh = TCP_SSTHRESH_INFINITE;
	/* Two rounds at 40 ms, then 60 ms: threshold is max(4, min(40/8, 16)) = 5 ms, so CSS begins; after
	 * five rounds of it ssthresh is set. */
	for (unsigned round = 0; round < 12; round++)
		for (uint32_t i = 0, n = c.cwnd / MSS; i < n; i++)
			ack(&c, MSS, now, round < 2 ? 40 * RIG_MS : 60 * RIG_MS);
	cr_assert_lt(c.ssthresh, TCP_SSTHRESH_INFINITE);
	cr_assert(c.hystart_done);
}

/* A first reduction that is undone leads back into the initial slow start, and that is still watched: against
 * the shortest round trip ever, since the queue may stand by now. */
Test(tcp_cubic, rfc9406_4_3_again_after_undo)
{
	struct tcp_conn c = start(10, 0);
	uint64_t now = RIG_S;

	c.ssthresh = TCP_SSTHRESH_INFINITE;
	lose(&c);
	c.ssthresh = TCP_SSTHRESH_INFINITE;
	c.cwnd = 10 * MSS;
	c.snd_nxt = c.snd_una + c.cwnd;
	c.min_rtt_ns = 100 * RIG_MS;
	for (int round = 0; round < 12; round++)
		for (uint32_t left = c.cwnd; left >= MSS; left -= MSS)
			ack(&c, MSS, now += RIG_MS, 130 * RIG_MS);
	cr_assert(c.ssthresh < TCP_SSTHRESH_INFINITE, "slow start went on to %u", c.cwnd);
}

Test(tcp_cubic, rfc9406_4_2_steady_rtt_does_not)
{
	struct tcp_conn c = start(16, 100000);

	c.ssthresh = TCP_SSTHRESH_INFINITE;
	for (unsigned round = 0; round < 8; round++)
		for (uint32_t i = 0, n = c.cwnd / MSS; i < n; i++)
			ack(&c, MSS, 1000 * RIG_S, 41 * RIG_MS);
	cr_assert_eq(c.ssthresh, TCP_SSTHRESH_INFINITE);
	cr_assert_eq(c.cwnd, 16 * 256 * MSS);
}

Test(tcp_newreno, rfc5681_3_1_one_segment_per_round)
{
	struct tcp_conn c = start(10, 10);

	tcp_cc_start(&c, TCP_CC_NEWRENO, &config);
	for (uint32_t i = 0; i < 10; i++)
		ack(&c, MSS, 1000 * RIG_S, 0);
	cr_assert_eq(c.cwnd, 11 * MSS);
	lose(&c); /* equation 4: half of what is in flight */
	cr_assert_eq(c.ssthresh, 5 * MSS);
}

Test(tcp_dctcp, rfc8257_3_3_alpha)
{
	struct tcp_conn c = start(10, 10);
	const struct tcp_cc_ops *cc;
	struct tcp_ack_sample marked = {.acked_bytes = 10 * MSS, .is_ece = true};
	struct tcp_ack_sample clean = {.acked_bytes = 10 * MSS};

	tcp_cc_start(&c, TCP_CC_DCTCP, &config);
	cc = tcp_cc_ops_of(&c);
	c.snd_una = c.snd_nxt;
	cr_assert_eq(c.ccd.dctcp.alpha, 1024);
	/* alpha = 1: a marked window halves cwnd (section 3.3 step 8) */
	cr_assert_eq(cc->ssthresh(&c, 10 * MSS, true), 5 * MSS);
	/* WindowEnd itself is of the window still (step 5) */
	cc->on_marks(&c, &clean);
	cr_assert_eq(c.ccd.dctcp.alpha, 1024);
	/* alpha = (1 - 1/16) * 1 = 0.9375 after a clean window */
	c.snd_una = c.snd_nxt += 10 * MSS;
	cc->on_marks(&c, &clean);
	cr_assert_eq(c.ccd.dctcp.alpha, 960);
	c.snd_una = c.snd_nxt += 10 * MSS;
	cc->on_marks(&c, &marked);
	cr_assert_eq(c.ccd.dctcp.alpha, 964); /* 960 - 60 + 64 */
	c.ccd.dctcp.alpha = 102;              /* about 0.1: cwnd * (1 - 0.05) */
	cr_assert_eq(cc->ssthresh(&c, 10 * MSS, true), 10000 - 498);
	/* a loss is a loss (section 3.5) */
	c.snd_nxt = c.snd_una + 10 * MSS;
	cr_assert_eq(cc->ssthresh(&c, 10 * MSS, false), 5 * MSS);
}
