/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening endpoints: table, backlog, and the first segment of a passive open. */
#include "tcp/tcp_listener.h"

#include <errno.h>
#include <string.h>

#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_handshake.h"
#include "tcp/tcp_hash.h"
#include "tcp/tcp_input.h"
#include "tcp/tcp_time_wait.h"

#define BACKLOG_DEFAULT 1024
#define ISS_STEP        (1u << 16) /* more than an unscaled window: an old segment falls outside */

static const uint8_t any_address[16];

uint32_t tcp_listener_buckets(const struct tcp_limits *limits)
{
	uint32_t buckets = 16;

	while (buckets < limits->listeners)
		buckets *= 2;
	return buckets;
}

/* Ports are chosen by the operator, not by an attacker: no keyed hash is needed. */
static uint32_t bucket_of(const struct tcp_engine *e, uint16_t port, uint16_t vlan)
{
	return (port ^ (uint32_t)vlan * 31u) & (tcp_listener_buckets(&e->limits) - 1);
}

void tcp_listener_link(struct tcp_engine *e, uint32_t listener)
{
	struct tcp_listener *l = &e->listeners[listener];
	uint32_t *head = &e->listener_buckets[bucket_of(e, l->port, l->vlan)];

	l->next = *head;
	*head = listener;
}

static void listener_unlink(struct tcp_engine *e, uint32_t listener)
{
	const struct tcp_listener *l = &e->listeners[listener];
	uint32_t *link = &e->listener_buckets[bucket_of(e, l->port, l->vlan)];

	while (*link != listener)
		link = &e->listeners[*link].next;
	*link = l->next;
}

static uint32_t find_exact(const struct tcp_engine *e, const uint8_t local[16], uint16_t port, uint16_t vlan)
{
	uint32_t i = e->listener_buckets[bucket_of(e, port, vlan)];

	while (i != TCP_NONE) {
		const struct tcp_listener *l = &e->listeners[i];

		if (l->port == port && l->vlan == vlan && memcmp(l->local, local, 16) == 0)
			return i;
		i = l->next;
	}
	return TCP_NONE;
}

uint32_t tcp_listener_find(const struct tcp_engine *e, const struct tcp_tuple *tuple)
{
	uint32_t i = find_exact(e, tuple->local, tuple->local_port, tuple->vlan);

	if (i == TCP_NONE)
		i = find_exact(e, any_address, tuple->local_port, tuple->vlan);
	return i;
}

int64_t tcp_listen(struct tcp_engine *e, const uint8_t local[16], uint16_t port, uint16_t vlan,
		   const struct tcp_params *params)
{
	if (find_exact(e, local, port, vlan) != TCP_NONE)
		return -EADDRINUSE;
	for (uint32_t i = 0; i < e->limits.listeners; i++) {
		struct tcp_listener *l = &e->listeners[i];

		if (l->is_used)
			continue;
		memset(l, 0, sizeof(*l));
		memcpy(l->local, local, 16);
		l->port = port;
		l->vlan = vlan;
		l->cc = params->cc < TCP_CC_COUNT ? params->cc : TCP_CC_DEFAULT;
		l->flags = params->flags;
		l->backlog = params->backlog > 0 ? params->backlog : BACKLOG_DEFAULT;
		l->user_timeout_ns = params->user_timeout_ns;
		l->is_used = 1;
		tcp_listener_link(e, i);
		return i;
	}
	return -ENOSPC;
}

void tcp_unlisten(struct tcp_engine *e, tcp_time now, uint32_t listener)
{
	e->now_ns = now.ns;
	if (listener >= e->limits.listeners || !e->listeners[listener].is_used)
		return;
	for (uint32_t i = 0; i < e->limits.conns; i++) {
		struct tcp_conn *c = tcp_conn_at(e, i);

		if (c->state == TCP_CLOSED || !(c->flags & CONN_PASSIVE) || c->listener != listener)
			continue;
		if (c->state == TCP_SYN_RCVD && !(c->flags & CONN_FAST_OPEN)) {
			tcp_emit_rst(e, i);
			tcp_conn_end(e, i, TCP_REASON_ABORTED);
		} else {
			c->listener = TCP_NONE; /* those the user knows of stay */
		}
	}
	listener_unlink(e, listener);
	e->listeners[listener].is_used = 0;
}

static uint32_t open_passive(struct tcp_engine *e, uint32_t listener, const struct tcp_segment *s,
			     const struct tcp_path *path, uint32_t iss)
{
	const struct tcp_listener *l = &e->listeners[listener];
	struct tcp_params params = {.flags = l->flags, .user_timeout_ns = l->user_timeout_ns, .cc = l->cc};
	uint32_t conn = tcp_conn_alloc(e, &s->tuple);
	struct tcp_conn *c;

	if (conn == TCP_NONE)
		return TCP_NONE;
	if (s->time_wait != TCP_NONE)
		tcp_time_wait_end(e, s->time_wait);
	c = tcp_conn_at(e, conn);
	c->flags |= CONN_PASSIVE;
	c->listener = listener;
	tcp_handshake_start(e, conn, path, iss);
	tcp_conn_set_params(e, conn, &params);
	tcp_handshake_negotiate(e, conn, s);
	c->snd_wnd = s->window;
	tcp_set_state(e, conn, TCP_SYN_RCVD);
	e->ops->on_open(e->ctx, conn, listener);
	return conn;
}

