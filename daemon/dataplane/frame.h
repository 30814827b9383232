/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UMEM frames. Each has a home core, index / frames_per_core, whose pool it comes from and returns to; a core
 * that ends up with another core's frame gives it back through a single-producer ring. A core without a TX
 * ring on an interface passes packets to one that has, through rings of the same kind.
 *
 * Every frame has a byte in surviving memory that says whether the kernel has it (enum frame_owner), and
 * through which queue. It is set to the kernel's before the frame is handed over and back only after it was
 * taken from a ring; so a crash in between loses a frame at worst, and never gives one to two owners.
 * Received frames are marked before their places in the RX ring are given back: what is marked and still
 * stands there at the next start was not taken, the rest is nobody's.
 */
#ifndef DAEMON_DATAPLANE_FRAME_H
#define DAEMON_DATAPLANE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/limits.h"
#include "daemon/common/state.h"
#include "daemon/dataplane/core.h"
#include "daemon/dataplane/frame_check.h"

/* A core's free frames; a stack, so that the one used last, still in the cache, is used next. */
struct frame_pool {
	uint32_t count;
	uint32_t tx_floor;         /* frames that sending leaves to receiving */
	uint32_t rx_lent;          /* frames that the kernel has for receiving, or has received into */
	uint32_t rx_lent_max;      /* the rest is left to sending, whatever the driver could take */
	uint32_t first, total;     /* this core's frames: first … first + total - 1 */
	uint8_t *owner;            /* of the whole UMEM: frame_byte() */
	struct frame_check *check; /* frame_check.h; NULL: off */
	uint32_t stack[];
};

/* Takes the core's free frames from the ownership bytes: what the kernel holds from a process before stays
 * with it. NULL without memory. */
struct frame_pool *frame_pool_new(uint8_t *owner, uint32_t first, uint32_t total);
/* From here on the pool's traffic is checked; check becomes the pool's. */
void frame_pool_watch(struct frame_pool *pool, struct frame_check *check);
void frame_pool_free(struct frame_pool *pool);
/* Takes back the core's frames that the kernel had through these queues (a bit each), whose sockets are gone
 * and whose driver has let go. */
void frame_reclaim(struct frame_pool *pool, uint64_t queues);
/* Takes back the core's frames that a process before this one had received and not given back when it ended.
 * At start, when those that still wait in an RX ring are marked as the kernel's. */
void frame_reclaim_received(struct frame_pool *pool);

static inline uint64_t frame_addr(frame_index frame)
{
	return (uint64_t)frame.index * IXD_FRAME_BYTES;
}

static inline frame_index frame_of_addr(uint64_t addr)
{
	return (frame_index){(uint32_t)(addr / IXD_FRAME_BYTES)};
}

static inline bool frame_is_home(const struct frame_pool *pool, frame_index frame)
{
	return frame.index - pool->first < pool->total;
}

static inline bool frame_is_lent(uint8_t byte)
{
	return frame_byte_owner(byte) == FRAME_KERNEL_RX || byte == FRAME_RECEIVED;
}

/* Some of the core's frames are being sent, or are with another core on their way home. */
static inline bool frame_is_any_away(const struct frame_pool *pool)
{
	return pool->count + pool->rx_lent < pool->total;
}

/* For sending; false: none to spare now. */
static inline bool frame_alloc(struct frame_pool *pool, frame_index *frame)
{
	if (pool->count <= pool->tx_floor)
		return false;
	frame->index = pool->stack[--pool->count];
	if (__builtin_expect(pool->check != NULL, 0))
		frame_check_taken(pool->check, frame->index);
	return true;
}

/* Gives back a frame whose home this is. Its byte becomes FREE. */
static inline void frame_put(struct frame_pool *pool, frame_index frame)
{
	if (__builtin_expect(pool->check != NULL, 0) && !frame_check_put(pool->check, frame.index))
		return;
	pool->rx_lent -= frame_is_lent(pool->owner[frame.index]);
	pool->owner[frame.index] = FRAME_FREE;
	pool->stack[pool->count++] = frame.index;
}

