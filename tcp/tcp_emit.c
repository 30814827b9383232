/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments out. */
#include "tcp/tcp_emit.h"

#include <errno.h>
#include <string.h>

#include "tcp/tcp_accecn.h"
#include "tcp/tcp_data.h"
#include "tcp/tcp_engine.h"

#define ECN_ECT0 2

/* A peer without SACK counts only ACKs with an unchanged window as duplicates (RFC 5681 section 2). What the
 * user has read since the gap was seen waits until it is filled, where half a buffer is open still. */
static bool holds_window(const struct tcp_conn *c)
{
	return !(c->options & TCP_INFO_SACK) && c->sack_count > 0 && c->ack_sent == (uint32_t)c->rcv_nxt &&
	       tcp_seq_span(c->rcv_nxt, c->rcv_adv) >= c->rcv_buf / 2;
}

/* The right edge that may be told now: what the user allows, in steps that are worth telling (the receiver's
 * half of silly window avoidance, RFC 9293 section 3.8.6.2.2). Never moves back. */
static int64_t window_edge(const struct tcp_conn *c)
{
	uint32_t growth = tcp_seq_span(c->rcv_adv, c->rcv_limit);
	uint32_t step = c->rcv_mss < c->rcv_buf / 2 ? c->rcv_mss : c->rcv_buf / 2;

	return growth >= step && growth > 0 && !holds_window(c) ? c->rcv_limit : c->rcv_adv;
}

/* The window field, and the edge that the peer will make of it. */
static uint16_t select_window(const struct tcp_conn *c, bool is_syn, int64_t *edge)
{
	unsigned scale = is_syn || c->rcv_wscale == TCP_NO_WSCALE ? 0 : c->rcv_wscale;
	uint32_t window = tcp_seq_span(c->rcv_nxt, window_edge(c));
	uint32_t field = window >> scale;

	/* Scaling rounds down; where the limit allows, round up rather than seem to shrink the window. */
	if (field << scale < window && c->rcv_nxt + ((int64_t)(field + 1) << scale) <= c->rcv_limit)
		field++;
	if (field > UINT16_MAX)
		field = UINT16_MAX;
	*edge = c->rcv_nxt + ((int64_t)field << scale);
	return (uint16_t)field;
}

bool tcp_emit_wants_window_update(const struct tcp_conn *c)
{
	uint32_t offered = tcp_seq_span(c->rcv_nxt, c->rcv_adv);
	uint32_t growth = tcp_seq_span(c->rcv_adv, c->rcv_limit);
	uint32_t half = c->rcv_buf / 2;

	/* While the peer still has more than half a buffer to fill, the next ACK is early enough. */
	if (growth == 0 || growth < (c->rcv_mss < half ? c->rcv_mss : half))
		return false;
	return offered < half || growth >= half;
}

/* SACK blocks for the next ACK, D-SACK first. Returns the bytes of the option. */
static uint8_t write_sacks(const struct tcp_engine *e, const struct tcp_conn *c, uint8_t *out, unsigned room)
{
	struct tcp_range blocks[TCP_SACK_BLOCKS];
	unsigned max = (room - 4) / 8;
	unsigned count = 0;

	if (!(c->options & TCP_INFO_SACK) || room < 12)
		return 0;
	if (max > TCP_SACK_BLOCKS)
		max = TCP_SACK_BLOCKS;
	if (c->flags & CONN_DSACK_OWED) {
		blocks[0].start = c->irs + c->dsack_start;
		blocks[0].end = c->irs + c->dsack_end;
		count = 1;
	}
	for (unsigned i = 0; i < c->sack_count && count < max; i++, count++) {
		blocks[count].start = c->irs + c->sacks[i].start;
		blocks[count].end = c->irs + c->sacks[i].end;
	}
	/* As many as fit (RFC 2018 section 4): one more than is kept, where there are no timestamps. */
	if (count == TCP_SACK_KEPT && count < max &&
	    tcp_data_other_range(e, (uint32_t)(c - e->conns), &blocks[count])) {
		blocks[count].start += c->irs;
		blocks[count].end += c->irs;
		count++;
	}
	return count > 0 ? tcp_options_write_sack(out, blocks, count) : 0;
}

