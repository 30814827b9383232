/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over sockets that the supervisor made, and letting go of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/dataplane/xsk.h"

static void port_unmap(struct xsk_port *port)
{
	for (unsigned i = 0; i < XSK_RING_KINDS; i++)
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

static int ring_map(struct xsk_port *port, struct xsk_ring *ring, enum xsk_ring_kind kind, uint32_t slots)
{
	return xsk_ring_map(ring, &port->maps[kind], port->fd, kind, slots);
}

static int rings_map(struct xsk_port *port, const struct msg_xsk *m)
{
	int r = ring_map(port, &port->rx, XSK_RING_RX, m->rx_slots);

	if (r == 0 && m->has_tx)
		r = ring_map(port, &port->tx, XSK_RING_TX, m->tx_slots);
	if (r == 0 && m->is_primary)
		r = ring_map(port, &port->fill, XSK_RING_FILL, m->fill_slots);
	if (r == 0 && m->is_primary)
		r = ring_map(port, &port->comp, XSK_RING_COMP, m->comp_slots);
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
	if (r < 0) {
		port_unmap(port);
		return r;
	}
	/* Packets that a process before this one submitted may still wait for their kick. */
	if (port->has_tx && port->tx.prod != port->tx.cons) {
		port->is_tx_stalled = true;
		xsk->stalled_count++;
	}
	if (port->has_tx && !port->is_zerocopy)
		xsk_kick_budget_set(fd, m->tx_slots);
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

bool xsk_watch(struct core *core)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = CORE_EVENT_PACKETS};
	struct xsk_core *xsk = core->xsk;

	for (uint32_t i = 0; xsk->watched_count < xsk->ports_count && i < xsk->ports_count; i++) {
		struct xsk_port *port = &xsk->ports[i];

		if (port->is_watched)
			continue;
		/* A packet that is there already is an event, too. */
		if (epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, port->fd, &event) < 0)
			return false;
		port->is_watched = true;
		xsk->watched_count++;
	}
	return true;
}

void xsk_port_unwatch(struct core *core, struct xsk_port *port)
{
	if (!port->is_watched)
		return;
	(void)epoll_ctl(core->epoll_fd, EPOLL_CTL_DEL, port->fd, NULL);
	port->is_watched = false;
	core->xsk->watched_count--;
}

void xsk_unwatch(struct core *core)
{
	for (uint32_t i = 0; i < core->xsk->ports_count; i++)
		xsk_port_unwatch(core, &core->xsk->ports[i]);
}
