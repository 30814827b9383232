/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of UMEM frames and the rings between cores.
 */
#include "daemon/dataplane/frame.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/dataplane/xsk.h"

/* Sending may not take the last eighth: received packets must always find frames, or acknowledgements that
 * would free the senders' own frames are lost. */
#define TX_FLOOR_PART 8

/* Receiving may not have more than three quarters. A driver with a long ring of its own takes whatever a FILL
 * ring offers, and nothing would be left to acknowledge with what it brings. */
#define RX_LENT_PART  4

struct frame_pool *frame_pool_new(uint8_t *owner, uint32_t first, uint32_t total)
{
	struct frame_pool *pool = calloc(1, sizeof(*pool) + total * sizeof(pool->stack[0]));

	if (pool == NULL)
		return NULL;
	pool->owner = owner;
	pool->first = first;
	pool->total = total;
	pool->tx_floor = total / TX_FLOOR_PART;
	pool->rx_lent_max = total - total / RX_LENT_PART;
	/* Backwards, so that the lowest frame is taken first and the pages in use stay together. */
	for (uint32_t i = total; i-- > 0;) {
		bool is_lent = frame_is_lent(owner[first + i]);

		pool->rx_lent += is_lent;
		if (is_lent || frame_byte_owner(owner[first + i]) == FRAME_KERNEL_TX)
			continue;
		owner[first + i] = FRAME_FREE;
		pool->stack[pool->count++] = first + i;
	}
	return pool;
}

void frame_pool_watch(struct frame_pool *pool, struct frame_check *check)
{
	pool->check = check;
	for (uint32_t i = 0; i < pool->count; i++)
		frame_check_fill(check, pool->stack[i]);
}

void frame_reclaim(struct frame_pool *pool, uint64_t queues)
{
	for (uint32_t i = 0; i < pool->total; i++) {
		uint8_t byte = pool->owner[pool->first + i];
		enum frame_owner who = frame_byte_owner(byte);

		if ((who == FRAME_KERNEL_RX || who == FRAME_KERNEL_TX) &&
		    (queues >> frame_byte_queue(byte) & 1) != 0)
			frame_put(pool, (frame_index){pool->first + i});
	}
}

void frame_reclaim_received(struct frame_pool *pool)
{
	for (uint32_t i = 0; i < pool->total; i++)
		if (pool->owner[pool->first + i] == FRAME_RECEIVED)
			frame_put(pool, (frame_index){pool->first + i});
}

void frame_pool_free(struct frame_pool *pool)
{
	if (pool != NULL)
		frame_check_free(pool->check);
	free(pool);
}

struct handoff_ring *handoff_ring_new(uint32_t slots)
{
	uint32_t rounded = 64;
	struct handoff_ring *ring;
	size_t bytes;

	while (rounded < slots)
		rounded *= 2;
	bytes = sizeof(*ring) + rounded * sizeof(ring->slots[0]);
	ring = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	if (ring == NULL)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->mask = rounded - 1;
	return ring;
}

struct frame_exchange *frame_exchange_new(uint32_t cores, uint32_t frames_per_core)
{
	struct frame_exchange *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	for (uint32_t from = 0; from < cores; from++)
		for (uint32_t to = 0; to < cores; to++) {
			if (from == to)
				continue;
			x->frames[from][to] = handoff_ring_new(frames_per_core);
			if (x->frames[from][to] == NULL) {
				frame_exchange_free(x);
				return NULL;
			}
		}
	return x;
}

void frame_exchange_free(struct frame_exchange *x)
{
	if (x == NULL)
		return;
	for (uint32_t from = 0; from < IXD_CORES_MAX; from++)
		for (uint32_t to = 0; to < IXD_CORES_MAX; to++) {
			free(x->frames[from][to]);
			free(x->packets[from][to]);
			free(x->errors[from][to]);
		}
	free(x);
}

/* The home core of a foreign frame. A loop over at most a few cores instead of a division. */
static uint32_t frame_home(const struct core *core, frame_index frame)
{
	uint32_t home = 0;

	for (uint32_t end = core->frames->total; frame.index >= end; end += core->frames->total)
		home++;
	return home;
}

void frame_release(struct core *core, frame_index frame)
{
	if (frame_is_home(core->frames, frame)) {
		frame_put(core->frames, frame);
		return;
	}
	/* Never full: it has room for all frames of that home. */
	handoff_put(core->dp->exchange->frames[core->id][frame_home(core, frame)], frame.index);
}

void frame_flush(struct core *core)
{
	for (uint32_t to = 0; to < core->dp->cores; to++) {
		struct handoff_ring *ring = core->dp->exchange->frames[core->id][to];

		if (ring != NULL && handoff_publish(ring) && xsk_fill_is_low(core->dp->core[to]))
			core_wake(core->dp->core[to]);
	}
}

void frame_collect(struct core *core)
{
	for (uint32_t from = 0; from < core->dp->cores; from++) {
		struct handoff_ring *ring = core->dp->exchange->frames[from][core->id];
		uint64_t entry;

		if (ring == NULL)
			continue;
		while (handoff_take(ring, &entry))
			frame_put(core->frames, (frame_index){(uint32_t)entry});
	}
}
