/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for an engine, and callbacks that do nothing. */
#include "tests/rig/bench.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW (UINT32_C(4) << 20)

static int64_t on_emit(void *ctx, const struct tcp_emit *train)
{
	(void)ctx;
	return train->payload_len;
}

static bool on_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path)
{
	(void)ctx;
	(void)listener;
	(void)tuple;
	*path = (struct tcp_path){.mtu = 1500, .rcv_window = WINDOW, .rcv_window_max = WINDOW};
	return true;
}

static void on_listener(void *ctx, uint32_t conn, uint32_t listener)
{
	(void)ctx;
	(void)conn;
	(void)listener;
}

static bool on_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len)
{
	(void)ctx;
	(void)conn;
	(void)off;
	(void)data;
	(void)len;
	return true;
}

static void on_offset(void *ctx, uint32_t conn, uint64_t off)
{
	(void)ctx;
	(void)conn;
	(void)off;
}

static void on_eof(void *ctx, uint32_t conn)
{
	(void)ctx;
	(void)conn;
}

static bool on_dead(void *ctx, uint32_t conn, enum tcp_reason reason)
{
	(void)ctx;
	(void)conn;
	(void)reason;
	return false;
}

const struct tcp_ops bench_ops = {
    .emit = on_emit,
    .path = on_path,
    .on_open = on_listener,
    .on_established = on_listener,
    .rx_store = on_store,
    .on_readable = on_offset,
    .on_acked = on_offset,
    .on_eof = on_eof,
    .on_dead = on_dead,
};

static void make(struct bench *b, tcp_time now)
{
	/* Nothing may depend on what volatile memory held. */
	memset(b->volatile_mem, 0xa5, tcp_volatile_size(&b->limits));
	b->engine = tcp_engine_init(b->surviving, b->volatile_mem, &b->limits, &b->config, &b->keys, b->ops,
				    b->ctx, &b->stats, now);
	if (!b->engine)
		abort();
}

void bench_start(struct bench *b, tcp_time now)
{
	if (!b->surviving) {
		b->surviving = aligned_alloc(64, tcp_surviving_size(&b->limits));
		b->volatile_mem = aligned_alloc(64, tcp_volatile_size(&b->limits));
	}
	if (!b->surviving || !b->volatile_mem)
		abort();
	memset(b->surviving, 0, tcp_surviving_size(&b->limits));
	make(b, now);
}

void bench_restart(struct bench *b, tcp_time now)
{
	make(b, now);
}

void bench_free(struct bench *b)
{
	free(b->surviving);
	free(b->volatile_mem);
	b->surviving = b->volatile_mem = NULL;
	b->engine = NULL;
}
