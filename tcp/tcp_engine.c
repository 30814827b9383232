/* SPDX-License-Identifier: BSD-2-Clause */
/* Making an engine: the layout of its two memories, a fresh start, and a start from surviving records. */
#include "tcp/tcp_engine.h"

#include <string.h>

#include "tcp/tcp_data.h"
#include "tcp/tcp_hash.h"
#include "tcp/tcp_layout.h"
#include "tcp/tcp_rtt.h"
#include "tcp/tcp_time_wait.h"
#include "tcp/tcp_timer.h"

#define SECOND_NS UINT64_C(1000000000)

void tcp_config_default(struct tcp_config *config)
{
	*config = (struct tcp_config){
	    .rto_min_ns = SECOND_NS / 5,
	    .rto_initial_ns = SECOND_NS,
	    .rto_max_ns = 60 * SECOND_NS,
	    .ack_delay_ns = 50000,
	    .give_up_ns = 100 * SECOND_NS,
	    .syn_give_up_ns = 180 * SECOND_NS,
	    .time_wait_ns = 60 * SECOND_NS,
	    .fin_wait_2_ns = 60 * SECOND_NS,
	    .keepalive_idle_ns = 7200 * SECOND_NS,
	    .keepalive_intvl_ns = 75 * SECOND_NS,
	    .keepalive_probes = 9,
	    .challenge_acks_per_s = 1000,
	    .syn_backlog = UINT32_MAX,
	    .initial_window_mss = 10,
	    .cc = TCP_CC_CUBIC,
	    .timestamps = true,
	    .sack = true,
	    .window_scaling = true,
	    .ecn = false,
	    .accurate_ecn = false,
	    .fast_open = false,
	    .fast_open_pending = 256,
	};
}

size_t tcp_surviving_size(const struct tcp_limits *limits)
{
	struct tcp_layout layout;

	return tcp_layout_surviving(limits, &layout) ? layout.size : 0;
}

/* Hands out 64-byte aligned parts of the volatile memory; with a NULL base it only measures. */
struct carver {
	uint8_t *base;
	size_t used;
};

static void *carve(struct carver *v, size_t count, size_t size)
{
	void *part = v->base ? v->base + v->used : NULL;

	v->used += (count * size + 63) & ~(size_t)63;
	return part;
}

static struct tcp_engine *carve_all(struct carver *v, const struct tcp_limits *limits)
{
	struct tcp_engine *e = carve(v, 1, sizeof(*e));
	struct tcp_engine parts = {0};
	uint32_t slots = tcp_table_slots(limits);

	parts.links = carve(v, limits->conns, sizeof(*parts.links));
	parts.conn_free = carve(v, limits->conns, sizeof(*parts.conn_free));
	parts.sent = carve(v, (size_t)limits->sent_records + limits->conns, sizeof(*parts.sent));
	parts.ooo = carve(v, limits->ooo_records, sizeof(*parts.ooo));
	parts.time_wait_next = carve(v, limits->time_waits, sizeof(*parts.time_wait_next));
	parts.time_wait_prev = carve(v, limits->time_waits, sizeof(*parts.time_wait_prev));
	parts.listener_buckets = carve(v, tcp_listener_buckets(limits), sizeof(*parts.listener_buckets));
	parts.table.slots = carve(v, slots, sizeof(*parts.table.slots));
	parts.table.mask = slots - 1;
	if (e)
		*e = parts;
	return e;
}

size_t tcp_volatile_size(const struct tcp_limits *limits)
{
	struct carver v = {0};

	if (tcp_surviving_size(limits) == 0)
		return 0;
	carve_all(&v, limits);
	return v.used;
}

static void links_reset(struct tcp_links *l)
{
	*l = (struct tcp_links){
	    .output_next = TCP_NONE,
	    .ack_next = TCP_NONE,
	    .wheel_next = TCP_NONE,
	    .wheel_prev = TCP_NONE,
	    .wheel_slot = TCP_WHEEL_NONE,
	    .sent_head = TCP_NONE,
	    .sent_tail = TCP_NONE,
	    .flight_head = TCP_NONE,
	    .flight_tail = TCP_NONE,
	    .lost_head = TCP_NONE,
	    .lost_tail = TCP_NONE,
	    .sack_hint = TCP_NONE,
	    .ooo_head = TCP_NONE,
	    .ooo_tail = TCP_NONE,
	};
}

static void volatile_init(struct tcp_engine *e)
{
	for (uint32_t i = 0; i < e->limits.conns; i++)
		links_reset(&e->links[i]);
	memset(e->table.slots, 0, ((size_t)e->table.mask + 1) * sizeof(*e->table.slots));
	for (uint32_t i = 0; i < tcp_listener_buckets(&e->limits); i++)
		e->listener_buckets[i] = TCP_NONE;
	e->output.head = TCP_NONE;
	e->ack.head = TCP_NONE;
	tcp_challenge_init(e);
	tcp_wheel_init(e);
	tcp_sent_init(e);
	tcp_data_init(e);
	tcp_time_wait_init(e);
}

