/* SPDX-License-Identifier: BSD-2-Clause */
/* One side: the engine with its callbacks, and the applications on it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static const uint8_t addresses[2][16] = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2},
};

static tcp_time now(const struct sim *s)
{
	return (tcp_time){s->now_ns};
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static unsigned direction_of(const struct sim_app *a, bool is_sending)
{
	return a->is_client == is_sending ? 0 : 1;
}

/* One segment of a train, as the layer below would cut it. */
static void send_segment(struct sim_host *h, const struct tcp_emit *t, uint32_t at, uint32_t len,
			 bool is_last)
{
	struct sim *s = h->sim;
	uint8_t p[1600];
	uint32_t header = 20u + t->options_len;
	uint8_t flags = t->flags;

	if (!is_last)
		flags &= (uint8_t) ~(TCP_PSH | TCP_FIN);
	if (at > 0)
		flags &= (uint8_t)~TCP_CWR;
	put16(p, t->tuple->local_port);
	put16(p + 2, t->tuple->remote_port);
	put32(p + 4, t->seq + at);
	put32(p + 8, t->ack);
	p[12] = (uint8_t)(header / 4 << 4);
	p[13] = flags;
	put16(p + 14, t->window);
	put32(p + 16, 0);
	memcpy(p + 20, t->options, t->options_len);
	for (uint32_t i = 0; i < len; i++) {
		const struct sim_app *a = &h->apps[t->conn];

		p[header + i] = sim_pattern(s, a->port, direction_of(a, true), t->payload_off + at + i);
	}
	sim_network_send(s, h->index, p, header + len, t->ecn);
}

static int64_t on_emit(void *ctx, const struct tcp_emit *t)
{
	struct sim_host *h = ctx;
	struct sim *s = h->sim;
	uint32_t limit = t->payload_len;
	uint32_t at = 0;

	if (sim_random_chance(&s->random, s->refuse))
		return -EAGAIN;
	if (t->payload_len > 0 && (t->mss == 0 || t->mss + t->options_len > 1460))
		sim_fail(s, "train with segments of %u + %u bytes", t->mss, t->options_len);
	if (t->payload_len > 0 && t->conn != TCP_NONE &&
	    t->payload_off + t->payload_len > h->apps[t->conn].queued)
		sim_fail(s, "sends bytes that were never queued");
	if (t->payload_len > 0 && t->payload_off < h->apps[t->conn].acked)
		sim_fail(s, "sends bytes that were acknowledged");
	if (t->mss > 0 && t->payload_len > t->mss && sim_random_chance(&s->random, s->refuse))
		limit = t->mss * (1 + sim_random_below(&s->random, (t->payload_len - 1) / t->mss));
	do {
		uint32_t len = limit - at < t->mss ? limit - at : t->mss;

		send_segment(h, t, at, len, at + len == t->payload_len);
		at += len;
	} while (at < limit);
	return limit;
}

static bool on_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path)
{
	struct sim_host *h = ctx;
	uint32_t scale = tuple->remote_port % 5;

	(void)h;
	(void)listener;
	path->mtu = 1500;
	path->rcv_window = 3000u << scale;
	path->rcv_window_max = 3000u << (scale * 2);
	return true;
}

static struct sim_app *app_open(struct sim_host *h, uint32_t conn)
{
	struct sim_app *a = &h->apps[conn];
	struct tcp_info info;

	if (a->is_used && !a->is_dead)
		sim_fail(h->sim, "record %u opened twice", conn);
	free(a->stored);
	memset(a, 0, sizeof(*a));
	a->is_used = true;
	a->stored = calloc(SIM_BYTES_MAX, 1);
	if (!a->stored)
		abort();
	if (tcp_info(h->engine, conn, &info) == 0)
		a->limit = info.rx_limit_off;
	a->window = (uint32_t)a->limit;
	return a;
}

