/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds of an engine between any two calls. */
#include "tests/rig/invariants.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "tcp/tcp_engine.h"

struct look {
	struct tcp_engine *e;
	uint32_t conn;
	char *why;
	size_t why_size;
	uint32_t sent_in_use, ooo_in_use; /* summed over connections */
	uint32_t in_use, sent_extra, half_open;
};

static bool broken(struct look *k, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool broken(struct look *k, const char *format, ...)
{
	int used = snprintf(k->why, k->why_size, "conn %u in %s: ", k->conn,
			    tcp_state_name(k->e->conns[k->conn].state));
	va_list args;

	va_start(args, format);
	if (used > 0 && (size_t)used < k->why_size)
		vsnprintf(k->why + used, k->why_size - (size_t)used, format, args);
	va_end(args);
	return false;
}

/* The records cover [snd_una, snd_nxt) without hole or overlap, and the sums of the connection are theirs. */
static bool scoreboard_holds(struct look *k)
{
	const struct tcp_engine *e = k->e;
	const struct tcp_conn *c = &e->conns[k->conn];
	const struct tcp_links *l = &e->links[k->conn];
	uint32_t flight = 0, sacked = 0, lost = 0, count = 0;
	int64_t at = c->snd_una > 0 ? c->snd_una : 1; /* the SYN has no record */

	for (uint32_t i = l->sent_head; i != TCP_NONE; i = e->sent[i].next, count++) {
		const struct tcp_sent *r = &e->sent[i];
		uint32_t len = tcp_seq_span(r->start, r->end);

		if (r->start != at || r->end <= r->start)
			return broken(k, "scoreboard has a hole at %" PRId64, at);
		at = r->end;
		*(r->flags & SENT_SACKED ? &sacked : r->flags & SENT_LOST ? &lost : &flight) += len;
	}
	if (c->state >= TCP_ESTABLISHED && at != c->snd_nxt)
		return broken(k, "scoreboard ends at %" PRId64 ", not at %" PRId64, at, c->snd_nxt);
	if (flight != c->flight_bytes || sacked != c->sacked_bytes || lost != c->lost_bytes ||
	    count != l->sent_count)
		return broken(k, "flight %u/%u sacked %u/%u lost %u/%u records %u/%u", flight,
			      c->flight_bytes, sacked, c->sacked_bytes, lost, c->lost_bytes, count,
			      l->sent_count);
	k->sent_in_use += count;
	k->sent_extra += count > 1 ? count - 1 : 0;
	return true;
}

/* Out-of-order ranges are sorted, do not touch, and lie in the window that was offered. */
static bool ranges_hold(struct look *k)
{
	const struct tcp_engine *e = k->e;
	const struct tcp_conn *c = &e->conns[k->conn];
	const struct tcp_links *l = &e->links[k->conn];
	uint32_t end = (uint32_t)c->rcv_nxt, bytes = 0, count = 0, pooled = 0;

	for (uint32_t i = l->ooo_head; i != TCP_NONE; count++) {
		const struct tcp_ooo *n = i < TCP_OOO_INLINE ? &c->ooo[i] : &e->ooo[i - TCP_OOO_INLINE];

		if ((int32_t)(n->start - end) <= 0 || (int32_t)(n->end - n->start) <= 0 ||
		    (int32_t)((uint32_t)c->rcv_adv - n->end) < 0)
			return broken(k, "range %u-%u after %u, window to %" PRId64, n->start, n->end, end,
				      c->rcv_adv);
		pooled += i >= TCP_OOO_INLINE;
		bytes += n->end - n->start;
		end = n->end;
		i = n->next;
	}
	if (bytes != c->ooo_bytes || count != l->ooo_count || count > TCP_OOO_RANGES_MAX)
		return broken(k, "out of order %u/%u bytes in %u/%u ranges", bytes, c->ooo_bytes, count,
			      l->ooo_count);
	k->ooo_in_use += pooled;
	return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Whoever is owed progress has a timer or a turn, and the wheel is never later than the deadline. */
static bool timers_hold(struct look *k)
{
	const struct tcp_engine *e = k->e;
	const struct tcp_conn *c = &e->conns[k->conn];
	const struct tcp_links *l = &e->links[k->conn];
	bool has_unsent =
	    c->snd_nxt < c->snd_end || ((c->flags & CONN_FIN_QUEUED) && c->snd_nxt == c->snd_end);
	bool is_owed = c->snd_nxt > c->snd_una || (has_unsent && c->state >= TCP_ESTABLISHED) ||
		       c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD;
	uint64_t due = earlier(earlier(c->rto_deadline_ns, c->loss_deadline_ns),
			       earlier(c->ack_deadline_ns, c->idle_deadline_ns));
	uint64_t tick = (due + (1u << TCP_WHEEL_SHIFT) - 1) >> TCP_WHEEL_SHIFT;

	if (is_owed && c->rto_deadline_ns == 0 && !l->is_listed)
		return broken(k, "progress is owed and no timer runs");
	if ((c->flags & CONN_ACK_DELAYED) && c->ack_deadline_ns == 0 && !l->is_listed)
		return broken(k, "an acknowledgement is owed and no timer runs");
	if (due == 0 || l->is_listed)
		return true;
	if (l->wheel_slot == TCP_WHEEL_NONE)
		return broken(k, "a deadline but no wheel entry");
	if (l->wheel_tick > tick && l->wheel_tick > e->wheel.tick + 1)
		return broken(k, "wheel entry at %" PRIu64 " for a deadline at %" PRIu64, l->wheel_tick,
			      tick);
	return true;
}

static bool conn_holds(struct look *k)
{
	const struct tcp_conn *c = &k->e->conns[k->conn];

	if (c->snd_una > c->snd_nxt || c->snd_nxt > c->snd_end + 1)
		return broken(k, "una %" PRId64 " nxt %" PRId64 " end %" PRId64, c->snd_una, c->snd_nxt,
			      c->snd_end);
	if (c->snd_nxt > c->snd_end && !(c->flags & CONN_FIN_QUEUED) && c->state >= TCP_ESTABLISHED)
		return broken(k, "a FIN is out that nobody asked for");
	if (c->state >= TCP_ESTABLISHED && c->cwnd != 0 && c->cwnd < c->mss)
		return broken(k, "cwnd %u below mss %u", c->cwnd, c->mss);
	if (c->rcv_adv > c->rcv_limit)
		return broken(k, "offers up to %" PRId64 ", limit %" PRId64, c->rcv_adv, c->rcv_limit);
	/* Beyond what was offered lies at most the peer's FIN. */
	if (c->rcv_nxt > c->rcv_adv + 1)
		return broken(k, "took up to %" PRId64 ", offered %" PRId64, c->rcv_nxt, c->rcv_adv);
	return timers_hold(k) && scoreboard_holds(k) && ranges_hold(k);
}

static bool look_at_all(struct look *k)
{
	struct tcp_engine *e = k->e;

	for (k->conn = 0; k->conn < e->limits.conns; k->conn++) {
		if (e->conns[k->conn].state == TCP_CLOSED) {
			k->in_use += e->conns[k->conn].is_held;
			continue;
		}
		k->in_use++;
		k->half_open += e->conns[k->conn].state == TCP_SYN_RCVD;
		if (!conn_holds(k))
			return false;
	}
	k->conn = 0;
	if (k->in_use + e->conn_free_count != e->limits.conns)
		return broken(k, "%u records in use, %u free, of %u", k->in_use, e->conn_free_count,
			      e->limits.conns);
	if (k->sent_extra != e->sent_extra)
		return broken(k, "%u sent records beyond the first, %u counted", k->sent_extra,
			      e->sent_extra);
	if (k->half_open != e->half_open)
		return broken(k, "%u half open, %u counted", k->half_open, e->half_open);
	return true;
}

bool invariants_hold(struct tcp_engine *e, char *why, size_t why_size)
{
	struct look k = {.e = e, .why = why, .why_size = why_size};

	return look_at_all(&k);
}

/* A list that runs in a circle ends the count at its limit, and so does not add up. */
bool invariants_pools_hold(struct tcp_engine *e, char *why, size_t why_size)
{
	struct look k = {.e = e, .why = why, .why_size = why_size};
	uint32_t sent_records = e->limits.sent_records + e->limits.conns;
	uint32_t free_sent = 0, free_ooo = 0, time_waits = 0;

	if (!look_at_all(&k))
		return false;
	for (uint32_t i = e->sent_free; i != TCP_NONE && free_sent <= sent_records; i = e->sent[i].next)
		free_sent++;
	for (uint32_t i = e->ooo_free; i != TCP_NONE && free_ooo <= e->limits.ooo_records; i = e->ooo[i].next)
		free_ooo++;
	for (uint32_t i = e->time_wait_head; i != TCP_NONE && time_waits <= e->limits.time_waits;
	     i = e->time_wait_next[i])
		time_waits++;
	for (uint32_t i = e->time_wait_free; i != TCP_NONE && time_waits <= e->limits.time_waits;
	     i = e->time_wait_next[i])
		time_waits++;
	if (free_sent + k.sent_in_use != sent_records)
		return broken(&k, "%u sent records in use, %u free, of %u", k.sent_in_use, free_sent,
			      sent_records);
	if (free_ooo + k.ooo_in_use != e->limits.ooo_records)
		return broken(&k, "%u range records in use, %u free, of %u", k.ooo_in_use, free_ooo,
			      e->limits.ooo_records);
	if (time_waits != e->limits.time_waits)
		return broken(&k, "%u TIME_WAIT records of %u", time_waits, e->limits.time_waits);
	return true;
}

bool invariants_is_idle(struct tcp_engine *e, char *why, size_t why_size)
{
	struct look k = {.e = e, .why = why, .why_size = why_size};

	if (!invariants_pools_hold(e, why, why_size))
		return false;
	if (e->conn_free_count != e->limits.conns)
		return broken(&k, "%u connections left over", e->limits.conns - e->conn_free_count);
	for (uint32_t i = 0; i < e->limits.listeners; i++)
		if (e->listeners[i].is_used &&
		    (e->listeners[i].waiting != 0 || e->listeners[i].half_open != 0))
			return broken(&k, "listener %u: %u waiting, %u half open", i, e->listeners[i].waiting,
				      e->listeners[i].half_open);
	return true;
}
