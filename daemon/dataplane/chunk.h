/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pieces given to sendv, in stream order, until the peer has acknowledged them. They say where in the
 * client's TX arena the outgoing stream lies; the bytes stay there. The pool of a core is shared by its
 * clients.
 */
#ifndef DAEMON_DATAPLANE_CHUNK_H
#define DAEMON_DATAPLANE_CHUNK_H

#include "daemon/dataplane/channel.h"

/* True when the client may take `count` more pieces: none takes more than is left for all others. */
bool chunk_has_room(const struct client_side *side, const struct channel *channel, uint32_t count);
/* Appends a piece that was validated; the caller asked chunk_has_room(). Joins it to the last one where the
 * arena goes on. */
void chunk_append(struct client_side *side, struct channel *channel, uint32_t conn, uint64_t arena_off,
		  uint32_t len);
/* Frees the pieces that end at or before acked_off. */
void chunk_acked(struct client_side *side, struct channel *channel, uint32_t conn, uint64_t acked_off);
void chunk_free_all(struct client_side *side, struct channel *channel, struct conn_record *rec,
		    struct conn_local *loc);

#endif
