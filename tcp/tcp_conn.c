/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a connection record: taken, changing state, freed. */
#include "tcp/tcp_conn.h"

#include <string.h>

#include "tcp/tcp_cc.h"
#include "tcp/tcp_data.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_hash.h"

#define NS_PER_MS 1000000u

uint32_t tcp_conn_alloc(struct tcp_engine *e, const struct tcp_tuple *tuple)
{
	uint32_t conn, generation;
	struct tcp_conn *c;

	if (e->conn_free_count == 0)
		return TCP_NONE;
	conn = e->conn_free[--e->conn_free_count];
	c = tcp_conn_at(e, conn);
	generation = c->generation;
	memset(c, 0, sizeof(*c));
	c->generation = generation + 1;
	c->tuple = *tuple;
	e->links[conn].challenge_count = 0;
	e->links[conn].hash = tcp_hash_tuple(e->keys.hash, tuple);
	tcp_table_insert(e, e->links[conn].hash, conn);
	return conn;
}

/* Backlog accounting on leaving and entering states of a passive open. */
static void count_backlog(struct tcp_engine *e, const struct tcp_conn *c, enum tcp_state from,
			  enum tcp_state to)
{
	struct tcp_listener *l = c->listener == TCP_NONE ? NULL : &e->listeners[c->listener];

	if (from == TCP_SYN_RCVD) {
		e->half_open--;
		if ((c->flags & CONN_PASSIVE) && (c->flags & CONN_FAST_OPEN))
			e->fast_open.pending--;
		if (l)
			l->half_open--;
	}
	if (to == TCP_SYN_RCVD) {
		e->half_open++;
		if (l)
			l->half_open++;
	}
	if (!l || (c->flags & CONN_ACCEPTED))
		return;
	if (from == TCP_SYN_RCVD && to != TCP_CLOSED)
		l->waiting++;
	else if (from > TCP_SYN_RCVD && to == TCP_CLOSED)
		l->waiting--;
}

void tcp_set_state(struct tcp_engine *e, uint32_t conn, enum tcp_state state)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	enum tcp_state from = c->state;

	c->state = (uint8_t)state;
	count_backlog(e, c, from, state);
}

void tcp_conn_soft_error(struct tcp_engine *e, uint32_t conn, enum tcp_soft_error what)
{
	e->stats->soft_errors++;
	if (e->ops->on_soft_error)
		e->ops->on_soft_error(e->ctx, conn, what);
}

void tcp_conn_end(struct tcp_engine *e, uint32_t conn, enum tcp_reason reason)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	tcp_wheel_disarm(e, conn);
	tcp_sent_free_all(e, conn);
	tcp_data_free_all(e, conn);
	tcp_table_remove(e, e->links[conn].hash, conn);
	/* Held before it is closed, and until the user has answered: after a crash in between the user finds
	 * it held, and can tell by his own half whether it is needed. */
	c->is_held = 1;
	__atomic_signal_fence(__ATOMIC_RELEASE);
	tcp_set_state(e, conn, TCP_CLOSED);
	c->generation++;
	if (!e->ops->on_dead(e->ctx, conn, reason))
		tcp_release(e, conn);
}

bool tcp_is_held(const struct tcp_engine *e, uint32_t conn)
{
	return conn < e->limits.conns && e->conns[conn].state == TCP_CLOSED && e->conns[conn].is_held;
}

void tcp_release(struct tcp_engine *e, uint32_t conn)
{
	if (!tcp_is_held(e, conn))
		return;
	e->conns[conn].is_held = 0;
	/* The record may still be on the output or ACK list; both skip what is closed, and the marks in
	 * links stay with the list entry whoever uses the record next. */
	e->conn_free[e->conn_free_count++] = conn;
}

void tcp_conn_set_mss(struct tcp_conn *c, uint32_t mss_max)
{
	uint32_t options = c->options & TCP_INFO_TIMESTAMPS ? 12 : 0;

	if (mss_max < TCP_MSS_MIN)
		mss_max = TCP_MSS_MIN;
	c->mss_max = (uint16_t)mss_max;
	c->mss = (uint16_t)(mss_max - options);
	if (c->cwnd != 0 && c->cwnd < c->mss)
		c->cwnd = c->mss;
}

void tcp_conn_set_params(struct tcp_engine *e, uint32_t conn, const struct tcp_params *params)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint8_t old_cc = c->cc;

	c->flags &= ~(uint32_t)(CONN_NAGLE | CONN_KEEPALIVE | CONN_NO_DELAYED_ACK);
	if (params->flags & TCP_PARAM_NAGLE)
		c->flags |= CONN_NAGLE;
	if (params->flags & TCP_PARAM_KEEPALIVE)
		c->flags |= CONN_KEEPALIVE;
	if (params->flags & TCP_PARAM_NO_DELAYED_ACK)
		c->flags |= CONN_NO_DELAYED_ACK;
	/* Rounded up, so that a short one does not become none. */
	c->user_timeout_ms = params->user_timeout_ns / NS_PER_MS >= UINT32_MAX
				 ? UINT32_MAX
				 : (uint32_t)((params->user_timeout_ns + NS_PER_MS - 1) / NS_PER_MS);
	/* An unset choice keeps what a running connection has. */
	if (old_cc == TCP_CC_DEFAULT || (params->cc != TCP_CC_DEFAULT && params->cc != old_cc))
		tcp_cc_start(c, params->cc, &e->config);
}
