/* SPDX-License-Identifier: BSD-2-Clause */
/* Reports and names. */
#include "tcp/tcp_info.h"

#include <errno.h>

#include "tcp/tcp_engine.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_rtt.h"

static uint32_t to_us(uint64_t ns)
{
	uint64_t us = ns / 1000;

	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static uint64_t rate(const struct tcp_conn *c)
{
	if (c->rate_us == 0)
		return 0;
	/* rate_us counts units of 1024 ns. */
	return (uint64_t)c->rate_bytes * 1000000000u / ((uint64_t)c->rate_us << 10);
}

void tcp_info_fill(const struct tcp_conn *c, const struct tcp_config *config, struct tcp_info *info)
{
	struct tcp_config defaults;

	if (!config) {
		tcp_config_default(&defaults);
		config = &defaults;
	}
	*info = (struct tcp_info){
	    .tuple = c->tuple,
	    .state = c->state,
	    .cc = c->cc < TCP_CC_COUNT ? c->cc : TCP_CC_DEFAULT,
	    .options = c->options,
	    .snd_wscale = c->snd_wscale <= TCP_WSCALE_MAX ? c->snd_wscale : 0,
	    .rcv_wscale = c->rcv_wscale <= TCP_WSCALE_MAX ? c->rcv_wscale : 0,
	    .phase = c->phase < TCP_PHASE_COUNT ? c->phase : TCP_PHASE_OPEN,
	    .in_recovery = c->phase == TCP_PHASE_RECOVERY || c->phase == TCP_PHASE_LOSS,
	    .mss = c->mss,
	    .cwnd_bytes = c->cwnd,
	    .ssthresh_bytes = c->ssthresh,
	    .snd_wnd_bytes = c->snd_wnd,
	    .rcv_wnd_bytes = tcp_seq_span(c->rcv_nxt, c->rcv_adv),
	    .unacked_bytes = tcp_seq_span(c->snd_una, c->snd_nxt),
	    .unsent_bytes = tcp_seq_span(c->snd_nxt, c->snd_end),
	    .ooo_bytes = c->ooo_bytes,
	    .srtt_us = to_us(c->srtt_ns),
	    .rttvar_us = to_us(c->rttvar_ns),
	    .rto_us = to_us(tcp_rto_ns(c, config)),
	    .min_rtt_us = to_us(c->min_rtt_ns),
	    .retransmits = c->retransmits,
	    .backoff = c->backoff,
	    .acked_bytes = tcp_seq_span(1, c->snd_una) > 0
			       ? tcp_seq_off(c->snd_una < c->snd_end ? c->snd_una : c->snd_end)
			       : 0,
	    .received_bytes = c->rcv_nxt > 0 ? tcp_seq_off(c->rcv_nxt) : 0,
	    .rx_limit_off = c->rcv_limit > 0 ? tcp_seq_off(c->rcv_limit) : 0,
	    .delivery_rate_bytes_s = rate(c),
	    .rack_reo_wnd_us = to_us(tcp_rack_window_ns(c)),
	    .lost_segments = c->lost_segments,
	    .opened_at_ns = c->opened_ns,
	};
}

int tcp_info(const struct tcp_engine *e, uint32_t conn, struct tcp_info *info)
{
	if (!tcp_conn_is_valid(e, conn))
		return -EBADF;
	tcp_info_fill(&e->conns[conn], &e->config, info);
	return 0;
}

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[TCP_STATE_COUNT] = {
	    [TCP_CLOSED] = "closed",           [TCP_LISTEN] = "listen",
	    [TCP_SYN_SENT] = "syn-sent",       [TCP_SYN_RCVD] = "syn-rcvd",
	    [TCP_ESTABLISHED] = "established", [TCP_FIN_WAIT_1] = "fin-wait-1",
	    [TCP_FIN_WAIT_2] = "fin-wait-2",   [TCP_CLOSE_WAIT] = "close-wait",
	    [TCP_CLOSING] = "closing",         [TCP_LAST_ACK] = "last-ack",
	    [TCP_TIME_WAIT] = "time-wait",
	};

	return (unsigned)state < TCP_STATE_COUNT ? names[state] : "unknown";
}

const char *tcp_phase_name(enum tcp_phase phase)
{
	static const char *const names[TCP_PHASE_COUNT] = {
	    [TCP_PHASE_OPEN] = "open",
	    [TCP_PHASE_CWR] = "cwr",
	    [TCP_PHASE_RECOVERY] = "recovery",
	    [TCP_PHASE_LOSS] = "loss",
	};

	return (unsigned)phase < TCP_PHASE_COUNT ? names[phase] : "unknown";
}

const char *tcp_reason_name(enum tcp_reason reason)
{
	static const char *const names[TCP_REASON_COUNT] = {
	    [TCP_REASON_CLOSED] = "closed",
	    [TCP_REASON_ABORTED] = "aborted",
	    [TCP_REASON_RESET] = "reset",
	    [TCP_REASON_REFUSED] = "refused",
	    [TCP_REASON_TIMEOUT] = "timeout",
	    [TCP_REASON_UNREACHABLE] = "unreachable",
	    [TCP_REASON_NO_RESOURCE] = "no-resource",
	};

	return (unsigned)reason < TCP_REASON_COUNT ? names[reason] : "unknown";
}
