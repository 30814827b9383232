/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets, user calls and time, in any order. Numbers in packets are offsets from where the connection
 * stands, so that the fuzzer reaches beyond the first checks; the invariants are those of the simulator.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp_engine.h"
#include "tests/rig/bench.h"
#include "tests/rig/invariants.h"
#include "tests/rig/wire.h"

#define CONNS        4
#define STREAM_BYTES (1u << 18)
#define ENSURE(cond)                                                                                         \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			abort();                                                                             \
	} while (0)

struct fuzz {
	const uint8_t *p, *end;
	struct tcp_engine *engine;
	uint64_t now_ns;
	uint32_t seen;     /* the connection that packets are for */
	uint32_t last_seq; /* of ours */
	uint8_t refuse;
	uint64_t limit[CONNS], readable[CONNS], acked[CONNS], queued[CONNS];
	bool is_alive[CONNS];
	uint8_t stored[CONNS][STREAM_BYTES / 8];
};

static uint32_t take(struct fuzz *f, unsigned bytes)
{
	uint32_t v = 0;

	while (bytes-- > 0 && f->p < f->end)
		v = v << 8 | *f->p++;
	return v;
}

static int64_t on_emit(void *ctx, const struct tcp_emit *t)
{
	struct fuzz *f = ctx;

	ENSURE(t->options_len <= 40 && t->options_len % 4 == 0);
	ENSURE(t->payload_len == 0 || t->mss > 0);
	if (t->conn != TCP_NONE) {
		ENSURE(t->conn < CONNS);
		ENSURE(t->payload_len == 0 || t->payload_off + t->payload_len <= f->queued[t->conn]);
		ENSURE(t->payload_len == 0 || t->payload_off >= f->acked[t->conn]);
	} else {
		ENSURE(t->payload_len == 0);
	}
	if (t->flags & TCP_SYN)
		f->last_seq = t->seq;
	switch (f->refuse & 3) {
	case 1:
		return -EAGAIN;
	case 2:
		return t->payload_len > t->mss ? t->mss : t->payload_len;
	case 3:
		return -ENETUNREACH;
	default:
		return t->payload_len;
	}
}

static bool on_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path)
{
	(void)ctx;
	(void)listener;
	*path = (struct tcp_path){.mtu = (uint16_t)(tuple->remote_port % 2 ? 1500 : 600),
				  .rcv_window = 8000,
				  .rcv_window_max = STREAM_BYTES};
	return true;
}

static void start_conn(struct fuzz *f, uint32_t conn)
{
	ENSURE(conn < CONNS && !f->is_alive[conn]);
	f->is_alive[conn] = true;
	f->limit[conn] = 8000;
	f->readable[conn] = f->acked[conn] = f->queued[conn] = 0;
	memset(f->stored[conn], 0, sizeof(f->stored[conn]));
	f->seen = conn;
}

static void on_open(void *ctx, uint32_t conn, uint32_t listener)
{
	(void)listener;
	start_conn(ctx, conn);
}

static void on_established(void *ctx, uint32_t conn, uint32_t listener)
{
	(void)listener;
	ENSURE(((struct fuzz *)ctx)->is_alive[conn]);
}

static bool on_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len)
{
	struct fuzz *f = ctx;
	volatile uint8_t sink = 0;

	ENSURE(f->is_alive[conn] && len > 0 && off >= f->readable[conn]);
	ENSURE(off + len <= f->limit[conn]);
	if (f->refuse & 4)
		return false;
	for (uint32_t i = 0; i < len; i++) {
		uint64_t at = off + i;

		sink = (uint8_t)(sink + data[i]);
		ENSURE(!(f->stored[conn][at / 8] & 1u << at % 8));
		f->stored[conn][at / 8] |= (uint8_t)(1u << at % 8);
	}
	return true;
}

static void on_readable(void *ctx, uint32_t conn, uint64_t end_off)
{
	struct fuzz *f = ctx;

	ENSURE(end_off > f->readable[conn]);
	for (uint64_t at = f->readable[conn]; at < end_off; at++)
		ENSURE(f->stored[conn][at / 8] & 1u << at % 8);
	f->readable[conn] = end_off;
}

static void on_acked(void *ctx, uint32_t conn, uint64_t acked_off)
{
	struct fuzz *f = ctx;

	ENSURE(acked_off > f->acked[conn] && acked_off <= f->queued[conn]);
	f->acked[conn] = acked_off;
}

static void on_eof(void *ctx, uint32_t conn)
{
	ENSURE(((struct fuzz *)ctx)->is_alive[conn]);
}

