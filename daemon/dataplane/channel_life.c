/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client comes to this core and leaves it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/common/log.h"
#include "daemon/common/time_units.h"
#include "daemon/dataplane/channel.h"
#include "daemon/dataplane/command.h"
#include "daemon/dataplane/event.h"
#include "daemon/dataplane/listener.h"
#include "daemon/dataplane/rx_memory.h"

/* While a client has no room for what it is owed, it rings when it has taken events; a look from time to time
 * is for one that does not. */
#define PAUSED_LOOK_NS (20 * NS_PER_MS)

static void channel_clear(struct channel *channel)
{
	free(channel->dead);
	free(channel->announced);
	*channel = (struct channel){
	    .side = channel->side, .client = channel->client, .doorbell_fd = -1, .conns_head = STATE_NONE};
	channel->owed = (struct conn_queue){STATE_NONE, STATE_NONE};
}

static void map_rings(struct channel *channel, struct client_mapping *mapping, uint32_t core)
{
	const struct ix_welcome *l = &mapping->layout;

	channel->cmds = (const void *)(mapping->client_memory + l->cmd_off + core * l->cmd_stride);
	channel->theirs =
	    (const void *)(mapping->client_memory + l->client_core_off + core * l->client_core_stride);
	channel->evts = (void *)(mapping->daemon_memory + l->evt_off + core * l->evt_stride);
	channel->ours = (void *)(mapping->daemon_memory + l->daemon_core_off + core * l->daemon_core_stride);
	channel->cmd_slots = l->cmd_slots;
	channel->evt_slots = l->evt_slots;
	channel->tx = mapping->client_memory + l->tx_off;
	channel->tx_bytes = l->tx_bytes;
	channel->rx.arena = mapping->daemon_memory + l->rx_off;
	channel->rx.block_head = RX_NONE;
	/* Daemon memory is ours alone, so what stands there is what a dataplane before published. */
	channel->cmd_cons = channel->ours->cmd_cons;
	channel->evt_prod = channel->evt_published = channel->ours->evt_prod;
	/* The client's index is a claim; anything but the possible is caught here already. */
	channel->evt_cons = channel->evt_prod - channel->evt_slots;
}

/* Connections that ended with a dataplane before: the client was not told yet. Or they belonged to another
 * client of the same number, and nobody is left to tell. */
static void adopt_ghosts(struct channel *channel)
{
	struct client_side *side = channel->side;
	uint32_t *link = &side->unclaimed;

	while (*link != STATE_NONE) {
		uint32_t conn = *link;
		struct conn_local *loc = &side->local[conn];

		if (side->conns[conn].client != channel->client) {
			link = &loc->list_next;
			continue;
		}
		*link = loc->list_next;
		if (!channel->mapping->is_restart) {
			conn_record_free(side, conn);
			continue;
		}
		conn_attach(side, conn, channel);
		event_owe(side, conn);
	}
}

static int channel_open(struct channel *channel, struct client_mapping *mapping)
{
	struct client_side *side = channel->side;
	struct core *core = side->core;

	channel->mapping = mapping;
	channel->policy = mapping->policy[core->id];
	channel->rx.shared = client_shared_get(mapping, core->dp->cores);
	if (!channel->rx.shared)
		return -ENOMEM;
	map_rings(channel, mapping, core->id);
	channel->doorbell_fd = mapping->doorbell_fd[core->id];
	channel->dead = calloc(channel->evt_slots, sizeof(*channel->dead));
	channel->announced = calloc(IXD_LISTENERS_MAX, sizeof(*channel->announced));
	if (!channel->dead || !channel->announced)
		return -ENOMEM;
	return 0;
}

/* A client that cannot be served here: the supervisor disconnects it, and channel_del() follows. */
static void channel_refuse(struct channel *channel, const char *reason)
{
	log_error("client %u: %s", (unsigned)channel->client, reason);
	channel->state = CHANNEL_FAULTED;
	core_tell_client_fault(channel->side->core, channel->client, reason);
}

void channel_add(struct core *core, struct client_mapping *mapping)
{
	struct client_side *side = core->clients;
	struct channel *channel = &side->channel[mapping->client];
	struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = channel}};

	channel_clear(channel);
	side->in_use++;
	if (channel_open(channel, mapping) < 0) {
		channel_refuse(channel, "out of memory");
		return;
	}
	if (epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, channel->doorbell_fd, &event) < 0) {
		channel_refuse(channel, "its doorbell cannot be watched");
		return;
	}
	channel->state = CHANNEL_OPEN;
	channel->is_quarantined = mapping->is_restart;
	if (channel_read_evt_cons(channel)) {
		__atomic_store_n(&channel->ours->is_shared, core->config.is_shared_core, __ATOMIC_RELAXED);
		__atomic_store_n(&channel->ours->epoch, core->dp->init->epoch, __ATOMIC_RELEASE);
		channel->is_polled = true;
		side->polled[side->polled_count++] = channel->client;
		channel_mark_busy(channel);
	}
	adopt_ghosts(channel);
	if (mapping->is_restart && core->id == 0)
		__atomic_add_fetch(&channel->rx.shared->listeners, listener_count(side, mapping->client),
				   __ATOMIC_RELAXED);
}

