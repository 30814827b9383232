/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets' part of a turn: completions and FILL, receive burst, send burst.
 */
#include "daemon/dataplane/xsk.h"

#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A passed packet in one word of a handoff ring. */
#define PASS_LEN_BITS   12
#define PASS_IFACE_BITS 8
#define PASS_LEN_MASK   ((1u << PASS_LEN_BITS) - 1)
#define PASS_IFACE_MASK ((1u << PASS_IFACE_BITS) - 1)
_Static_assert(IXD_FRAME_BYTES <= PASS_LEN_MASK, "a length fits");
_Static_assert(IXD_IFACES_MAX <= PASS_IFACE_MASK, "the largest number is no interface");

#define COMP_CHUNK        64 /* completions taken at one time */

/* Kicks for one burst of one socket. Each moves at least 32 packets, or the burst is called stalled. */
#define KICKS_MAX         128
#define STALL_WAIT_MIN_NS 20000u
#define STALL_WAIT_MAX_NS 10000000u

/* FILL takes frames down to this part of the pool, so that sending finds some, unless a FILL ring is nearly
 * empty: then receiving goes first. */
#define FILL_FLOOR_PART   4
/* Longer than a driver is in its interrupt handler, whatever takes its CPU away; ten times a second costs
 * nothing. */
#define FILL_DOUBT_NS     100000000u

/* How long a core sleeps while frames of its own are away: first so long, then twice as long each time. */
#define AWAY_WAIT_MIN_NS  100000000u
#define AWAY_WAIT_MAX_NS  1600000000u

static uint32_t comp_reap(struct core *core, struct xsk_port *port)
{
	uint32_t count = xsk_ring_waiting(&port->comp);
	uint32_t left = count;

	while (left > 0) {
		uint64_t addrs[COMP_CHUNK];
		uint32_t n = left < COMP_CHUNK ? left : COMP_CHUNK;

		for (uint32_t i = 0; i < n; i++)
			addrs[i] = *xsk_ring_addr(&port->comp, port->comp.cons++);
		/* The ring first, the frames' bytes second: after a crash in between the frames count as the
		 * kernel's. The other way round they would be free and completed again. */
		xsk_ring_give_back(&port->comp);
		for (uint32_t i = 0; i < n; i++) {
			if (__builtin_expect(core->frames->check != NULL, 0))
				frame_check_completed(core->frames->check, addrs[i], port->queue);
			frame_release(core, frame_of_addr(addrs[i]));
		}
		left -= n;
	}
	core->xsk->refill_credit += count;
	return count;
}

void xsk_port_reap(struct core *core, struct xsk_port *port)
{
	comp_reap(core, port);
}

static uint32_t pass_iface(uint64_t entry)
{
	return (uint32_t)(entry >> PASS_LEN_BITS & PASS_IFACE_MASK);
}

static uint64_t pass_addr(uint64_t entry)
{
	return entry >> (PASS_LEN_BITS + PASS_IFACE_BITS);
}

static void tx_stage(struct core *core, struct xsk_port *port, uint64_t addr, uint32_t len)
{
	/* Before it can be seen in any ring. */
	core->frames->owner[frame_of_addr(addr).index] = frame_byte(FRAME_KERNEL_TX, port->queue);
	if (__builtin_expect(core->frames->check != NULL, 0))
		frame_check_sent(core->frames->check, addr, len);
	*xsk_ring_desc(&port->tx, port->tx.prod++) = (struct xdp_desc){.addr = addr, .len = len};
	port->tx_staged++;
}

