/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies (RFC 4987 section 3.6). The sequence number holds 5 bits of time (64 s each), 3 bits of MSS and
 * 24 bits of a keyed hash over all of it; with timestamps the lowest 6 bits of our TSval hold window scale,
 * SACK and ECN, which would otherwise be lost.
 */
#include <string.h>

#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_handshake.h"
#include "tcp/tcp_hash.h"

#define PERIOD_NS     (UINT64_C(64) * 1000000000u)
#define PERIODS_VALID 2u
#define TIME_SHIFT    27
#define MSS_SHIFT     24
#define MAC_MASK      0xffffffu
#define TS_BITS       6
#define TS_MASK       ((1u << TS_BITS) - 1)
#define TS_WSCALE     0x0fu /* 15: none */
#define TS_SACK       0x10u
#define TS_ECN        0x20u

/* Rounded down only. The first is what no connection goes below (tcp_conn.h). */
static const uint16_t mss_table[8] = {TCP_MSS_MIN, 536, 1188, 1300, 1400, 1440, 1460, 8960};

static uint32_t mss_index(uint16_t mss)
{
	uint32_t i = 7;

	while (i > 0 && mss_table[i] > mss)
		i--;
	return i;
}

static uint32_t period(const struct tcp_engine *e)
{
	return (uint32_t)(e->now_ns / PERIOD_NS);
}

/* The hash takes the whole period number, not just the bits that are sent. */
static uint32_t make(const struct tcp_engine *e, const struct tcp_tuple *tuple, uint32_t irs, uint32_t when,
		     uint32_t index)
{
	uint32_t mac = tcp_hash_cookie(e->keys.cookie, tuple, irs, when << 3 | index) & MAC_MASK;

	return (when & 31u) << TIME_SHIFT | index << MSS_SHIFT | mac;
}

void tcp_cookie_send(struct tcp_engine *e, const struct tcp_segment *s, const struct tcp_path *path,
		     bool use_ecn)
{
	struct tcp_emit train = {.tuple = &s->tuple, .conn = TCP_NONE, .flags = TCP_SYN | TCP_ACK};
	bool has_ts = s->has_ts && e->config.timestamps;
	bool has_sack = s->sack_ok && e->config.sack && has_ts;
	bool has_ecn = use_ecn && has_ts && (s->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
	bool has_wscale = s->wscale != TCP_NO_WSCALE && e->config.window_scaling && has_ts;
	uint16_t our_mss = tcp_handshake_mss(&s->tuple, path->mtu);
	uint16_t peer_mss = s->mss != 0 ? s->mss : tcp_handshake_default_mss(&s->tuple);
	struct tcp_syn_options o = {
	    .mss = our_mss,
	    .wscale = TCP_NO_WSCALE,
	    .has_sack = has_sack,
	    .has_ts = has_ts,
	    .ts_ecr = s->ts_val,
	    .fast_open_len = TCP_NO_FAST_OPEN,
	};

	if (has_wscale)
		o.wscale = tcp_handshake_wscale(path->rcv_window_max > path->rcv_window ? path->rcv_window_max
											: path->rcv_window);
	if (has_ts) {
		uint32_t now_ts = tcp_ts_clock(e) + tcp_hash_ts_offset(e->keys.ts, &s->tuple);
		uint32_t bits =
		    (has_wscale ? s->wscale : TS_WSCALE) | (has_sack ? TS_SACK : 0) | (has_ecn ? TS_ECN : 0);

		/* Never ahead of the clock, else the connection's next timestamp would seem old. */
		o.ts_val = (now_ts & ~TS_MASK) | bits;
		if (tcp_ts_before(now_ts, o.ts_val))
			o.ts_val -= 1u << TS_BITS;
	}
	train.seq = make(e, &s->tuple, s->seq, period(e), mss_index(peer_mss));
	train.ack = s->seq + 1;
	train.window = (uint16_t)(path->rcv_window < UINT16_MAX ? path->rcv_window : UINT16_MAX);
	if (has_ecn)
		train.flags |= TCP_ECE;
	train.options_len = tcp_options_write_syn(train.options, &o);
	e->cookie_ns = e->now_ns > 0 ? e->now_ns : 1;
	e->stats->syn_cookies_out++;
	tcp_emit_stateless(e, &train);
}

static bool is_authentic(const struct tcp_engine *e, const struct tcp_segment *s, uint32_t cookie)
{
	uint32_t irs = s->seq - 1;

	for (uint32_t age = 0; age < PERIODS_VALID; age++) {
		uint32_t when = period(e) - age;

		if ((when & 31u) == cookie >> TIME_SHIFT &&
		    make(e, &s->tuple, irs, when, cookie >> MSS_SHIFT & 7u) == cookie)
			return true;
	}
	return false;
}

/* Without a cookie sent lately nothing can be valid: no free guesses. */
static bool has_sent_lately(const struct tcp_engine *e)
{
	return e->cookie_ns != 0 && e->now_ns - e->cookie_ns <= PERIODS_VALID * PERIOD_NS;
}

bool tcp_cookie_is_valid(const struct tcp_engine *e, const struct tcp_segment *s)
{
	return has_sent_lately(e) && is_authentic(e, s, s->ack - 1);
}

bool tcp_cookie_check(struct tcp_engine *e, struct tcp_segment *s)
{
	uint32_t cookie = s->ack - 1;
	uint32_t bits;

	if (!has_sent_lately(e)) {
		e->stats->drop_no_listener++;
		return false;
	}
	if (!is_authentic(e, s, cookie)) {
		e->stats->drop_bad_cookie++;
		return false;
	}
	s->flags = TCP_SYN;
	s->seq--;
	s->mss = mss_table[cookie >> MSS_SHIFT & 7u];
	s->wscale = TCP_NO_WSCALE;
	s->sack_ok = false;
	if (!s->has_ts)
		return true;
	bits = (s->ts_ecr) & TS_MASK;
	if ((bits & TS_WSCALE) <= TCP_WSCALE_MAX)
		s->wscale = (uint8_t)(bits & TS_WSCALE);
	s->sack_ok = bits & TS_SACK;
	if (bits & TS_ECN)
		s->flags |= TCP_ECE | TCP_CWR;
	return true;
}
