/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of connections: the surviving half (struct conn_record, in the state memfd) has a volatile
 * companion of the same index, with links and cursors that are rebuilt, not saved. A record that the engine
 * has forgotten while its client is still owed events stays where it is, as a ghost; the engine gives the
 * index to nobody before it is released.
 */
#ifndef DAEMON_DATAPLANE_CONN_TABLE_H
#define DAEMON_DATAPLANE_CONN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/state.h"

struct channel;
struct client_side;

/* A queue of connections, linked through conn_local; a connection is in one queue at the most. */
struct conn_queue {
	uint32_t head, tail; /* STATE_NONE when empty */
};

/* What a connection wants of the engine; callbacks may not call it, so they leave a note. */
enum conn_want {
	CONN_WANT_LIMIT = 1 << 0, /* recv_done moved the window */
	CONN_WANT_ABORT = 1 << 1, /* nobody can take it */
	CONN_WANT_ANY = CONN_WANT_LIMIT | CONN_WANT_ABORT,
	CONN_IS_LISTED = 1 << 2,    /* in client_side.work_head */
	CONN_IS_QUEUED = 1 << 3,    /* in a conn_queue */
	CONN_IS_COUNTED = 1 << 4,   /* in client_shared.conns */
	CONN_IS_HASHED = 1 << 5,    /* in client_side.bucket */
	CONN_IS_HALF_OPEN = 1 << 6, /* its reservation counts in rx_pool.half_open */
	CONN_IS_GHOST = 1 << 7,     /* the engine holds the index for it */
	CONN_IS_HELD = 1 << 8,      /* of these, its handle is still good: see conn_is_held() */
	CONN_HAS_URGENT = 1 << 9,   /* client_side.urgent is its */
	CONN_OWES_URGENT = 1 << 10, /* and the client has not heard of it */
};

struct conn_local {
	uint32_t queue_next, queue_prev;
	uint32_t work_next;
	uint32_t cells; /* RX cells that it has */
	/* Low halves of stream offsets: they differ by less than a window. */
	uint32_t stored_low;           /* end of the last byte stored, out of order ones included */
	uint32_t store_at_low;         /* cursor of rx_store: where cell store_at begins */
	uint32_t post_at_low;          /* cursor of recv events */
	uint32_t store_at, post_at;    /* cells, RX_NONE */
	uint32_t chunk_again;          /* cursor of retransmission: piece in which it last was */
	uint16_t flags;                /* enum conn_want */
	uint16_t port;                 /* ephemeral port to be given back, 0 */
	uint32_t list_next, list_prev; /* connections of a channel; next also chains client_side.unclaimed */
	uint32_t hash_next;            /* in client_side.bucket: index + 1 */
	union {
		uint32_t hash_prev; /* while CONN_IS_HASHED: index + 1, 0 for the first */
		/* later: beginning of the present measurement of the window's use; orphans: the deadline */
		uint64_t since_ns;
	};
};
_Static_assert(sizeof(struct conn_local) == 64, "one cache line");

/* Of a client's enum ix_flag: what is the engine's, and what conn_record.dscp becomes. */
static inline uint16_t conn_engine_flags(uint32_t flags)
{
	return (uint16_t)(flags & ~(uint32_t)(IX_DSCP_MASK | IX_DSCP_GIVEN));
}

static inline uint8_t conn_dscp(uint32_t flags)
{
	return (uint8_t)((flags & (IX_DSCP_MASK | IX_DSCP_GIVEN)) >> IX_DSCP_SHIFT);
}

/* Takes the record of an engine index for a new connection; all fields are at their beginnings. */
struct conn_record *conn_record_open(struct client_side *side, uint32_t conn, uint8_t phase);
/* Frees a record or ghost: handles to it are stale from here on. It must be in no list. Of a ghost not from a
 * callback of the engine. */
void conn_record_free(struct client_side *side, uint32_t conn);
/* The record becomes a ghost; for a callback of the engine, which then holds the index. */
void conn_record_to_ghost(struct client_side *side, uint32_t conn);

/* Gives a connection to a client's channel, and takes it away. */
void conn_attach(struct client_side *side, uint32_t conn, struct channel *channel);
void conn_detach(struct client_side *side, uint32_t conn);

void conn_queue_push(struct client_side *side, struct conn_queue *queue, uint32_t conn);
void conn_queue_remove(struct client_side *side, struct conn_queue *queue, uint32_t conn);

/* Notes that the connection wants something of the engine. */
void conn_want(struct client_side *side, uint32_t conn, enum conn_want want);
/* Does what connections want. Not from a callback of the engine. */
void conn_work_run(struct client_side *side);

/*
 * A connection that has ended in order while its client still reads: received bytes stay where they are, and
 * `dead`, which would give them back, waits until recv_done covers them or the client closes. It is a ghost
 * meanwhile, and its handle goes on to be good for these commands.
 */
bool conn_is_held(const struct conn_record *rec);

/* What the client calls the connection. */
uint64_t conn_handle(const struct client_side *side, uint32_t conn);
/* The record of a client's handle, live or (conn_is_over()) held, or STATE_NONE when there is none (any
 * more).
 */
uint32_t conn_by_handle(const struct client_side *side, uint32_t client, uint64_t handle);

/* Connects that are going on, by client and cookie. */
void conn_cookie_add(struct client_side *side, uint32_t conn);
void conn_cookie_remove(struct client_side *side, uint32_t conn);
/* The one begun last, or STATE_NONE. */
uint32_t conn_cookie_find(const struct client_side *side, uint32_t client, uint64_t cookie);

/* True when there is a record for another connection. */
bool conn_has_room(const struct client_side *side);

/* A connection's end, when the engine forgets it: for conn_on_dead(). reason is an enum ix_reason. True: the
 * record is a ghost now, and the engine has to hold the index. */
bool conn_end(struct client_side *side, uint32_t conn, uint8_t reason);
/* The same for a connection that the engine never knew: what the client cannot be told at once is a fault. */
void conn_end_unknown(struct client_side *side, uint32_t conn, uint8_t reason);
/* RST, and the connection is over when this returns. Not from a callback of the engine. */
void conn_abort(struct client_side *side, uint32_t conn);
/* Last step, after `dead` was posted at evt_index of the channel, or without one for a client that is not
 * told. */
void conn_forget(struct client_side *side, uint32_t conn, struct channel *channel, bool is_told,
		 uint32_t evt_index);

#endif