static void passed_take_from(struct core *core, struct handoff_ring *ring)
{
	uint64_t entry;

	while (!handoff_is_empty(ring)) {
		uint32_t iface = pass_iface(ring->slots[ring->cons & ring->mask]);
		struct xsk_port *port = iface < IXD_IFACES_MAX ? core->xsk->tx_port[iface] : NULL;

		if ((port != NULL && xsk_ring_room(&port->tx, 1) == 0) || !handoff_take(ring, &entry))
			return;
		if (port != NULL)
			tx_stage(core, port, pass_addr(entry), entry & PASS_LEN_MASK);
		else if (iface < IXD_IFACES_MAX)
			frame_release(core, frame_of_addr(pass_addr(entry))); /* the interface is closed */
	}
}

static void passed_take(struct core *core)
{
	for (uint32_t from = 0; from < core->dp->cores; from++) {
		struct handoff_ring *ring = exchange_ring(&core->dp->exchange->packets[from][core->id]);

		if (ring != NULL)
			passed_take_from(core, ring);
	}
}

void xsk_passed_forget(struct core *core, uint8_t iface)
{
	for (uint32_t from = 0; from < core->dp->cores; from++) {
		struct handoff_ring *ring = exchange_ring(&core->dp->exchange->packets[from][core->id]);

		if (ring == NULL)
			continue;
		/* Acquire: pairs with handoff_publish(). The producer does not look at slots that it has
		 * published until they are given back. */
		uint32_t prod = __atomic_load_n(&ring->prod, __ATOMIC_ACQUIRE);
		for (uint32_t at = ring->cons; at != prod; at++) {
			uint64_t *entry = &ring->slots[at & ring->mask];

			if (pass_iface(*entry) != iface)
				continue;
			frame_release(core, frame_of_addr(pass_addr(*entry)));
			*entry = (uint64_t)PASS_IFACE_MASK << PASS_LEN_BITS;
		}
	}
}

void xsk_reap(struct core *core)
{
	uint32_t before = core->frames->count;

	for (uint32_t i = 0; i < core->xsk->ports_count; i++)
		if (core->xsk->ports[i].is_primary)
			comp_reap(core, &core->xsk->ports[i]);
	if (core->dp->cores == 1)
		return;
	frame_collect(core);
	core->xsk->refill_credit += core->frames->count - before;
	passed_take(core);
}

/* A zero-copy driver that finds its FILL ring empty says that it waits to be told, and may say so a moment
 * after the ring was filled again: no packet comes then, and with it no refill. So the word is looked at in
 * every turn, not only after a refill; and a core sleeps no longer than FILL_DOUBT_NS while that moment may
 * not be over. */