static uint8_t write_options(const struct tcp_engine *e, const struct tcp_conn *c, uint8_t *out)
{
	uint8_t len = 0;

	if (c->options & TCP_INFO_TIMESTAMPS)
		len = tcp_options_write_ts(out, tcp_ts_clock(e) + c->ts_offset, c->ts_recent);
	if (c->sack_count > 0 || (c->flags & CONN_DSACK_OWED))
		len = (uint8_t)(len + write_sacks(e, c, out + len, 40u - len));
	return len;
}

/* The same with the counters of Accurate ECN: before SACK blocks when there are marks to be told, else where
 * they leave room. True in *has_counters when they went along. */
static uint8_t write_options_accecn(const struct tcp_engine *e, const struct tcp_conn *c, uint8_t *out,
				    bool has_payload, bool *has_counters)
{
	bool is_first;
	unsigned bytes = tcp_accecn_option_bytes(c, has_payload, &is_first);
	uint8_t len = 0;

	*has_counters = bytes > 0;
	if (bytes == 0 || !is_first)
		len = write_options(e, c, out);
	else if (c->options & TCP_INFO_TIMESTAMPS)
		len = tcp_options_write_ts(out, tcp_ts_clock(e) + c->ts_offset, c->ts_recent);
	if (len + bytes > 40) {
		*has_counters = false;
		return len;
	}
	if (bytes > 0)
		tcp_accecn_option_write(c, out + len, bytes);
	len = (uint8_t)(len + bytes);
	if (bytes > 0 && is_first)
		len = (uint8_t)(len + write_sacks(e, c, out + len, 40u - len));
	return len;
}

uint32_t tcp_emit_mss(const struct tcp_engine *e, uint32_t conn)
{
	const struct tcp_conn *c = &e->conns[conn];
	unsigned options = c->options & TCP_INFO_TIMESTAMPS ? TCP_OPTIONS_BYTES_TS : 0;
	unsigned blocks = c->sack_count + (c->flags & CONN_DSACK_OWED ? 1u : 0u);
	bool is_owed;

	if (c->options & TCP_INFO_ACCECN)
		options += tcp_accecn_option_bytes(c, true, &is_owed);
	if (blocks > 0 && (c->options & TCP_INFO_SACK)) {
		unsigned max = (40 - options - 4) / 8;

		if (blocks == TCP_SACK_KEPT && e->links[conn].ooo_count > c->sack_count)
			blocks++;
		options += 4 + 8 * (blocks < max ? blocks : max);
	}
	/* Never 0, whatever a damaged record says: trains are divided by it. */
	return c->mss_max > options ? c->mss_max - options : 1;
}

static void settle_ack(struct tcp_conn *c, int64_t edge)
{
	c->flags &= ~(uint32_t)(CONN_ACK_NOW | CONN_ACK_DELAYED | CONN_DSACK_OWED);
	c->ack_deadline_ns = 0;
	c->ack_sent = (uint32_t)c->rcv_nxt;
	/* A FIN right behind a full window leaves rcv_nxt, and an empty window, one beyond the limit. */
	if (edge > c->rcv_adv && edge <= c->rcv_limit)
		c->rcv_adv = edge;
}

static void count_out(struct tcp_engine *e, const struct tcp_emit *train, uint32_t payload)
{
	e->stats->segments_out += payload <= train->mss ? 1 : (payload + train->mss - 1) / train->mss;
}

static uint16_t range_flags(const struct tcp_conn *c, int64_t start, int64_t end, uint32_t payload,
			    bool is_retransmission)
{
	uint16_t flags = TCP_ACK;

	if (payload > 0 && end >= c->snd_end)
		flags |= TCP_PSH; /* the last byte that there is */
	if (end > start && end > c->snd_end)
		flags |= TCP_FIN;
	if (c->options & TCP_INFO_ACCECN)
		return flags | tcp_accecn_flags(c);
	if (c->flags & CONN_ECE_OWED)
		flags |= TCP_ECE;
	if ((c->flags & CONN_CWR_OWED) && payload > 0 && !is_retransmission)
		flags |= TCP_CWR;
	return flags;
}

