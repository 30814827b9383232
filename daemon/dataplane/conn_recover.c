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
	side->ghost_free = STATE_NONE;
	side->ghost_fresh = side->conns_max;
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
	side->local = mmap(NULL, 2 * (size_t)side->conns_max * sizeof(*side->local), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (side->local == MAP_FAILED) {
		side->local = NULL;
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
		munmap(side->local, 2 * (size_t)side->conns_max * sizeof(*side->local));
	free(side->listener_engine);
	free(side->listener_of_engine);
	free(side);
	core->clients = NULL;
}

/* What a dataplane before owed, reduced to the one thing that is still true: the connection is over. */
static void ghost_make(struct client_side *side, const struct conn_record *old)
{
	uint32_t ghost = side->ghost_fresh;
	struct conn_record *rec;
	uint32_t generation;

	if (ghost >= 2 * side->conns_max)
		return;
	side->ghost_fresh++;
	side->ghosts++;
	rec = &side->conns[ghost];
	generation = rec->generation;
	*rec = (struct conn_record){
	    .generation = generation,
	    .client = old->client,
	    .listener = old->listener,
	    .phase = old->phase,
	    /* A connect without an answer gets both. */
	    .owed =
		(uint8_t)(CONN_OWED_DEAD | (old->phase == CONN_OPENING ? CONN_OWED_CONNECTED
								       : old->owed & CONN_OWED_CONNECTED)),
	    .dead_reason = IX_REASON_RESTART,
	    .cookie = old->cookie,
	    .handle = old->handle,
	    .chunk_head = STATE_NONE,
	    .chunk_tail = STATE_NONE,
	    .chunk_cursor = STATE_NONE,
	    .cell_head = RX_NONE,
	    .cell_tail = RX_NONE,
	};
	side->local[ghost] = (struct conn_local){.list_next = STATE_NONE, .list_prev = STATE_NONE};
}

static bool has_to_be_told(const struct conn_record *old)
{
	if (old->phase == CONN_FREE || old->phase == CONN_ORPHANED || old->client >= IXD_CLIENTS_MAX)
		return false;
	if (old->phase == CONN_OPENING && old->listener != STATE_NONE)
		return false;
	return !(old->owed & CONN_OWED_KNOCK);
}

/* The ghosts that are there move together at the beginning of their half; those of live records follow. Done
 * before the engine resets anything: what its callback says then is old news. */
static void adopt_records(struct client_side *side)
{
	for (uint32_t i = 0; i < 2 * side->conns_max; i++) {
		uint32_t conn = i < side->conns_max ? side->conns_max + i : i - side->conns_max;
		struct conn_record old = side->conns[conn];

		if (old.phase == CONN_FREE)
			continue;
		side->conns[conn].phase = CONN_FREE;
		side->conns[conn].client = STATE_NONE;
		side->conns[conn].generation++;
		if (has_to_be_told(&old))
			ghost_make(side, &old);
	}
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
	adopt_records(side);
	side->is_recovering = true;
	tcp_for_each(core->tcp, reset, side);
	side->is_recovering = false;
	listener_recover(side);
}