static bool on_dead(void *ctx, uint32_t conn, enum tcp_reason reason)
{
	struct fuzz *f = ctx;

	ENSURE(f->is_alive[conn] && (unsigned)reason < TCP_REASON_COUNT);
	f->is_alive[conn] = false;
	return false;
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
    .on_dead = on_dead,
};

static tcp_time now(const struct fuzz *f)
{
	return (tcp_time){f->now_ns};
}

/* Up to 32 KiB before or after. */
static uint32_t near(struct fuzz *f)
{
	return take(f, 2) - 32768u;
}

/* A cookie that is valid, on a SYN for nobody yet. */
static uint32_t fast_open_option(struct fuzz *f, uint8_t *out)
{
	wire_put32(out, 0x0101220a);
	f->engine->now_ns = f->now_ns;
	tcp_fast_open_cookie(f->engine, wire_hosts[1], out + 4);
	return 12;
}

/* Options: none, timestamps as they should be, raw bytes, SACK blocks near snd_una, or counters of Accurate
 * ECN. */
static uint32_t make_options(struct fuzz *f, const struct tcp_conn *c, uint8_t *out)
{
	uint32_t kind = take(f, 1), len = 0;

	if (kind & 1 && c) {
		wire_put32(out, 0x0101080a);
		wire_put32(out + 4, c->ts_recent + (kind >> 4));
		wire_put32(out + 8, (uint32_t)(f->now_ns / 1000000) + c->ts_offset - (kind >> 6));
		len = 12;
	}
	if (kind & 2 && c) {
		uint32_t count = 1 + (kind >> 2 & 1);

		wire_put32(out + len, 0x01010500u | (2 + 8 * count));
		len += 4;
		for (uint32_t i = 0; i < count; i++, len += 8) {
			uint32_t start = tcp_seq_wire(c->iss, c->snd_una) + near(f);

			wire_put32(out + len, start);
			wire_put32(out + len + 4, start + take(f, 2));
		}
	} else if ((kind & 0xc0) == 0xc0 && !c) {
		len += fast_open_option(f, out + len);
	} else if ((kind & 0xc0) == 0xc0) {
		wire_put32(out + len, 0xac080000);
		wire_put32(out + len + 4, c->accecn.snd_ceb + take(f, 1));
		len += 8;
	} else if (kind & 8) {
		for (; len < 40 && (len < 4 || take(f, 1) & 1); len += 4)
			wire_put32(out + len, take(f, 4));
	}
	return len;
}

static void packet_in(struct fuzz *f)
{
	uint8_t frame[20 + 40 + 2048] = {0};
	const struct tcp_conn *c = f->is_alive[f->seen] ? &f->engine->conns[f->seen] : NULL;
	uint8_t flags = (uint8_t)take(f, 1), how = (uint8_t)take(f, 1);
	uint16_t remote = c ? c->tuple.remote_port : (uint16_t)(40000 + (how >> 6));
	uint16_t local = c ? c->tuple.local_port : 80;
	uint32_t seq = c ? tcp_seq_wire(c->irs, c->rcv_nxt) : 0x10000000;
	uint32_t ack = c ? tcp_seq_wire(c->iss, c->snd_nxt) : f->last_seq + 1;
	uint32_t len, options_len;
	uint16_t window;
	struct wire_header header;
	struct tcp_packet packet = {.local = wire_hosts[0], .remote = wire_hosts[1], .data = frame};

	seq += how & 1 ? near(f) : how & 2 ? take(f, 4) : 0;
	ack -= how & 4 ? take(f, 2) : how & 8 ? take(f, 4) : 0;
	window = (uint16_t)take(f, 2);
	options_len = make_options(f, c, frame + 20);
	header = (struct wire_header){.from = remote,
				      .to = local,
				      .seq = seq,
				      .ack = ack,
				      .window = window,
				      .flags = (uint16_t)(flags | (c && how & 64 ? TCP_AE : 0)),
				      .options_len = options_len};
	wire_header_write(frame, &header);
	if (how & 16)
		frame[12] = (uint8_t)take(f, 1);
	len = how & 32 ? take(f, 2) % 2048 : 0;
	packet.ecn = flags & 3;
	packet.len = 20 + options_len + len;
	/* An exact copy lets ASan see one byte too many. */
	packet.data = memcpy(malloc(packet.len), frame, packet.len);
	tcp_input(f->engine, now(f), &packet);
	free((void *)(uintptr_t)packet.data);
}