static void port_wake(struct xsk_port *port)
{
	if (xsk_ring_wants_wakeup(&port->fill) && xsk_ring_backlog(&port->fill) > 0)
		(void)recvfrom(port->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static bool port_is_doubted(const struct xsk_port *port)
{
	return port->was_fill_empty &&
	       __atomic_load_n(port->fill.consumer, __ATOMIC_RELAXED) == port->fill_empty_at;
}

static void port_refill(struct core *core, struct xsk_port *port)
{
	struct frame_pool *pool = core->frames;
	uint32_t slots = port->fill.mask + 1;
	uint32_t room = xsk_ring_room(&port->fill, slots);
	bool is_low = room > slots - slots / 4;
	uint32_t floor = is_low ? 0 : pool->total / FILL_FLOOR_PART;
	uint32_t count;

	if (is_low && !port->has_rx_low)
		core->stats->fill_low++;
	port->has_rx_low = is_low;
	if (room < XSK_REFILL_FRAMES || pool->count <= floor || pool->rx_lent >= pool->rx_lent_max)
		return;
	port->was_fill_empty = port->is_zerocopy && room == slots;
	port->fill_empty_at = port->fill.cons;
	count = pool->count - floor < room ? pool->count - floor : room;
	if (count > pool->rx_lent_max - pool->rx_lent)
		count = pool->rx_lent_max - pool->rx_lent;
	pool->rx_lent += count;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t frame = pool->stack[--pool->count];

		if (__builtin_expect(pool->check != NULL, 0))
			frame_check_taken(pool->check, frame);
		*xsk_ring_addr(&port->fill, port->fill.prod++) = frame_addr((frame_index){frame});
	}
	/* Before the kernel can have them, and right before: what a crash finds marked and not yet in the
	 * ring is lost. Release in xsk_ring_submit() orders these bytes before the index, too. */
	for (uint32_t i = 0; i < count; i++)
		pool->owner[pool->stack[pool->count + i]] = frame_byte(FRAME_KERNEL_RX, port->queue);
	xsk_ring_submit(&port->fill);
	if (port->is_zerocopy)
		port_wake(port);
}

void xsk_refill(struct core *core)
{
	if (core->xsk->refill_credit < XSK_REFILL_FRAMES) {
		for (uint32_t i = 0; i < core->xsk->ports_count; i++)
			if (core->xsk->ports[i].is_zerocopy && core->xsk->ports[i].is_primary)
				port_wake(&core->xsk->ports[i]);
		return;
	}
	core->xsk->refill_credit = 0;
	for (uint32_t i = 0; i < core->xsk->ports_count; i++)
		if (core->xsk->ports[i].is_primary)
			port_refill(core, &core->xsk->ports[i]);
}

/* A descriptor must name bytes of one frame inside the UMEM. The kernel is trusted; a driver's mistake here
 * would otherwise become a wild read. */
static bool desc_is_valid(const struct core *core, const struct xdp_desc *desc)
{
	uint64_t in_frame = desc->addr % IXD_FRAME_BYTES;

	return desc->addr / IXD_FRAME_BYTES < core->dp->frames_total &&
	       desc->len <= IXD_FRAME_BYTES - in_frame;
}

static void port_rx(struct core *core, struct xsk_port *port, struct rx_batch *batch, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *desc = xsk_ring_desc(&port->rx, port->rx.cons++);
		struct rx_packet *packet = &batch->packets[batch->count];

		if (!desc_is_valid(core, desc)) {
			core->stats->drop_rx_invalid++;
			continue;
		}
		if (__builtin_expect(core->frames->check != NULL, 0))
			frame_check_received(core->frames->check, desc->addr, port->queue);
		packet->data = core->dp->umem + desc->addr;
		packet->len = desc->len;
		packet->frame = frame_of_addr(desc->addr);
		packet->iface = port->iface;
		/* Before its place is given back: see frame.h. */
		core->frames->owner[packet->frame.index] = FRAME_RECEIVED;
		core->stats->rx_bytes += desc->len;
		batch->count++;
	}
	xsk_ring_give_back(&port->rx);
	core->stats->queue_rx_packets[port->queue] += count;
}

void xsk_rx_unmark(struct core *core)
{
	for (uint32_t i = 0; i < core->xsk->ports_count; i++) {
		struct xsk_port *port = &core->xsk->ports[i];
		uint32_t waiting = xsk_ring_waiting(&port->rx);

		for (uint32_t at = 0; at < waiting; at++) {
			const struct xdp_desc *desc = xsk_ring_desc(&port->rx, port->rx.cons + at);

			if (desc_is_valid(core, desc))
				core->frames->owner[frame_of_addr(desc->addr).index] =
				    frame_byte(FRAME_KERNEL_RX, port->queue);
		}
	}
}

uint32_t xsk_rx_burst(struct core *core, struct rx_batch *batch, uint32_t max)
{
	struct xsk_core *xsk = core->xsk;
	uint32_t left = max < RX_BATCH_MAX ? max : RX_BATCH_MAX;
	uint32_t at = xsk->first_port;

	batch->count = 0;
	for (uint32_t i = 0; i < xsk->ports_count && left > 0; i++) {
		struct xsk_port *port = &xsk->ports[at];
		uint32_t count = xsk_ring_waiting(&port->rx);

		if (count > left)
			count = left;
		if (count > 0)
			port_rx(core, port, batch, count);
		left -= count;
		at = at + 1 == xsk->ports_count ? 0 : at + 1;
	}
	/* Another socket first next time, so that none starves behind a busy one. */
	xsk->first_port = xsk->first_port + 1 >= xsk->ports_count ? 0 : xsk->first_port + 1;
	core->stats->rx_packets += batch->count;
	return batch->count;
}

