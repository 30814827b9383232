/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receive window: how much is reserved and offered at first, and how it grows with use.
 */
#include "daemon/dataplane/rx_memory.h"

#include "daemon/common/time_units.h"

/* A window is used up when half of it is consumed in this many round trips, or in this time when the round
 * trip is shorter than what the application's own turn takes. */
#define GROWTH_RTTS     2u
#define GROWTH_LEAST_NS 1000000u

/* Parts of a client's memory, in quarters. Windows grow into one half, so that a few bulk transfers leave
 * what others begin with; three quarters can be reserved in all, so that connections without a reservation
 * find a cell for the one segment that they may be sent; handshakes that may never be completed hold one. */
enum { QUARTERS_HALF_OPEN = 1, QUARTERS_GROWN = 2, QUARTERS_RESERVED = 3 };

static const struct static_config *fixed_of(const struct channel *channel)
{
	return &channel->side->core->dp->init->fixed;
}

static uint32_t cells_of(const struct channel *channel, uint32_t quarters)
{
	return channel->rx.shared->blocks * (RX_CELLS_PER_BLOCK / 4) * quarters;
}

uint32_t rx_window_offer(struct channel *channel, uint32_t mss)
{
	uint32_t initial = fixed_of(channel)->rx_window_initial_bytes;
	uint32_t cells = rx_cells_for(initial);
	uint32_t reserved = __atomic_load_n(&channel->rx.shared->cells_reserved, __ATOMIC_RELAXED);

	if (initial <= mss || channel->rx.half_open + cells > cells_of(channel, QUARTERS_HALF_OPEN) ||
	    reserved + cells > cells_of(channel, QUARTERS_RESERVED) || !rx_has_room(channel, cells))
		return mss;
	return initial;
}

/* Raises the reservation to `cells`, within so many quarters of the memory; false when it is not there. */
static bool reserve(struct channel *channel, struct conn_record *rec, const struct conn_local *loc,
		    uint32_t cells, uint32_t quarters)
{
	uint32_t charge = rec->rx_reserved_cells > loc->cells ? rec->rx_reserved_cells : loc->cells;
	uint32_t *reserved = &channel->rx.shared->cells_reserved;
	uint32_t more = cells - rec->rx_reserved_cells;

	if (__atomic_add_fetch(reserved, more, __ATOMIC_RELAXED) > cells_of(channel, quarters) ||
	    (cells > charge && !rx_has_room(channel, cells - charge))) {
		__atomic_sub_fetch(reserved, more, __ATOMIC_RELAXED);
		return false;
	}
	if (cells > charge)
		channel->rx.charged += cells - charge;
	rec->rx_reserved_cells = cells;
	return true;
}

void rx_window_open(struct channel *channel, uint32_t conn, uint32_t mss, bool is_half_open)
{
	struct conn_record *rec = &channel->side->conns[conn];
	struct conn_local *loc = &channel->side->local[conn];
	uint32_t window = rx_window_offer(channel, mss);

	/* Another core may have been quicker with the last cells. */
	if (window > mss && !reserve(channel, rec, loc, rx_cells_for(window), QUARTERS_RESERVED))
		window = mss;
	if (window > mss && is_half_open) {
		loc->flags |= CONN_IS_HALF_OPEN;
		channel->rx.half_open += rec->rx_reserved_cells;
	}
	rec->rx_window_bytes = window;
	if (rec->rx_limit_off < window)
		rec->rx_limit_off = window;
}

void rx_window_established(struct channel *channel, uint32_t conn)
{
	struct conn_local *loc = &channel->side->local[conn];

	loc->since_ns = channel->side->core->now.ns;
	if (!(loc->flags & CONN_IS_HALF_OPEN))
		return;
	loc->flags &= (uint16_t)~CONN_IS_HALF_OPEN;
	channel->rx.half_open -= channel->side->conns[conn].rx_reserved_cells;
}

/* A connection that began with one segment's window gets the usual one when memory is there; one whose client
 * consumes half a window within a round trip is held up by the window, which doubles. */
static void grow(struct channel *channel, uint32_t conn)
{
	struct conn_record *rec = &channel->side->conns[conn];
	struct conn_local *loc = &channel->side->local[conn];
	struct core *core = channel->side->core;
	uint32_t window = rec->rx_window_bytes, max = fixed_of(channel)->rx_window_max_bytes;
	uint64_t enough_ns = GROWTH_LEAST_NS, elapsed_ns;
	struct tcp_info info;

	if (!rec->rx_reserved_cells) {
		window = fixed_of(channel)->rx_window_initial_bytes;
		if (window > rec->rx_window_bytes &&
		    reserve(channel, rec, loc, rx_cells_for(window), QUARTERS_RESERVED))
			rec->rx_window_bytes = window;
		return;
	}
	if (window >= max || (uint32_t)rec->rx_done_off - rec->rx_grow_low < window / 2)
		return;
	elapsed_ns = core->now.ns - loc->since_ns;
	rec->rx_grow_low = (uint32_t)rec->rx_done_off;
	loc->since_ns = core->now.ns;
	if (elapsed_ns > enough_ns && tcp_info(core->tcp, conn, &info) == 0)
		enough_ns = (uint64_t)GROWTH_RTTS * info.srtt_us * NS_PER_US;
	if (elapsed_ns > enough_ns)
		return;
	window = window > max / 2 ? max : window * 2;
	if (reserve(channel, rec, loc, rx_cells_for(window), QUARTERS_GROWN))
		rec->rx_window_bytes = window;
}

void rx_window_update(struct client_side *side, uint32_t conn)
{
	struct conn_record *rec = &side->conns[conn];
	struct channel *channel = channel_of(side, rec->client);
	uint64_t limit_off;

	if (!channel || channel->state != CHANNEL_OPEN || rec->phase != CONN_OPEN)
		return;
	grow(channel, conn);
	limit_off = rec->rx_done_off + rec->rx_window_bytes;
	if (limit_off <= rec->rx_limit_off)
		return;
	/* Written before the engine offers it: after a crash no more has been promised than the record says.
	 */
	rec->rx_limit_off = limit_off;
	tcp_rx_limit(side->core->tcp, side->core->now, conn, limit_off);
}