static void open_one(struct fuzz *f)
{
	struct tcp_tuple t = {.local_port = (uint16_t)(50000 + take(f, 1) % 4), .remote_port = 80};
	struct tcp_params params = {.cc = (uint8_t)(take(f, 1) % TCP_CC_COUNT), .flags = take(f, 1) & 15};
	int64_t conn;

	memcpy(t.local, wire_hosts[0], 16);
	memcpy(t.remote, wire_hosts[1], 16);
	conn = tcp_connect(f->engine, now(f), &t, &params);
	if (conn >= 0)
		start_conn(f, (uint32_t)conn);
}

static void call(struct fuzz *f, uint32_t conn)
{
	uint32_t bytes;

	switch (take(f, 1) % 10) {
	case 0:
		bytes = take(f, 2);
		f->queued[conn] += bytes;
		if (tcp_send(f->engine, now(f), conn, bytes) != 0)
			f->queued[conn] -= bytes;
		break;
	case 1:
		tcp_shutdown(f->engine, now(f), conn);
		break;
	case 2:
		tcp_close(f->engine, now(f), conn, take(f, 1) & 1);
		break;
	case 3:
		tcp_abort(f->engine, now(f), conn);
		break;
	case 4:
		tcp_accept(f->engine, conn);
		break;
	case 5:
		bytes = take(f, 2);
		if (f->readable[conn] + bytes < STREAM_BYTES && f->readable[conn] + bytes > f->limit[conn]) {
			f->limit[conn] = f->readable[conn] + bytes;
			tcp_rx_limit(f->engine, now(f), conn, f->limit[conn]);
		}
		break;
	case 6: {
		struct tcp_params params = {.cc = (uint8_t)take(f, 1),
					    .flags = take(f, 1),
					    .user_timeout_ns = take(f, 4) * UINT64_C(1000)};

		tcp_set_params(f->engine, now(f), conn, &params);
		break;
	}
	case 7:
		open_one(f);
		break;
	case 8: {
		const struct tcp_conn *c = &f->engine->conns[conn % CONNS];

		tcp_icmp_input(f->engine, now(f), &c->tuple, tcp_seq_wire(c->iss, c->snd_una) + take(f, 1),
			       take(f, 1) % 3, (uint16_t)take(f, 2));
		break;
	}
	default:
		f->seen = conn % CONNS;
	}
}

static void check(struct fuzz *f)
{
	char why[160];

	for (uint32_t i = 0; i < CONNS; i++)
		ENSURE((f->engine->conns[i].state != TCP_CLOSED) == f->is_alive[i]);
	ENSURE(invariants_pools_hold(f->engine, why, sizeof(why)));
}

static void step(struct fuzz *f)
{
	uint32_t what = take(f, 1);

	switch (what & 7) {
	case 0:
	case 1:
	case 2:
	case 3:
		packet_in(f);
		break;
	case 4:
		call(f, what >> 3 & 3);
		break;
	case 5: {
		uint64_t next = tcp_timer_next(f->engine).ns;

		f->now_ns += (uint64_t)take(f, 2) << (what >> 3);
		if (what & 8 && next > f->now_ns)
			f->now_ns = next;
		tcp_timer_run(f->engine, now(f), 100);
		break;
	}
	case 6:
		f->refuse = (uint8_t)(what >> 3);
		break;
	default:
		break;
	}
	if (!(what & 0x80))
		tcp_output(f->engine, now(f), 1 + (what >> 3 & 7), what & 0x40);
	check(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz *f;
	static struct bench bench = {.limits = {.conns = CONNS,
						.listeners = 2,
						.syn_backlog = 2,
						.time_waits = 2,
						.sent_records = 8,
						.ooo_records = 4}};
	struct tcp_params params = {0};
	struct tcp_config *config = &bench.config;
	uint8_t how;

	if (!f)
		f = malloc(sizeof(*f));
	memset(f, 0, offsetof(struct fuzz, stored));
	memset(&bench.keys, 1, sizeof(bench.keys));
	f->p = data;
	f->end = data + size;
	f->now_ns = 1000000000;
	how = (uint8_t)take(f, 1);
	tcp_config_default(config);
	config->timestamps = how & 1;
	config->sack = how & 2;
	config->window_scaling = how & 4;
	config->ecn = how & 8;
	config->accurate_ecn = how & 64;
	config->fast_open = how & 128;
	params.flags = config->fast_open ? TCP_PARAM_FAST_OPEN : 0;
	params.cc = (uint8_t)((how >> 4) % TCP_CC_COUNT);
	bench.ops = &ops;
	bench.ctx = f;
	bench_start(&bench, now(f));
	f->engine = bench.engine;
	tcp_listen(f->engine, wire_hosts[0], 80, 0, &params);
	while (f->p < f->end)
		step(f);
	return 0;
}
