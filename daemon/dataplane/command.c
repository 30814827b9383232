/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking commands in turn over the clients, and the operations on connections.
 *
 *   client ─▶ command ring → command_drain → (table) → tcp_send, tcp_rx_limit, … → tcp_output
 */
#include "daemon/dataplane/command.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/time_units.h"
#include "daemon/dataplane/chunk.h"
#include "daemon/dataplane/event.h"
#include "daemon/dataplane/listener.h"
#include "daemon/dataplane/rx_memory.h"

/* Commands of one client before the next one's turn, and clients that are looked at seldom per turn. */
#define QUOTA              32u
#define IDLE_LOOKS         4u

/* Events that one command may cost at once. What a connection is owed on top is kept in its record. */
#define EVENTS_PER_COMMAND 1u

#define PHASE(phase)       (1u << (phase))
#define NO_HANDLE          0u

int command_check_options(const struct command *c, uint8_t cc)
{
	if (!ix_flags_are_valid(c->cmd->flags) || cc >= IX_CC_COUNT)
		return command_refuse(&c->side->core->stats->refused_state, -EINVAL);
	return 0;
}

static int command_accept(struct command *c)
{
	struct conn_record *rec = &c->side->conns[c->conn];

	rec->cookie = c->cmd->accept.cookie;
	rec->phase = CONN_OPEN;
	rec->owed |= CONN_OWED_SENT; /* with the first send_limit */
	tcp_accept(c->side->core->tcp, c->conn);
	event_owe(c->side, c->conn);
	conn_want(c->side, c->conn, CONN_WANT_LIMIT);
	return 0;
}

/* The client gives up what it has not read of a connection that is over. */
static int let_go(struct command *c)
{
	c->side->conns[c->conn].phase = CONN_CLOSED;
	event_owe(c->side, c->conn);
	return 0;
}

static int command_abort(struct command *c)
{
	if (conn_is_over(&c->side->conns[c->conn]))
		return let_go(c);
	conn_abort(c->side, c->conn);
	return 0;
}

/* Pieces for c->conn, whose stream may have bytes up to limit_off. */
static int take_pieces(struct command *c, uint64_t limit_off)
{
	struct client_side *side = c->side;
	struct core_stats *stats = side->core->stats;
	struct conn_record *rec = &side->conns[c->conn];
	const struct ix_sg *sg = c->cmd->sg;
	uint32_t count = c->cmd->sg_count;
	uint64_t total = 0;
	int error;

	if (!count || count > IX_SG_MAX)
		return command_refuse(&stats->refused_bad_sg, -EINVAL);
	for (uint32_t i = 0; i < count; i++) {
		/* Subtracting from what is there cannot overflow, adding what the client says could. */
		if (!sg[i].len || sg[i].off > c->channel->tx_bytes ||
		    sg[i].len > c->channel->tx_bytes - sg[i].off)
			return command_refuse(&stats->refused_bad_sg, -EINVAL);
		total += sg[i].len;
	}
	if (total > limit_off - rec->sent_given_off || total > UINT32_MAX)
		return command_refuse(&stats->refused_send_limit, -EMSGSIZE);
	if (!chunk_has_room(side, c->channel, count))
		return command_refuse(&stats->refused_limit, -ENOBUFS);
	error = tcp_send(side->core->tcp, side->core->now, c->conn, (uint32_t)total);
	if (error < 0)
		return command_refuse(&stats->refused_state, error);
	for (uint32_t i = 0; i < count; i++) {
		/* The client has just written them, on another CPU. */
		__builtin_prefetch(c->channel->tx + sg[i].off);
		chunk_append(side, c->channel, c->conn, sg[i].off, sg[i].len);
	}
	return 0;
}

static int command_sendv(struct command *c)
{
	return take_pieces(c, c->side->conns[c->conn].sent_limit_off);
}

/* Before the answer to a connect: the engine refuses it unless the connect asked for Fast Open. The limit is
 * what `connected` will tell. */
static int command_send_early(struct command *c)
{
	c->conn = conn_cookie_find(c->side, c->channel->client, c->cmd->cookie);
	if (c->conn == STATE_NONE)
		return command_refuse(&c->side->core->stats->refused_stale_handle, -ESTALE);
	return take_pieces(c, c->side->core->dp->init->fixed.send_buffer_bytes);
}

static int command_recv_done(struct command *c)
{
	struct conn_record *rec = &c->side->conns[c->conn];

	if (c->cmd->recv_done.bytes > rec->rx_posted_off - rec->rx_done_off)
		return command_refuse(&c->side->core->stats->refused_state, -EINVAL);
	rec->rx_done_off += c->cmd->recv_done.bytes;
	rx_reclaim(c->channel, rec, &c->side->local[c->conn]);
	/* The engine hears of it once per batch, however many there are; of a connection that is over never,
	 * and then the client may hear that it is. */
	if (!conn_is_over(rec))
		conn_want(c->side, c->conn, CONN_WANT_LIMIT);
	else
		event_owe(c->side, c->conn);
	return 0;
}

