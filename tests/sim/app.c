/* SPDX-License-Identifier: BSD-2-Clause */
/* The applications: they write and read in random pieces, stall, half-close, close early and abort. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define NS_PER_US UINT64_C(1000)
#define NS_PER_S  UINT64_C(1000000000)

static tcp_time now(const struct sim_host *h)
{
	return (tcp_time){h->sim->now_ns};
}

/* Word by word, and then the bytes of a word. */
void sim_app_pattern(const struct sim *s, uint16_t port, unsigned direction, uint64_t off, uint8_t *out,
		     uint32_t len)
{
	uint64_t base =
	    (s->scenario.run + 1) * 0x9e3779b97f4a7c15u + port * 0xbf58476d1ce4e5b9u + direction * 77;
	uint64_t z = 0;

	for (uint32_t i = 0; i < len; i++, off++) {
		if (i == 0 || (off & 7) == 0) {
			z = base + (off >> 3);
			z = (z ^ z >> 29) * 0x94d049bb133111ebu;
		}
		if ((off & 7) == 0 && len - i >= 8) {
			memcpy(out + i, &z, 8);
			i += 7;
			off += 7;
			continue;
		}
		out[i] = (uint8_t)(z >> (8 * (off & 7)));
	}
}

struct sim_app *sim_app_open(struct sim_host *h, uint32_t conn)
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
	if (tcp_info(h->bench.engine, conn, &info) == 0) {
		a->limit = info.rx_limit_off;
		a->port = info.tuple.remote_port;
	}
	a->window = (uint32_t)a->limit;
	a->wake_ns = UINT64_MAX;
	if (a->port >= SIM_FIRST_PORT && a->port < SIM_FIRST_PORT + SIM_FLOWS) {
		/* How much the server sends. A late ACK of a cookie may open the same connection again. */
		a->to_send = sim_random_below(&h->sim->random, 76500);
		h->sim->flows[a->port - SIM_FIRST_PORT].side[h->index].has_offer = false;
		h->sim->flows[a->port - SIM_FIRST_PORT].side[h->index].has_fin = false;
	}
	return a;
}

/* For the SYN to carry (RFC 7413). */
static void send_early(struct sim_host *h, uint32_t conn)
{
	struct sim_app *a = &h->apps[conn];

	a->queued = 1 + sim_random_below(&h->sim->random, 3000);
	if (a->queued > a->to_send)
		a->queued = a->to_send;
	if (a->queued > 0 && tcp_send(h->bench.engine, now(h), conn, a->queued) != 0)
		sim_fail(h->sim, "early send refused");
}

void sim_app_connect(struct sim_host *h, unsigned number)
{
	struct sim *s = h->sim;
	const struct sim_scenario *w = &s->scenario;
	uint16_t port = (uint16_t)(SIM_FIRST_PORT + number);
	struct tcp_tuple tuple = {.local_port = port, .remote_port = SIM_SERVER_PORT};
	struct tcp_params params = {.cc = (uint8_t)w->client_cc,
				    .flags = (w->nagle ? TCP_PARAM_NAGLE : 0u) |
					     (w->keepalive_ns ? TCP_PARAM_KEEPALIVE : 0u) |
					     (w->fast_open ? TCP_PARAM_FAST_OPEN : 0u)};
	struct sim_app *a;
	int64_t conn;

	memcpy(tuple.local, wire_hosts[0], 16);
	memcpy(tuple.remote, wire_hosts[1], 16);
	conn = tcp_connect(h->bench.engine, now(h), &tuple, &params);
	if (conn < 0) {
		sim_fail(s, "connect: %ld", conn);
		return;
	}
	a = sim_app_open(h, (uint32_t)conn);
	a->port = port;
	a->is_client = true;
	a->to_send = sim_random_below(&s->random, 65536);
	if (number == 0 || number >= h->sim->first_conns) { /* what every run must move */
		a->to_send = SIM_BYTES_LEAST + sim_random_below(&s->random, 32768);
		return;
	}
	if (w->fast_open && sim_random_below(&s->random, 4) > 0)
		send_early(h, (uint32_t)conn);
	a->will_abort = w->abort_one_in && sim_random_below(&s->random, (uint32_t)w->abort_one_in) == 0;
	a->will_close = w->close_one_in && sim_random_below(&s->random, (uint32_t)w->close_one_in) == 0;
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
		if (tcp_send(h->bench.engine, now(h), conn, bytes) != 0)
			sim_fail(s, "send refused");
	}
	if (a->queued == a->to_send && sim_random_below(&s->random, 3) == 0) {
		a->is_shut = true;
		tcp_shutdown(h->bench.engine, now(h), conn);
	}
}

static struct sim_flow *flow_of(struct sim_host *h, const struct sim_app *a)
{
	unsigned number = a->port - SIM_FIRST_PORT;

	return number < SIM_FLOWS ? &h->sim->flows[number] : NULL;
}

/* Both ends stop reading until the same time: both windows close, and both sides probe. */
static bool is_stalled(struct sim_host *h, const struct sim_app *a)
{
	struct sim *s = h->sim;
	struct sim_flow *f = flow_of(h, a);

	if (f && f->stall_until_ns <= s->now_ns && sim_random_chance(&s->random, s->scenario.stall))
		f->stall_until_ns = s->now_ns + s->scenario.stall_ms * NS_PER_US * 1000;
	return f && f->stall_until_ns > s->now_ns;
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
	tcp_rx_limit(h->bench.engine, now(h), conn, a->limit);
}

static struct sim_app *other_side(struct sim_host *h, const struct sim_app *a)
{
	struct sim_host *other = &h->sim->hosts[!h->index];

