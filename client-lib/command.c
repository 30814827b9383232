/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands: each is written into the next slot of the channel's command ring; ix_flush() publishes the batch
 * and wakes the core if it sleeps. Arguments are checked for what the ABI cannot express; policy and state
 * are ixd's to judge.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "client-lib/internal.h"

/* Slots free for `want` commands; asks ixd's index only when the last one seen does not do. */
static bool has_room(struct ix_channel *channel, uint32_t want)
{
	if (channel->cmd_slots - ix_ring_used(channel->cmd_prod, channel->cmd_cons) >= want)
		return true;
	channel->cmd_cons = ix_ring_load(&channel->daemon->cmd_cons);
	if (channel->cmd_slots - ix_ring_used(channel->cmd_prod, channel->cmd_cons) >= want)
		return true;
	channel->is_starved = true;
	return false;
}

static int reserve(struct ix_channel *channel, uint32_t want)
{
	if (client_is_gone(channel->client))
		return -ECONNRESET;
	return has_room(channel, want) ? 0 : -EAGAIN;
}

/* The next slot, cleared, with what all commands have. The caller made sure of the room. */
static struct ix_cmd *append(struct ix_channel *channel, enum ix_op op, uint64_t handle)
{
	struct ix_cmd *cmd = &channel->cmds[channel->cmd_prod++ & (channel->cmd_slots - 1)];

	*cmd = (struct ix_cmd){.op = (uint8_t)op, .seq = ++channel->seq, .handle = handle};
	return cmd;
}

static int append_plain(struct ix_channel *channel, enum ix_op op, uint64_t handle)
{
	int error = reserve(channel, 1);

	if (!error)
		append(channel, op, handle);
	return error;
}

static bool options_are_valid(const struct ix_options *options)
{
	return !options || (ix_flags_are_valid(options->flags) && options->cc < IX_CC_COUNT);
}

/* listen and connect: what they have in common. */
static int append_open(struct ix_channel *channel, enum ix_op op, uint64_t cookie, const struct ix_addr *addr,
		       const struct ix_addr *from, const struct ix_options *options)
{
	struct ix_cmd *cmd;
	int error;

	if (!addr || !options_are_valid(options))
		return -EINVAL;
	error = reserve(channel, 1);
	if (error)
		return error;
	cmd = append(channel, op, cookie);
	memcpy(cmd->open.addr, addr->ip, sizeof(cmd->open.addr));
	cmd->open.port = addr->port;
	if (from)
		memcpy(cmd->open.from, from->ip, sizeof(cmd->open.from));
	if (options) {
		cmd->flags = options->flags;
		cmd->open.cc = options->cc;
		cmd->open.backlog = options->backlog;
		cmd->open.user_timeout_ms = options->user_timeout_ms;
	}
	return 0;
}

IX_EXPORT int ix_listen(struct ix_channel *channel, uint64_t cookie, const struct ix_addr *local,
			const struct ix_options *options)
{
	return append_open(channel, IX_OP_LISTEN, cookie, local, NULL, options);
}

IX_EXPORT int ix_connect(struct ix_channel *channel, uint64_t cookie, const struct ix_addr *remote,
			 const struct ix_addr *from, const struct ix_options *options)
{
	/* The local port decides the flow's core, so ixd must be the one that chooses it. */
	if (from && from->port)
		return -EINVAL;
	return append_open(channel, IX_OP_CONNECT, cookie, remote, from, options);
}

IX_EXPORT int ix_unlisten(struct ix_channel *channel, uint64_t listener)
{
	return append_plain(channel, IX_OP_UNLISTEN, listener);
}

IX_EXPORT int ix_cancel(struct ix_channel *channel, uint64_t cookie)
{
	return append_plain(channel, IX_OP_CANCEL, cookie);
}

IX_EXPORT int ix_accept(struct ix_channel *channel, uint64_t handle, uint64_t cookie)
{
	int error = reserve(channel, 1);

	if (!error)
		append(channel, IX_OP_ACCEPT, handle)->accept.cookie = cookie;
	return error;
}

IX_EXPORT int ix_reject(struct ix_channel *channel, uint64_t handle)
{
	return append_plain(channel, IX_OP_REJECT, handle);
}