/* A single-producer single-consumer ring of 8-byte entries between two cores. */
struct handoff_ring {
	uint32_t mask;
	uint32_t prod_staged __attribute__((aligned(64))); /* the producer's, not yet published */
	uint32_t cons_seen;
	uint32_t prod;
	uint32_t cons __attribute__((aligned(64)));
	uint64_t slots[] __attribute__((aligned(64)));
};

struct handoff_ring *handoff_ring_new(uint32_t slots);

/* Producer. False: full. Not visible before handoff_publish(). */
static inline bool handoff_put(struct handoff_ring *ring, uint64_t entry)
{
	if (ring->prod_staged - ring->cons_seen > ring->mask) {
		/* Acquire: the consumer has read the slot before it gave it back. */
		ring->cons_seen = __atomic_load_n(&ring->cons, __ATOMIC_ACQUIRE);
		if (ring->prod_staged - ring->cons_seen > ring->mask)
			return false;
	}
	ring->slots[ring->prod_staged++ & ring->mask] = entry;
	return true;
}

/* Producer: entries that can be put. */
static inline uint32_t handoff_room(struct handoff_ring *ring)
{
	/* Acquire: as in handoff_put(). */
	ring->cons_seen = __atomic_load_n(&ring->cons, __ATOMIC_ACQUIRE);
	return ring->mask + 1 - (ring->prod_staged - ring->cons_seen);
}

/* Producer. True when there was anything to publish. */
static inline bool handoff_publish(struct handoff_ring *ring)
{
	if (ring->prod_staged == ring->prod)
		return false;
	/* Release: entries, and the bytes of the packets they name, are written before they are seen. */
	__atomic_store_n(&ring->prod, ring->prod_staged, __ATOMIC_RELEASE);
	return true;
}

static inline bool handoff_is_empty(const struct handoff_ring *ring)
{
	return __atomic_load_n(&ring->prod, __ATOMIC_RELAXED) == ring->cons;
}

/* Consumer. */
static inline bool handoff_take(struct handoff_ring *ring, uint64_t *entry)
{
	/* Acquire: pairs with the release in handoff_publish(). */
	if (__atomic_load_n(&ring->prod, __ATOMIC_ACQUIRE) == ring->cons)
		return false;
	*entry = ring->slots[ring->cons & ring->mask];
	/* Release: the entry is read before the producer may overwrite it. */
	__atomic_store_n(&ring->cons, ring->cons + 1, __ATOMIC_RELEASE);
	return true;
}

/* All rings between cores. frames[from][to] carries frame indices home to `to`; it has room for every frame
 * of `to`, so it is never full. packets[from][to] carries packed packets (xsk.c) that `to` shall send; NULL
 * where `from` has not needed it yet: made by `from`, so read and written with the functions below. */
struct frame_exchange {
	struct handoff_ring *frames[IXD_CORES_MAX][IXD_CORES_MAX];
	struct handoff_ring *packets[IXD_CORES_MAX][IXD_CORES_MAX];
	struct handoff_ring *errors[IXD_CORES_MAX][IXD_CORES_MAX]; /* icmp.c; made like packets */
};

static inline struct handoff_ring *exchange_ring(struct handoff_ring *const *place)
{
	/* Acquire: the ring is seen as it was made. */
	return __atomic_load_n(place, __ATOMIC_ACQUIRE);
}

static inline void exchange_ring_set(struct handoff_ring **place, struct handoff_ring *ring)
{
	/* Release: the ring's words before the pointer to them. */
	__atomic_store_n(place, ring, __ATOMIC_RELEASE);
}

/* Rings for frames among all cores; packet rings are added by xsk.c. NULL without memory. */
struct frame_exchange *frame_exchange_new(uint32_t cores, uint32_t frames_per_core);
void frame_exchange_free(struct frame_exchange *exchange);

/* Gives any frame back: to the pool, or staged on the ring to its home until frame_flush(). */
void frame_release(struct core *core, frame_index frame);
/* Publishes what was staged; wakes a home core that sleeps while its FILL rings run low. Once per turn. */
void frame_flush(struct core *core);
/* Takes home what other cores have given back. */
void frame_collect(struct core *core);

#endif
