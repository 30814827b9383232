/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interface's sockets come and go: at start, and when a driver was reset or has another number of queues.
 * The main thread asks all cores to detach, then all to release, and, when new sockets are there, to connect;
 * between two such rounds every core has finished its turn.
 */
#include <errno.h>

#include "daemon/dataplane/xsk.h"

/* A queue that the core serves itself is best: its completions come back without a detour. Else any; cores
 * choose different ones. */
static struct xsk_port *tx_port_choose(struct core *core, uint8_t iface)
{
	struct xsk_port *candidates[IXD_QUEUES_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < core->xsk->ports_count; i++) {
		struct xsk_port *port = &core->xsk->ports[i];

		if (port->iface != iface || !port->has_tx)
			continue;
		if (port->is_primary)
			return port;
		candidates[count++] = port;
	}
	return count == 0 ? NULL : candidates[core->id % count];
}

/* Another core that can send on this interface. */
static int tx_pass_connect(struct core *core, uint8_t iface, uint32_t tx_cores)
{
	struct dataplane *dp = core->dp;

	for (uint32_t i = 1; i < dp->cores; i++) {
		uint32_t to = (core->id + i) % dp->cores;
		struct handoff_ring *ring = exchange_ring(&dp->exchange->packets[core->id][to]);

		if ((tx_cores >> to & 1) == 0)
			continue;
		if (ring == NULL) {
			ring = handoff_ring_new(dp->init->fixed.xsk_ring_slots);
			if (ring == NULL)
				return -ENOMEM;
			exchange_ring_set(&dp->exchange->packets[core->id][to], ring);
		}
		core->xsk->tx_pass[iface] = ring;
		core->xsk->tx_pass_core[iface] = (uint16_t)to;
		return 0;
	}
	return 0; /* nobody can: the interface has no socket, and no packet for it finds room */
}

/* What follows from the list of ports. Pointers into it change when it does. */
static void ports_changed(struct core *core)
{
	struct xsk_core *xsk = core->xsk;
	uint32_t watches = 0;

	xsk->first_port = 0;
	xsk->stalled_count = 0;
	for (uint8_t iface = 0; iface < IXD_IFACES_MAX; iface++)
		xsk->tx_port[iface] = tx_port_choose(core, iface);
	/* Others stop looking before the list changes; one that looks already finds mapped words. */
	__atomic_store_n(&xsk->fill_watches, 0, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < xsk->ports_count; i++) {
		const struct xsk_port *port = &xsk->ports[i];
		struct xsk_fill_watch *watch = &xsk->fill_watch[watches];

		xsk->stalled_count += port->is_tx_stalled;
		if (!port->is_primary)
			continue;
		__atomic_store_n(&watch->producer, port->fill.producer, __ATOMIC_RELAXED);
		__atomic_store_n(&watch->consumer, port->fill.consumer, __ATOMIC_RELAXED);
		__atomic_store_n(&watch->half, (port->fill.mask + 1) / 2, __ATOMIC_RELAXED);
		watches++;
	}
	/* Release: the watches before their number. */
	__atomic_store_n(&xsk->fill_watches, watches, __ATOMIC_RELEASE);
}

int xsk_iface_connect(struct core *core, uint8_t iface, uint32_t tx_cores)
{
	ports_changed(core);
	core->xsk->tx_pass[iface] = NULL;
	core->xsk->refill_credit = XSK_REFILL_FRAMES;
	return core->xsk->tx_port[iface] != NULL ? 0 : tx_pass_connect(core, iface, tx_cores);
}

void xsk_iface_detach(struct core *core, uint8_t iface)
{
	struct xsk_core *xsk = core->xsk;

	for (uint32_t i = 0; i < xsk->ports_count;) {
		struct xsk_port *port = &xsk->ports[i];

		if (port->iface != iface) {
			i++;
			continue;
		}
		if (port->is_primary)
			xsk_port_reap(core, port);
		core->stats->drop_rx_closed += xsk_ring_waiting(&port->rx);
		/* The supervisor has the socket open, too: closing ours would leave it in the list. */
		xsk_port_unwatch(core, port);
		xsk->detached[xsk->detached_count++] = *port;
		*port = xsk->ports[--xsk->ports_count];
	}
	xsk->tx_pass[iface] = NULL;
	ports_changed(core);
}

void xsk_iface_release(struct core *core, uint8_t iface)
{
	struct xsk_core *xsk = core->xsk;

	/* No core passes any more: what is in the rings is all there will be. */
	if (core->dp->cores > 1) {
		xsk_passed_forget(core, iface);
		frame_flush(core);
	}
	for (uint32_t i = 0; i < xsk->detached_count;) {
		if (xsk->detached[i].iface != iface) {
			i++;
			continue;
		}
		xsk_port_close(&xsk->detached[i]);
		xsk->detached[i] = xsk->detached[--xsk->detached_count];
	}
}
