/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel is one client on one core: a command ring that the client fills, an event ring that this core
 * fills, two doorbells, and the client's share of this core. client_side is all of that for one core. Both
 * belong to the core's thread alone; only the channel files touch client memory.
 */
#ifndef DAEMON_DATAPLANE_CHANNEL_H
#define DAEMON_DATAPLANE_CHANNEL_H

#include <ix/abi.h>
#include <ix/ring.h>

#include "daemon/dataplane/client_shared.h"
#include "daemon/dataplane/conn.h"
#include "daemon/dataplane/conn_table.h"
#include "daemon/dataplane/mailbox.h"

enum channel_state {
	CHANNEL_UNUSED,
	CHANNEL_OPEN,
	CHANNEL_FAULTED, /* broke the protocol: neither read nor written until the supervisor ends it */
	CHANNEL_LEAVING, /* the client is gone; connections that were closed may still send from its memory */
};

/* A `listening` event that has not been posted yet. */
struct announcement {
	uint64_t cookie;
	uint64_t handle;
	int32_t outcome;
	uint32_t reserved;
};

/* Received bytes of a connection that is over: the client may read them until it has taken the `dead` event
 * at evt_index. */
struct dead_cells {
	uint32_t evt_index;
	uint32_t cell_head;
};

/* This core's part of the client's RX arena, in cells. charged = over all connections the larger of what they
 * have reserved and what they use, plus dead_cells; charged <= owned at all times. */
struct rx_pool {
	struct client_shared *shared;
	uint8_t *arena;
	uint32_t block_head; /* blocks with free cells, the one freed into last first; RX_NONE */
	uint32_t owned;
	uint32_t charged;
	uint32_t half_open; /* of charged: reserved for handshakes that are not complete */
};

struct channel {
	/* Rings. Own indices are private; what stands in shared memory is a copy for the other side. */
	const struct ix_cmd *cmds; /* client memory: hostile */
	struct ix_event *evts;
	const struct ix_client_core *theirs; /* client memory: hostile */
	struct ix_daemon_core *ours;
	uint32_t cmd_slots, cmd_cons;
	uint32_t evt_slots, evt_prod, evt_published;
	uint32_t evt_cons;      /* the client's, as last seen; always within evt_slots of evt_published */
	uint32_t rung_evt_cons; /* evt_cons when the doorbell was last rung */
	uint8_t state;          /* enum channel_state */
	bool has_rung;
	bool is_busy;       /* in client_side.busy */
	bool is_paused;     /* a command waits for room in the event ring */
	bool is_last_drain; /* in command_drain_last() */
	bool is_polled;     /* in client_side.polled, else in client_side.idle */
	uint16_t client;
	uint16_t idle_turns; /* polled in vain so often in a row */

	struct client_side *side;
	struct conn_queue owed; /* connections with events to post */
	uint32_t conns_head;    /* all its connections on this core */
	uint32_t conns;
	uint32_t chunks; /* pieces of sendv that it holds */

	const uint8_t *tx; /* client memory: hostile */
	uint64_t tx_bytes;
	struct rx_pool rx;

	struct dead_cells *dead; /* ring of evt_slots */
	uint32_t dead_first, dead_next;
	struct announcement *announced; /* announced_count of them, oldest first */
	uint32_t announced_count;
	uint32_t listens;    /* asked for and not announced yet: bounds `announced` */
	bool is_quarantined; /* see client_shared.quarantined_cores */

	struct client_mapping *mapping;
	struct client_policy *policy;
	int doorbell_fd; /* -1: hung up */
};

#define CONN_BUCKETS        4096u
#define PORT_COUNTERS       256u
#define CHANNELS_POLLED_MIN 8u /* so many clients are looked at in every turn, whether idle or not */

struct client_side {
	struct core *core;
	struct conn_record *conns; /* [conns_max], by index in the engine */
	struct conn_local *local;  /* same indexes */
	uint64_t *urgent;          /* same indexes: with CONN_HAS_URGENT, as last told; else untouched */
	uint32_t conns_max;
	uint32_t conns_live;       /* records of connections that the engine has */
	uint32_t ghosts;           /* of those that it has forgotten */
	uint32_t unclaimed;        /* chain of ghosts from before a restart whose clients have not come yet */
	uint32_t work_head;        /* connections that want a call of the engine, see enum conn_want */
	struct conn_queue orphans; /* oldest deadline first */

	struct send_chunk *chunks;
	uint32_t chunks_max, chunks_used, chunk_free, chunk_fresh;

	struct listener_record *listeners;
	uint32_t *listener_engine;    /* [IXD_LISTENERS_MAX]: index in the engine, TCP_NONE */
	uint32_t *listener_of_engine; /* the reverse, STATE_NONE */

	uint16_t polled[IXD_CLIENTS_MAX], idle[IXD_CLIENTS_MAX], busy[IXD_CLIENTS_MAX];
	uint32_t polled_count, idle_count, busy_count;
	uint32_t polled_turn, idle_turn; /* where the next look begins */
	uint32_t in_use;                 /* channels that are not unused */
	uint32_t leaving;                /* of these, leaving */

	/* Between ephemeral port choice and the engine's question for the path of that connect. */
	const struct mirror_hop *connect_hop;
	uint32_t connect_window;
	bool is_recovering;

	uint8_t hash_key[16];
	uint32_t bucket[CONN_BUCKETS]; /* connects going on, by cookie: index + 1 */
	uint16_t port_counter[PORT_COUNTERS];
	struct port_wait *port_wait; /* ephemeral.c: ports that wait for the end of TIME_WAIT */

	struct channel channel[IXD_CLIENTS_MAX];
};

static inline struct channel *channel_of(struct client_side *side, uint32_t client)
{
	return client < IXD_CLIENTS_MAX ? &side->channel[client] : NULL;
}

/* Slots of the event ring that are free for sure; asks the client's index only when `want` would not fit. A
 * lie ends the client and leaves no room. */
uint32_t channel_event_room(struct channel *channel, uint32_t want);
/* Reads the client's event index; false when it is a lie (the client is ended then). */
bool channel_read_evt_cons(struct channel *channel);
/* Commands that wait; 0 as well when the index is a lie. */
uint32_t channel_commands_waiting(struct channel *channel);
/* A short look, while nothing else is to be done: whether a client may have commands. True as well where a
 * look at all of them would not be short. */
bool channels_have_commands(const struct client_side *side);
/* As short a look, at the clients that are looked at in every turn only: whether one of them has not taken
 * all events that it was told. */
bool channels_have_untaken(const struct client_side *side);
/* The client broke the protocol; reason is static text. */
void channel_fault(struct channel *channel, const char *reason);
/* Something is to be posted or published: event_flush() will look at it. */
void channel_mark_busy(struct channel *channel);
/* The channel has commands: look at it in every turn again. */
void channel_poll_always(struct channel *channel);
/* Of many clients, looks at the one whose turn it is: after a long time without commands it is looked at
 * seldom. */
void channels_demote(struct client_side *side);
/* Takes a client out of one of the lists of client_side, which keeps its order. */
void channel_list_remove(uint16_t *list, uint32_t *count, uint16_t client);
/* Publishes the event indices of busy channels and rings the clients that sleep. */
void channels_publish(struct client_side *side);
/* Lets go of clients that have gone and of which nothing is left. Not from a callback of the engine. */
void channels_reap(struct client_side *side);

#endif