void xsk_rx_return(struct core *core, const struct rx_batch *batch)
{
	for (uint32_t i = 0; i < batch->count; i++)
		frame_release(core, batch->packets[i].frame);
	core->xsk->refill_credit += batch->count;
}

uint32_t xsk_tx_room(struct core *core, uint8_t iface, uint32_t wanted)
{
	struct xsk_port *port = core->xsk->tx_port[iface];
	struct handoff_ring *pass;
	uint32_t room;

	if (port != NULL) {
		room = xsk_ring_room(&port->tx, wanted);
		return room < wanted ? room : wanted;
	}
	pass = core->xsk->tx_pass[iface];
	if (pass == NULL)
		return 0;
	/* Acquire: the other core has read a slot before it gave it back. */
	pass->cons_seen = __atomic_load_n(&pass->cons, __ATOMIC_ACQUIRE);
	room = pass->mask + 1 - (pass->prod_staged - pass->cons_seen);
	return room < wanted ? room : wanted;
}

void xsk_tx_put(struct core *core, uint8_t iface, frame_index frame, uint32_t off, uint32_t len)
{
	struct xsk_port *port = core->xsk->tx_port[iface];
	uint64_t addr = frame_addr(frame) + off;

	core->stats->tx_packets++;
	core->stats->tx_bytes += len;
	if (port != NULL) {
		tx_stage(core, port, addr, len);
		return;
	}
	core->frames->owner[frame.index] = FRAME_CORE; /* the other core's, before it can see it */
	core->stats->tx_passed++;
	handoff_put(core->xsk->tx_pass[iface],
		    addr << (PASS_LEN_BITS + PASS_IFACE_BITS) | (uint64_t)iface << PASS_LEN_BITS | len);
}

