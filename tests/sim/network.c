/* SPDX-License-Identifier: BSD-2-Clause */
/* The network: a bottleneck with a queue, then delay, and everything that can happen to a packet. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

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

static void enqueue(struct sim *s, unsigned from, const uint8_t *data, uint32_t len, uint8_t ecn,
		    uint64_t due_ns)
{
	struct sim_packet *p = malloc(sizeof(*p));

	if (!p)
		abort();
	p->due_ns = due_ns;
	p->order = s->order++;
	p->len = len;
	p->to = (uint8_t)!from;
	p->ecn = ecn;
	memcpy(p->data, data, len);
	push(s, p);
}

static bool is_lost(struct sim *s, unsigned from)
{
	if (s->burst_left[from] > 0) {
		s->burst_left[from]--;
		return true;
	}
	if (sim_random_chance(&s->random, s->weather.burst))
		s->burst_left[from] = sim_random_below(&s->random, 12);
	return sim_random_chance(&s->random, s->weather.loss);
}

void sim_network_send(struct sim *s, unsigned from, const uint8_t *data, uint32_t len, uint8_t ecn)
{
	struct sim_weather *w = &s->weather;
	uint64_t start = s->link_free_ns[from] > s->now_ns ? s->link_free_ns[from] : s->now_ns;
	uint64_t due;

	s->packets++;
	if (is_lost(s, from)) {
		sim_trace_segment(s, from, data, len, "lost");
		return;
	}
	if (sim_random_chance(&s->random, w->corrupt)) {
		/* The layer below the engine finds the wrong checksum. */
		sim_trace_segment(s, from, data, len, "corrupted");
		return;
	}
	if (w->byte_ns > 0) {
		if ((start - s->now_ns) / w->byte_ns > w->queue_bytes) {
			sim_trace_segment(s, from, data, len, "queue full");
			return;
		}
		s->link_free_ns[from] = start + len * w->byte_ns;
		start = s->link_free_ns[from];
	}
	if (ecn != 0 && sim_random_chance(&s->random, w->mark))
		ecn = 3;
	due = start + w->delay_ns;
	if (w->jitter_ns > 0)
		due += sim_random_next(&s->random) % w->jitter_ns;
	if (sim_random_chance(&s->random, w->reorder))
		due += w->reorder_ns;
	sim_trace_segment(s, from, data, len, "");
	enqueue(s, from, data, len, ecn, due);
	if (sim_random_chance(&s->random, w->duplicate))
		enqueue(s, from, data, len, ecn, due + sim_random_below(&s->random, 1000000));
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
