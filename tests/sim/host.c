/* SPDX-License-Identifier: BSD-2-Clause */
/* One side: the engine with its callbacks. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static tcp_time now(const struct sim *s)
{
	return (tcp_time){s->now_ns};
}

static unsigned direction_of(const struct sim_app *a, bool is_sending)
{
	return a->is_client == is_sending ? 0 : 1;
}

/* Our engine sends no urgent data; its peers may, so a few of its segments claim to have some. Which ones,
 * their numbers say. Nothing else may change by it. */
static void call_urgent(uint8_t *p)
{
	if (wire_get32(p + 4) % 64 != 7 || (p[13] & (TCP_SYN | TCP_RST)))
		return;
	p[13] |= TCP_URG;
	wire_put16(p + 18, (uint16_t)wire_get32(p + 4));
}

/* One segment of a train, as the layer below would cut it. */
static void send_segment(struct sim_host *h, const struct tcp_emit *t, const struct wire_cut *cut)
{
	uint8_t p[1600];
	uint32_t header = wire_cut_write(p, t, cut);

	if (cut->len > 0)
		sim_app_pattern(h->sim, h->apps[t->conn].port, direction_of(&h->apps[t->conn], true),
				t->payload_off + cut->at, p + header, cut->len);
	sim_check_sent(h->sim, h->index, p, header + cut->len);
	call_urgent(p);
	sim_network_send(h->sim, h->index, p, header + cut->len, t->ecn);
}

static void check_train(struct sim_host *h, const struct tcp_emit *t)
{
	struct sim *s = h->sim;

	if (t->options_len > WIRE_OPTIONS_BYTES || t->options_len % 4 != 0)
		sim_fail(s, "%u bytes of options", t->options_len);
	if (t->payload_len == 0)
		return;
	if (t->conn == TCP_NONE) {
		sim_fail(s, "an answer without a connection has payload");
		return;
	}
	if (t->mss == 0 || t->mss + t->options_len > 1460)
		sim_fail(s, "train with segments of %u + %u bytes", t->mss, t->options_len);
	if (t->payload_off + t->payload_len > h->apps[t->conn].queued)
		sim_fail(s, "sends bytes that were never queued");
	if (t->payload_off < h->apps[t->conn].acked)
		sim_fail(s, "sends bytes that were acknowledged");
}

static int64_t on_emit(void *ctx, const struct tcp_emit *t)
{
	struct sim_host *h = ctx;
	struct sim *s = h->sim;
	struct wire_cut cut = {0};
	uint32_t limit = t->payload_len;

	if (sim_random_chance(&s->random, s->scenario.refuse))
		return -EAGAIN;
	check_train(h, t);
	if (s->has_failed)
		return -EAGAIN;
	if (t->mss > 0 && t->payload_len > t->mss && sim_random_chance(&s->random, s->scenario.refuse))
		limit = t->mss * (1 + sim_random_below(&s->random, (t->payload_len - 1) / t->mss));
	while (wire_cut_next(t, limit, &cut))
		send_segment(h, t, &cut);
	return limit;
}

static bool on_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path)
{
	struct sim_host *h = ctx;
	uint16_t port =
	    listener == TCP_NONE && h->sim->scenario.wide ? tuple->local_port : tuple->remote_port;
	uint32_t scale = port % 5;

	*path = (struct tcp_path){
	    .mtu = 1500,
	    .rcv_window = 3000u << scale,
	    .rcv_window_max = 3000u << (scale * 2),
	};
	return listener == TCP_NONE || !sim_random_chance(&h->sim->random, h->sim->scenario.refuse);
}

static void on_open(void *ctx, uint32_t conn, uint32_t listener)
{
	(void)listener;
	sim_app_open(ctx, conn);
}

static void on_established(void *ctx, uint32_t conn, uint32_t listener)
{
	struct sim_host *h = ctx;
	struct sim_app *a = &h->apps[conn];

	(void)listener;
	if (a->is_open)
		sim_fail(h->sim, "established twice");
	a->is_open = true;
	a->wake_ns = h->sim->now_ns;
}

static bool on_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len)
{
	struct sim_host *h = ctx;
	struct sim_app *a = &h->apps[conn];
	uint8_t expected[1600];

	if (sim_random_chance(&h->sim->random, h->sim->scenario.refuse / 4))
		return false;
	if (off + len > a->limit || off + len > SIM_BYTES_MAX || len > sizeof(expected)) {
		sim_fail(h->sim, "stores beyond the window: %" PRIu64 " + %u > %" PRIu64, off, len, a->limit);
		return false;
	}
	if (memchr(a->stored + off, 1, len))
		sim_fail(h->sim, "bytes from %" PRIu64 " stored twice", off);
	memset(a->stored + off, 1, len);
	sim_app_pattern(h->sim, a->port, direction_of(a, false), off, expected, len);
	if (memcmp(data, expected, len) != 0)
		sim_fail(h->sim, "other bytes from %" PRIu64 " than were sent", off);
	return true;
}

