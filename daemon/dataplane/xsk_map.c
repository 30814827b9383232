/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping the rings of sockets that the supervisor made. libxdp cannot take over an inherited socket, so it
 * is done here by XDP_MMAP_OFFSETS.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/dataplane/xsk.h"

/* Since Linux 6.18; not in the headers of the oldest kernel that is supported. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

enum ring_kind { RING_RX, RING_TX, RING_FILL, RING_COMP };

static int ring_map(struct xsk_port *port, struct xsk_ring *ring, enum ring_kind kind, uint32_t slots,
		    const struct xdp_ring_offset *at)
{
	static const off_t page_off[] = {
	    [RING_RX] = XDP_PGOFF_RX_RING,
	    [RING_TX] = XDP_PGOFF_TX_RING,
	    [RING_FILL] = (off_t)XDP_UMEM_PGOFF_FILL_RING,
	    [RING_COMP] = (off_t)XDP_UMEM_PGOFF_COMPLETION_RING,
	};
	size_t slot_bytes = kind == RING_RX || kind == RING_TX ? sizeof(struct xdp_desc) : sizeof(uint64_t);
	struct xsk_map *map = &port->maps[kind];
	uint8_t *base;

	if (slots == 0 || (slots & (slots - 1)) != 0)
		return -EINVAL;
	map->bytes = at->desc + slots * slot_bytes;
	base = mmap(NULL, map->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, port->fd,
		    page_off[kind]);
	if (base == MAP_FAILED) {
		map->bytes = 0;
		return -errno;
	}
	map->base = base;
	ring->producer = (uint32_t *)(void *)(base + at->producer);
	ring->consumer = (uint32_t *)(void *)(base + at->consumer);
	ring->flags = (uint32_t *)(void *)(base + at->flags);
	ring->slots = base + at->desc;
	ring->mask = slots - 1;
	/* Where a process before this one left off, or both zero. */
	ring->prod = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	ring->cons = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return 0;
}

static void port_unmap(struct xsk_port *port)
{
	for (unsigned i = 0; i < 4; i++)
		if (port->maps[i].bytes != 0)
			munmap(port->maps[i].base, port->maps[i].bytes);
}

void xsk_port_close(struct xsk_port *port)
{
	port_unmap(port);
	close(port->fd);
	if (port->packet_fd >= 0)
		close(port->packet_fd);
}

static int rings_map(struct xsk_port *port, const struct msg_xsk *m)
{
	struct xdp_mmap_offsets at;
	socklen_t bytes = sizeof(at);
	int r;

	if (getsockopt(port->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &bytes) < 0)
		return -errno;
	if (bytes != sizeof(at))
		return -EPROTO; /* a kernel without ring flags, older than 5.4 */
	r = ring_map(port, &port->rx, RING_RX, m->rx_slots, &at.rx);
	if (r == 0 && m->has_tx)
		r = ring_map(port, &port->tx, RING_TX, m->tx_slots, &at.tx);
	if (r == 0 && m->is_primary)
		r = ring_map(port, &port->fill, RING_FILL, m->fill_slots, &at.fr);
	if (r == 0 && m->is_primary)
		r = ring_map(port, &port->comp, RING_COMP, m->comp_slots, &at.cr);
	return r;
}

struct xsk_core *xsk_core_new(void)
{
	return calloc(1, sizeof(struct xsk_core));
}

int xsk_port_add(struct core *core, const struct msg_xsk *m, int fd, int packet_fd)
{
	struct xsk_core *xsk = core->xsk;
	struct xsk_port *port = &xsk->ports[xsk->ports_count];
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = CORE_EVENT_PACKETS};
	int budget = (int)m->tx_slots;
	int r;

	if (m->iface >= IXD_IFACES_MAX || m->queue >= IXD_QUEUES_MAX || m->owner_core >= core->dp->cores ||
	    xsk->ports_count == IXD_QUEUES_MAX)
		return -EINVAL;
	memset(port, 0, sizeof(*port));
	port->fd = fd;
	port->packet_fd = packet_fd;
	port->iface = (uint8_t)m->iface;
	port->queue = m->queue;
	port->has_tx = m->has_tx != 0;
	port->is_primary = m->is_primary != 0;
	port->is_zerocopy = m->is_zerocopy != 0;
	port->owner_core = (uint16_t)m->owner_core;
	r = rings_map(port, m);
	if (r == 0 && epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		r = -errno;
	if (r < 0) {
		port_unmap(port);
		return r;
	}
	/* Packets that a process before this one submitted may still wait for their kick. */
	if (port->has_tx && port->tx.prod != port->tx.cons) {
		port->is_tx_stalled = true;
		xsk->stalled_count++;
	}
	/* More than the default 32 packets per kick, where the kernel can; otherwise there are more kicks. */
	if (port->has_tx && !port->is_zerocopy)
		(void)setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	xsk->refill_credit = XSK_REFILL_FRAMES;
	xsk->ports_count++;
	return 0;
}

void xsk_core_free(struct xsk_core *xsk)
{
	if (xsk == NULL)
		return;
	for (uint32_t i = 0; i < xsk->ports_count; i++)
		xsk_port_close(&xsk->ports[i]);
	for (uint32_t i = 0; i < xsk->detached_count; i++)
		xsk_port_close(&xsk->detached[i]);
	free(xsk->transmit);
	free(xsk);
}
