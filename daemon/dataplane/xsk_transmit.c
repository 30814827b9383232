/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copy mode, and many packets: they are copied into the transmit program's slots and leave by one call, in
 * which no skb is made. What it does not take stays staged for the socket.
 */
#include <errno.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/dataplane/ip.h"
#include "daemon/dataplane/xsk.h"

#define RETRY_NS 1000000000u

_Static_assert(IXD_FRAME_BYTES - IP_TX_OFF <= IXD_TX_DATA_BYTES, "the largest packet fits into a slot");

static void slots_fill(const struct core *core, const struct xsk_port *port, uint32_t first, uint32_t count)
{
	struct ixd_tx_slot *slot = core->xsk->transmit->slots;

	for (uint32_t i = 0; i < count; i++, slot++) {
		const struct xdp_desc *desc = xsk_ring_desc(&port->tx, first + i);

		/* The kernel is to have a copy: after a crash during the call the frame is free. */
		core->frames->owner[frame_of_addr(desc->addr).index] = FRAME_CORE;
		slot->port = port->iface;
		slot->len = desc->len;
		memcpy(slot->data, core->dp->umem + desc->addr, desc->len);
	}
}

/* What the call has not taken is the kernel's again, before it can be in any ring. */
static void slots_forget(const struct core *core, const struct xsk_port *port, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		core->frames->owner[frame_of_addr(xsk_ring_desc(&port->tx, first + i)->addr).index] =
		    frame_byte(FRAME_KERNEL_TX, port->queue);
}

/* The first `count` staged descriptors are done with; those behind them move up. */
static void unstage(struct core *core, struct xsk_port *port, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t addr = xsk_ring_desc(&port->tx, first + i)->addr;

		if (__builtin_expect(core->frames->check != NULL, 0))
			frame_check_completed(core->frames->check, addr, port->queue);
		frame_release(core, frame_of_addr(addr));
	}
	port->tx.prod -= count;
	port->tx_staged -= count;
	core->xsk->refill_credit += count;
	for (uint32_t i = 0; i < port->tx_staged; i++)
		*xsk_ring_desc(&port->tx, first + i) = *xsk_ring_desc(&port->tx, first + count + i);
}

static void refused(struct core *core, int error)
{
	struct xdp_transmit *transmit = core->xsk->transmit;

	if (error == -EINTR)
		return; /* a debugger's doing */
	transmit->retry_at = (tcp_time){core->now.ns + RETRY_NS};
	if (!transmit->has_failed)
		log_warning("core %u: XDP transmit fails: %s; packets leave by AF_XDP, it is tried again "
			    "each second",
			    core->id, strerror(-error));
	transmit->has_failed = true;
}

static bool is_allowed(const struct core *core, const struct xsk_port *port)
{
	const struct xdp_transmit *transmit = core->xsk->transmit;

	return transmit != NULL && !port->is_zerocopy && !port->is_tx_stalled &&
	       core->now.ns >= transmit->retry_at.ns &&
	       __atomic_load_n(&core->mirror->ifaces[port->iface].can_xdp_transmit, __ATOMIC_ACQUIRE) != 0;
}

void xsk_transmit(struct core *core, struct xsk_port *port)
{
	while (port->tx_staged >= XSK_TRANSMIT_MIN && is_allowed(core, port)) {
		uint32_t first = port->tx.prod - port->tx_staged;
		uint32_t count = port->tx_staged < IXD_TX_SLOTS ? port->tx_staged : IXD_TX_SLOTS;
		uint32_t sent;
		int error;

		slots_fill(core, port, first, count);
		error = xdp_transmit_run(core->xsk->transmit, count, &sent);
		core->stats->tx_kicks++;
		core->stats->tx_xdp_calls++;
		core->stats->tx_xdp += sent;
		slots_forget(core, port, first + sent, count - sent);
		unstage(core, port, first, sent);
		if (sent < count)
			core->stats->tx_xdp_failed++;
		if (error < 0)
			refused(core, error);
		if (sent == 0)
			return; /* the socket takes them */
	}
}
