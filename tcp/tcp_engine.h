/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine structure, private to tcp/: pointers into the two memories, free lists, queues and the wheel.
 * It lies in volatile memory and is made anew at each start.
 */
#ifndef TCP_TCP_ENGINE_H
#define TCP_TCP_ENGINE_H

#include "tcp/tcp_conn.h"
#include "tcp/tcp_fast_open.h"
#include "tcp/tcp_listener.h"
#include "tcp/tcp_sent.h"
#include "tcp/tcp_table.h"
#include "tcp/tcp_wheel.h"

/* A FIFO of connections, linked through struct tcp_links. */
struct tcp_queue {
	uint32_t head, tail;
};

struct tcp_engine {
	uint64_t now_ns; /* time of the engine call in progress */
	struct tcp_conn *conns;
	struct tcp_links *links;
	struct tcp_sent *sent;
	struct tcp_ooo *ooo;
	struct tcp_time_wait *time_waits;
	struct tcp_listener *listeners;
	struct tcp_table table;
	struct tcp_stats *stats;
	const struct tcp_ops *ops;
	void *ctx;

	struct tcp_queue output; /* something to send */
	struct tcp_queue ack;    /* a delayed ACK is owed */
	struct tcp_wheel wheel;

	uint32_t *conn_free; /* stack of free record numbers */
	uint32_t conn_free_count;
	uint32_t sent_free, sent_extra; /* head of the free list; records beyond one per connection in use */
	uint32_t ooo_free;
	uint32_t *time_wait_next, *time_wait_prev;
	uint32_t time_wait_head, time_wait_tail, time_wait_free;
	uint32_t *listener_buckets;
	uint32_t half_open;

	uint64_t challenge_epoch_ns; /* start of the present second */
	uint32_t challenge_count, challenge_limit;
	uint64_t cookie_ns; /* when the last SYN cookie was sent */
	struct tcp_fast_open fast_open;

	struct tcp_limits limits;
	struct tcp_config config;
	struct tcp_keys keys;
};

static inline struct tcp_conn *tcp_conn_at(struct tcp_engine *e, uint32_t conn)
{
	return &e->conns[conn];
}

static inline bool tcp_conn_is_valid(const struct tcp_engine *e, uint32_t conn)
{
	return conn < e->limits.conns && e->conns[conn].state != TCP_CLOSED;
}

/* Puts a connection on the output list, once. */
static inline void tcp_output_list(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_links *l = &e->links[conn];

	if (l->is_listed)
		return;
	l->is_listed = 1;
	l->output_next = TCP_NONE;
	if (e->output.head == TCP_NONE)
		e->output.head = conn;
	else
		e->links[e->output.tail].output_next = conn;
	e->output.tail = conn;
}

static inline void tcp_ack_list(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_links *l = &e->links[conn];

	if (l->is_ack_listed)
		return;
	l->is_ack_listed = 1;
	l->ack_next = TCP_NONE;
	if (e->ack.head == TCP_NONE)
		e->ack.head = conn;
	else
		e->links[e->ack.tail].ack_next = conn;
	e->ack.tail = conn;
}

/* An ACK goes out with the next tcp_output(). */
static inline void tcp_ack_now(struct tcp_engine *e, uint32_t conn)
{
	e->conns[conn].flags |= CONN_ACK_NOW;
	tcp_output_list(e, conn);
}

/* An ACK goes out with the next segment, or when its time has come. */
static inline void tcp_ack_soon(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = &e->conns[conn];

	if (!(c->flags & (CONN_ACK_NOW | CONN_ACK_DELAYED))) {
		c->flags |= c->flags & CONN_NO_DELAYED_ACK ? CONN_ACK_NOW : CONN_ACK_DELAYED;
		c->ack_deadline_ns = e->now_ns + e->config.ack_delay_ns;
	}
	tcp_output_list(e, conn);
}

/* May a challenge ACK, or an ACK that answers an unacceptable segment without data, be sent now? Counts. conn
 * is TCP_NONE in TIME_WAIT. */
bool tcp_challenge_allowed(struct tcp_engine *e, uint32_t conn);
/* At the start, when config and keys are there. */
void tcp_challenge_init(struct tcp_engine *e);

/* A coarse time that fits into 32 bits for 52 days: units of 2^20 ns, rounded down. */
#define TCP_TICK_SHIFT 20
static inline uint32_t tcp_tick(const struct tcp_engine *e)
{
	return (uint32_t)(e->now_ns >> TCP_TICK_SHIFT);
}

/* Never less than what has passed, and less than a unit more. */
static inline uint64_t tcp_since_ns(const struct tcp_engine *e, uint32_t tick)
{
	uint64_t now = e->now_ns >> TCP_TICK_SHIFT;

	return e->now_ns - ((now - (uint32_t)((uint32_t)now - tick)) << TCP_TICK_SHIFT);
}

/* Our timestamp clock: milliseconds, before the connection's offset is added. */
static inline uint32_t tcp_ts_clock(const struct tcp_engine *e)
{
	return (uint32_t)(e->now_ns / 1000000u);
}

#endif
