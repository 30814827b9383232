/* SPDX-License-Identifier: BSD-2-Clause */
/* The bench. */
#include "tests/unit/tcp/rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp_segment.h"
#include "tests/rig/invariants.h"
#include "tests/rig/wire.h"

static tcp_time now(const struct rig *r)
{
	return (tcp_time){r->now_ns};
}

static void read_options(struct rig_segment *s, const struct tcp_emit *t)
{
	uint8_t header[60] = {[12] = (uint8_t)((20 + t->options_len) / 4 << 4), [13] = (uint8_t)t->flags};
	struct tcp_packet packet = {
	    .local = wire_hosts[0], .remote = wire_hosts[1], .data = header, .len = 20u + t->options_len};
	struct tcp_segment parsed;

	memcpy(header + 20, t->options, t->options_len);
	if (!tcp_segment_parse(&parsed, &packet))
		abort();
	s->mss = parsed.mss;
	s->wscale = parsed.wscale;
	s->sack_ok = parsed.sack_ok;
	s->has_ts = parsed.has_ts;
	s->ts_val = parsed.ts_val;
	s->ts_ecr = parsed.ts_ecr;
	s->has_fast_open = parsed.fast_open_len != TCP_NO_FAST_OPEN;
	if (s->has_fast_open) {
		s->fast_open_len = parsed.fast_open_len;
		memcpy(s->fast_open, parsed.fast_open, parsed.fast_open_len);
	}
	s->accecn_count = parsed.accecn_count;
	/* Without the option the parser leaves its fields alone. */
	s->accecn[0] = parsed.accecn_count > 0 && parsed.accecn_has_e0b ? parsed.accecn_e0b : 0;
	s->accecn[1] = parsed.accecn_count > 0 && parsed.accecn_has_ceb ? parsed.accecn_ceb : 0;
	s->accecn[2] = parsed.accecn_count > 2 ? parsed.accecn_e1b : 0;
	s->sack_count = parsed.sack_count;
	for (unsigned i = 0; i < parsed.sack_count; i++) {
		s->sacks[i].start = parsed.sacks[i].start - RIG_PEER_ISN;
		s->sacks[i].end = parsed.sacks[i].end - RIG_PEER_ISN;
	}
}

static void record(struct rig *r, const struct tcp_emit *t, const struct wire_cut *cut)
{
	struct rig_segment *s;

	if (r->out_count == RIG_SEGMENTS && r->is_forgetful)
		r->out_count = r->out_seen = 0;
	if (r->out_count == RIG_SEGMENTS)
		abort();
	s = &r->out[r->out_count++];
	memset(s, 0, sizeof(*s));
	s->at_ns = r->now_ns;
	if ((t->flags & TCP_SYN) && t->seq != r->iss) {
		r->iss_before = r->iss;
		r->iss = t->seq;
	}
	s->raw_seq = t->seq + cut->at;
	s->raw_ack = t->ack;
	s->seq = s->raw_seq - r->iss;
	s->ack = t->flags & TCP_ACK ? t->ack - RIG_PEER_ISN : 0;
	s->len = cut->len;
	s->payload_off = t->payload_off + cut->at;
	s->window = t->window;
	s->flags = cut->flags;
	s->ecn = t->ecn;
	read_options(s, t);
}

static int64_t on_emit(void *ctx, const struct tcp_emit *t)
{
	struct rig *r = ctx;
	struct wire_cut cut = {0};
	uint32_t limit = t->payload_len;

	if (r->emit_limit < 0)
		return r->emit_limit;
	if (r->emit_limit < limit)
		limit = (uint32_t)r->emit_limit / t->mss * t->mss;
	if (limit == 0 && t->payload_len > 0)
		return -EAGAIN;
	while (wire_cut_next(t, limit, &cut))
		record(r, t, &cut);
	return limit;
}

static bool on_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path)
{
	struct rig *r = ctx;

	(void)listener;
	(void)tuple;
	*path = r->path;
	return !r->refuse_path;
}

static void note(struct rig *r, enum rig_event_kind kind, uint32_t conn, uint64_t value)
{
	if (r->event_count == RIG_EVENTS && r->is_forgetful)
		r->event_count = r->event_seen = 0;
	if (r->event_count == RIG_EVENTS)
		abort();
	r->events[r->event_count++] = (struct rig_event){kind, conn, value};
}

static void on_open(void *ctx, uint32_t conn, uint32_t listener)
{
	struct rig *r = ctx;

	r->conn = conn;
	note(r, RIG_OPEN, conn, listener);
}

static void on_established(void *ctx, uint32_t conn, uint32_t listener)
{
	note(ctx, RIG_ESTABLISHED, conn, listener);
}

static bool on_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len)
{
	struct rig *r = ctx;

	(void)conn;
	(void)data;
	if (r->refuse_store || off + len > RIG_STREAM_BYTES)
		return false;
	for (uint32_t i = 0; i < len; i++)
		r->stored[off + i]++;
	return true;
}

