/* SPDX-License-Identifier: BSD-2-Clause */
/* The user's calls (RFC 9293 section 3.10, OPEN to ABORT). */
#include <errno.h>

#include "tcp/tcp_cc.h"
#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_handshake.h"
#include "tcp/tcp_hash.h"
#include "tcp/tcp_timer.h"

bool tcp_tuple_is_free(struct tcp_engine *e, const struct tcp_tuple *tuple)
{
	return tcp_table_find(e, tuple, tcp_hash_tuple(e->keys.hash, tuple)) == TCP_NONE;
}

static void owe_syn(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	c->flags |= CONN_SYN_OWED;
	c->rto_deadline_ns = 0; /* counts from when it goes */
	tcp_output_list(e, conn);
}

int64_t tcp_connect(struct tcp_engine *e, tcp_time now, const struct tcp_tuple *tuple,
		    const struct tcp_params *params)
{
	struct tcp_tuple key = *tuple;
	struct tcp_path path = {0};
	struct tcp_conn *c;
	uint32_t conn;

	e->now_ns = now.ns;
	key.reserved = 0;
	if (!tcp_tuple_is_free(e, &key))
		return -EADDRINUSE;
	if (!tcp_address_is_host(key.remote) || !tcp_address_is_host(key.local) ||
	    !e->ops->path(e->ctx, TCP_NONE, &key, &path))
		return -EHOSTUNREACH;
	conn = tcp_conn_alloc(e, &key);
	if (conn == TCP_NONE)
		return -ENOSPC;
	c = tcp_conn_at(e, conn);
	c->listener = TCP_NONE;
	tcp_handshake_start(e, conn, &path, tcp_hash_isn(e->keys.isn, &key, e->now_ns));
	tcp_conn_set_params(e, conn, params);
	tcp_set_state(e, conn, TCP_SYN_SENT);
	e->stats->active_opens++;
	if (params->flags & TCP_PARAM_FAST_OPEN)
		c->flags |= CONN_FAST_OPEN;
	if ((c->flags & CONN_FAST_OPEN) && tcp_fast_open_has_cookie(e, key.remote)) {
		/* The SYN waits for what it could carry, but not for long. */
		c->rto_deadline_ns = e->now_ns + e->config.rto_initial_ns;
		tcp_timer_arm(e, conn);
	} else {
		owe_syn(e, conn);
	}
	return conn;
}

/* The user does not have the connection yet. */
static bool is_opening(const struct tcp_conn *c)
{
	return (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD) && !(c->flags & CONN_FAST_OPEN);
}

int tcp_accept(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c;

	if (!tcp_conn_is_valid(e, conn))
		return -EBADF;
	c = tcp_conn_at(e, conn);
	if (is_opening(c))
		return -ENOTCONN;
	if (!(c->flags & CONN_PASSIVE) || (c->flags & CONN_ACCEPTED))
		return -EINVAL;
	c->flags |= CONN_ACCEPTED;
	if (c->state == TCP_SYN_RCVD) /* not among those that wait yet */
		return 0;
	if (c->listener != TCP_NONE && e->listeners[c->listener].waiting > 0)
		e->listeners[c->listener].waiting--;
	return 0;
}

int tcp_send(struct tcp_engine *e, tcp_time now, uint32_t conn, uint32_t bytes)
{
	struct tcp_conn *c;

	e->now_ns = now.ns;
	if (!tcp_conn_is_valid(e, conn))
		return -EBADF;
	c = tcp_conn_at(e, conn);
	if (is_opening(c))
		return -ENOTCONN;
	if (c->flags & CONN_FIN_QUEUED)
		return -EPIPE;
	/* Sequence arithmetic needs everything outstanding within half of 2^32; more would be unsendable. */
	if (tcp_seq_span(c->snd_una, c->snd_end) + (uint64_t)bytes > INT32_MAX)
		return -ENOBUFS;
	c->snd_end += bytes;
	if (c->state == TCP_SYN_SENT && !(c->flags & CONN_SENT_ANY))
		owe_syn(e, conn);
	tcp_output_list(e, conn);
	return 0;
}

int tcp_rx_limit(struct tcp_engine *e, tcp_time now, uint32_t conn, uint64_t limit_off)
{
	struct tcp_conn *c;
	int64_t limit;

	e->now_ns = now.ns;
	if (!tcp_conn_is_valid(e, conn))
		return -EBADF;
	c = tcp_conn_at(e, conn);
	if (limit_off > INT64_MAX / 2)
		return -EINVAL;
	limit = tcp_seq_pos(limit_off);
	/* A window beyond 2^30 cannot be told (RFC 7323 section 2.3). */
	if (limit > c->rcv_nxt + (1 << 30))
		limit = c->rcv_nxt + (1 << 30);
	if (limit <= c->rcv_limit)
		return 0;
	c->rcv_limit = limit;
	if (tcp_seq_span(c->rcv_nxt, limit) > c->rcv_buf)
		c->rcv_buf = tcp_seq_span(c->rcv_nxt, limit);
	if ((c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2) &&
	    tcp_emit_wants_window_update(c))
		tcp_ack_now(e, conn);
	return 0;
}

