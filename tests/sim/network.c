/* SPDX-License-Identifier: BSD-2-Clause */
/* The network: a bottleneck with a queue, then delay, and everything that can happen to a packet. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define IP_BYTES     20
#define QUOTED_BYTES 8

static bool is_before(const struct sim_packet *a, const struct sim_packet *b)
{
	return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->order < b->order);
}

static void push(struct sim *s, struct sim_packet *p)
{
	uint32_t i = s->queue_count++;

	if (i == s->queue_size) {
		s->queue_size = s->queue_size ? 2 * s->queue_size : 256;
		s->queue = realloc(s->queue, s->queue_size * sizeof(struct sim_packet *));
		if (!s->queue)
			abort();
	}
	while (i > 0 && is_before(p, s->queue[(i - 1) / 2])) {
		s->queue[i] = s->queue[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->queue[i] = p;
}

static struct sim_packet *pop(struct sim *s)
{
	struct sim_packet *top = s->queue[0], *last = s->queue[--s->queue_count];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= s->queue_count)
			break;
		if (child + 1 < s->queue_count && is_before(s->queue[child + 1], s->queue[child]))
			child++;
		if (!is_before(s->queue[child], last))
			break;
		s->queue[i] = s->queue[child];
		i = child;
	}
	s->queue[i] = last;
	return top;
}

static void enqueue(struct sim *s, unsigned to, enum sim_packet_kind kind, const uint8_t *data, uint32_t len,
		    uint8_t ecn, uint64_t due_ns)
{
	struct sim_packet *p = malloc(sizeof(*p));

	if (!p)
		abort();
	p->due_ns = due_ns;
	p->order = s->order++;
	p->len = len;
	p->to = (uint8_t)to;
	p->ecn = ecn;
	p->kind = (uint8_t)kind;
	memcpy(p->data, data, len);
	push(s, p);
}

/* Silence begins once, when enough has been delivered. */
static bool is_cut(struct sim *s)
{
	if (!s->was_cut && s->scenario.cut_after_bytes != 0 && s->bytes >= s->scenario.cut_after_bytes) {
		s->is_cut = s->was_cut = true;
		s->cut_until_ns = s->now_ns + s->scenario.cut_ms * UINT64_C(1000000);
	}
	if (s->is_cut && s->now_ns >= s->cut_until_ns)
		s->is_cut = false;
	return s->is_cut;
}

static bool is_lost(struct sim *s, unsigned from)
{
	if (s->burst_left[from] > 0) {
		s->burst_left[from]--;
		return true;
	}
	if (sim_random_chance(&s->random, s->scenario.burst))
		s->burst_left[from] = sim_random_below(&s->random, 12);
	return sim_random_chance(&s->random, s->scenario.loss);
}

/* The router before the narrow link drops it, and says so if it is a good one (RFC 1191). */
static bool is_too_large(struct sim *s, unsigned from, const uint8_t *data, uint32_t len)
{
	const struct sim_scenario *w = &s->scenario;

	if (w->path_mtu == 0 || IP_BYTES + len <= w->path_mtu)
		return false;
	if (w->has_icmp)
		enqueue(s, from, SIM_PACKET_ICMP, data, QUOTED_BYTES, 0, s->now_ns + w->delay_ns);
	return true;
}

/* What happens to a packet on its way to the bottleneck; NULL: nothing. */
static const char *fate(struct sim *s, unsigned from, const uint8_t *data, uint32_t len)
{
	if (is_cut(s))
		return "cut off";
	if (is_lost(s, from))
		return "lost";
	/* The layer below the engine finds the wrong checksum. */
	if (sim_random_chance(&s->random, s->scenario.corrupt))
		return "corrupted";
	if (is_too_large(s, from, data, len))
		return "too large";
	return NULL;
}

void sim_network_send(struct sim *s, unsigned from, const uint8_t *data, uint32_t len, uint8_t ecn)
{
	const struct sim_scenario *w = &s->scenario;
	uint64_t start = s->link_free_ns[from] > s->now_ns ? s->link_free_ns[from] : s->now_ns;
	const char *what = fate(s, from, data, len);
	uint64_t due;

	if (!what && w->byte_ns > 0) {
		if ((start - s->now_ns) / w->byte_ns > w->queue_bytes)
			what = "queue full";
		else
			start = s->link_free_ns[from] = start + len * w->byte_ns;
	}
	sim_trace_segment(s, from, data, len, what ? what : "");
	if (what)
		return;
	if (sim_random_chance(&s->random, w->remark))
		ecn = (uint8_t)sim_random_below(&s->random, 4);
	if (ecn != 0 && sim_random_chance(&s->random, w->mark))
		ecn = 3;
	due = start + w->delay_ns;
	if (w->jitter_ns > 0)
		due += sim_random_next(&s->random) % w->jitter_ns;
	if (sim_random_chance(&s->random, w->reorder))
		due += w->reorder_ns;
	enqueue(s, !from, SIM_PACKET_TCP, data, len, ecn, due);
	if (sim_random_chance(&s->random, w->duplicate))
		enqueue(s, !from, SIM_PACKET_TCP, data, len, ecn,
			due + sim_random_below(&s->random, 1000000));
}

struct sim_packet *sim_network_take(struct sim *s)
{
	if (s->queue_count == 0 || s->queue[0]->due_ns > s->now_ns)
		return NULL;
	return pop(s);
}

uint64_t sim_network_next_ns(const struct sim *s)
{
	return s->queue_count > 0 ? s->queue[0]->due_ns : UINT64_MAX;
}

void sim_network_fini(struct sim *s)
{
	while (s->queue_count > 0)
		free(pop(s));
	free(s->queue);
}
