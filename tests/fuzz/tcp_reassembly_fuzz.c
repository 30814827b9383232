/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments of one connection at any place in any order, against a plain map of bytes. */
#include <stdlib.h>

#include "tcp/tcp_data.h"
#include "tcp/tcp_engine.h"
#include "tests/rig/bench.h"

#define WINDOW 4096

struct fuzz {
	bool has[WINDOW];
	uint64_t readable;
	uint8_t refuse; /* of 8: how often there is no memory */
	uint8_t count;
};

static bool on_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len)
{
	struct fuzz *f = ctx;

	(void)conn;
	(void)data;
	if (off + len > WINDOW || len == 0)
		abort();
	if (f->count++ % 8 < f->refuse)
		return false;
	for (uint64_t i = off; i < off + len; i++) {
		if (f->has[i])
			abort();
		f->has[i] = true;
	}
	return true;
}

static void on_readable(void *ctx, uint32_t conn, uint64_t end_off)
{
	struct fuzz *f = ctx;

	(void)conn;
	for (uint64_t i = 0; i < end_off; i++)
		if (!f->has[i])
			abort();
	f->readable = end_off;
}

static void check(struct tcp_engine *e, const struct fuzz *f)
{
	const struct tcp_conn *c = &e->conns[0];
	uint32_t held = 0;

	for (uint64_t i = f->readable; i < WINDOW; i++)
		held += f->has[i];
	if (held != c->ooo_bytes || tcp_seq_off(c->rcv_nxt) != f->readable)
		abort();
	if (f->readable < WINDOW && f->has[f->readable])
		abort(); /* it should have been handed over */
	for (unsigned i = 0; i < c->sack_count; i++)
		for (uint32_t k = c->sacks[i].start; k < c->sacks[i].end; k++)
			if (!f->has[k - 1])
				abort(); /* reported, but never stored */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t payload[65536];
	static struct bench bench = {.limits = {.conns = 1, .listeners = 1, .ooo_records = 3}};
	struct tcp_ops ops = bench_ops;
	struct fuzz f = {0};
	struct tcp_engine *e;
	struct tcp_conn *c;

	ops.rx_store = on_store;
	ops.on_readable = on_readable;
	bench.ops = &ops;
	bench.ctx = &f;
	tcp_config_default(&bench.config);
	bench_start(&bench, (tcp_time){1});
	e = bench.engine;
	c = &e->conns[0];
	c->state = TCP_ESTABLISHED;
	c->options = TCP_INFO_SACK;
	c->rcv_nxt = 1;
	c->rcv_adv = c->rcv_limit = 1 + WINDOW;
	if (size > 0)
		f.refuse = data[0] & 3;
	for (size_t i = 1; i + 4 <= size; i += 4) {
		struct tcp_segment s = {.payload = payload,
					.pos = 1 + (data[i] << 8 | data[i + 1]) % WINDOW,
					.payload_len =
					    (uint32_t)(data[i + 2] << 8 | data[i + 3]) % (2 * WINDOW)};

		s.end = s.pos + s.payload_len;
		tcp_data_input(e, 0, &s);
		check(e, &f);
	}
	return 0;
}
