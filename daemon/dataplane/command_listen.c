/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen and unlisten: checked here for what a client may say, decided by the supervisor.
 */
#include <errno.h>
#include <string.h>

#include "daemon/dataplane/command.h"
#include "daemon/dataplane/listener.h"

/* IPv4 mapped, or all zero where any address is allowed. */
static bool is_address(const uint8_t addr[16], bool any_allowed)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t any[16];

	if (memcmp(addr, any, 16) == 0)
		return any_allowed;
	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

/* Counts one more listener of the client; false at its limit. */
static bool count_listener(struct channel *channel)
{
	uint32_t *listeners = &channel->rx.shared->listeners;
	uint32_t max = channel->policy->limits.listeners_max;

	if (channel->listens >= IXD_LISTENERS_MAX)
		return false;
	if (__atomic_add_fetch(listeners, 1, __ATOMIC_RELAXED) <= max)
		return true;
	client_shared_uncount(listeners);
	return false;
}

int command_listen(struct command *c)
{
	const struct ix_cmd *cmd = c->cmd;
	struct core *core = c->side->core;
	struct msg_listen listen = {
	    .client = c->channel->client,
	    .core = core->id,
	    .cookie = cmd->cookie,
	    .port = cmd->open.port,
	    .flags = cmd->flags,
	    .backlog = cmd->open.backlog,
	    .user_timeout_ms = cmd->open.user_timeout_ms,
	    .cc = cmd->open.cc,
	};
	int error = command_check_options(c, cmd->open.cc);

	if (error < 0)
		return error;
	if (!cmd->open.port)
		return command_refuse(&core->stats->refused_state, -EINVAL);
	if (!is_address(cmd->open.addr, true))
		return command_refuse(&core->stats->refused_state, -EAFNOSUPPORT);
	if (!count_listener(c->channel))
		return command_refuse(&core->stats->refused_limit, -EMFILE);
	memcpy(listen.addr, cmd->open.addr, sizeof(listen.addr));
	if (!core_ask_listen(core, &listen)) {
		client_shared_uncount(&c->channel->rx.shared->listeners);
		return command_refuse(&core->stats->refused_limit, -EAGAIN);
	}
	c->channel->listens++;
	return 0;
}

int command_unlisten(struct command *c)
{
	struct core *core = c->side->core;
	struct msg_listen listen = {.client = c->channel->client, .core = core->id};

	listen.listener = listener_by_handle(c->side, c->channel->client, c->cmd->handle);
	if (listen.listener == STATE_NONE)
		return command_refuse(&core->stats->refused_stale_handle, -ESTALE);
	if (!core_ask_unlisten(core, &listen))
		return command_refuse(&core->stats->refused_limit, -EAGAIN);
	return 0;
}