static void on_readable(void *ctx, uint32_t conn, uint64_t end_off)
{
	note(ctx, RIG_READABLE, conn, end_off);
}

static void on_acked(void *ctx, uint32_t conn, uint64_t acked_off)
{
	note(ctx, RIG_ACKED, conn, acked_off);
}

static void on_eof(void *ctx, uint32_t conn)
{
	note(ctx, RIG_EOF, conn, 0);
}

static void on_urgent(void *ctx, uint32_t conn, uint64_t end_off)
{
	struct rig *r = ctx;

	(void)conn;
	r->urgent_count++;
	r->urgent_off = end_off;
}

static void on_soft_error(void *ctx, uint32_t conn, enum tcp_soft_error what)
{
	(void)conn;
	((struct rig *)ctx)->soft_errors[what]++;
}

static bool on_dead(void *ctx, uint32_t conn, enum tcp_reason reason)
{
	note(ctx, RIG_DEAD, conn, reason);
	return ((struct rig *)ctx)->holds_dead;
}

static const struct tcp_ops ops = {
    .emit = on_emit,
    .path = on_path,
    .on_open = on_open,
    .on_established = on_established,
    .rx_store = on_store,
    .on_readable = on_readable,
    .on_acked = on_acked,
    .on_eof = on_eof,
    .on_urgent = on_urgent,
    .on_soft_error = on_soft_error,
    .on_dead = on_dead,
};

struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	tcp_config_default(&r->config);
	r->limits = (struct tcp_limits){
	    .conns = 16,
	    .listeners = 4,
	    .syn_backlog = 8,
	    .time_waits = 4,
	    .sent_records = 256,
	    .ooo_records = 64,
	};
	r->path = (struct tcp_path){.mtu = 1500, .rcv_window = 65535, .rcv_window_max = 65535};
	r->now_ns = 1000 * RIG_S;
	r->hosts = wire_hosts;
	r->conn = TCP_NONE;
	r->listener = TCP_NONE;
	r->remote_port = RIG_REMOTE_PORT;
	r->emit_limit = INT64_MAX;
	return r;
}

void rig_start(struct rig *r)
{
	memset(&r->keys, 0x17, sizeof(r->keys));
	r->ops = &ops;
	r->ctx = r;
	bench_start(&r->bench, now(r));
}

void rig_restart(struct rig *r)
{
	bench_restart(&r->bench, now(r));
}

void rig_free(struct rig *r)
{
	bench_free(&r->bench);
	free(r);
}

void rig_output(struct rig *r)
{
	tcp_output(r->engine, now(r), 64, false);
}

/* Tests that damage records do not look at what comes of it here. */
void rig_check(struct rig *r)
{
	char why[160];

	if (r->is_forgetful || invariants_hold(r->engine, why, sizeof(why)))
		return;
	fprintf(stderr, "an invariant of the engine is broken: %s\n", why);
	abort();
}

void rig_advance(struct rig *r, uint64_t ns)
{
	uint64_t until = r->now_ns + ns;

	for (;;) {
		uint64_t next = tcp_timer_next(r->engine).ns;

		if (next == 0 || next > until)
			break;
		if (next > r->now_ns)
			r->now_ns = next;
		tcp_timer_run(r->engine, now(r), 64);
		rig_output(r);
		if (tcp_timer_next(r->engine).ns <= r->now_ns && tcp_timer_next(r->engine).ns != 0)
			r->now_ns++; /* a wheel that is early must not stop the clock */
	}
	if (r->now_ns < until)
		r->now_ns = until;
	rig_check(r);
}

static uint8_t write_accecn(const struct rig_segment *s, uint8_t *out, uint8_t len)
{
	if (s->accecn_count == 0)
		return len;
	out[len++] = TCP_OPT_ACCECN0;
	out[len++] = (uint8_t)(2 + 3 * s->accecn_count);
	for (unsigned i = 0; i < s->accecn_count; i++) {
		out[len++] = (uint8_t)(s->accecn[i] >> 16);
		out[len++] = (uint8_t)(s->accecn[i] >> 8);
		out[len++] = (uint8_t)s->accecn[i];
	}
	while (len % 4 != 0)
		out[len++] = TCP_OPT_NOP;
	return len;
}

static uint8_t write_options(const struct rig_segment *s, uint8_t *out)
{
	uint8_t len = 0;

	if (s->options) {
		memcpy(out, s->options, s->options_len);
		return s->options_len;
	}
	if (s->flags & TCP_SYN) {
		struct tcp_syn_options o = {.mss = s->mss,
					    .wscale = s->wscale,
					    .has_sack = s->sack_ok,
					    .has_ts = s->has_ts,
					    .fast_open_len =
						s->has_fast_open ? s->fast_open_len : TCP_NO_FAST_OPEN,
					    .fast_open = s->fast_open,
					    .ts_val = s->ts_val,
					    .ts_ecr = s->ts_ecr};
		uint8_t all[40];

		len = tcp_options_write_syn(all, &o);
		if (s->mss == 0)
			len = (uint8_t)(len - 4);
		memcpy(out, s->mss != 0 ? all : all + 4, len);
	} else if (s->has_ts) {
		len = tcp_options_write_ts(out, s->ts_val, s->ts_ecr);
	}
	return write_accecn(s, out, len);
}