/* What must hold of a record for the engine to go on with it. Everything else is bounded where it is used. */
static bool is_consistent(struct tcp_engine *e, const struct tcp_conn *c)
{
	bool is_half_open = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD;

	return c->state > TCP_LISTEN && c->state < TCP_TIME_WAIT && c->snd_una >= 0 &&
	       c->snd_una <= c->snd_nxt && c->snd_end >= 1 && c->snd_nxt <= c->snd_end + 1 &&
	       c->snd_end - c->snd_una <= INT32_MAX && c->rcv_nxt >= 0 &&
	       c->rcv_limit - c->rcv_nxt <= INT32_MAX && c->rcv_adv <= c->rcv_limit + 1 &&
	       (is_half_open || c->rcv_nxt >= 1) && c->cc > TCP_CC_DEFAULT && c->cc < TCP_CC_COUNT &&
	       c->cwnd <= TCP_CWND_MAX && c->ssthresh <= TCP_CWND_MAX && c->snd_wnd <= 1u << 30 &&
	       c->mss_max >= TCP_MSS_MIN && c->mss <= c->mss_max && c->mss > TCP_MSS_MIN / 2 &&
	       (c->snd_wscale <= TCP_WSCALE_MAX || is_half_open) &&
	       (c->rcv_wscale <= TCP_WSCALE_MAX || is_half_open) &&
	       (c->listener == TCP_NONE ||
		(c->listener < e->limits.listeners && e->listeners[c->listener].is_used)) &&
	       c->tuple.reserved == 0 && tcp_tuple_is_free(e, &c->tuple);
}

static void count_rebuilt(struct tcp_engine *e, const struct tcp_conn *c)
{
	if (c->state == TCP_SYN_RCVD) {
		e->half_open++;
		if ((c->flags & CONN_PASSIVE) && (c->flags & CONN_FAST_OPEN))
			e->fast_open.pending++;
	}
	if (c->listener == TCP_NONE)
		return;
	if (c->state == TCP_SYN_RCVD)
		e->listeners[c->listener].half_open++;
	else if (!(c->flags & CONN_ACCEPTED))
		e->listeners[c->listener].waiting++;
}

/* Everything that was in flight is taken for lost, and out-of-order bytes for never received: both cost a
 * retransmission, neither a byte. */
static void rebuild_conn(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	e->links[conn].hash = tcp_hash_tuple(e->keys.hash, &c->tuple);
	tcp_table_insert(e, e->links[conn].hash, conn);
	count_rebuilt(e, c);
	c->ooo_bytes = 0;
	c->sack_count = 0;
	c->loss_deadline_ns = 0;
	c->rack_sent_ns = 0;
	c->frto = TCP_FRTO_OFF;
	if (c->snd_wnd_seen == 0) /* of a build that did not keep it; RFC 5961 section 5.2 allows the most */
		c->snd_wnd_seen = UINT16_MAX;
	c->flags &= ~(uint32_t)(CONN_REO_TIMER | CONN_TLP | CONN_TLP_OWED | CONN_DSACK_OWED | CONN_FIN_SEEN);
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD) {
		c->flags |= CONN_SYN_OWED | CONN_SYN_RETRANS;
		if (c->state == TCP_SYN_RCVD)
			tcp_sent_rebuild(e, conn); /* what Fast Open has answered already */
	} else {
		tcp_sent_rebuild(e, conn);
		c->flags |= CONN_RETRANS_ONE | CONN_ACK_NOW;
	}
	if (c->rto_deadline_ns == 0 && c->snd_nxt > c->snd_una)
		c->rto_deadline_ns = e->now_ns + tcp_rto_ns(c, &e->config);
	tcp_output_list(e, conn);
	tcp_timer_arm(e, conn);
}

static void rebuild(struct tcp_engine *e)
{
	for (uint32_t i = 0; i < e->limits.listeners; i++) {
		e->listeners[i].half_open = 0;
		e->listeners[i].waiting = 0;
		if (!e->listeners[i].is_used)
			continue;
		tcp_listener_link(e, i);
		e->cookie_ns = e->now_ns; /* the engine before may have sent SYN cookies that come back now */
	}
	for (uint32_t i = e->limits.conns; i-- > 0;) {
		struct tcp_conn *c = &e->conns[i];
		bool is_used = c->state != TCP_CLOSED;

		if (is_used && is_consistent(e, c)) {
			rebuild_conn(e, i);
			continue;
		}
		if (is_used) {
			e->stats->records_inconsistent++;
			c->is_held = 1;
		}
		c->state = TCP_CLOSED;
		if (!c->is_held)
			e->conn_free[e->conn_free_count++] = i;
	}
	tcp_time_wait_rebuild(e);
}

struct tcp_engine *tcp_engine_init(void *surviving, void *volatile_mem, const struct tcp_limits *limits,
				   const struct tcp_config *config, const struct tcp_keys *keys,
				   const struct tcp_ops *ops, void *ctx, struct tcp_stats *stats,
				   tcp_time now)
{
	struct carver v = {.base = volatile_mem};
	struct tcp_layout layout;
	struct tcp_engine *e;

	if (!tcp_layout_surviving(limits, &layout) || !tcp_layout_adopt(surviving, limits, &layout))
		return NULL;
	e = carve_all(&v, limits);
	e->conns = (struct tcp_conn *)((uint8_t *)surviving + layout.conns_off);
	e->time_waits = (struct tcp_time_wait *)((uint8_t *)surviving + layout.time_waits_off);
	e->listeners = (struct tcp_listener *)((uint8_t *)surviving + layout.listeners_off);
	e->limits = *limits;
	e->config = *config;
	e->keys = *keys;
	e->ops = ops;
	e->ctx = ctx;
	e->stats = stats;
	e->now_ns = now.ns;
	volatile_init(e);
	rebuild(e);
	return e;
}

void tcp_engine_configure(struct tcp_engine *e, const struct tcp_config *config)
{
	e->config = *config;
}

void tcp_for_each(struct tcp_engine *e, void (*fn)(void *arg, uint32_t conn), void *arg)
{
	for (uint32_t i = 0; i < e->limits.conns; i++)
		if (e->conns[i].state != TCP_CLOSED)
			fn(arg, i);
}