static int command_shutdown(struct command *c)
{
	int error = tcp_shutdown(c->side->core->tcp, c->side->core->now, c->conn);

	return error < 0 ? command_refuse(&c->side->core->stats->refused_state, error) : 0;
}

static int command_close(struct command *c)
{
	struct core *core = c->side->core;
	struct conn_record *rec = &c->side->conns[c->conn];
	bool unread = rec->rx_done_off < rec->rx_ready_off;

	if (conn_is_over(rec))
		return let_go(c);
	rec->phase = CONN_CLOSED;
	rec->owed &= (uint8_t)~CONN_OWED_EOF;
	if (tcp_close(core->tcp, core->now, c->conn, unread) < 0)
		conn_end_unknown(c->side, c->conn, IX_REASON_CLOSED);
	return 0;
}

static int command_setopt(struct command *c)
{
	struct core *core = c->side->core;
	struct tcp_params params = {
	    .flags = conn_engine_flags(c->cmd->flags),
	    .cc = c->cmd->setopt.cc,
	    .user_timeout_ns = c->cmd->setopt.user_timeout_ms * NS_PER_MS,
	};
	int error = command_check_options(c, c->cmd->setopt.cc);

	if (error < 0)
		return error;
	error = tcp_set_params(core->tcp, core->now, c->conn, &params);
	if (error < 0)
		return command_refuse(&core->stats->refused_state, error);
	c->side->conns[c->conn].dscp = conn_dscp(c->cmd->flags);
	return 0;
}

/* One row per operation: what does it, and in which phases of a connection it fits. */
static const struct operation {
	int (*run)(struct command *c);
	uint32_t phases;  /* bits; NO_HANDLE: not on a connection */
	bool is_for_held; /* also on a connection that is over, but not read to its end: conn_is_held() */
} operations[IX_OP_COUNT] = {
    [IX_OP_LISTEN] = {command_listen, NO_HANDLE, false},
    [IX_OP_UNLISTEN] = {command_unlisten, NO_HANDLE, false},
    [IX_OP_CONNECT] = {command_connect, NO_HANDLE, false},
    [IX_OP_CANCEL] = {command_cancel, NO_HANDLE, false},
    [IX_OP_ACCEPT] = {command_accept, PHASE(CONN_KNOCKED), false},
    [IX_OP_REJECT] = {command_abort, PHASE(CONN_KNOCKED), false},
    [IX_OP_SENDV] = {command_sendv, PHASE(CONN_OPEN), false},
    [IX_OP_RECV_DONE] = {command_recv_done, PHASE(CONN_OPEN), true},
    [IX_OP_SHUTDOWN] = {command_shutdown, PHASE(CONN_OPEN), false},
    [IX_OP_CLOSE] = {command_close, PHASE(CONN_OPEN), true},
    [IX_OP_ABORT] = {command_abort, PHASE(CONN_KNOCKED) | PHASE(CONN_OPEN) | PHASE(CONN_CLOSED), true},
    [IX_OP_SETOPT] = {command_setopt, PHASE(CONN_OPEN), false},
    [IX_OP_SEND_EARLY] = {command_send_early, NO_HANDLE, false},
};

static int run(struct command *c)
{
	struct core_stats *stats = c->side->core->stats;
	const struct operation *op;

	if (c->cmd->op >= IX_OP_COUNT || !operations[c->cmd->op].run)
		return command_refuse(&stats->refused_bad_op, -EOPNOTSUPP);
	op = &operations[c->cmd->op];
	if (op->phases == NO_HANDLE)
		return c->channel->is_last_drain ? 0 : op->run(c);
	c->conn = conn_by_handle(c->side, c->channel->client, c->cmd->handle);
	if (c->conn == STATE_NONE)
		return command_refuse(&stats->refused_stale_handle, -ESTALE);
	if (!(op->phases & PHASE(c->side->conns[c->conn].phase)))
		return command_refuse(&stats->refused_state, -EINVAL);
	if (conn_is_over(&c->side->conns[c->conn]) && !op->is_for_held)
		return command_refuse(&stats->refused_state, -EPIPE);
	return op->run(c);
}

static void post_error(struct channel *channel, const struct ix_cmd *cmd, int error)
{
	struct ix_event *event = event_post(channel, IX_EV_ERROR, 0);
	bool has_cookie = cmd->op == IX_OP_LISTEN || cmd->op == IX_OP_CONNECT || cmd->op == IX_OP_CANCEL ||
			  cmd->op == IX_OP_SEND_EARLY;

	event->outcome = (int16_t)error;
	event->error.seq = cmd->seq;
	event->error.op = cmd->op;
	if (has_cookie)
		event->cookie = cmd->cookie;
	else
		event->handle = cmd->handle;
	if (cmd->op == IX_OP_ACCEPT)
		event->cookie = cmd->accept.cookie;
	channel->side->core->stats->commands_refused++;
}

