/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Received bytes in the client's RX arena, and the receive window that may be offered for them.
 *
 * The arena is cut into blocks, lent to one core at a time, and these into cells. A connection holds a list
 * of cells: cell i of the list holds the stream from rx_base_off + i * IXD_RX_CELL_BYTES on, so that bytes
 * that arrive out of order are stored at their final place at once. A connection that has nothing unread
 * holds no cell.
 *
 * Window is offered against reserved cells only, but for one segment; what is reserved is always there.
 */
#ifndef DAEMON_DATAPLANE_RX_MEMORY_H
#define DAEMON_DATAPLANE_RX_MEMORY_H

#include "daemon/dataplane/channel.h"

/* Cells that `window` bytes can touch: the first and the last may be used in part. */
static inline uint32_t rx_cells_for(uint32_t window_bytes)
{
	return window_bytes / IXD_RX_CELL_BYTES + 2;
}

/* Makes sure that `cells` more could be charged, borrowing blocks if need be; nothing is charged. */
bool rx_has_room(struct channel *channel, uint32_t cells);
/* The window that a new connection of this client may be offered now; reserves nothing. mss: the least. */
uint32_t rx_window_offer(struct channel *channel, uint32_t mss);
/* Reserves for the window that rx_window_offer() names now, and begins the connection's window accounting. */
void rx_window_open(struct channel *channel, uint32_t conn, uint32_t mss, bool is_half_open);
/* The handshake is complete: the reservation is no half-open one any more. */
void rx_window_established(struct channel *channel, uint32_t conn);
/* After recv_done: grows the window if its use asks for it, and tells the engine the new limit. */
void rx_window_update(struct client_side *side, uint32_t conn);
/* Gives the reservation back; cells in use stay. */
void rx_unreserve(struct channel *channel, struct conn_record *rec, struct conn_local *loc);

/* Stores; false when there is no cell. */
bool rx_store(struct channel *channel, struct conn_record *rec, struct conn_local *loc, uint64_t off,
	      const uint8_t *data, uint32_t len);
/* Frees the cells that rx_done_off has left behind. */
void rx_reclaim(struct channel *channel, struct conn_record *rec, struct conn_local *loc);
void rx_free_all(struct channel *channel, struct conn_record *rec, struct conn_local *loc);
/* The connection is over: its cells are kept until the client has taken the event at evt_index. */
void rx_bury(struct channel *channel, struct conn_record *rec, struct conn_local *loc, uint32_t evt_index);
/* Frees what was buried under events that the client has taken (channel->evt_cons). */
void rx_exhume(struct channel *channel);

/* The longest stretch of the arena that holds the stream from `off` on, up to end_off: its length, and its
 * arena offset in *arena_off. 0 when the connection has no such bytes. */
uint32_t rx_stretch(struct channel *channel, struct conn_record *rec, struct conn_local *loc, uint64_t off,
		    uint64_t end_off, uint64_t *arena_off);

#endif