int64_t tcp_emit_range(struct tcp_engine *e, uint32_t conn, int64_t start, int64_t end,
		       bool is_retransmission)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t payload = tcp_seq_span(start, end < c->snd_end ? end : c->snd_end);
	struct tcp_emit train;
	int64_t edge, taken;
	bool has_counters = false;

	train.tuple = &c->tuple;
	train.conn = conn;
	train.seq = tcp_seq_wire(c->iss, start);
	train.ack = tcp_seq_wire(c->irs, c->rcv_nxt);
	train.window = select_window(c, false, &edge);
	train.flags = range_flags(c, start, end, payload, is_retransmission);
	if (c->options & TCP_INFO_ACCECN) {
		train.first_flags = 0;
		train.options_len = write_options_accecn(e, c, train.options, payload > 0, &has_counters);
	} else {
		train.first_flags = TCP_CWR;
		train.options_len = write_options(e, c, train.options);
	}
	train.mss = (uint16_t)(c->mss_max - train.options_len);
	train.payload_off = payload > 0 ? tcp_seq_off(start) : 0;
	train.payload_len = payload;
	/* RFC 3168 section 6.1.5: retransmissions and pure ACKs are not ECN capable. */
	train.ecn =
	    (c->options & TCP_INFO_ECN) && payload > 0 && !is_retransmission && tcp_accecn_may_send_ect(c)
		? ECN_ECT0
		: 0;
	taken = e->ops->emit(e->ctx, &train);
	if (taken == -EAGAIN)
		return -EAGAIN;
	if (taken < 0 || taken > payload)
		taken = payload; /* no way to the peer: as good as lost on the wire */
	if (taken == 0 && payload > 0)
		return -EAGAIN;
	count_out(e, &train, (uint32_t)taken);
	settle_ack(c, edge);
	if (c->options & TCP_INFO_ACCECN)
		tcp_accecn_settle(c, has_counters);
	else if (train.flags & TCP_CWR)
		c->flags &= ~(uint32_t)CONN_CWR_OWED;
	if (taken < payload)
		return taken;
	return end > start ? end - start : 0;
}

/* What carries nothing is sent from inside the peer's window: with a probe in flight, or a window that has
 * shrunk, snd_nxt lies beyond. */
static int64_t acceptable_pos(const struct tcp_conn *c)
{
	int64_t edge = (c->snd_una > 0 ? c->snd_una : 1) + (int64_t)c->snd_wnd; /* behind our SYN at least */

	return edge < c->snd_nxt ? edge : c->snd_nxt;
}

/* From elsewhere the peer would answer it as unacceptable. */
int tcp_emit_ack(struct tcp_engine *e, uint32_t conn)
{
	int64_t at = acceptable_pos(tcp_conn_at(e, conn));

	return tcp_emit_range(e, conn, at, at, false) < 0 ? -EAGAIN : 0;
}

/* Data in the SYN: one segment's worth, from the start of the stream. */
static void syn_payload(const struct tcp_conn *c, struct tcp_emit *train, uint32_t payload_max)
{
	uint32_t len = tcp_seq_span(1, c->snd_end);

	if (payload_max <= train->options_len || len == 0)
		return;
	payload_max -= train->options_len;
	train->payload_len = len < payload_max ? len : payload_max;
	train->mss = (uint16_t)train->payload_len;
}

static void settle_syn(struct tcp_engine *e, struct tcp_conn *c, const struct tcp_emit *train, int64_t edge)
{
	e->stats->segments_out++;
	if (c->snd_nxt < 1 + (int64_t)train->payload_len)
		c->snd_nxt = 1 + (int64_t)train->payload_len;
	if (train->payload_len > 0) {
		e->stats->fast_open_out++;
		e->stats->bytes_out += train->payload_len;
	}
	if (edge > c->rcv_adv)
		c->rcv_adv = edge;
}

/* The counters of Accurate ECN go with the first SYN-ACK (RFC 9768 section 3.2.3.2.1), if there is room. */
static void syn_accecn(const struct tcp_conn *c, struct tcp_emit *train)
{
	bool is_owed;
	unsigned bytes = tcp_accecn_option_bytes(c, false, &is_owed);

	if (train->options_len + bytes > sizeof(train->options))
		return;
	tcp_accecn_option_write(c, train->options + train->options_len, bytes);
	train->options_len = (uint8_t)(train->options_len + bytes);
}

