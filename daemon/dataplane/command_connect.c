/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect and cancel.
 */
#include <errno.h>
#include <string.h>

#include "daemon/common/time_units.h"
#include "daemon/dataplane/command.h"
#include "daemon/dataplane/ephemeral.h"
#include "daemon/dataplane/policy.h"
#include "daemon/dataplane/rx_memory.h"

#define IP_AND_TCP_HEADER 40

static bool is_any(const uint8_t addr[16])
{
	static const uint8_t any[16];

	return memcmp(addr, any, 16) == 0;
}

/* A unicast IPv4 address: neither 0.0.0.0/8 nor multicast nor broadcast, all in IPv6 notation. */
static bool is_unicast(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0 && addr[12] != 0 && addr[12] < 224;
}

/* What needs no table but the command itself and the policy. */
static int check(const struct command *c)
{
	struct core_stats *stats = c->side->core->stats;
	const struct ix_cmd *cmd = c->cmd;
	int error = command_check_options(c, cmd->open.cc);

	if (error < 0)
		return error;
	if (!cmd->open.port)
		return command_refuse(&stats->refused_state, -EINVAL);
	if (!is_unicast(cmd->open.addr))
		return command_refuse(&stats->refused_state, -EAFNOSUPPORT);
	if (!policy_may_connect(c->channel->policy, cmd->open.addr, cmd->open.port))
		return command_refuse(&stats->refused_policy, -EACCES);
	if (!is_any(cmd->open.from) && !mirror_addr_is_local(c->side->core->mirror, cmd->open.from))
		return command_refuse(&stats->refused_state, -EADDRNOTAVAIL);
	return 0;
}

/* Counts one more connection of the client; false at its limit, or at the instance's. */
static bool count_conn(const struct command *c)
{
	uint32_t *conns = &c->channel->rx.shared->conns;

	if (!conn_has_room(c->side))
		return false;
	if (__atomic_add_fetch(conns, 1, __ATOMIC_RELAXED) <= c->channel->policy->limits.conns_max)
		return true;
	client_shared_uncount(conns);
	return false;
}

/* Route, local address and port of the connection to be; the port is marked as used then. */
static int choose_local(const struct command *c, struct tcp_tuple *tuple, struct conn_record *way,
			struct mirror_hop *hop)
{
	struct client_side *side = c->side;
	int error;

	memcpy(tuple->remote, c->cmd->open.addr, sizeof(tuple->remote));
	memcpy(tuple->local, c->cmd->open.from, sizeof(tuple->local));
	tuple->remote_port = c->cmd->open.port;
	error = route_resolve(side->core, tuple, way, hop);
	if (error < 0)
		return command_refuse(&side->core->stats->refused_state, error);
	if (is_any(tuple->local))
		memcpy(tuple->local, hop->source, sizeof(tuple->local));
	tuple->vlan = hop->vlan;
	error = ephemeral_get(side, tuple);
	return error < 0 ? command_refuse(&side->core->stats->refused_limit, error) : 0;
}

/* The engine has taken the connection: its record. */
static void begin(const struct command *c, uint32_t conn, const struct tcp_tuple *tuple,
		  const struct conn_record *way, uint32_t mss)
{
	struct client_side *side = c->side;
	struct conn_record *rec = conn_record_open(side, conn, CONN_OPENING);

	rec->cookie = c->cmd->cookie;
	rec->dscp = conn_dscp(c->cmd->flags);
	rec->iface = way->iface;
	rec->neigh = way->neigh;
	rec->route_generation = way->route_generation;
	side->local[conn].port = tuple->local_port;
	side->local[conn].flags |= CONN_IS_COUNTED;
	conn_attach(side, conn, c->channel);
	conn_cookie_add(side, conn);
	rx_window_open(c->channel, conn, mss, false);
}

int command_connect(struct command *c)
{
	struct client_side *side = c->side;
	struct core *core = side->core;
	struct tcp_params params = {
	    .flags = conn_engine_flags(c->cmd->flags),
	    .cc = c->cmd->open.cc,
	    .user_timeout_ns = c->cmd->open.user_timeout_ms * NS_PER_MS,
	};
	struct tcp_tuple tuple = {.vlan = 0};
	struct conn_record way = {.neigh = MIRROR_NO_NEIGH};
	struct mirror_hop hop = {.iface = 0};
	int64_t conn;
	uint32_t mss;
	int error = check(c);

	if (error < 0)
		return error;
	if (!count_conn(c))
		return command_refuse(&core->stats->refused_limit, -EMFILE);
	error = choose_local(c, &tuple, &way, &hop);
	if (error < 0) {
		client_shared_uncount(&c->channel->rx.shared->conns);
		return error;
	}
	mss = hop.mtu > IP_AND_TCP_HEADER ? hop.mtu - IP_AND_TCP_HEADER : 1;
	side->connect_hop = &hop;
	side->connect_window = rx_window_offer(c->channel, mss);
	conn = tcp_connect(core->tcp, core->now, &tuple, &params);
	side->connect_hop = NULL;
	if (conn < 0) {
		ephemeral_put(side, tuple.local_port, false);
		client_shared_uncount(&c->channel->rx.shared->conns);
		return command_refuse(&core->stats->refused_limit, (int)conn);
	}
	begin(c, (uint32_t)conn, &tuple, &way, mss);
	return 0;
}

int command_cancel(struct command *c)
{
	uint32_t conn = conn_cookie_find(c->side, c->channel->client, c->cmd->cookie);

	/* Too late, or never begun: `connected` or `error` is on its way. */
	if (conn == STATE_NONE)
		return command_refuse(&c->side->core->stats->refused_stale_handle, -ESTALE);
	conn_abort(c->side, conn);
	return 0;
}
