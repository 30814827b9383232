/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events to a client. What a connection is owed follows from its record, so nothing is lost or queued twice
 * while the event ring is full: the connection just waits in the channel's queue, and what accumulates is
 * told in one event.
 */
#ifndef DAEMON_DATAPLANE_EVENT_H
#define DAEMON_DATAPLANE_EVENT_H

#include "daemon/dataplane/channel.h"

/* Posting for connections leaves this part of the ring free: a client is never kept from giving commands by
 * what it is told, since those commands are what makes it be told less. */
static inline uint32_t event_room_kept(const struct channel *channel)
{
	return channel->evt_slots / 8;
}

/* The next free slot, cleared; the caller made sure of the room. Published by channels_publish(). */
struct ix_event *event_post(struct channel *channel, uint8_t type, uint64_t cookie);
/* Something happened to a connection: its events are looked at in the next event_flush(). */
void event_owe(struct client_side *side, uint32_t conn);
/* Posts what conn is owed, in order. True when nothing is left for now; after `dead` the record is gone. */
bool event_post_conn(struct channel *channel, uint32_t conn);

#endif
