/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Installing and removing listeners at the supervisor's word, and choosing clients for connections.
 */
#include "daemon/dataplane/listener.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/common/time_units.h"

/* Tells a listener's handle from a connection's, whose generation never gets so far. */
#define LISTENER_HANDLE (UINT64_C(1) << 63)

static uint64_t handle_make(uint32_t listener, uint32_t generation)
{
	return LISTENER_HANDLE | (uint64_t)(generation & INT32_MAX) << 32 | listener;
}

static bool is_client_of(const struct listener_record *rec, uint32_t client)
{
	for (uint32_t i = 0; i < rec->clients_count; i++)
		if (rec->clients[i] == client)
			return true;
	return false;
}

uint32_t listener_by_handle(const struct client_side *side, uint32_t client, uint64_t handle)
{
	uint32_t listener = (uint32_t)handle;
	const struct listener_record *rec;

	if (listener >= IXD_LISTENERS_MAX)
		return STATE_NONE;
	rec = &side->listeners[listener];
	if (!rec->is_used || handle != handle_make(listener, rec->generation) || !is_client_of(rec, client))
		return STATE_NONE;
	return listener;
}

static bool can_take(const struct channel *channel)
{
	return channel->state == CHANNEL_OPEN &&
	       __atomic_load_n(&channel->rx.shared->conns, __ATOMIC_RELAXED) <
		   channel->policy->limits.conns_max;
}

struct channel *listener_choose(struct client_side *side, uint32_t listener, bool take)
{
	struct listener_record *rec = &side->listeners[listener];
	struct channel *second = NULL;
	uint32_t at = rec->next_turn;

	for (uint32_t i = 0; i < rec->clients_count; i++, at++) {
		struct channel *channel;

		if (at >= rec->clients_count)
			at = 0;
		channel = channel_of(side, rec->clients[at]);
		if (!channel || !can_take(channel))
			continue;
		if (channel->owed.head != STATE_NONE && channel->is_paused) {
			second = second ? second : channel;
			continue;
		}
		if (take)
			rec->next_turn = at + 1;
		return channel;
	}
	return second;
}

bool listener_awaits_client(const struct client_side *side, uint32_t listener)
{
	const struct listener_record *rec = &side->listeners[listener];

	for (uint32_t i = 0; i < rec->clients_count; i++)
		if (rec->clients[i] < IXD_CLIENTS_MAX &&
		    side->channel[rec->clients[i]].state == CHANNEL_UNUSED)
			return true;
	return false;
}

/* Installs it in the engine; 0 or negative errno. */
static int engine_listen(struct client_side *side, uint32_t listener)
{
	const struct listener_record *rec = &side->listeners[listener];
	struct tcp_params params = {
	    .flags = conn_engine_flags(rec->flags),
	    .backlog = rec->backlog,
	    .user_timeout_ns = rec->user_timeout_ms * NS_PER_MS,
	    .cc = (uint8_t)rec->cc,
	};
	int64_t index = tcp_listen(side->core->tcp, rec->addr, rec->port, rec->vlan, &params);

	if (index < 0)
		return (int)index;
	side->listener_engine[listener] = (uint32_t)index;
	side->listener_of_engine[index] = listener;
	return 0;
}

static void client_add(struct listener_record *rec, uint32_t client, uint64_t cookie)
{
	for (uint32_t i = 0; i < rec->clients_count; i++) {
		if (rec->clients[i] == client) {
			rec->cookies[i] = cookie;
			return;
		}
	}
	rec->clients[rec->clients_count] = client;
	rec->cookies[rec->clients_count] = cookie;
	rec->clients_count++;
}

static void client_remove(struct listener_record *rec, uint32_t client)
{
	for (uint32_t i = 0; i < rec->clients_count; i++) {
		if (rec->clients[i] != client)
			continue;
		rec->clients_count--;
		memmove(&rec->clients[i], &rec->clients[i + 1],
			(rec->clients_count - i) * sizeof(rec->clients[0]));
		memmove(&rec->cookies[i], &rec->cookies[i + 1],
			(rec->clients_count - i) * sizeof(rec->cookies[0]));
		return;
	}
}