static void on_open(void *ctx, uint32_t conn, uint32_t listener)
{
	struct sim_host *h = ctx;
	struct sim_app *a = app_open(h, conn);
	struct tcp_info info;

	(void)listener;
	tcp_info(h->engine, conn, &info);
	a->port = info.tuple.remote_port;
	/* Both sides know from the seed and the port what will be sent. */
	a->to_send = (uint32_t)(sim_pattern(h->sim, a->port, 2, 0) * 300u);
	a->peer_total = UINT32_MAX;
}

static void on_established(void *ctx, uint32_t conn, uint32_t listener)
{
	struct sim_host *h = ctx;

	(void)listener;
	if (h->apps[conn].is_open)
		sim_fail(h->sim, "established twice");
	h->apps[conn].is_open = true;
	h->apps[conn].wake_ns = h->sim->now_ns;
}

static bool on_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len)
{
	struct sim_host *h = ctx;
	struct sim_app *a = &h->apps[conn];

	if (sim_random_chance(&h->sim->random, h->sim->refuse / 4))
		return false;
	if (off + len > a->limit || off + len > SIM_BYTES_MAX) {
		sim_fail(h->sim, "stores beyond the window: %lu + %u > %lu", off, len, a->limit);
		return false;
	}
	for (uint32_t i = 0; i < len; i++) {
		if (a->stored[off + i]) {
			sim_fail(h->sim, "byte %lu stored twice", off + i);
			return false;
		}
		a->stored[off + i] = 1;
		if (data[i] != sim_pattern(h->sim, a->port, direction_of(a, false), off + i)) {
			sim_fail(h->sim, "byte %lu is wrong", off + i);
			return false;
		}
	}
	return true;
}

static void on_readable(void *ctx, uint32_t conn, uint64_t end_off)
{
	struct sim_host *h = ctx;
	struct sim_app *a = &h->apps[conn];

	if (end_off <= a->readable)
		sim_fail(h->sim, "readable moves from %lu to %lu", a->readable, end_off);
	for (uint64_t i = a->readable; i < end_off; i++)
		if (!a->stored[i])
			sim_fail(h->sim, "byte %lu readable but never stored", i);
	h->sim->bytes += end_off - a->readable;
	a->readable = end_off;
}

static void on_acked(void *ctx, uint32_t conn, uint64_t acked_off)
{
	struct sim_host *h = ctx;
	struct sim_app *a = &h->apps[conn];

	if (acked_off <= a->acked || acked_off > a->queued)
		sim_fail(h->sim, "acked moves from %lu to %lu of %u", a->acked, acked_off, a->queued);
	a->acked = acked_off;
}

static void on_eof(void *ctx, uint32_t conn)
{
	struct sim_host *h = ctx;

	if (h->apps[conn].has_eof)
		sim_fail(h->sim, "second end of stream");
	h->apps[conn].has_eof = true;
}

