/* SPDX-License-Identifier: BSD-2-Clause */
/* SYN_SENT, SYN_RCVD (RFC 9293 sections 3.10.7.3 and 3.10.7.4). */
#include "tcp/tcp_handshake.h"

#include <string.h>

#include "tcp/tcp_accecn.h"
#include "tcp/tcp_cc.h"
#include "tcp/tcp_data.h"
#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_hash.h"
#include "tcp/tcp_input.h"
#include "tcp/tcp_recovery.h"
#include "tcp/tcp_rtt.h"
#include "tcp/tcp_time_wait.h"

#define IPV4_AND_TCP_BYTES 40u
#define IPV6_AND_TCP_BYTES 60u

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool tcp_handshake_is_ipv4(const struct tcp_tuple *tuple)
{
	return memcmp(tuple->remote, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

uint16_t tcp_handshake_default_mss(const struct tcp_tuple *tuple)
{
	return tcp_handshake_is_ipv4(tuple) ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT_IPV6;
}

uint16_t tcp_handshake_mss(const struct tcp_tuple *tuple, uint16_t mtu)
{
	unsigned headers = tcp_handshake_is_ipv4(tuple) ? IPV4_AND_TCP_BYTES : IPV6_AND_TCP_BYTES;

	return (uint16_t)(mtu > headers + TCP_MSS_MIN ? mtu - headers : TCP_MSS_MIN);
}

uint8_t tcp_handshake_wscale(uint32_t window_max)
{
	uint8_t scale = 0;

	while (scale < TCP_WSCALE_MAX && window_max >> scale > UINT16_MAX)
		scale++;
	return scale;
}

void tcp_handshake_start(struct tcp_engine *e, uint32_t conn, const struct tcp_path *path, uint32_t iss)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t window_max =
	    path->rcv_window_max > path->rcv_window ? path->rcv_window_max : path->rcv_window;

	c->iss = iss;
	c->ts_offset = tcp_hash_ts_offset(e->keys.ts, &c->tuple);
	c->snd_una = 0;
	c->snd_nxt = 0;
	c->snd_end = 1;
	c->snd_wscale = TCP_NO_WSCALE;
	c->rcv_wscale = e->config.window_scaling ? tcp_handshake_wscale(window_max) : TCP_NO_WSCALE;
	c->rcv_limit = 1 + (int64_t)path->rcv_window;
	c->rcv_buf = path->rcv_window;
	c->mss_max = tcp_handshake_mss(&c->tuple, path->mtu);
	c->mss = c->mss_max;
	c->mss_limit = c->mss_max;
	c->rcv_mss = TCP_MSS_DEFAULT;
	c->ssthresh = TCP_SSTHRESH_INFINITE;
	c->reo_wnd_mult = 1;
	c->opened_ns = e->now_ns;
	c->heard_tick = tcp_tick(e);
	c->progress_tick = tcp_tick(e);
}

void tcp_handshake_negotiate(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint16_t peer_mss = s->mss != 0 ? s->mss : tcp_handshake_default_mss(&c->tuple);

	if (peer_mss < TCP_MSS_MIN)
		peer_mss = TCP_MSS_MIN;
	c->options = 0;
	if (s->has_ts && e->config.timestamps) {
		c->options |= TCP_INFO_TIMESTAMPS;
		c->ts_recent = s->ts_val;
		c->ts_recent_s = (uint32_t)(e->now_ns / 1000000000u);
	}
	if (s->sack_ok && e->config.sack)
		c->options |= TCP_INFO_SACK;
	if (s->wscale != TCP_NO_WSCALE && c->rcv_wscale != TCP_NO_WSCALE) {
		c->options |= TCP_INFO_WSCALE;
		c->snd_wscale = s->wscale;
	} else {
		c->snd_wscale = 0;
		c->rcv_wscale = 0;
	}
	/* RFC 3168 section 6.1.1: a SYN asks with ECE and CWR, a SYN-ACK agrees with ECE alone. */
	if (!tcp_accecn_negotiate(e, c, s) && (e->config.ecn || c->cc == TCP_CC_DCTCP)) {
		uint8_t want = s->flags & TCP_ACK ? TCP_ECE : TCP_ECE | TCP_CWR;

		if ((s->flags & (TCP_ECE | TCP_CWR)) == want)
			c->options |= TCP_INFO_ECN;
	}
	c->irs = s->seq;
	c->rcv_nxt = 1;
	c->rcv_adv = 1;
	c->ack_sent = 1;
	c->snd_wl1 = 0;
	tcp_conn_set_mss(c, peer_mss < c->mss_max ? peer_mss : c->mss_max);
}

void tcp_handshake_establish(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_first_syn = !(c->flags & CONN_SYN_RETRANS);
	/* After a simultaneous open SYN and SYN-ACK have both gone out, though nothing need be lost. */
	bool has_crossed = c->state == TCP_SYN_RCVD && !(c->flags & CONN_PASSIVE) && c->backoff == 0;
	bool is_announced;

	bool has_early_data = c->state == TCP_SYN_RCVD && c->snd_nxt > 1;

	/* Data that our SYN carried counts as far as it was taken; the rest has never been sent. */
	c->snd_una = c->state == TCP_SYN_SENT ? s->ack_pos : 1;
	if (!has_early_data)
		c->snd_nxt = c->snd_una;
	c->recovery_point = c->snd_una - 1; /* RFC 6582 section 3.2: the first number of all */
	c->rto_deadline_ns = 0;
	c->progress_tick = tcp_tick(e);
	c->heard_tick = tcp_tick(e);
	if (is_first_syn && (c->flags & CONN_SENT_ANY) && !has_early_data) {
		uint64_t rtt = e->now_ns - c->sent_ns;

		tcp_rtt_sample(c, rtt > 0 ? rtt : 1);
		tcp_rtt_sample_min(c, rtt > 0 ? rtt : 1, e->now_ns);
	}
	tcp_accecn_establish(c);
	if (c->backoff == 0)
		c->flags &= ~(uint32_t)CONN_SYN_RETRANS; /* else kept: RFC 6298 (5.7) asks */
	c->backoff = 0;
	if (c->options & TCP_INFO_ACCECN)
		e->stats->accecn_opens++;
	c->flags &= ~(uint32_t)CONN_SYN_OWED;
	c->mss_limit = c->mss_max;
	tcp_conn_note_window(c); /* that of their SYN */
	/* The window of the segment that completes the handshake; a SYN's is not scaled. */
	c->snd_wnd = s->flags & TCP_SYN ? s->window : s->window << c->snd_wscale;
	c->snd_wnd_max = c->snd_wnd;
	tcp_conn_note_window(c);
	c->snd_wl1 = (uint32_t)s->pos;
	c->snd_wl2 = (uint32_t)c->snd_una;
	/* RFC 6928 section 2: a lost SYN says to start with one segment (RFC 5681 section 3.1). */
	c->cwnd = is_first_syn || has_crossed ? tcp_recovery_initial_window(e, c) : c->mss;
	tcp_cc_start(c, c->cc, &e->config);
	is_announced = (c->flags & CONN_PASSIVE) && (c->flags & CONN_FAST_OPEN);
	tcp_set_state(e, conn, c->flags & CONN_FIN_QUEUED ? TCP_FIN_WAIT_1 : TCP_ESTABLISHED);
	c->flags &= ~(uint32_t)CONN_FAST_OPEN;
	if (c->flags & CONN_KEEPALIVE)
		c->idle_deadline_ns = e->now_ns + e->config.keepalive_idle_ns;
	if (c->flags & CONN_PASSIVE)
		e->stats->passive_opens++;
	if (!is_announced)
		e->ops->on_established(e->ctx, conn, c->listener);
	if (c->snd_una > 1) {
		c->options |= TCP_INFO_FAST_OPEN;
		e->ops->on_acked(e->ctx, conn, tcp_seq_off(c->snd_una));
	}
	tcp_output_list(e, conn);
}

/* What a SYN-ACK brings beside its SYN goes on at the sixth check of RFC 9293 section 3.10.7.4. Where the
 * user has closed already, it comes again. */
static void input_text(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_segment text = *s;

	if ((s->payload_len == 0 && !(s->flags & TCP_FIN)) || e->conns[conn].state != TCP_ESTABLISHED)
		return;
	text.flags &= (uint16_t)~TCP_SYN;
	text.pos = 1;
	text.end = 1 + (int64_t)s->payload_len + ((s->flags & TCP_FIN) != 0);
	tcp_data_input(e, conn, &text);
	tcp_ack_now(e, conn);
	if (tcp_data_take_fin(e, conn, false))
		tcp_set_state(e, conn, TCP_CLOSE_WAIT);
}

/* RFC 9293 section 3.10.7.3, with RFC 5961's reading of the ACK. */
void tcp_handshake_input_syn_sent(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool has_ack = s->flags & TCP_ACK;

	s->ack_pos = tcp_seq_unwrap(s->ack, c->iss, c->snd_una);
	if (has_ack && (s->ack_pos <= 0 || s->ack_pos > c->snd_nxt)) {
		e->stats->drop_bad_ack++;
		tcp_emit_rst_reply(e, s);
		return;
	}
	if (s->flags & TCP_RST) {
		if (!has_ack) {
			e->stats->drop_no_ack++;
			return;
		}
		e->stats->resets_in++;
		tcp_conn_end(e, conn, TCP_REASON_REFUSED);
		return;
	}
	if (!(s->flags & TCP_SYN)) {
		e->stats->drop_out_of_window++;
		return;
	}
	tcp_handshake_negotiate(e, conn, s);
	if (has_ack)
		tcp_fast_open_input_syn_ack(e, conn, s);
	/* Our SYN has offered this much already. */
	c->rcv_adv = c->rcv_limit < 1 + UINT16_MAX ? c->rcv_limit : 1 + UINT16_MAX;
	s->pos = 0;
	s->end = 1;
	c->snd_wnd = s->window;
	if (!has_ack) { /* simultaneous open: their SYN crossed ours */
		tcp_set_state(e, conn, TCP_SYN_RCVD);
		c->flags |= CONN_SYN_OWED | CONN_SYN_RETRANS;
		c->snd_nxt =
		    c->snd_nxt < 1 ? c->snd_nxt : 1; /* a peer that opens itself takes no data of a SYN */
		if (c->backoff > 1)
			c->backoff = 1; /* what is left of it says that a SYN was lost */
		tcp_output_list(e, conn);
		return;
	}
	tcp_handshake_establish(e, conn, s);
	tcp_ack_now(e, conn);
	input_text(e, conn, s);
}

/* The user of the listener cannot take more: the ACK is ignored, the peer's data will bring it again. */
static bool is_backlog_full(struct tcp_engine *e, const struct tcp_conn *c)
{
	const struct tcp_listener *l;

	if (!(c->flags & CONN_PASSIVE) || c->listener == TCP_NONE || (c->flags & CONN_FAST_OPEN))
		return false; /* an announced one has its place already */
	l = &e->listeners[c->listener];
	return l->waiting >= l->backlog;
}

void tcp_handshake_input_syn_rcvd(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_syn_ack;

	s->pos = tcp_seq_unwrap(s->seq, c->irs, c->rcv_nxt);
	/* Their SYN again: our SYN-ACK was lost or is late. */
	if ((s->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN && s->pos == 0) {
		tcp_accecn_on_repeated_syn(c, s);
		/* RFC 3168 section 6.1.1: who has received a SYN without ECN as well does not use it. */
		if ((c->options & (TCP_INFO_ECN | TCP_INFO_ACCECN)) == TCP_INFO_ECN &&
		    (s->flags & (TCP_ECE | TCP_CWR)) != (TCP_ECE | TCP_CWR))
			c->options &= (uint8_t)~TCP_INFO_ECN;
		c->flags |= CONN_SYN_OWED | CONN_SYN_RETRANS;
		tcp_output_list(e, conn);
		return;
	}
	/* In a simultaneous open the other SYN-ACK arrives below rcv_nxt and counts as the ACK. */
	is_syn_ack = !(c->flags & CONN_PASSIVE) &&
		     (s->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == (TCP_SYN | TCP_ACK) && s->pos == 0;
	if (is_syn_ack) {
		s->flags &= (uint16_t)~TCP_SYN;
		s->seq++;
	}
	if ((s->flags & TCP_RST) && s->pos == c->rcv_nxt) {
		e->stats->resets_in++;
		if ((c->flags & CONN_PASSIVE) && (c->flags & CONN_FAST_OPEN))
			tcp_fast_open_on_reset(e);
		tcp_conn_end(e, conn, c->flags & CONN_PASSIVE ? TCP_REASON_RESET : TCP_REASON_REFUSED);
		return;
	}
	if (!tcp_input_check(e, conn, s))
		return;
	if ((s->ack_pos < 1 || s->ack_pos > c->snd_nxt) && !tcp_listener_adopt_cookie(e, conn, s)) {
		e->stats->drop_bad_ack++;
		tcp_emit_rst_reply(e, s);
		return;
	}
	if (is_backlog_full(e, c)) {
		e->stats->drop_backlog++;
		return;
	}
	if (is_syn_ack) { /* a SYN still: its window is not scaled */
		s->flags |= TCP_SYN;
		tcp_handshake_establish(e, conn, s);
		input_text(e, conn, s);
		return;
	}
	tcp_handshake_establish(e, conn, s);
	/* The segment may carry payload and FIN: it goes on as in the new state. */
	tcp_input_dispatch(e, conn, s);
}