/* The FIN is queued behind all data; the state says that the user will send no more. */
static void queue_fin(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	c->flags |= CONN_FIN_QUEUED;
	if (c->state == TCP_ESTABLISHED)
		tcp_set_state(e, conn, TCP_FIN_WAIT_1);
	else if (c->state == TCP_CLOSE_WAIT)
		tcp_set_state(e, conn, TCP_LAST_ACK);
	tcp_output_list(e, conn);
}

int tcp_shutdown(struct tcp_engine *e, tcp_time now, uint32_t conn)
{
	e->now_ns = now.ns;
	if (!tcp_conn_is_valid(e, conn))
		return -EBADF;
	if (e->conns[conn].state == TCP_SYN_SENT)
		return -ENOTCONN;
	if (!(e->conns[conn].flags & CONN_FIN_QUEUED))
		queue_fin(e, conn);
	return 0;
}

/* A peer that still has data finds out that nobody will read it only when a segment is answered by RST. With
 * a closed window none would ever come: it probes, and both sides wait. So there is always room for one.
 * Nothing is stored any more. */
static void open_window_for_reset(struct tcp_engine *e, tcp_time now, uint32_t conn)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);

	if (c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2)
		tcp_rx_limit(e, now, conn, tcp_seq_off(c->rcv_nxt + c->rcv_mss));
}

int tcp_close(struct tcp_engine *e, tcp_time now, uint32_t conn, bool unread)
{
	struct tcp_conn *c;

	e->now_ns = now.ns;
	if (!tcp_conn_is_valid(e, conn))
		return -EBADF;
	c = tcp_conn_at(e, conn);
	if (c->state == TCP_SYN_SENT) { /* RFC 9293 section 3.10.4: the TCB is deleted */
		tcp_conn_end(e, conn, TCP_REASON_ABORTED);
		return 0;
	}
	if (unread || c->ooo_bytes > 0) {
		tcp_emit_rst(e, conn);
		tcp_conn_end(e, conn, TCP_REASON_ABORTED);
		return 0;
	}
	c->flags |= CONN_CLOSED;
	open_window_for_reset(e, now, conn);
	if (!(c->flags & CONN_FIN_QUEUED))
		queue_fin(e, conn);
	if (c->state == TCP_FIN_WAIT_2) {
		c->idle_deadline_ns = e->now_ns + e->config.fin_wait_2_ns;
		tcp_timer_arm(e, conn);
	}
	return 0;
}

/* RFC 9293 section 3.10.5: in SYN_SENT there is nobody to tell, and with both FINs on the way nothing: a RST
 * would only take TIME_WAIT from the peer. Our state says when the user has closed; the RFC's, when the FIN
 * went. */
static bool is_told_of_abort(const struct tcp_conn *c)
{
	if (c->state == TCP_CLOSING || c->state == TCP_LAST_ACK)
		return c->snd_nxt <= c->snd_end;
	return c->state != TCP_SYN_SENT;
}

int tcp_abort(struct tcp_engine *e, tcp_time now, uint32_t conn)
{
	e->now_ns = now.ns;
	if (!tcp_conn_is_valid(e, conn))
		return -EBADF;
	if (is_told_of_abort(tcp_conn_at(e, conn)))
		tcp_emit_rst(e, conn);
	tcp_conn_end(e, conn, TCP_REASON_ABORTED);
	return 0;
}

/* Where nothing of ours is waited for, and the idle timer has no other use. Before, it is too early: the
 * handshake looks at the flag when it ends. */
static bool may_keep_alive(const struct tcp_conn *c)
{
	if (c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2)
		return !(c->flags & CONN_CLOSED);
	return c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT;
}

int tcp_set_params(struct tcp_engine *e, tcp_time now, uint32_t conn, const struct tcp_params *params)
{
	struct tcp_conn *c;
	bool had_keepalive;

	e->now_ns = now.ns;
	if (!tcp_conn_is_valid(e, conn))
		return -EBADF;
	if (params->cc >= TCP_CC_COUNT ||
	    (params->flags & ~(uint32_t)(TCP_PARAM_NAGLE | TCP_PARAM_KEEPALIVE | TCP_PARAM_NO_DELAYED_ACK)))
		return -EINVAL;
	c = tcp_conn_at(e, conn);
	had_keepalive = c->flags & CONN_KEEPALIVE;
	tcp_conn_set_params(e, conn, params);
	if ((c->flags & CONN_KEEPALIVE) && !had_keepalive && may_keep_alive(c)) {
		c->idle_deadline_ns = e->now_ns + e->config.keepalive_idle_ns;
		c->keepalive_sent = 0;
	}
	tcp_timer_on_user_timeout(e, conn);
	if (c->state >= TCP_ESTABLISHED)
		tcp_output_list(e, conn); /* Nagle may have held something */
	return 0;
}