/* What becomes of a connection whose client is gone. */
static void conn_bereave(struct client_side *side, uint32_t conn)
{
	const struct core *core = side->core;
	struct conn_record *rec = &side->conns[conn];
	struct conn_local *loc = &side->local[conn];
	struct channel *channel = channel_of(side, rec->client);

	if (conn_is_over(rec)) {
		conn_forget(side, conn, channel, false, 0);
		return;
	}
	if (rec->phase == CONN_OPENING && rec->listener != STATE_NONE) {
		/* Nobody was told of it yet: another client of the listener may take it. */
		rx_free_all(channel, rec, loc);
		conn_detach(side, conn);
		return;
	}
	if (rec->phase != CONN_CLOSED) {
		conn_abort(side, conn);
		return;
	}
	rx_free_all(channel, rec, loc);
	conn_queue_remove(side, &channel->owed, conn);
	if (rec->sent_acked_off == rec->sent_given_off) {
		/* Only the FINs are left, and they need no memory of the client. */
		conn_detach(side, conn);
		return;
	}
	rec->phase = CONN_ORPHANED;
	loc->since_ns = core->now.ns + core->config.linger_ms * NS_PER_MS;
	conn_queue_push(side, &side->orphans, conn);
}

void channel_del(struct core *core, uint32_t client)
{
	struct client_side *side = core->clients;
	struct channel *channel = channel_of(side, client);
	uint32_t next;

	if (!channel || channel->state == CHANNEL_UNUSED || channel->state == CHANNEL_LEAVING)
		return;
	if (channel->doorbell_fd >= 0)
		epoll_ctl(core->epoll_fd, EPOLL_CTL_DEL, channel->doorbell_fd, NULL);
	channel->doorbell_fd = -1;
	/* What it said before it left counts: a close, above all, and what was to be sent before. */
	command_drain_last(channel);
	channel->state = CHANNEL_LEAVING;
	side->leaving++;
	channel_list_remove(side->polled, &side->polled_count, channel->client);
	channel_list_remove(side->idle, &side->idle_count, channel->client);
	channel_list_remove(side->busy, &side->busy_count, channel->client);
	channel->is_busy = false;
	listener_forget_client(side, client);
	/* Each step takes its connection out of the list or, if it goes on sending, leaves it there; the next
	 * one is noted before. An abort ends that connection alone. */
	for (uint32_t conn = channel->conns_head; conn != STATE_NONE; conn = next) {
		next = side->local[conn].list_next;
		conn_bereave(side, conn);
	}
	channels_reap(side);
}

void channels_reap(struct client_side *side)
{
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX && side->leaving; i++) {
		struct channel *channel = &side->channel[i];
		struct client_mapping *mapping = channel->mapping;

		if (channel->state != CHANNEL_LEAVING || channel->conns)
			continue;
		side->leaving--;
		side->in_use--;
		if (channel->is_quarantined)
			__atomic_sub_fetch(&channel->rx.shared->quarantined_cores, 1, __ATOMIC_RELEASE);
		if (channel->rx.shared)
			client_shared_put(mapping);
		channel_clear(channel);
		core_tell_client_gone(side->core, i);
	}
}

void client_policy_set(struct core *core, struct client_mapping *mapping)
{
	struct channel *channel = &core->clients->channel[mapping->client];

	if (channel->state != CHANNEL_UNUSED)
		channel->policy = mapping->policy[core->id];
}

void client_side_configure(struct core *core)
{
	struct client_side *side = core->clients;
	uint64_t latest_ns = core->now.ns + core->config.linger_ms * NS_PER_MS;

	/* A shorter linger holds for those that linger already; the queue stays in the order of deadlines. */
	for (uint32_t conn = side->orphans.head; conn != STATE_NONE; conn = side->local[conn].queue_next)
		if (side->local[conn].since_ns > latest_ns)
			side->local[conn].since_ns = latest_ns;
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		if (side->channel[i].state == CHANNEL_OPEN)
			__atomic_store_n(&side->channel[i].ours->is_shared, core->config.is_shared_core,
					 __ATOMIC_RELAXED);
}

static bool anybody_waits_for_room(const struct client_side *side)
{
	for (uint32_t i = 0; i < side->busy_count; i++) {
		const struct channel *channel = &side->channel[side->busy[i]];

		if (channel->state == CHANNEL_OPEN &&
		    (channel->owed.head != STATE_NONE || channel->announced_count))
			return true;
	}
	for (uint32_t i = 0; i < side->polled_count; i++)
		if (side->channel[side->polled[i]].is_paused)
			return true;
	return false;
}

tcp_time client_side_next_timer(const struct core *core)
{
	const struct client_side *side = core->clients;
	uint64_t next_ns = 0;

	if (side->orphans.head != STATE_NONE)
		next_ns = side->local[side->orphans.head].since_ns;
	if (anybody_waits_for_room(side) && (!next_ns || next_ns > core->now.ns + PAUSED_LOOK_NS))
		next_ns = core->now.ns + PAUSED_LOOK_NS;
	return (tcp_time){next_ns};
}

void client_side_timer_run(struct core *core)
{
	struct client_side *side = core->clients;

	while (side->orphans.head != STATE_NONE && side->local[side->orphans.head].since_ns <= core->now.ns)
		conn_abort(side, side->orphans.head);
	if (side->leaving)
		channels_reap(side);
}
