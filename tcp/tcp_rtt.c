/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 6298. */
#include "tcp/tcp_rtt.h"

#include "tcp/tcp_wheel.h"

#define CLOCK_GRANULARITY_NS (UINT64_C(1) << TCP_WHEEL_SHIFT)
#define NS_PER_S             UINT64_C(1000000000)
#define MIN_RTT_WINDOW_S     300
#define AFTER_LOST_SYN_NS    (3 * NS_PER_S)

void tcp_rtt_sample(struct tcp_conn *c, uint64_t rtt_ns)
{
	uint64_t deviation;

	if (c->srtt_ns == 0) { /* (2.2) */
		c->srtt_ns = rtt_ns;
		c->rttvar_ns = rtt_ns / 2;
		return;
	}
	/* (2.3): beta = 1/4, alpha = 1/8 */
	deviation = c->srtt_ns > rtt_ns ? c->srtt_ns - rtt_ns : rtt_ns - c->srtt_ns;
	c->rttvar_ns = c->rttvar_ns - c->rttvar_ns / 4 + deviation / 4;
	c->srtt_ns = c->srtt_ns - c->srtt_ns / 8 + rtt_ns / 8;
	if (c->srtt_ns == 0)
		c->srtt_ns = 1;
}

void tcp_rtt_sample_min(struct tcp_conn *c, uint64_t rtt_ns, uint64_t now_ns)
{
	/* Most ACKs end at the first comparison or need the seconds, which is a multiplication. */
	if (c->min_rtt_ns != 0 && rtt_ns > c->min_rtt_ns &&
	    (uint32_t)(now_ns / NS_PER_S) - c->min_rtt_at_s < MIN_RTT_WINDOW_S)
		return;
	c->min_rtt_ns = rtt_ns;
	c->min_rtt_at_s = (uint32_t)(now_ns / NS_PER_S);
}

uint64_t tcp_rto_ns(const struct tcp_conn *c, const struct tcp_config *config)
{
	uint64_t variation = 4 * c->rttvar_ns;
	uint64_t rto;

	if (c->srtt_ns == 0) {
		rto = config->rto_initial_ns; /* (2.1) */
		if ((c->flags & CONN_SYN_RETRANS) && c->state >= TCP_ESTABLISHED && rto < AFTER_LOST_SYN_NS)
			rto = AFTER_LOST_SYN_NS; /* (5.7) */
	} else {
		rto = c->srtt_ns + (variation > CLOCK_GRANULARITY_NS ? variation : CLOCK_GRANULARITY_NS);
		if (rto < config->rto_min_ns) /* (2.4) */
			rto = config->rto_min_ns;
	}
	/* (5.5) */
	for (unsigned left = c->backoff + c->backoff_kept; left > 0 && rto < config->rto_max_ns; left--)
		rto *= 2;
	return rto < config->rto_max_ns ? rto : config->rto_max_ns; /* (2.5) */
}
