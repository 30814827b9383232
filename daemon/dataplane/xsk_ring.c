/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping the rings of an AF_XDP socket. libxdp cannot take over an inherited socket, so it is done here by
 * XDP_MMAP_OFFSETS.
 */
#include "daemon/dataplane/xsk_ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Since Linux 6.18; not in the headers of the oldest kernel that is supported. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

static const struct xdp_ring_offset *offset_of(const struct xdp_mmap_offsets *at, enum xsk_ring_kind kind)
{
	const struct xdp_ring_offset *const offsets[] = {
	    [XSK_RING_RX] = &at->rx,
	    [XSK_RING_TX] = &at->tx,
	    [XSK_RING_FILL] = &at->fr,
	    [XSK_RING_COMP] = &at->cr,
	};

	return offsets[kind];
}

int xsk_ring_map(struct xsk_ring *ring, struct xsk_map *map, int fd, enum xsk_ring_kind kind, uint32_t slots)
{
	static const off_t page_off[] = {
	    [XSK_RING_RX] = XDP_PGOFF_RX_RING,
	    [XSK_RING_TX] = XDP_PGOFF_TX_RING,
	    [XSK_RING_FILL] = (off_t)XDP_UMEM_PGOFF_FILL_RING,
	    [XSK_RING_COMP] = (off_t)XDP_UMEM_PGOFF_COMPLETION_RING,
	};
	bool has_descs = kind == XSK_RING_RX || kind == XSK_RING_TX;
	const struct xdp_ring_offset *at;
	struct xdp_mmap_offsets offsets;
	socklen_t offsets_bytes = sizeof(offsets);
	uint8_t *base;
	size_t bytes;

	if (slots == 0 || (slots & (slots - 1)) != 0)
		return -EINVAL;
	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &offsets_bytes) < 0)
		return -errno;
	if (offsets_bytes != sizeof(offsets))
		return -EPROTO; /* a kernel without ring flags, older than 5.4 */
	at = offset_of(&offsets, kind);
	bytes = at->desc + slots * (has_descs ? sizeof(struct xdp_desc) : sizeof(uint64_t));
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page_off[kind]);
	if (base == MAP_FAILED)
		return -errno;
	*map = (struct xsk_map){.base = base, .bytes = bytes};
	*ring = (struct xsk_ring){
	    .producer = (uint32_t *)(void *)(base + at->producer),
	    .consumer = (uint32_t *)(void *)(base + at->consumer),
	    .flags = (uint32_t *)(void *)(base + at->flags),
	    .slots = base + at->desc,
	    .mask = slots - 1,
	};
	/* Where a process before this one left off, or both zero. */
	ring->prod = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	ring->cons = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return 0;
}

void xsk_kick_budget_set(int fd, uint32_t packets)
{
	int budget = (int)packets;

	(void)setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
}