/* Beyond what the connection before this one has used, if that was in TIME_WAIT: whoever sends faster than
 * 244 kB/s is ahead of the clock (RFC 9293 section 3.6.1, MAY-2). */
static uint32_t choose_iss(const struct tcp_engine *e, const struct tcp_segment *s)
{
	uint32_t iss = tcp_hash_isn(e->keys.isn, &s->tuple, e->now_ns), last_seq;

	if (s->time_wait == TCP_NONE)
		return iss;
	last_seq = tcp_time_wait_snd_nxt(e, s->time_wait);
	return (int32_t)(iss - last_seq) <= 0 ? last_seq + ISS_STEP : iss;
}

static void input_syn(struct tcp_engine *e, uint32_t listener, struct tcp_segment *s)
{
	const struct tcp_listener *l = &e->listeners[listener];
	struct tcp_path path = {0};
	uint32_t conn;

	if (l->waiting >= l->backlog) {
		e->stats->drop_backlog++;
		return;
	}
	if (!e->ops->path(e->ctx, listener, &s->tuple, &path)) {
		e->stats->drop_no_path++;
		return;
	}
	/* No room for half-open connections: the answer itself keeps what must be known (RFC 4987
	 * section 3.6). */
	if (e->half_open >= e->limits.syn_backlog || e->half_open >= e->config.syn_backlog ||
	    l->half_open + l->waiting >= l->backlog || e->conn_free_count == 0) {
		tcp_cookie_send(e, s, &path, e->config.ecn);
		return;
	}
	conn = open_passive(e, listener, s, &path, choose_iss(e, s));
	if (conn == TCP_NONE) {
		e->stats->drop_no_record++;
		return;
	}
	e->conns[conn].flags |= CONN_SYN_OWED;
	tcp_output_list(e, conn);
	tcp_fast_open_input_syn(e, conn, s);
}

/* What a SYN-ACK that was a cookie has settled: it offered what fits into its field. */
static void cookie_was_sent(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	c->snd_nxt = 1;
	c->rcv_adv = c->rcv_limit < 1 + UINT16_MAX ? c->rcv_limit : 1 + UINT16_MAX;
	e->stats->syn_cookies_in++;
}

/* An ACK without a connection: the end of a handshake that was answered by a cookie, or nonsense. */
static void input_ack(struct tcp_engine *e, uint32_t listener, struct tcp_segment *s)
{
	const struct tcp_listener *l = &e->listeners[listener];
	struct tcp_path path = {0};
	struct tcp_segment syn = *s;
	uint32_t conn;

	if (!tcp_cookie_check(e, &syn)) {
		tcp_emit_rst_reply(e, s);
		return;
	}
	if (l->waiting >= l->backlog) {
		e->stats->drop_backlog++;
		return;
	}
	if (!e->ops->path(e->ctx, listener, &s->tuple, &path)) {
		e->stats->drop_no_path++;
		return;
	}
	conn = open_passive(e, listener, &syn, &path, s->ack - 1);
	if (conn == TCP_NONE) {
		e->stats->drop_no_record++;
		return;
	}
	cookie_was_sent(e, conn);
	tcp_input_dispatch(e, conn, s);
}

/* The peer's SYN came twice: for want of room the first was answered by a cookie, the second by this record.
 * The peer knows the cookie's numbers alone, takes the connection for open, and a RST would end it. */
bool tcp_listener_adopt_cookie(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_segment syn = *s;

	if (!(c->flags & CONN_PASSIVE) || (c->flags & CONN_FAST_OPEN) || !tcp_cookie_is_valid(e, s) ||
	    !tcp_cookie_check(e, &syn))
		return false;
	c->iss = s->ack - 1;
	c->flags &=
	    ~(uint32_t)(CONN_SYN_OWED | CONN_SYN_RETRANS | CONN_SENT_ANY); /* no RTT from its SYN-ACK */
	tcp_handshake_negotiate(e, conn, &syn);
	c->owes_cookie = 0;
	cookie_was_sent(e, conn);
	s->ack_pos = 1;
	return true;
}

void tcp_listener_input(struct tcp_engine *e, uint32_t listener, struct tcp_segment *s)
{
	/* RFC 9293 section 3.10.7.2: RST first, then ACK, then SYN. */
	if (s->flags & TCP_RST) {
		e->stats->drop_out_of_window++;
	} else if (s->flags & TCP_ACK) {
		if (s->flags & TCP_SYN)
			tcp_emit_rst_reply(e, s);
		else
			input_ack(e, listener, s);
	} else if (s->flags & TCP_SYN) {
		input_syn(e, listener, s);
	} else {
		e->stats->drop_no_ack++;
	}
}