/* A socket that is bound only when we are ready (kernels before 6.4) shows its mode then. */
static bool port_is_zerocopy_after_all(struct xsk_port *port)
{
	struct xdp_options options = {0};
	socklen_t bytes = sizeof(options);

	if (getsockopt(port->fd, SOL_XDP, XDP_OPTIONS, &options, &bytes) == 0)
		port->is_zerocopy = (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
	return port->is_zerocopy;
}

/* Copy mode: the kernel sends inside this call, up to its budget, and gives up early when the COMPLETION ring
 * or the socket's buffer is full. True when the TX ring was emptied. */
static bool port_kick_copy(struct core *core, struct xsk_port *port)
{
	uint32_t backlog = xsk_ring_backlog(&port->tx);

	for (unsigned kicks = 0; backlog > 0 && kicks < KICKS_MAX; kicks++) {
		uint32_t before = backlog;

		/* Errors say why it stopped early; the consumer index says how far it came. */
		(void)sendto(port->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
		core->stats->tx_kicks++;
		backlog = xsk_ring_backlog(&port->tx);
		if (backlog < before)
			continue;
		if (port_is_zerocopy_after_all(port))
			return true;
		/* No progress. Room in the COMPLETION ring is what we may be able to make. */
		if (!port->is_primary) {
			core_wake(core->dp->core[port->owner_core]);
			break;
		}
		if (comp_reap(core, port) == 0)
			break;
	}
	return backlog == 0;
}

/* Zero copy: the driver fetches descriptors by itself once it runs. */
static bool port_kick_zerocopy(struct core *core, struct xsk_port *port)
{
	if (!xsk_ring_wants_wakeup(&port->tx))
		return true;
	core->stats->tx_kicks++;
	return sendto(port->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0;
}

/* Copy mode, and one packet: a packet socket sends it with less work than AF_XDP, whose gain is the batch,
 * and the frame is free at once. Which of the two a packet takes makes no difference to those before and
 * after it: each is through when its call returns. */
static bool port_tx_single(struct core *core, struct xsk_port *port)
{
	struct virtio_net_hdr nothing = {0}; /* for the device to do: the packet is complete */
	struct xdp_desc *desc = xsk_ring_desc(&port->tx, port->tx.prod - 1);
	struct iovec parts[] = {{&nothing, sizeof(nothing)}, {core->dp->umem + desc->addr, desc->len}};

	if (port->packet_fd < 0 || port->is_zerocopy || port->is_tx_stalled || port->tx_staged != 1)
		return false;
	core->stats->tx_kicks++;
	if (writev(port->packet_fd, parts, 2) < 0)
		return false;
	port->tx.prod--;
	if (__builtin_expect(core->frames->check != NULL, 0))
		frame_check_completed(core->frames->check, desc->addr, port->queue);
	frame_release(core, frame_of_addr(desc->addr));
	port->tx_staged = 0;
	return true;
}

static void port_tx(struct core *core, struct xsk_port *port)
{
	bool was_stalled = port->is_tx_stalled;

	if (port->tx_staged >= XSK_TRANSMIT_MIN) {
		xsk_transmit(core, port);
		if (port->tx_staged == 0)
			return;
	}
	if (port_tx_single(core, port))
		return;
	if (port->tx_staged > 0)
		xsk_ring_submit(&port->tx);
	port->tx_staged = 0;
	port->is_tx_stalled =
	    port->is_zerocopy ? !port_kick_zerocopy(core, port) : !port_kick_copy(core, port);
	core->xsk->stalled_count += (uint32_t)port->is_tx_stalled - (uint32_t)was_stalled;
}

int xsk_tx_overtake(struct core *core, uint8_t iface)
{
	struct xsk_port *port = core->xsk->tx_port[iface];

	if (port == NULL || port->packet_fd < 0 || port->is_zerocopy || port->is_tx_stalled)
		return -1;
	if (port->tx_staged > 0)
		port_tx(core, port);
	return port->is_tx_stalled ? -1 : port->packet_fd;
}

static void stall_note(struct core *core)
{
	struct xsk_core *xsk = core->xsk;

	if (xsk->stalled_count == 0) {
		xsk->stall_wait_ns = 0;
		return;
	}
	/* Longer and longer: an interface that is down must not keep a core awake. */
	xsk->stall_wait_ns = xsk->stall_wait_ns == 0 ? STALL_WAIT_MIN_NS : xsk->stall_wait_ns * 2;
	if (xsk->stall_wait_ns > STALL_WAIT_MAX_NS)
		xsk->stall_wait_ns = STALL_WAIT_MAX_NS;
	xsk->stall_until = (tcp_time){core->now.ns + xsk->stall_wait_ns};
}

void xsk_tx_burst(struct core *core)
{
	struct xsk_core *xsk = core->xsk;
	bool must_retry = xsk->stalled_count > 0 && core->now.ns >= xsk->stall_until.ns;
	bool has_kicked = false;

	for (uint32_t i = 0; i < xsk->ports_count; i++) {
		struct xsk_port *port = &xsk->ports[i];

		if (port->tx_staged > 0 || (must_retry && port->is_tx_stalled)) {
			port_tx(core, port);
			has_kicked = true;
		}
	}
	if (has_kicked)
		stall_note(core);
	if (core->dp->cores == 1)
		return;
	for (uint32_t to = 0; to < core->dp->cores; to++) {
		struct handoff_ring *pass = exchange_ring(&core->dp->exchange->packets[core->id][to]);

		if (pass != NULL && handoff_publish(pass))
			core_wake(core->dp->core[to]);
	}
	frame_flush(core);
}

void xsk_frames_wanted(struct core *core)
{
	for (uint32_t i = 0; i < core->xsk->ports_count; i++)
		if (!core->xsk->ports[i].is_primary)
			core_wake(core->dp->core[core->xsk->ports[i].owner_core]);
}

bool xsk_has_work(struct core *core)
{
	struct xsk_core *xsk = core->xsk;

	for (uint32_t i = 0; i < xsk->ports_count; i++)
		if (xsk_ring_waiting(&xsk->ports[i].rx) > 0)
			return true;
	for (uint32_t from = 0; from < core->dp->cores; from++) {
		const struct handoff_ring *packets =
		    exchange_ring(&core->dp->exchange->packets[from][core->id]);

		if (packets != NULL && !handoff_is_empty(packets))
			return true;
	}
	return false;
}

/* Whoever may hold our frames is asked for them: a driver that takes note of what it has sent when it runs
 * the next time, and the cores through whose queues we send. */
static void away_ask(struct core *core)
{
	for (uint32_t i = 0; i < core->xsk->ports_count; i++) {
		struct xsk_port *port = &core->xsk->ports[i];

		if (port->is_zerocopy && port->has_tx && !port->is_tx_stalled)
			(void)port_kick_zerocopy(core, port);
	}
	xsk_frames_wanted(core);
	for (uint32_t iface = 0; iface < IXD_IFACES_MAX; iface++)
		if (core->xsk->tx_pass[iface] != NULL)
			core_wake(core->dp->core[core->xsk->tx_pass_core[iface]]);
}

/* Nothing wakes a core when a packet has been sent (poll does not tell), nor when another core gives a frame
 * back. Without this the last frames before a silence would stay where they are until the next packet. */
void xsk_prepare_sleep(struct core *core)
{
	struct xsk_core *xsk = core->xsk;

	if (!frame_is_any_away(core->frames)) {
		xsk->away_wait_ns = 0;
		return;
	}
	if (xsk->away_wait_ns == 0) {
		xsk->away_wait_ns = AWAY_WAIT_MIN_NS;
	} else if (core->now.ns >= xsk->away_until.ns) {
		away_ask(core);
		/* What a crash has lost does not come back: that must not keep a core awake. */
		if (xsk->away_wait_ns < AWAY_WAIT_MAX_NS)
			xsk->away_wait_ns *= 2;
	} else {
		return;
	}
	xsk->away_until = (tcp_time){core->now.ns + xsk->away_wait_ns};
}

static void sooner(tcp_time *t, uint64_t ns)
{
	if (t->ns == 0 || t->ns > ns)
		t->ns = ns;
}

tcp_time xsk_next_timer(const struct core *core)
{
	const struct xsk_core *xsk = core->xsk;
	tcp_time t = xsk->stalled_count > 0 ? xsk->stall_until : (tcp_time){0};

	if (xsk->away_wait_ns > 0)
		sooner(&t, xsk->away_until.ns);
	for (uint32_t i = 0; i < xsk->ports_count; i++)
		if (port_is_doubted(&xsk->ports[i]))
			sooner(&t, core->now.ns + FILL_DOUBT_NS);
	return t;
}

bool xsk_fill_is_low(const struct core *core)
{
	const struct xsk_core *xsk = core->xsk;
	uint32_t count = __atomic_load_n(&xsk->fill_watches, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++) {
		const struct xsk_fill_watch *watch = &xsk->fill_watch[i];
		/* Another thread's ring: only the shared words are looked at, and a stale answer costs a
		 * needless wake or is put right by the next batch. They stay mapped until every core has
		 * detached, so that both may be read even while the list changes. */
		const uint32_t *producer = __atomic_load_n(&watch->producer, __ATOMIC_RELAXED);
		const uint32_t *consumer = __atomic_load_n(&watch->consumer, __ATOMIC_RELAXED);

		if (__atomic_load_n(producer, __ATOMIC_RELAXED) -
			__atomic_load_n(consumer, __ATOMIC_RELAXED) <
		    __atomic_load_n(&watch->half, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}