static void on_dead(void *ctx, uint32_t conn, enum tcp_reason reason)
{
	struct sim_host *h = ctx;

	if (!h->apps[conn].is_used || h->apps[conn].is_dead)
		sim_fail(h->sim, "dead, but not alive before");
	h->apps[conn].is_dead = true;
	h->apps[conn].reason = reason;
	if (h->sim->is_tracing)
		printf("%12.6f %c conn %u dead: %s\n", (double)h->sim->now_ns / 1e6, h->index ? 'B' : 'A',
		       conn, tcp_reason_name(reason));
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

void sim_host_init(struct sim *s, unsigned index, const struct tcp_config *config)
{
	struct sim_host *h = &s->hosts[index];
	struct tcp_params params = {.cc = (uint8_t)sim_random_below(&s->random, TCP_CC_COUNT),
				    .flags = config->fast_open ? TCP_PARAM_FAST_OPEN : 0};

	h->sim = s;
	h->index = (uint8_t)index;
	h->limits = (struct tcp_limits){
	    .conns = SIM_CONNS * 2,
	    .listeners = 4,
	    .syn_backlog = sim_random_below(&s->random, 3) == 0 ? 1 : 64,
	    .time_waits = sim_random_below(&s->random, 4) == 0 ? 2 : 32,
	    .sent_records = sim_random_below(&s->random, 3) == 0 ? 4 : 1024,
	    .ooo_records = sim_random_below(&s->random, 3) == 0 ? 2 : 256,
	};
	h->config = *config;
	memset(&h->keys, 0x5a + (int)index, sizeof(h->keys));
	memcpy(h->keys.isn, &s->seed, 8);
	h->surviving = aligned_alloc(64, tcp_surviving_size(&h->limits));
	h->volatile_mem = aligned_alloc(64, tcp_volatile_size(&h->limits));
	if (!h->surviving || !h->volatile_mem)
		abort();
	memset(h->surviving, 0, tcp_surviving_size(&h->limits));
	h->engine = tcp_engine_init(h->surviving, h->volatile_mem, &h->limits, config, &h->keys, &ops, h,
				    &h->stats, now(s));
	if (!h->engine)
		abort();
	if (index == 1 && tcp_listen(h->engine, addresses[1], SIM_SERVER_PORT, 0, &params) < 0)
		sim_fail(s, "cannot listen");
}

/* The process dies and another takes over: everything volatile is gone, and so is what came out of order. */
void sim_host_restart(struct sim_host *h)
{
	for (unsigned i = 0; i < SIM_CONNS * 2; i++) {
		struct sim_app *a = &h->apps[i];

		if (a->is_used && !a->is_dead)
			memset(a->stored + a->readable, 0, SIM_BYTES_MAX - a->readable);
	}
	memset(h->volatile_mem, 0xa5, tcp_volatile_size(&h->limits));
	h->engine = tcp_engine_init(h->surviving, h->volatile_mem, &h->limits, &h->config, &h->keys, &ops, h,
				    &h->stats, now(h->sim));
	if (!h->engine)
		abort();
	h->sim->restarts++;
}

void sim_host_fini(struct sim_host *h)
{
	for (unsigned i = 0; i < SIM_CONNS * 2; i++)
		free(h->apps[i].stored);
	free(h->surviving);
	free(h->volatile_mem);
}

void sim_host_connect(struct sim_host *h, uint16_t port, uint32_t to_send, uint32_t peer_total)
{
	struct sim *s = h->sim;
	struct tcp_tuple tuple = {.local_port = port, .remote_port = SIM_SERVER_PORT};
	struct tcp_params params = {.cc = (uint8_t)sim_random_below(&s->random, TCP_CC_COUNT),
				    .flags = sim_random_below(&s->random, 2) ? TCP_PARAM_NAGLE : 0};
	struct sim_app *a;
	int64_t conn;

	if (h->config.fast_open)
		params.flags |= TCP_PARAM_FAST_OPEN;
	memcpy(tuple.local, addresses[0], 16);
	memcpy(tuple.remote, addresses[1], 16);
	conn = tcp_connect(h->engine, now(s), &tuple, &params);
	if (conn < 0) {
		sim_fail(s, "connect: %ld", conn);
		return;
	}
	a = app_open(h, (uint32_t)conn);
	a->port = port;
	a->is_client = true;
	a->to_send = to_send;
	a->peer_total = peer_total;
	a->will_abort = sim_random_below(&s->random, 20) == 0;
	if (h->config.fast_open && sim_random_below(&s->random, 4) > 0) {
		a->queued = 1 + sim_random_below(&s->random, 3000);
		if (tcp_send(h->engine, now(s), (uint32_t)conn, a->queued) != 0)
			sim_fail(s, "early send refused");
	}
}

static void app_write(struct sim_host *h, uint32_t conn)
{
	struct sim_app *a = &h->apps[conn];
	struct sim *s = h->sim;
	uint32_t bytes = 1 + sim_random_below(&s->random, sim_random_below(&s->random, 2) ? 200 : 20000);

	if (bytes > a->to_send - a->queued)
		bytes = a->to_send - a->queued;
	if (bytes > 0) {
		a->queued += bytes; /* before the call: it may not be read later */
		if (tcp_send(h->engine, now(s), conn, bytes) != 0)
			sim_fail(s, "send refused");
	}
	if (a->queued == a->to_send && !a->is_shut && sim_random_below(&s->random, 3) == 0) {
		a->is_shut = true;
		tcp_shutdown(h->engine, now(s), conn);
	}
}

static void app_read(struct sim_host *h, uint32_t conn)
{
	struct sim_app *a = &h->apps[conn];
	struct sim *s = h->sim;
	uint64_t unread = a->readable - a->consumed;

	if (sim_random_below(&s->random, 8) == 0)
		return; /* a slow reader */
	if (unread > 0)
		a->consumed +=
		    sim_random_below(&s->random, 3) ? unread : 1 + sim_random_next(&s->random) % unread;
	if (a->consumed + a->window > a->limit)
		a->limit = a->consumed + a->window;
	tcp_rx_limit(h->engine, now(s), conn, a->limit);
}

/* The other side has ended, and the RST that would have said so may be lost. */
static bool is_peer_gone(const struct sim_host *h, const struct sim_app *a)
{
	const struct sim_host *other = &h->sim->hosts[!h->index];

	for (unsigned i = 0; i < SIM_CONNS * 2; i++)
		if (other->apps[i].is_used && !other->apps[i].is_dead && other->apps[i].port == a->port)
			return false;
	return true;
}

static void app_run(struct sim_host *h, uint32_t conn)
{
	struct sim_app *a = &h->apps[conn];
	struct sim *s = h->sim;
	uint32_t pause_us = sim_random_below(&s->random, 2) ? 50 : 50 + sim_random_below(&s->random, 5000);

	if (sim_random_below(&s->random, 200) == 0)
		pause_us = 3000000; /* long enough for probes and idle restart */
	a->wake_ns = s->now_ns + pause_us * UINT64_C(1000);
	if (!a->is_client && !a->is_accepted) {
		if (tcp_accept(h->engine, conn) != 0)
			sim_fail(s, "accept refused");
		a->is_accepted = true;
	}
	if (a->will_abort && a->queued > 0 && sim_random_below(&s->random, 10) == 0) {
		tcp_abort(h->engine, now(s), conn);
		return;
	}
	if (sim_random_below(&s->random, 500) == 0 && is_peer_gone(h, a)) {
		tcp_abort(h->engine, now(s), conn); /* nobody would ever answer an idle connection */
		return;
	}
	if (!a->is_shut)
		app_write(h, conn);
	if (!a->is_dead)
		app_read(h, conn);
	if (!a->is_dead && a->is_shut && a->has_eof && a->consumed == a->readable && !a->is_closed) {
		a->is_closed = true;
		tcp_close(h->engine, now(s), conn, false);
	}
}

bool sim_host_has_opened(const struct sim_host *h)
{
	for (unsigned i = 0; i < SIM_CONNS * 2; i++)
		if (h->apps[i].is_open || h->apps[i].is_dead)
			return true;
	return false;
}

void sim_host_run_apps(struct sim_host *h)
{
	for (uint32_t i = 0; i < SIM_CONNS * 2; i++) {
		struct sim_app *a = &h->apps[i];

		if (a->is_used && a->is_open && !a->is_dead && !a->is_closed && a->wake_ns <= h->sim->now_ns)
			app_run(h, i);
	}
}

uint64_t sim_host_next_ns(const struct sim_host *h)
{
	uint64_t next = tcp_timer_next(h->engine).ns;

	if (next == 0)
		next = UINT64_MAX;
	for (uint32_t i = 0; i < SIM_CONNS * 2; i++) {
		const struct sim_app *a = &h->apps[i];

		if (a->is_used && a->is_open && !a->is_dead && !a->is_closed && a->wake_ns < next)
			next = a->wake_ns;
	}
	if (tcp_output_pending(h->engine) && h->sim->now_ns + 1000 < next)
		next = h->sim->now_ns + 1000;
	return next;
}
