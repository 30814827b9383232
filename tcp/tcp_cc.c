/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of congestion controls, what they share, and NewReno, which is hardly more than that. */
#include "tcp/tcp_cc.h"

#include <errno.h>
#include <string.h>

#include "tcp/tcp_sent.h"

static const struct tcp_cc_ops *const algorithms[TCP_CC_COUNT] = {
    [TCP_CC_DEFAULT] = &tcp_cc_cubic,
    [TCP_CC_CUBIC] = &tcp_cc_cubic,
    [TCP_CC_NEWRENO] = &tcp_cc_newreno,
    [TCP_CC_DCTCP] = &tcp_cc_dctcp,
};

const struct tcp_cc_ops *tcp_cc_ops_of(const struct tcp_conn *c)
{
	return algorithms[c->cc < TCP_CC_COUNT ? c->cc : TCP_CC_CUBIC];
}

void tcp_cc_start(struct tcp_conn *c, uint8_t cc, const struct tcp_config *config)
{
	if (cc == TCP_CC_DEFAULT)
		cc = config->cc;
	if (cc == TCP_CC_DEFAULT || cc >= TCP_CC_COUNT)
		cc = TCP_CC_CUBIC;
	c->cc = cc;
	memset(&c->ccd, 0, sizeof(c->ccd));
	tcp_cc_ops_of(c)->init(c);
}

uint32_t tcp_cc_slow_start(struct tcp_conn *c, uint32_t acked_bytes)
{
	uint32_t room;

	if (c->cwnd >= c->ssthresh)
		return acked_bytes;
	room = c->ssthresh - c->cwnd;
	if (acked_bytes <= room) {
		c->cwnd += acked_bytes;
		return 0;
	}
	c->cwnd = c->ssthresh;
	return acked_bytes - room;
}

void tcp_cc_additive(struct tcp_conn *c, uint32_t *credit, uint32_t acked_bytes, uint32_t per_mss)
{
	*credit += acked_bytes;
	if (*credit < per_mss)
		return;
	/* One ACK of a large train may earn several; more than a window per ACK cannot be. */
	for (unsigned i = 0; i < 16 && *credit >= per_mss; i++) {
		*credit -= per_mss;
		if (c->cwnd < TCP_CWND_MAX - c->mss)
			c->cwnd += c->mss;
	}
	if (*credit >= per_mss)
		*credit = 0;
}

uint32_t tcp_cc_flight(const struct tcp_conn *c, int64_t una, uint32_t cwnd)
{
	uint32_t flight = tcp_seq_span(una, c->snd_nxt);

	/* CUBIC may take cwnd itself (RFC 9438 section 4.6), also what the end of a recovery gives; RFC 5681
	 * equation 4 the segments that were in it. */
	if (c->cc == TCP_CC_CUBIC)
		cwnd = c->cwnd;
	if (flight <= cwnd && !(c->flags & CONN_CWND_FULL))
		return flight;
	return c->cc == TCP_CC_CUBIC ? cwnd : cwnd - cwnd % c->mss;
}

uint32_t tcp_cc_at_least(const struct tcp_conn *c, uint32_t window, bool is_ecn)
{
	uint32_t floor = is_ecn ? c->mss : 2u * c->mss;

	return window > floor ? window : floor;
}

static void newreno_init(struct tcp_conn *c)
{
	c->ccd.newreno.credit = 0;
}

static void newreno_on_ack(struct tcp_conn *c, const struct tcp_ack_sample *sample, uint64_t now_ns)
{
	uint32_t left = tcp_cc_slow_start(c, sample->acked_bytes);

	(void)now_ns;
	if (left > 0)
		tcp_cc_additive(c, &c->ccd.newreno.credit, left, c->cwnd);
}

static uint32_t newreno_ssthresh(struct tcp_conn *c, uint32_t flight_bytes, bool is_ecn)
{
	c->ccd.newreno.credit = 0;
	return tcp_cc_at_least(c, flight_bytes / 2, is_ecn);
}

const struct tcp_cc_ops tcp_cc_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .on_ack = newreno_on_ack,
    .ssthresh = newreno_ssthresh,
};

const char *tcp_cc_name(enum tcp_cc cc)
{
	if (cc == TCP_CC_DEFAULT)
		return "default";
	return (unsigned)cc < TCP_CC_COUNT ? algorithms[cc]->name : "unknown";
}

int tcp_cc_by_name(const char *name)
{
	for (int i = TCP_CC_CUBIC; i < TCP_CC_COUNT; i++)
		if (strcmp(name, algorithms[i]->name) == 0)
			return i;
	return strcmp(name, "default") == 0 ? TCP_CC_DEFAULT : -EINVAL;
}