/* What the next command will touch, from a handle that may be a lie: a hint to the cache only. */
static void prefetch(const struct client_side *side, const struct ix_cmd *cmd)
{
	uint32_t conn = (uint32_t)cmd->handle;

	if (conn >= side->conns_max)
		return;
	__builtin_prefetch(&side->conns[conn]);
	__builtin_prefetch(&side->conns[conn].chunk_head);
	__builtin_prefetch(&side->local[conn]);
}

/* Takes up to `quota` commands; returns how many. */
static uint32_t channel_take(struct channel *channel, uint32_t quota)
{
	struct client_side *side = channel->side;
	uint32_t mask = channel->cmd_slots - 1, taken = 0;
	uint32_t waiting = channel->state == CHANNEL_OPEN ? channel_commands_waiting(channel) : 0;
	struct ix_cmd cmd;
	struct command c = {.side = side, .channel = channel, .cmd = &cmd};

	if (waiting > quota)
		waiting = quota;
	for (; taken < waiting && channel->state == CHANNEL_OPEN; taken++) {
		int error;

		if (channel_event_room(channel, EVENTS_PER_COMMAND) < EVENTS_PER_COMMAND) {
			side->core->stats->client_paused += !channel->is_paused;
			channel->is_paused = true;
			break;
		}
		channel->is_paused = false;
		if (taken + 1 < waiting)
			prefetch(side, &channel->cmds[(channel->cmd_cons + 1) & mask]);
		/* One copy, and the compiler may not go back to the ring: the client can change it at any
		 * time. */
		memcpy(&cmd, &channel->cmds[channel->cmd_cons & mask], sizeof(cmd));
		__asm__ volatile("" : "+m"(cmd));
		channel->cmd_cons++;
		error = run(&c);
		if (error < 0)
			post_error(channel, &cmd, error);
	}
	if (taken) {
		/* Once per batch. Release: the slots were read before the client may fill them again. */
		ix_ring_store(&channel->ours->cmd_cons, channel->cmd_cons);
		side->core->stats->commands += taken;
	}
	return taken;
}

void command_drain_last(struct channel *channel)
{
	uint32_t left = channel->cmd_slots, got = 1;

	channel->is_last_drain = true;
	for (; left && got && channel->state == CHANNEL_OPEN; left -= got) {
		/* Nobody reads the answers any more, so their ring is never full. */
		channel->evt_published = channel->evt_prod;
		channel->evt_cons = channel->evt_prod;
		got = channel_take(channel, left < QUOTA ? left : QUOTA);
	}
	channel->is_last_drain = false;
}

/* Clients that were idle for long: a few in each turn. */
static uint32_t look_at_idle(struct client_side *side)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < IDLE_LOOKS && i < side->idle_count; i++) {
		struct channel *channel;
		uint32_t count;

		if (side->idle_turn >= side->idle_count)
			side->idle_turn = 0;
		channel = &side->channel[side->idle[side->idle_turn++]];
		count = channel_take(channel, QUOTA);
		if (count || channel->is_paused)
			channel_poll_always(channel);
		taken += count;
	}
	return taken;
}

enum commands command_drain(struct core *core, uint32_t budget)
{
	struct client_side *side = core->clients;
	uint32_t taken = look_at_idle(side);
	uint32_t first = side->polled_turn, count = side->polled_count;
	bool is_first_round = true, has_more = true;

	/* Rounds of a few commands each, begun with another client in every turn, so that one who sends many
	 * delays the others by a quota only. */
	while (has_more && (taken < budget || is_first_round)) {
		has_more = false;
		for (uint32_t i = 0; i < count && taken < budget; i++) {
			uint32_t at = first + i < count ? first + i : first + i - count;
			struct channel *channel = &side->channel[side->polled[at]];
			uint32_t quota = QUOTA < budget - taken ? QUOTA : budget - taken;
			uint32_t got = channel_take(channel, quota);

			taken += got;
			has_more |= got == quota;
			if (got)
				channel->idle_turns = 0;
			else if (is_first_round && channel->idle_turns < UINT16_MAX)
				channel->idle_turns++;
		}
		is_first_round = false;
	}
	side->polled_turn = first + 1 < count ? first + 1 : 0;
	if (count > CHANNELS_POLLED_MIN)
		channels_demote(side);
	conn_work_run(side);
	channels_publish(side);
	if (taken == 0)
		return COMMANDS_NONE;
	return taken < budget ? COMMANDS_ALL : COMMANDS_MORE;
}
