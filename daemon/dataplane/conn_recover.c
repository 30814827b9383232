/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client side begins: on fresh memory, or on what a dataplane before has left in the state memfd. Its
 * connections are reset and their clients told so; its listeners go on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "daemon/dataplane/channel.h"
#include "daemon/dataplane/ephemeral.h"
#include "daemon/dataplane/event.h"
#include "daemon/dataplane/listener.h"
#include "daemon/dataplane/rx_memory.h"

static void point_into_state(struct client_side *side)
{
	struct core *core = side->core;
	struct dataplane *dp = core->dp;
	uint8_t *base = dp->state + dp->layout.core_off[core->id];

	side->conns = (void *)(base + dp->layout.conn_off);
	side->chunks = (void *)(base + dp->layout.chunk_off);
	side->listeners = (void *)(base + dp->layout.listener_off);
	side->conns_max = dp->init->fixed.conns_per_core;
	side->chunks_max = dp->init->fixed.send_chunks_per_core;
	core->conns = side->conns;
}

static void lists_init(struct client_side *side)
{
	side->unclaimed = STATE_NONE;
	side->work_head = STATE_NONE;
	side->chunk_free = STATE_NONE;
	side->orphans = (struct conn_queue){STATE_NONE, STATE_NONE};
	memset(side->listener_engine, 0xff, IXD_LISTENERS_MAX * sizeof(*side->listener_engine));
	memset(side->listener_of_engine, 0xff, IXD_LISTENERS_MAX * sizeof(*side->listener_of_engine));
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		side->channel[i] = (struct channel){
		    .side = side,
		    .client = (uint16_t)i,
		    .doorbell_fd = -1,
		    .conns_head = STATE_NONE,
		    .owed = {STATE_NONE, STATE_NONE},
		};
}

static int allocate(struct client_side *side)
{
	/* Aligned to cache lines, zero, and a page costs nothing until a connection uses it. */
	side->local = mmap(NULL, side->conns_max * sizeof(*side->local), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (side->local == MAP_FAILED) {
		side->local = NULL;
		return -ENOMEM;
	}
	table_mark(side->local, side->conns_max * sizeof(*side->local));
	side->urgent = mmap(NULL, side->conns_max * sizeof(*side->urgent), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (side->urgent == MAP_FAILED) {
		side->urgent = NULL;
		return -ENOMEM;
	}
	side->listener_engine = calloc(IXD_LISTENERS_MAX, sizeof(*side->listener_engine));
	side->listener_of_engine = calloc(IXD_LISTENERS_MAX, sizeof(*side->listener_of_engine));
	if (!side->listener_engine || !side->listener_of_engine)
		return -ENOMEM;
	return ephemeral_init(side);
}

int client_side_init(struct core *core)
{
	struct client_side *side = calloc(1, sizeof(*side));
	int error;

	if (!side)
		return -ENOMEM;
	core->clients = side;
	side->core = core;
	point_into_state(side);
	error = allocate(side);
	if (error < 0)
		return error;
	if (getrandom(side->hash_key, sizeof(side->hash_key), 0) != (ssize_t)sizeof(side->hash_key))
		return -EIO;
	lists_init(side);
	client_guard_install();
	return 0;
}

void client_side_fini(struct core *core)
{
	struct client_side *side = core->clients;

	if (!side)
		return;
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++) {
		struct channel *channel = &side->channel[i];

		if (channel->rx.shared)
			client_shared_put(channel->mapping);
		free(channel->dead);
		free(channel->announced);
	}
	ephemeral_fini(side);
	if (side->local)
		munmap(side->local, side->conns_max * sizeof(*side->local));
	if (side->urgent)
		munmap(side->urgent, side->conns_max * sizeof(*side->urgent));
	free(side->listener_engine);
	free(side->listener_of_engine);
	free(side);
	core->clients = NULL;
}

/* What a dataplane before owed, reduced to the one thing that is still true: the connection is over. What
 * decides this is written again as it was, so that it is right also when this process ends in the middle. */
static void ghost_make(struct client_side *side, uint32_t conn)
{
	struct conn_record *rec = &side->conns[conn];

	*rec = (struct conn_record){
	    .generation = rec->generation,
	    .client = rec->client,
	    .neigh = MIRROR_NO_NEIGH,
	    .phase = rec->phase,
	    /* A connect without an answer gets both. */
	    .owed =
		(uint8_t)(CONN_OWED_DEAD | (rec->phase == CONN_OPENING ? CONN_OWED_CONNECTED
								       : rec->owed & CONN_OWED_CONNECTED)),
	    .dead_reason = IX_REASON_RESTART,
	    .cookie = rec->cookie,
	    .chunk_head = STATE_NONE,
	    .chunk_tail = STATE_NONE,
	    .chunk_cursor = STATE_NONE,
	    .cell_head = RX_NONE,
	    .cell_tail = RX_NONE,
	    .listener = rec->listener,
	};
	side->local[conn] = (struct conn_local){
	    .flags = CONN_IS_GHOST, .list_next = side->unclaimed, .list_prev = STATE_NONE};
	side->unclaimed = conn;
	side->ghosts++;
}

static bool has_to_be_told(const struct conn_record *old)
{
	if (old->phase == CONN_FREE || old->phase == CONN_ORPHANED || old->client >= IXD_CLIENTS_MAX)
		return false;
	if (old->phase == CONN_OPENING && old->listener != STATE_NONE)
		return false;
	return !(old->owed & CONN_OWED_KNOCK);
}

/* After the engine has ended all of them, and holds them. */
static void adopt_record(struct client_side *side, uint32_t conn)
{
	struct conn_record *rec = &side->conns[conn];
	struct tcp_engine *engine = side->core->tcp;

	if (has_to_be_told(rec) && tcp_is_held(engine, conn)) {
		ghost_make(side, conn);
		return;
	}
	if (rec->phase != CONN_FREE) {
		rec->generation++;
		rec->phase = CONN_FREE;
		rec->client = STATE_NONE;
	}
	tcp_release(engine, conn);
}

static void reset(void *arg, uint32_t conn)
{
	struct client_side *side = arg;

	tcp_abort(side->core->tcp, side->core->now, conn);
}

void client_side_recover(struct core *core)
{
	struct client_side *side = core->clients;

	if (!core->dp->init->is_restart)
		return;
	/* Ports of connections that are about to end: the array is counted anew from nothing. Clients come
	 * only after all cores have started, so nobody connects yet; see ephemeral.c. */
	if (core->id == 0)
		memset(core->dp->ephemeral, 0, sizeof(*core->dp->ephemeral));
	side->is_recovering = true;
	tcp_for_each(core->tcp, reset, side);
	side->is_recovering = false;
	/* From the last on, so that the list begins with the first. */
	for (uint32_t conn = side->conns_max; conn-- > 0;)
		adopt_record(side, conn);
	listener_recover(side);
}
