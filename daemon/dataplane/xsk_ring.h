/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One ring of an AF_XDP socket, shared with the kernel: its words, and our private copies of both indices.
 * The kernel is trusted; the memory belongs to the socket and nobody else maps it.
 */
#ifndef DAEMON_DATAPLANE_XSK_RING_H
#define DAEMON_DATAPLANE_XSK_RING_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xsk_ring {
	uint32_t *producer, *consumer, *flags; /* shared words */
	void *slots;                           /* struct xdp_desc or uint64_t */
	uint32_t mask;
	uint32_t prod, cons; /* ours: what we have staged or taken; the other's: as last seen */
};

enum xsk_ring_kind { XSK_RING_RX, XSK_RING_TX, XSK_RING_FILL, XSK_RING_COMP, XSK_RING_KINDS };

/* A ring's memory, for munmap(). */
struct xsk_map {
	void *base;
	size_t bytes;
};

/* Maps a ring that the socket has, of `slots` slots, a power of two. Its indices are what a process before
 * this one left. 0, or negative errno, and both are as before. */
int xsk_ring_map(struct xsk_ring *ring, struct xsk_map *map, int fd, enum xsk_ring_kind kind, uint32_t slots);

/* A kick sends up to so many packets in copy mode where the kernel can be told (Linux 6.18), else 32: there
 * are more kicks then. */
void xsk_kick_budget_set(int fd, uint32_t packets);

/* We produce (FILL, TX): slots that are free. Looks at the kernel's index only when fewer than `wanted` seem
 * free, because that word's cache line is the kernel's. */
static inline uint32_t xsk_ring_room(struct xsk_ring *ring, uint32_t wanted)
{
	uint32_t room = ring->mask + 1 - (ring->prod - ring->cons);

	if (room >= wanted)
		return room;
	/* Acquire: the kernel has read a slot before it gives it back. */
	ring->cons = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return ring->mask + 1 - (ring->prod - ring->cons);
}

/* We produce: everything staged becomes the kernel's. */
static inline void xsk_ring_submit(struct xsk_ring *ring)
{
	/* Release: slots and packet bytes are written before the kernel sees the index. */
	__atomic_store_n(ring->producer, ring->prod, __ATOMIC_RELEASE);
}

/* We produce: how much of what was submitted the kernel has not taken yet. */
static inline uint32_t xsk_ring_backlog(struct xsk_ring *ring)
{
	ring->cons = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return ring->prod - ring->cons;
}

/* We consume (RX, COMPLETION): slots that wait for us. */
static inline uint32_t xsk_ring_waiting(struct xsk_ring *ring)
{
	/* Acquire: the kernel wrote the slot, and the packet, before the index. */
	ring->prod = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	return ring->prod - ring->cons;
}

/* We consume: slots up to ring->cons are the kernel's again. */
static inline void xsk_ring_give_back(struct xsk_ring *ring)
{
	/* Release: the slots are read before the kernel may overwrite them. */
	__atomic_store_n(ring->consumer, ring->cons, __ATOMIC_RELEASE);
}

static inline bool xsk_ring_wants_wakeup(const struct xsk_ring *ring)
{
	return (__atomic_load_n(ring->flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) != 0;
}

static inline struct xdp_desc *xsk_ring_desc(const struct xsk_ring *ring, uint32_t index)
{
	return (struct xdp_desc *)ring->slots + (index & ring->mask);
}

static inline uint64_t *xsk_ring_addr(const struct xsk_ring *ring, uint32_t index)
{
	return (uint64_t *)ring->slots + (index & ring->mask);
}

#endif