	for (unsigned i = 0; i < SIM_RECORDS; i++)
		if (other->apps[i].is_used && !other->apps[i].is_dead && other->apps[i].port == a->port)
			return &other->apps[i];
	return NULL;
}

static void sleep_until(struct sim_app *a, uint64_t ns)
{
	if (a->is_open && a->wake_ns == UINT64_MAX)
		a->wake_ns = ns;
}

void sim_app_wake(struct sim_host *h, struct sim_app *a)
{
	sleep_until(a, h->sim->now_ns + NS_PER_US * (20 + sim_random_below(&h->sim->random, 500)));
}

/* Bad as it is, the network lets something through, and the other side knows the connection: a timeout means
 * that the two did not understand each other. Keepalive asks often, and does so on purpose in vain; a closed
 * connection waits for the other's end for a limited time. */
static bool has_no_excuse(const struct sim_host *h, const struct sim_app *a, const struct sim_app *other)
{
	const struct sim_scenario *w = &h->sim->scenario;

	return w->cut_after_bytes == 0 && w->keepalive_ns == 0 && w->forge == 0 && a->is_open &&
	       !a->is_closed && other && other->is_open && !other->is_closed;
}

void sim_app_end(struct sim_host *h, struct sim_app *a, enum tcp_reason reason)
{
	struct sim_app *other = other_side(h, a);
	unsigned number = a->port - SIM_FIRST_PORT;

	if (!a->is_used || a->is_dead)
		sim_fail(h->sim, "dead, but not alive before");
	if (reason == TCP_REASON_TIMEOUT && has_no_excuse(h, a, other))
		sim_fail(h->sim, "port %u: given up, but the other side is there", a->port);
	a->is_dead = true;
	a->reason = reason;
	if (number < SIM_FLOWS && (!h->sim->flows[number].ended[h->index].is_used || a->is_open)) {
		h->sim->flows[number].ended[h->index] = *a;
		h->sim->flows[number].ended[h->index].stored = NULL;
	}
	/* The RST that would have told the other side may be lost; after a while its user gives up. */
	if (other && other->orphan_ns == 0) {
		other->orphan_ns = h->sim->now_ns + (5 + sim_random_below(&h->sim->random, 20)) * NS_PER_S;
		sleep_until(other, other->orphan_ns);
	}
}

/* Nobody would ever answer an idle connection, unless keepalive asks. While something is in flight the engine
 * finds out by itself. */
static bool is_lost_for_good(struct sim_host *h, uint32_t conn)
{
	struct sim_app *a = &h->apps[conn];
	struct tcp_info info;

	if (a->orphan_ns == 0 || a->orphan_ns > h->sim->now_ns)
		return false;
	a->orphan_ns = h->sim->now_ns + 10 * NS_PER_S;
	if (h->sim->scenario.keepalive_ns != 0 && a->is_client)
		return false;
	return tcp_info(h->bench.engine, conn, &info) == 0 && info.unacked_bytes == 0 &&
	       (info.state == TCP_ESTABLISHED || info.state == TCP_CLOSE_WAIT ||
		info.state == TCP_FIN_WAIT_2);
}

static void app_close(struct sim_host *h, uint32_t conn, bool has_unread)
{
	h->apps[conn].is_closed = true;
	tcp_close(h->bench.engine, now(h), conn, has_unread);
}

static bool has_nothing_to_do(const struct sim_app *a)
{
	return a->is_shut && a->consumed == a->readable && a->consumed + a->window <= a->limit;
}

static void app_run(struct sim_host *h, uint32_t conn)
{
	struct sim_app *a = &h->apps[conn];
	struct sim *s = h->sim;
	uint32_t pause_us = sim_random_below(&s->random, 2) ? 50 : 50 + sim_random_below(&s->random, 5000);

	if (sim_random_below(&s->random, 20) == 0)
		pause_us =
		    200000 + sim_random_below(&s->random, 4000000); /* probes, keepalive, idle restart */
	a->wake_ns = s->now_ns + pause_us * NS_PER_US;
	if (!a->is_client && !a->is_accepted) {
		if (tcp_accept(h->bench.engine, conn) != 0)
			sim_fail(s, "accept refused");
		a->is_accepted = true;
	}
	if ((a->will_abort && a->queued > 0 && sim_random_below(&s->random, 10) == 0) ||
	    is_lost_for_good(h, conn)) {
		tcp_abort(h->bench.engine, now(h), conn);
		return;
	}
	if (!a->is_shut)
		app_write(h, conn);
	if (is_stalled(h, a)) {
		if (a->queued == a->to_send)
			a->wake_ns = flow_of(h, a)->stall_until_ns;
		return;
	}
	if (!a->is_dead)
		app_read(h, conn);
	if (a->is_dead)
		return;
	if (a->is_shut && a->consumed == a->readable && (a->has_eof || a->will_close))
		app_close(h, conn, false);
	else if (a->will_close && a->queued == a->to_send && a->consumed < a->readable)
		app_close(h, conn, true);
	else if (has_nothing_to_do(a))
		a->wake_ns = a->orphan_ns != 0 ? a->orphan_ns : UINT64_MAX;
}

static bool is_running(const struct sim_app *a)
{
	return a->is_used && a->is_open && !a->is_dead && !a->is_closed;
}

void sim_app_run_all(struct sim_host *h)
{
	for (uint32_t i = 0; i < SIM_RECORDS; i++)
		if (is_running(&h->apps[i]) && h->apps[i].wake_ns <= h->sim->now_ns)
			app_run(h, i);
}

uint64_t sim_app_next_ns(const struct sim_host *h)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < SIM_RECORDS; i++)
		if (is_running(&h->apps[i]) && h->apps[i].wake_ns < next)
			next = h->apps[i].wake_ns;
	return next;
}