int tcp_emit_syn(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_answer = c->state == TCP_SYN_RCVD;
	bool wants_ecn = e->config.ecn || c->cc == TCP_CC_DCTCP;
	struct tcp_syn_options o = {
	    .wscale = is_answer && !(c->options & TCP_INFO_WSCALE) ? TCP_NO_WSCALE : c->rcv_wscale,
	    .has_sack = is_answer ? c->options & TCP_INFO_SACK : e->config.sack,
	    .has_ts = is_answer ? c->options & TCP_INFO_TIMESTAMPS : e->config.timestamps,
	    .ts_val = tcp_ts_clock(e) + c->ts_offset,
	    .ts_ecr = is_answer ? c->ts_recent : 0,
	    .fast_open_len = TCP_NO_FAST_OPEN,
	};
	struct tcp_emit train = {.tuple = &c->tuple, .conn = conn, .seq = c->iss};
	uint8_t cookie[TCP_FAST_OPEN_COOKIE_BYTES];
	uint32_t payload_max = 0;
	int64_t edge, taken;

	o.mss = c->mss_limit;
	train.flags = is_answer ? TCP_SYN | TCP_ACK : TCP_SYN;
	train.ack = is_answer ? tcp_seq_wire(c->irs, c->rcv_nxt) : 0;
	if (is_answer ? c->options & TCP_INFO_ACCECN : tcp_accecn_is_wanted(e, c))
		train.flags |= tcp_accecn_syn_flags(c);
	else if (is_answer && (c->options & TCP_INFO_ECN))
		train.flags |= TCP_ECE;
	else if (!is_answer && wants_ecn && !(c->flags & CONN_SYN_RETRANS))
		train.flags |= TCP_ECE | TCP_CWR; /* RFC 3168 section 6.1.1.1: a repeated SYN does without */
	if (c->rcv_nxt == 0) { /* nothing known of the peer's numbers yet: the window counts from its SYN */
		uint32_t window = tcp_seq_span(1, c->rcv_limit);

		train.window = (uint16_t)(window < UINT16_MAX ? window : UINT16_MAX);
		edge = 0;
	} else {
		train.window = select_window(c, true, &edge);
	}
	if (!is_answer) {
		tcp_fast_open_write_syn(e, conn, &o, &payload_max);
	} else if (c->owes_cookie) {
		tcp_fast_open_cookie(e, c->tuple.remote, cookie);
		o.fast_open = cookie;
		o.fast_open_len = sizeof(cookie);
	}
	train.options_len = tcp_options_write_syn(train.options, &o);
	if (is_answer && (c->options & TCP_INFO_ACCECN) && c->backoff == 0)
		syn_accecn(c, &train);
	syn_payload(c, &train, payload_max);
	taken = e->ops->emit(e->ctx, &train);
	if (taken == -EAGAIN || (taken == 0 && train.payload_len > 0))
		return -EAGAIN;
	settle_syn(e, c, &train, edge);
	e->stats->fast_open_cookies_out += is_answer && c->owes_cookie;
	return 0;
}

void tcp_emit_stateless(struct tcp_engine *e, const struct tcp_emit *train)
{
	if (e->ops->emit(e->ctx, train) >= 0)
		e->stats->segments_out++;
	if (train->flags & TCP_RST)
		e->stats->resets_out++;
}

/* From beyond its window the peer would drop it in silence (RFC 5961 section 3.2). */
void tcp_emit_rst(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_emit train = {
	    .tuple = &c->tuple,
	    .conn = TCP_NONE,
	    .seq = tcp_seq_wire(c->iss, acceptable_pos(c)),
	    .ack = tcp_seq_wire(c->irs, c->rcv_nxt),
	    .flags = TCP_RST | TCP_ACK,
	};

	if (c->options & TCP_INFO_TIMESTAMPS) /* RFC 7323 section 3.2 */
		train.options_len =
		    tcp_options_write_ts(train.options, tcp_ts_clock(e) + c->ts_offset, c->ts_recent);
	tcp_emit_stateless(e, &train);
}

void tcp_emit_rst_reply(struct tcp_engine *e, const struct tcp_segment *s)
{
	struct tcp_emit train = {.tuple = &s->tuple, .conn = TCP_NONE};

	if (s->flags & TCP_RST)
		return;
	if (s->flags & TCP_ACK) {
		train.seq = s->ack;
		train.flags = TCP_RST;
	} else {
		train.ack =
		    s->seq + s->payload_len + ((s->flags & TCP_SYN) != 0) + ((s->flags & TCP_FIN) != 0);
		train.flags = TCP_RST | TCP_ACK;
	}
	tcp_emit_stateless(e, &train);
}
