/* SPDX-License-Identifier: BSD-2-Clause */
/* DCTCP (RFC 8257): the reduction is in proportion to the share of marked bytes. */
#include "tcp/tcp_cc.h"

#include "tcp/tcp_sent.h"

#define ALPHA_ONE  1024u
#define GAIN_SHIFT 4 /* g = 1/16 */

static void dctcp_init(struct tcp_conn *c)
{
	c->ccd.dctcp.alpha = ALPHA_ONE;
	c->ccd.dctcp.window_end = c->snd_nxt;
}

/* Section 3.3: alpha = (1 - g) alpha + g M, once per window. */
static void dctcp_on_marks(struct tcp_conn *c, const struct tcp_ack_sample *sample)
{
	struct tcp_dctcp *d = &c->ccd.dctcp;
	uint32_t share;

	d->acked_bytes += sample->acked_bytes;
	if (c->options & TCP_INFO_ACCECN)
		d->marked_bytes += sample->marked_bytes;
	else if (sample->is_ece)
		d->marked_bytes += sample->acked_bytes;
	if (c->snd_una <= d->window_end)
		return;
	share = d->acked_bytes > 0 ? (uint32_t)((uint64_t)d->marked_bytes * ALPHA_ONE / d->acked_bytes) : 0;
	if (share > ALPHA_ONE)
		share = ALPHA_ONE; /* bytes are told as they arrive, not as they are acknowledged */
	d->alpha = d->alpha - (d->alpha >> GAIN_SHIFT) + (share >> GAIN_SHIFT);
	if (d->alpha < 1u << GAIN_SHIFT && share == 0)
		d->alpha = 0; /* else integer rounding would keep a small rest for ever */
	d->acked_bytes = 0;
	d->marked_bytes = 0;
	d->window_end = c->snd_nxt;
}

static void dctcp_on_ack(struct tcp_conn *c, const struct tcp_ack_sample *sample, uint64_t now_ns)
{
	uint32_t left = tcp_cc_slow_start(c, sample->acked_bytes);

	(void)now_ns;
	if (left > 0)
		tcp_cc_additive(c, &c->ccd.dctcp.credit, left, c->cwnd);
}

static uint32_t dctcp_ssthresh(struct tcp_conn *c, uint32_t flight_bytes, bool is_ecn)
{
	uint32_t ssthresh;

	c->ccd.dctcp.credit = 0;
	if (!is_ecn)
		return tcp_cc_at_least(c, flight_bytes / 2, false); /* section 3.5: loss as in any TCP */
	ssthresh = c->cwnd - (uint32_t)((uint64_t)c->cwnd * c->ccd.dctcp.alpha >> 11);
	return tcp_cc_at_least(c, ssthresh, true);
}

const struct tcp_cc_ops tcp_cc_dctcp = {
    .name = "dctcp",
    .init = dctcp_init,
    .on_ack = dctcp_on_ack,
    .ssthresh = dctcp_ssthresh,
    .on_marks = dctcp_on_marks,
};
