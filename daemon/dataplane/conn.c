/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine's callbacks: each notes in the connection's record what has happened and who is to be told. None
 * calls the engine.
 */
#include "daemon/dataplane/conn.h"

#include "daemon/dataplane/channel.h"
#include "daemon/dataplane/chunk.h"
#include "daemon/dataplane/event.h"
#include "daemon/dataplane/listener.h"
#include "daemon/dataplane/rx_memory.h"

#define IP_AND_TCP_HEADER 40

/* The least window: one segment. */
static uint32_t least_window(uint16_t mtu)
{
	return mtu > IP_AND_TCP_HEADER ? (uint32_t)mtu - IP_AND_TCP_HEADER : 1;
}

void conn_prefetch(struct core *core, uint32_t conn)
{
	__builtin_prefetch(&core->conns[conn]);
	__builtin_prefetch(&core->conns[conn].rx_base_off);
	__builtin_prefetch(&core->clients->local[conn]);
}

bool conn_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path)
{
	struct core *core = ctx;
	struct client_side *side = core->clients;
	struct conn_record way = {.neigh = MIRROR_NO_NEIGH};
	struct mirror_hop hop;
	struct channel *channel;

	path->rcv_window_max = core->dp->init->fixed.rx_window_max_bytes;
	if (listener == TCP_NONE) {
		if (!side->connect_hop)
			return false;
		path->mtu = side->connect_hop->mtu;
		path->rcv_window = side->connect_window;
		return true;
	}
	/* Each connection must find a place for what it may still be owed when it has ended. */
	if (!conn_has_room(side) || route_resolve(core, tuple, &way, &hop) < 0)
		return false;
	channel = listener_choose(side, side->listener_of_engine[listener], false);
	/* The peer sends its SYN again; a handshake would end with a reset. */
	if (!channel && listener_awaits_client(side, side->listener_of_engine[listener]))
		return false;
	path->mtu = hop.mtu;
	path->rcv_window = channel ? rx_window_offer(channel, least_window(hop.mtu)) : least_window(hop.mtu);
	return true;
}

/* Gives a connection of a listener to the client whose turn it is; false when none can take it. */
static bool assign(struct client_side *side, uint32_t conn, bool is_half_open)
{
	struct channel *channel = listener_choose(side, side->conns[conn].listener, true);

	if (!channel)
		return false;
	conn_attach(side, conn, channel);
	/* Where nothing can be reserved the window stays at one segment, of whatever size the interface
	 * allows: less would not be worth telling to the peer once it is used up, and the connection would
	 * stand still. */
	rx_window_open(channel, conn, least_window(IXD_MTU_MAX), is_half_open);
	return true;
}

void conn_on_open(void *ctx, uint32_t conn, uint32_t listener)
{
	struct client_side *side = ((struct core *)ctx)->clients;
	struct conn_record *rec = conn_record_open(side, conn, CONN_OPENING);

	rec->listener = side->listener_of_engine[listener];
	rec->dscp = conn_dscp(side->listeners[rec->listener].flags);
	/* What arrives with or right after the last ACK of the handshake needs a place at once, so the client
	 * is chosen now. When none can take the connection, there may be one at the end of the handshake. */
	assign(side, conn, true);
}

/* The client takes one more connection; false at its limit. */
static bool count_in(struct client_side *side, uint32_t conn)
{
	struct channel *channel = channel_of(side, side->conns[conn].client);
	uint32_t *conns = &channel->rx.shared->conns;

	if (channel->state == CHANNEL_OPEN &&
	    __atomic_add_fetch(conns, 1, __ATOMIC_RELAXED) <= channel->policy->limits.conns_max) {
		side->local[conn].flags |= CONN_IS_COUNTED;
		return true;
	}
	if (channel->state == CHANNEL_OPEN)
		client_shared_uncount(conns);
	return false;
}

/* The client chosen at the beginning has left or is at its limit meanwhile. */
static bool reassign(struct client_side *side, uint32_t conn)
{
	struct conn_record *rec = &side->conns[conn];
	struct channel *channel = channel_of(side, rec->client);

	if (channel) {
		rx_free_all(channel, rec, &side->local[conn]);
		conn_detach(side, conn);
	}
	return assign(side, conn, false) && count_in(side, conn);
}

static void on_accepted_by_peer(struct client_side *side, uint32_t conn)
{
	struct conn_record *rec = &side->conns[conn];

	conn_cookie_remove(side, conn);
	rec->phase = CONN_OPEN;
	rec->owed |= CONN_OWED_CONNECTED;
	rx_window_established(channel_of(side, rec->client), conn);
	event_owe(side, conn);
}

