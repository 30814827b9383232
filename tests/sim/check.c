/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold after every step, and at the end. Looks into the engine's private structures. */
#include "tcp/tcp_engine.h"
#include "tcp/tcp_table.h"
#include "tests/sim/sim.h"

static void check_scoreboard(struct sim *s, struct tcp_engine *e, uint32_t conn)
{
	const struct tcp_conn *c = &e->conns[conn];
	const struct tcp_links *l = &e->links[conn];
	uint32_t flight = 0, sacked = 0, lost = 0, count = 0;
	int64_t at = c->snd_una > 0 ? c->snd_una : 1; /* the SYN has no record */

	for (uint32_t i = l->sent_head; i != TCP_NONE; i = e->sent[i].next, count++) {
		const struct tcp_sent *r = &e->sent[i];
		uint32_t len = tcp_seq_span(r->start, r->end);

		if (r->start != at || r->end <= r->start) {
			sim_fail(s, "conn %u: scoreboard has a hole at %ld", conn, at);
			return;
		}
		at = r->end;
		if (r->flags & SENT_SACKED)
			sacked += len;
		else if (r->flags & SENT_LOST)
			lost += len;
		else
			flight += len;
	}
	if (c->state >= TCP_ESTABLISHED && at != c->snd_nxt)
		sim_fail(s, "conn %u: scoreboard ends at %ld, not at %ld", conn, at, c->snd_nxt);
	if (flight != c->flight_bytes || sacked != c->sacked_bytes || lost != c->lost_bytes ||
	    count != l->sent_count)
		sim_fail(s, "conn %u: flight %u/%u sacked %u/%u lost %u/%u records %u/%u", conn, flight,
			 c->flight_bytes, sacked, c->sacked_bytes, lost, c->lost_bytes, count, l->sent_count);
}

static void check_conn(struct sim *s, struct sim_host *h, uint32_t conn)
{
	struct tcp_engine *e = h->engine;
	const struct tcp_conn *c = &e->conns[conn];
	const struct tcp_links *l = &e->links[conn];
	bool is_owed = c->snd_nxt > c->snd_una || (c->snd_nxt < c->snd_end && c->state >= TCP_ESTABLISHED);

	if (c->state == TCP_CLOSED)
		return;
	if (c->snd_una > c->snd_nxt || c->snd_nxt > c->snd_end + 1)
		sim_fail(s, "conn %u: una %ld nxt %ld end %ld", conn, c->snd_una, c->snd_nxt, c->snd_end);
	if (is_owed && c->rto_deadline_ns == 0 && !l->is_listed)
		sim_fail(s, "conn %u: progress is owed and no timer runs", conn);
	if (c->rto_deadline_ns != 0 && l->wheel_slot == TCP_WHEEL_NONE && !l->is_listed)
		sim_fail(s, "conn %u: a deadline but no wheel entry", conn);
	if (c->cwnd < c->mss && c->state >= TCP_ESTABLISHED)
		sim_fail(s, "conn %u: cwnd %u below mss %u", conn, c->cwnd, c->mss);
	if (c->rcv_adv > c->rcv_limit)
		sim_fail(s, "conn %u: advertises %ld beyond the limit %ld", conn, c->rcv_adv, c->rcv_limit);
	check_scoreboard(s, e, conn);
}

void sim_check_step(struct sim *s)
{
	for (unsigned k = 0; k < 2; k++)
		for (uint32_t i = 0; i < s->hosts[k].limits.conns; i++)
			check_conn(s, &s->hosts[k], i);
}

static void check_leaks(struct sim *s, struct sim_host *h)
{
	struct tcp_engine *e = h->engine;
	uint32_t free_sent = 0, free_ooo = 0;

	for (uint32_t i = e->sent_free; i != TCP_NONE; i = e->sent[i].next)
		free_sent++;
	for (uint32_t i = e->ooo_free; i != TCP_NONE; i = e->ooo[i].next)
		free_ooo++;
	if (e->conn_free_count != h->limits.conns)
		sim_fail(s, "host %u: %u connections left over", h->index,
			 h->limits.conns - e->conn_free_count);
	if (free_sent != h->limits.sent_records + h->limits.conns || e->sent_extra != 0)
		sim_fail(s, "host %u: sent records leaked", h->index);
	if (free_ooo != h->limits.ooo_records)
		sim_fail(s, "host %u: range records leaked", h->index);
	if (e->half_open != 0 || e->listeners[0].waiting != 0 || e->listeners[0].half_open != 0)
		sim_fail(s, "host %u: backlog counts %u %u %u", h->index, e->half_open,
			 e->listeners[0].waiting, e->listeners[0].half_open);
}

static const struct sim_app *find_app(const struct sim_host *h, uint16_t port)
{
	for (unsigned i = 0; i < SIM_CONNS * 2; i++)
		if (h->apps[i].is_used && h->apps[i].port == port)
			return &h->apps[i];
	return NULL;
}

/* Two sides that both ended in order have exchanged everything. */
static void check_pair(struct sim *s, const struct sim_app *a, const struct sim_app *b)
{
	if (a->reason != TCP_REASON_CLOSED || b->reason != TCP_REASON_CLOSED)
		return;
	if (a->readable != b->queued || b->readable != a->queued || a->acked != a->queued ||
	    b->acked != b->queued)
		sim_fail(s, "port %u: sent %u got %lu, sent %u got %lu", a->port, a->queued, b->readable,
			 b->queued, a->readable);
	if (!a->has_eof || !b->has_eof)
		sim_fail(s, "port %u: closed without an end of stream", a->port);
}

void sim_check_end(struct sim *s)
{
	for (unsigned k = 0; k < 2; k++) {
		check_leaks(s, &s->hosts[k]);
		for (unsigned i = 0; i < SIM_CONNS * 2; i++)
			if (s->hosts[k].apps[i].is_used && !s->hosts[k].apps[i].is_dead)
				sim_fail(s, "host %u: connection %u never ended", k, i);
	}
	for (unsigned i = 0; i < SIM_CONNS * 2; i++) {
		const struct sim_app *a = &s->hosts[0].apps[i];
		const struct sim_app *b = a->is_used ? find_app(&s->hosts[1], a->port) : NULL;

		if (b)
			check_pair(s, a, b);
	}
}