int listener_install(struct core *core, const struct msg_listen *listen)
{
	struct client_side *side = core->clients;
	struct listener_record *rec;
	int error;

	if (listen->listener >= IXD_LISTENERS_MAX || listen->client >= IXD_CLIENTS_MAX)
		return -EINVAL;
	rec = &side->listeners[listen->listener];
	if (!rec->is_used) {
		*rec = (struct listener_record){
		    .port = listen->port,
		    .vlan = listen->vlan,
		    .flags = listen->flags,
		    .backlog = listen->backlog,
		    .user_timeout_ms = listen->user_timeout_ms,
		    .cc = listen->cc,
		    .generation = rec->generation,
		};
		memcpy(rec->addr, listen->addr, sizeof(rec->addr));
		error = engine_listen(side, listen->listener);
		if (error < 0)
			return error;
		rec->is_used = 1;
	}
	client_add(rec, listen->client, listen->cookie);
	return 0;
}

static void uninstall(struct client_side *side, uint32_t listener)
{
	struct listener_record *rec = &side->listeners[listener];
	uint32_t index = side->listener_engine[listener];

	if (!rec->is_used)
		return;
	if (index != TCP_NONE) {
		tcp_unlisten(side->core->tcp, side->core->now, index);
		side->listener_engine[listener] = TCP_NONE;
		side->listener_of_engine[index] = STATE_NONE;
	}
	rec->is_used = 0;
	rec->clients_count = 0;
	rec->generation++;
}

void listener_remove(struct core *core, const struct msg_listen *listen)
{
	struct client_side *side = core->clients;
	struct channel *channel = channel_of(side, listen->client);
	struct listener_record *rec;

	if (listen->listener >= IXD_LISTENERS_MAX)
		return;
	rec = &side->listeners[listen->listener];
	/* The client's listeners are counted once for all cores. */
	if (core->id == 0 && channel && channel->state == CHANNEL_OPEN && is_client_of(rec, listen->client))
		client_shared_uncount(&channel->rx.shared->listeners);
	client_remove(rec, listen->client);
	if (listen->is_last)
		uninstall(side, listen->listener);
}

void listener_announce(struct core *core, const struct msg_listen *listen)
{
	struct client_side *side = core->clients;
	struct channel *channel = channel_of(side, listen->client);
	struct announcement *a;

	/* A client has no more listens going on than there is room for; see command_listen(). */
	if (!channel || channel->state != CHANNEL_OPEN || channel->announced_count >= IXD_LISTENERS_MAX ||
	    (listen->outcome >= 0 && listen->listener >= IXD_LISTENERS_MAX))
		return;
	a = &channel->announced[channel->announced_count++];
	*a = (struct announcement){.cookie = listen->cookie, .outcome = listen->outcome};
	if (listen->outcome < 0)
		client_shared_uncount(&channel->rx.shared->listeners);
	else
		a->handle = handle_make(listen->listener, side->listeners[listen->listener].generation);
	channel_mark_busy(channel);
}

uint64_t listener_cookie(const struct client_side *side, uint32_t listener, uint32_t client)
{
	const struct listener_record *rec = &side->listeners[listener];

	for (uint32_t i = 0; i < rec->clients_count; i++)
		if (rec->clients[i] == client)
			return rec->cookies[i];
	return 0;
}

uint32_t listener_count(const struct client_side *side, uint32_t client)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++)
		count += side->listeners[i].is_used && is_client_of(&side->listeners[i], client);
	return count;
}

void listener_forget_client(struct client_side *side, uint32_t client)
{
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++)
		if (side->listeners[i].is_used)
			client_remove(&side->listeners[i], client);
}

void listener_recover(struct client_side *side)
{
	/* The engine has its listeners again as well, under indexes that nobody remembers. */
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++)
		tcp_unlisten(side->core->tcp, side->core->now, i);
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++) {
		struct listener_record *rec = &side->listeners[i];
		int error;

		if (!rec->is_used)
			continue;
		if (rec->clients_count > IXD_CLIENTS_MAX)
			rec->clients_count = 0;
		error = engine_listen(side, i);
		if (error < 0) {
			log_error("listener %u on port %u cannot be installed again: %s", (unsigned)i,
				  (unsigned)rec->port, strerror(-error));
			rec->is_used = 0;
		}
	}
}