/* `target` is a handle, or the cookie of a connect. */
static int append_sends(struct ix_channel *channel, enum ix_op op, uint64_t target, const struct ix_sg *sg,
			unsigned count)
{
	uint32_t slots = count / IX_SG_MAX + (count % IX_SG_MAX != 0);
	int error;

	if (!sg || !count)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		if (!sg[i].len || sg[i].off > channel->tx_bytes || sg[i].len > channel->tx_bytes - sg[i].off)
			return -EINVAL;
	if (slots > channel->cmd_slots)
		return -EINVAL;
	error = reserve(channel, slots);
	if (error)
		return error;
	while (count) {
		unsigned pieces = count < IX_SG_MAX ? count : IX_SG_MAX;
		struct ix_cmd *cmd = append(channel, op, target);

		cmd->sg_count = (uint8_t)pieces;
		for (unsigned i = 0; i < pieces; i++)
			cmd->sg[i] = (struct ix_sg){.off = sg[i].off, .len = sg[i].len};
		sg += pieces;
		count -= pieces;
	}
	return 0;
}

IX_EXPORT int ix_sendv(struct ix_channel *channel, uint64_t handle, const struct ix_sg *sg, unsigned count)
{
	return append_sends(channel, IX_OP_SENDV, handle, sg, count);
}

IX_EXPORT int ix_send_early(struct ix_channel *channel, uint64_t cookie, const struct ix_sg *sg,
			    unsigned count)
{
	return append_sends(channel, IX_OP_SEND_EARLY, cookie, sg, count);
}

IX_EXPORT int ix_recv_done(struct ix_channel *channel, uint64_t handle, uint64_t bytes)
{
	int error = reserve(channel, 1);

	if (!error)
		append(channel, IX_OP_RECV_DONE, handle)->recv_done.bytes = bytes;
	return error;
}

IX_EXPORT int ix_shutdown(struct ix_channel *channel, uint64_t handle)
{
	return append_plain(channel, IX_OP_SHUTDOWN, handle);
}

IX_EXPORT int ix_close_conn(struct ix_channel *channel, uint64_t handle)
{
	return append_plain(channel, IX_OP_CLOSE, handle);
}

IX_EXPORT int ix_abort(struct ix_channel *channel, uint64_t handle)
{
	return append_plain(channel, IX_OP_ABORT, handle);
}

IX_EXPORT int ix_setopt(struct ix_channel *channel, uint64_t handle, const struct ix_options *options)
{
	struct ix_cmd *cmd;
	int error;

	if (!options || !options_are_valid(options))
		return -EINVAL;
	error = reserve(channel, 1);
	if (error)
		return error;
	cmd = append(channel, IX_OP_SETOPT, handle);
	cmd->flags = options->flags;
	cmd->setopt.cc = options->cc;
	cmd->setopt.user_timeout_ms = options->user_timeout_ms;
	return 0;
}

IX_EXPORT uint32_t ix_last_seq(const struct ix_channel *channel)
{
	return channel->seq;
}

IX_EXPORT uint32_t ix_cmd_space(struct ix_channel *channel)
{
	/* ixd writes its index all the time, so the line is always on the other CPU: not looked at while what
	 * was seen last leaves half of the ring. */
	if (ix_ring_used(channel->cmd_prod, channel->cmd_cons) > channel->cmd_slots / 2)
		channel->cmd_cons = ix_ring_load(&channel->daemon->cmd_cons);
	return channel->cmd_slots - ix_ring_used(channel->cmd_prod, channel->cmd_cons);
}

void channel_ring(struct ix_channel *channel)
{
	/* A full socket means that a ring is already on its way, so EAGAIN is success. */
	if (send(channel->doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
	    errno != EINTR)
		client_set_gone(channel->client);
}

IX_EXPORT int ix_flush(struct ix_channel *channel)
{
	if (channel->cmd_published != channel->cmd_prod) {
		channel->cmd_published = channel->cmd_prod;
		/* Publish, then look at the flag: the order that ring.h asks for. */
		ix_ring_store(&channel->mine->cmd_prod, channel->cmd_prod);
		if (ix_ring_peer_sleeps(&channel->daemon->is_sleeping))
			channel_ring(channel);
	}
	return client_is_gone(channel->client) ? -ECONNRESET : 0;
}