void conn_on_established(void *ctx, uint32_t conn, uint32_t listener)
{
	struct client_side *side = ((struct core *)ctx)->clients;
	struct conn_record *rec = &side->conns[conn];

	if (listener == TCP_NONE) {
		on_accepted_by_peer(side, conn);
		return;
	}
	if (!(rec->client != STATE_NONE && count_in(side, conn)) && !reassign(side, conn)) {
		/* All are at their limits, or gone. The peer learns it now rather than never. */
		side->core->stats->refused_limit++;
		conn_want(side, conn, CONN_WANT_ABORT);
		return;
	}
	rec->phase = CONN_KNOCKED;
	rec->owed |= CONN_OWED_KNOCK;
	rec->cookie = listener_cookie(side, rec->listener, rec->client);
	rx_window_established(channel_of(side, rec->client), conn);
	event_owe(side, conn);
}

bool conn_rx_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len)
{
	struct core *core = ctx;
	struct client_side *side = core->clients;
	struct conn_record *rec = &side->conns[conn];
	struct channel *channel = channel_of(side, rec->client);

	if (channel && channel->state == CHANNEL_OPEN && rec->phase <= CONN_OPEN &&
	    rx_store(channel, rec, &side->local[conn], off, data, len))
		return true;
	core->stats->rx_no_memory++;
	return false;
}

void conn_on_readable(void *ctx, uint32_t conn, uint64_t end_off)
{
	struct client_side *side = ((struct core *)ctx)->clients;
	struct conn_record *rec = &side->conns[conn];

	rec->rx_ready_off = end_off;
	if (rec->phase == CONN_OPEN)
		event_owe(side, conn);
}

void conn_on_acked(void *ctx, uint32_t conn, uint64_t acked_off)
{
	struct client_side *side = ((struct core *)ctx)->clients;
	struct conn_record *rec = &side->conns[conn];
	struct channel *channel = channel_of(side, rec->client);

	rec->sent_acked_off = acked_off;
	if (!channel)
		return;
	chunk_acked(side, channel, conn, acked_off);
	if (rec->phase == CONN_ORPHANED) {
		/* Nothing of the client's memory is needed any more; event_flush() lets it go. */
		if (acked_off == rec->sent_given_off)
			conn_detach(side, conn);
		return;
	}
	rec->owed |= CONN_OWED_SENT;
	event_owe(side, conn);
}

void conn_on_eof(void *ctx, uint32_t conn)
{
	struct client_side *side = ((struct core *)ctx)->clients;
	struct conn_record *rec = &side->conns[conn];

	/* After close nobody asks. */
	if (rec->phase > CONN_OPEN)
		return;
	rec->owed |= CONN_OWED_EOF;
	event_owe(side, conn);
}

/* RFC 9293 MUST-32: when there was none pending, or the pointer moves on. */
void conn_on_urgent(void *ctx, uint32_t conn, uint64_t end_off)
{
	struct client_side *side = ((struct core *)ctx)->clients;
	struct conn_record *rec = &side->conns[conn];
	struct conn_local *loc = &side->local[conn];

	/* What was given back is urgent no more; after close nobody asks. */
	if (rec->phase > CONN_OPEN || end_off <= rec->rx_done_off ||
	    ((loc->flags & CONN_HAS_URGENT) && end_off <= side->urgent[conn]))
		return;
	side->urgent[conn] = end_off;
	loc->flags |= CONN_HAS_URGENT | CONN_OWES_URGENT;
	event_owe(side, conn);
}

void conn_on_soft_error(void *ctx, uint32_t conn, enum tcp_soft_error what)
{
	struct client_side *side = ((struct core *)ctx)->clients;
	struct conn_record *rec = &side->conns[conn];

	/* A client that waits for a connection asks as well; one that was not offered it yet does not. */
	if (rec->phase > CONN_OPEN || (rec->phase != CONN_OPEN && rec->listener != STATE_NONE))
		return;
	rec->owed |= what == TCP_SOFT_UNREACHABLE ? CONN_OWED_UNREACHABLE : CONN_OWED_UNANSWERED;
	event_owe(side, conn);
}

bool conn_on_dead(void *ctx, uint32_t conn, enum tcp_reason reason)
{
	static const uint8_t reasons[TCP_REASON_COUNT] = {
	    [TCP_REASON_CLOSED] = IX_REASON_CLOSED,
	    [TCP_REASON_ABORTED] = IX_REASON_ABORTED,
	    [TCP_REASON_RESET] = IX_REASON_RESET,
	    [TCP_REASON_REFUSED] = IX_REASON_REFUSED,
	    [TCP_REASON_TIMEOUT] = IX_REASON_TIMEOUT,
	    [TCP_REASON_UNREACHABLE] = IX_REASON_UNREACHABLE,
	    [TCP_REASON_NO_RESOURCE] = IX_REASON_NO_RESOURCE,
	};
	struct client_side *side = ((struct core *)ctx)->clients;

	/* What a dataplane before left behind is looked at when all of it has ended. */
	return side->is_recovering || conn_end(side, conn, reasons[reason]);
}
