/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the pure engine costs per segment: `engine-bench CASE N` does one thing N times and nothing else, so
 * that the difference between two runs under a counter of instructions is the thing itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp_segment.h"
#include "tests/rig/bench.h"
#include "tests/rig/wire.h"

#define PAYLOAD 1448
#define TRAIN   64

static uint8_t frame[20 + 12 + PAYLOAD];
static uint32_t last_seq, last_ack;
static struct bench bench;
static struct tcp_engine *engine;
static uint64_t now_ns = 1000000000;
static uint32_t conn = TCP_NONE;

static int64_t on_emit(void *ctx, const struct tcp_emit *t)
{
	(void)ctx;
	last_seq = t->seq + t->payload_len + ((t->flags & (TCP_SYN | TCP_FIN)) != 0);
	last_ack = t->ack;
	return t->payload_len;
}

static void on_open(void *ctx, uint32_t index, uint32_t listener)
{
	(void)ctx;
	(void)listener;
	conn = index;
}

static bool on_dead(void *ctx, uint32_t index, enum tcp_reason reason)
{
	(void)ctx;
	(void)index;
	(void)reason;
	abort();
}

static void input(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct tcp_packet packet = {.local = wire_hosts[0], .remote = wire_hosts[1], .data = frame};
	struct wire_header header = {
	    .from = 40000, .to = 80, .seq = seq, .ack = ack, .window = 0xffff, .flags = flags};

	header.options_len = 12;
	if (flags & TCP_SYN) {
		struct tcp_syn_options o = {.fast_open_len = TCP_NO_FAST_OPEN,
					    .mss = 1460,
					    .wscale = 7,
					    .has_sack = true,
					    .has_ts = true,
					    .ts_val = 1};

		header.options_len = tcp_options_write_syn(frame + 20, &o);
	} else {
		tcp_options_write_ts(frame + 20, (uint32_t)(now_ns / 1000000), 0);
	}
	packet.len = wire_header_write(frame, &header) + len;
	tcp_input(engine, (tcp_time){now_ns}, &packet);
}

static void start(void)
{
	static struct tcp_ops ops;
	struct tcp_params params = {0};

	ops = bench_ops;
	ops.emit = on_emit;
	ops.on_open = on_open;
	ops.on_dead = on_dead;
	bench.ops = &ops;
	bench.limits = (struct tcp_limits){.conns = 1024,
					   .listeners = 4,
					   .syn_backlog = 64,
					   .time_waits = 64,
					   .sent_records = 4096,
					   .ooo_records = 1024};
	memset(&bench.keys, 1, sizeof(bench.keys));
	tcp_config_default(&bench.config);
	bench_start(&bench, (tcp_time){now_ns});
	engine = bench.engine;
	if (tcp_listen(engine, wire_hosts[0], 80, 0, &params) < 0)
		abort();
	input(TCP_SYN, 0, 0, 0);
	tcp_output(engine, (tcp_time){now_ns}, 64, false);
	now_ns += 1000000;
	input(TCP_ACK, 1, last_seq, 0);
	if (conn == TCP_NONE || tcp_accept(engine, conn) != 0)
		abort();
}

/* In-order segments in batches of 32, one ACK for each batch. */
static void receive(unsigned count)
{
	uint32_t seq = 1, ack = last_seq;
	uint64_t limit = 1 << 22;

	for (unsigned i = 0; i < count; i++, seq += PAYLOAD) {
		input(TCP_ACK, seq, ack, PAYLOAD);
		if (i % 32 != 31)
			continue;
		now_ns += 20000;
		limit += 32 * PAYLOAD;
		tcp_rx_limit(engine, (tcp_time){now_ns}, conn, limit);
		tcp_output(engine, (tcp_time){now_ns}, 64, true);
	}
}

/* Bulk: a train of so many segments, then the ACKs, one for two. */
static void send_trains(unsigned count)
{
	uint32_t una = last_seq;

	for (unsigned i = 0; i < count; i++) {
		tcp_send(engine, (tcp_time){now_ns}, conn, TRAIN * PAYLOAD);
		while (una != last_seq || tcp_output(engine, (tcp_time){now_ns}, 64, true) > 0) {
			while (una != last_seq) {
				uint32_t step = last_seq - una < 2 * PAYLOAD ? last_seq - una : 2 * PAYLOAD;

				una += step;
				input(TCP_ACK, 1, una, 0);
			}
			now_ns += 20000;
			tcp_timer_run(engine, (tcp_time){now_ns}, 64);
		}
	}
}

/* A request of 64 bytes in, a reply of 64 bytes out that carries the ACK. */
static void echo(unsigned count)
{
	uint32_t seq = 1;
	uint64_t limit = 1 << 22;

	for (unsigned i = 0; i < count; i++, seq += 64) {
		input(TCP_ACK | TCP_PSH, seq, last_seq, 64);
		limit += 64;
		tcp_rx_limit(engine, (tcp_time){now_ns}, conn, limit);
		tcp_send(engine, (tcp_time){now_ns}, conn, 64);
		tcp_output(engine, (tcp_time){now_ns}, 64, true);
		now_ns += 5000;
		tcp_timer_run(engine, (tcp_time){now_ns}, 64);
	}
}

int main(int argc, char **argv)
{
	unsigned count = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 0) : 0;

	if (argc != 3) {
		fprintf(stderr, "usage: %s receive|send|echo N\n", argv[0]);
		return 2;
	}
	start();
	if (strcmp(argv[1], "receive") == 0)
		receive(count);
	else if (strcmp(argv[1], "send") == 0)
		send_trains(count);
	else
		echo(count);
	return 0;
}