void rig_input(struct rig *r, const struct rig_segment *s)
{
	static uint8_t p[20 + 40 + RIG_STREAM_BYTES];
	struct wire_header header;
	struct tcp_range wire[TCP_SACK_BLOCKS];
	struct tcp_packet packet = {.local = r->hosts[0], .remote = r->hosts[1], .data = p, .ecn = s->ecn};
	uint8_t options_len = write_options(s, p + 20);

	if (s->sack_count > 0 && !s->options) {
		for (unsigned i = 0; i < s->sack_count; i++) {
			wire[i].start = r->iss + s->sacks[i].start;
			wire[i].end = r->iss + s->sacks[i].end;
		}
		options_len = (uint8_t)(options_len +
					tcp_options_write_sack(p + 20 + options_len, wire, s->sack_count));
	}
	header = (struct wire_header){
	    .from = r->remote_port,
	    .to = RIG_LOCAL_PORT,
	    .seq = RIG_PEER_ISN + s->seq,
	    .ack = s->flags & TCP_ACK ? r->iss + s->ack : 0,
	    .window = s->window,
	    .flags = s->flags,
	    .options_len = options_len,
	};
	wire_header_write(p, &header);
	wire_put16(p + 18, s->urgent);
	memset(p + 20 + options_len, 'x', s->len);
	packet.len = 20u + options_len + s->len;
	tcp_input(r->engine, now(r), &packet);
	if (s->has_more)
		return;
	rig_output(r);
	rig_check(r);
}

void rig_in(struct rig *r, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct rig_segment s = {
	    .flags = flags, .seq = seq, .ack = ack, .len = len, .window = 65535, .wscale = TCP_NO_WSCALE};
	const struct tcp_conn *c = r->conn == TCP_NONE ? NULL : rig_conn(r);

	if (c && (c->options & TCP_INFO_TIMESTAMPS)) {
		s.has_ts = true;
		s.ts_val = (uint32_t)(r->now_ns / RIG_MS);
		s.ts_ecr = (uint32_t)(r->now_ns / RIG_MS) + c->ts_offset;
	}
	rig_input(r, &s);
}

const struct rig_segment *rig_next_out(struct rig *r)
{
	return r->out_seen < r->out_count ? &r->out[r->out_seen++] : NULL;
}

const struct rig_event *rig_next_event(struct rig *r)
{
	return r->event_seen < r->event_count ? &r->events[r->event_seen++] : NULL;
}

void rig_clear(struct rig *r)
{
	r->out_count = r->out_seen = 0;
	r->event_count = r->event_seen = 0;
}

struct tcp_conn *rig_conn(struct rig *r)
{
	return tcp_conn_at(r->engine, r->conn);
}

static struct rig_segment peer_syn(const struct rig *r, uint8_t flags, uint32_t ack)
{
	return (struct rig_segment){
	    .flags = flags,
	    .ack = ack,
	    .window = 65535,
	    .mss = 1460,
	    .wscale = r->config.window_scaling ? 7 : TCP_NO_WSCALE,
	    .sack_ok = r->config.sack,
	    .has_ts = r->config.timestamps,
	    .ts_val = (uint32_t)(r->now_ns / RIG_MS),
	    .ts_ecr = 0,
	};
}

void rig_connect(struct rig *r)
{
	struct tcp_tuple tuple = {.local_port = RIG_LOCAL_PORT, .remote_port = r->remote_port};
	struct tcp_params params = {0};
	struct rig_segment s;

	memcpy(tuple.local, r->hosts[0], 16);
	memcpy(tuple.remote, r->hosts[1], 16);
	r->conn = (uint32_t)tcp_connect(r->engine, now(r), &tuple, &params);
	rig_output(r);
	rig_advance(r, 10 * RIG_MS);
	s = peer_syn(r, TCP_SYN | TCP_ACK, 1);
	s.ts_ecr = (uint32_t)(r->now_ns / RIG_MS) + rig_conn(r)->ts_offset;
	rig_input(r, &s);
	rig_clear(r);
}

void rig_accept(struct rig *r)
{
	struct tcp_params params = {0};
	struct rig_segment s;

	if (r->listener == TCP_NONE)
		r->listener = (uint32_t)tcp_listen(r->engine, r->hosts[0], RIG_LOCAL_PORT, 0, &params);
	s = peer_syn(r, TCP_SYN, 0);
	rig_input(r, &s);
	rig_advance(r, 10 * RIG_MS);
	rig_in(r, TCP_ACK, 1, 1, 0);
	tcp_accept(r->engine, r->conn);
	rig_clear(r);
}

void rig_send(struct rig *r, uint32_t bytes)
{
	tcp_send(r->engine, now(r), r->conn, bytes);
	rig_output(r);
}
