/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 6298 by numbers. */
#include <criterion/criterion.h>

#include "tests/unit/tcp/rig.h"
#include "tcp/tcp_rtt.h"

static struct tcp_config config;

static void setup(void)
{
	tcp_config_default(&config);
}

TestSuite(tcp_rtt, .init = setup);

Test(tcp_rtt, rfc6298_2_1_initial)
{
	struct tcp_conn c = {0};

	cr_assert_eq(tcp_rto_ns(&c, &config), RIG_S);
}

Test(tcp_rtt, rfc6298_2_2_first_measurement)
{
	struct tcp_conn c = {0};

	tcp_rtt_sample(&c, 400 * RIG_MS);
	cr_assert_eq(c.srtt_ns, 400 * RIG_MS);
	cr_assert_eq(c.rttvar_ns, 200 * RIG_MS);
	/* 400 + 4 * 200 */
	cr_assert_eq(tcp_rto_ns(&c, &config), 1200 * RIG_MS);
}

Test(tcp_rtt, rfc6298_2_3_second_measurement)
{
	struct tcp_conn c = {0};

	tcp_rtt_sample(&c, 400 * RIG_MS);
	tcp_rtt_sample(&c, 240 * RIG_MS);
	/* rttvar = 3/4 * 200 + 1/4 * |400 - 240| = 190; srtt = 7/8 * 400 + 1/8 * 240 = 380 */
	cr_assert_eq(c.rttvar_ns, 190 * RIG_MS);
	cr_assert_eq(c.srtt_ns, 380 * RIG_MS);
}

Test(tcp_rtt, bounds)
{
	struct tcp_conn c = {0};

	tcp_rtt_sample(&c, 10 * RIG_US);
	cr_assert_eq(tcp_rto_ns(&c, &config), 200 * RIG_MS); /* (2.4), configured */
	c.backoff = 3;
	cr_assert_eq(tcp_rto_ns(&c, &config), 1600 * RIG_MS); /* (5.5) */
	c.backoff = TCP_BACKOFF_MAX;
	cr_assert_eq(tcp_rto_ns(&c, &config), 60 * RIG_S); /* (2.5) */
}

Test(tcp_rtt, minimum_forgets_after_five_minutes)
{
	struct tcp_conn c = {0};

	tcp_rtt_sample_min(&c, 100, 1000 * RIG_S);
	tcp_rtt_sample_min(&c, 200, 1299 * RIG_S);
	cr_assert_eq(c.min_rtt_ns, 100);
	tcp_rtt_sample_min(&c, 200, 1300 * RIG_S);
	cr_assert_eq(c.min_rtt_ns, 200);
	tcp_rtt_sample_min(&c, 50, 1300 * RIG_S);
	cr_assert_eq(c.min_rtt_ns, 50);
}