static void on_readable(void *ctx, uint32_t conn, uint64_t end_off)
{
	struct sim_host *h = ctx;
	struct sim_app *a = &h->apps[conn];

	if (end_off <= a->readable || end_off > SIM_BYTES_MAX) {
		sim_fail(h->sim, "readable moves from %" PRIu64 " to %" PRIu64, a->readable, end_off);
		return;
	}
	if (memchr(a->stored + a->readable, 0, end_off - a->readable))
		sim_fail(h->sim, "bytes up to %" PRIu64 " readable but not all stored", end_off);
	h->sim->bytes += end_off - a->readable;
	a->readable = end_off;
	sim_app_wake(h, a);
}

static void on_acked(void *ctx, uint32_t conn, uint64_t acked_off)
{
	struct sim_host *h = ctx;
	struct sim_app *a = &h->apps[conn];

	if (acked_off <= a->acked || acked_off > a->queued)
		sim_fail(h->sim, "acked moves from %" PRIu64 " to %" PRIu64 " of %u", a->acked, acked_off,
			 a->queued);
	a->acked = acked_off;
}

static void on_eof(void *ctx, uint32_t conn)
{
	struct sim_host *h = ctx;

	if (h->apps[conn].has_eof)
		sim_fail(h->sim, "second end of stream");
	h->apps[conn].has_eof = true;
	sim_app_wake(h, &h->apps[conn]);
}

static bool on_dead(void *ctx, uint32_t conn, enum tcp_reason reason)
{
	struct sim_host *h = ctx;

	sim_app_end(h, &h->apps[conn], reason);
	if (h->sim->is_tracing)
		printf("%12.6f %c conn %u dead: %s\n", (double)h->sim->now_ns / 1e6, h->index ? 'B' : 'A',
		       conn, tcp_reason_name(reason));
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

void sim_host_init(struct sim *s, unsigned index)
{
	struct sim_host *h = &s->hosts[index];
	const struct sim_scenario *w = &s->scenario;
	struct tcp_params params = {.cc = (uint8_t)w->server_cc,
				    .backlog = (uint32_t)w->listen_backlog,
				    .flags = w->fast_open ? TCP_PARAM_FAST_OPEN : 0};

	h->sim = s;
	h->index = (uint8_t)index;
	sim_scenario_limits(w, index, &h->bench.limits);
	sim_scenario_config(w, &h->bench.config);
	/* One side alone: the other speaks classic ECN at most. */
	if (w->accurate_ecn == 2 + (uint64_t)index)
		h->bench.config.accurate_ecn = true;
	memset(&h->bench.keys, 0x5a + (int)index, sizeof(h->bench.keys));
	memcpy(h->bench.keys.isn, &w->run, 8);
	h->bench.ops = &ops;
	h->bench.ctx = h;
	bench_start(&h->bench, now(s));
	if (index == 1 && tcp_listen(h->bench.engine, wire_hosts[1], SIM_SERVER_PORT, 0, &params) < 0)
		sim_fail(s, "cannot listen");
}

/* The process dies and another takes over: everything volatile is gone, and so is what came out of order. */
void sim_host_restart(struct sim_host *h)
{
	for (unsigned i = 0; i < SIM_RECORDS; i++) {
		struct sim_app *a = &h->apps[i];

		if (a->is_used && !a->is_dead)
			memset(a->stored + a->readable, 0, SIM_BYTES_MAX - a->readable);
	}
	bench_restart(&h->bench, now(h->sim));
}

void sim_host_fini(struct sim_host *h)
{
	for (unsigned i = 0; i < SIM_RECORDS; i++)
		free(h->apps[i].stored);
	bench_free(&h->bench);
}

/* A router says that a segment of ours was too large. */
static void icmp_input(struct sim_host *h, const uint8_t *quoted)
{
	struct tcp_tuple tuple = {.local_port = (uint16_t)wire_get16(quoted),
				  .remote_port = (uint16_t)wire_get16(quoted + 2)};

	memcpy(tuple.local, wire_hosts[h->index], 16);
	memcpy(tuple.remote, wire_hosts[!h->index], 16);
	tcp_icmp_input(h->bench.engine, now(h->sim), &tuple, wire_get32(quoted + 4), TCP_ICMP_FRAG_NEEDED,
		       (uint16_t)h->sim->scenario.path_mtu);
}

void sim_host_input(struct sim_host *h, const struct sim_packet *p)
{
	static const uint8_t multicast[16] = {[10] = 0xff, [11] = 0xff, 224, 0, 0, 1};
	struct tcp_packet packet = {
	    .local = wire_hosts[h->index],
	    .remote = p->kind == SIM_PACKET_MULTICAST ? multicast : wire_hosts[!h->index],
	    .data = p->data,
	    .len = p->len,
	    .ecn = p->ecn,
	};

	if (p->kind == SIM_PACKET_ICMP) {
		icmp_input(h, p->data);
		return;
	}
	tcp_prefetch(h->bench.engine, &packet);
	tcp_input(h->bench.engine, now(h->sim), &packet);
}
