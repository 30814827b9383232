/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold after every step, on the wire, and at the end. What is stored and read is checked as it
 * comes. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "tests/rig/invariants.h"
#include "tests/sim/sim.h"

#define POOLS_EVERY 64 /* steps: the walk over all free records is long */

void sim_fail(struct sim *s, const char *format, ...)
{
	va_list args;

	if (s->has_failed)
		return;
	s->has_failed = true;
	va_start(args, format);
	vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
}

void sim_check_step(struct sim *s)
{
	char why[160];

	for (unsigned k = 0; k < 2; k++) {
		struct tcp_engine *e = s->hosts[k].bench.engine;
		bool is_ok = s->steps % POOLS_EVERY == 0 ? invariants_pools_hold(e, why, sizeof(why))
							 : invariants_hold(e, why, sizeof(why));

		if (!is_ok)
			sim_fail(s, "host %u: %s", k, why);
	}
}

static struct sim_flow *flow_of(struct sim *s, unsigned client_side, const uint8_t *p)
{
	unsigned number = wire_get16(client_side ? p + 2 : p) - SIM_FIRST_PORT;

	return number < SIM_FLOWS ? &s->flows[number] : NULL;
}

static const uint8_t *find_option(const uint8_t *p, uint8_t kind)
{
	uint32_t header = (uint32_t)(p[12] >> 4) * 4;

	for (uint32_t i = WIRE_HEADER_BYTES; i + 1 < header && p[i] != 0; i += p[i] == 1 ? 1u : p[i + 1])
		if (p[i] == kind)
			return p + i;
	return NULL;
}

/* RFC 7323 section 2.2: only if both SYNs carry the option, and never in a SYN itself. */
static uint32_t right_edge(const struct sim_flow *f, unsigned side, const uint8_t *p)
{
	bool is_scaled = f->side[0].has_scale && f->side[1].has_scale && !(p[13] & TCP_SYN);

	return wire_get32(p + 8) + (wire_get16(p + 14) << (is_scaled ? f->side[side].scale : 0));
}

static void note_sent(struct sim_flow_side *side, const uint8_t *p, uint32_t len)
{
	uint32_t end = wire_get32(p + 4) + len - (uint32_t)(p[12] >> 4) * 4 + (p[13] & TCP_FIN);

	if ((int32_t)(end - side->sent_end) > 0)
		side->sent_end = end;
}

/* A sender keeps inside the window that was offered to it, but for the byte that probes it. */
static void check_window(struct sim *s, const struct sim_flow_side *side, const uint8_t *p, uint32_t len)
{
	uint32_t payload = len - (uint32_t)(p[12] >> 4) * 4, end = wire_get32(p + 4) + payload;

	if (payload > 0 && side->has_edge && !(p[13] & TCP_SYN) && (int32_t)(end - side->edge) > 1)
		sim_fail(s, "sends %u bytes up to %u, the window ends at %u", payload, end, side->edge);
}

/* A FIN has one place, and nothing follows it. */
static void check_fin(struct sim *s, struct sim_flow_side *side, const uint8_t *p, uint32_t len)
{
	uint32_t end = wire_get32(p + 4) + len - (uint32_t)(p[12] >> 4) * 4;

	if (side->has_fin && ((p[13] & TCP_FIN) ? end != side->fin : (int32_t)(end - side->fin) > 1))
		sim_fail(s, "segment ends at %u, the FIN was at %u", end, side->fin);
	if (p[13] & TCP_FIN)
		side->fin = end;
	side->has_fin |= (p[13] & TCP_FIN) != 0;
}

/* The offered window is never taken back (RFC 9293 section 3.8.6); what the scale cuts off may come and go.
 */
static void check_offer(struct sim *s, struct sim_flow *f, unsigned from, const uint8_t *p)
{
	struct sim_flow_side *side = &f->side[from];
	uint32_t edge = right_edge(f, from, p);

	if (side->has_offer && (int32_t)(side->offer - edge) >= (int32_t)1 << side->scale)
		sim_fail(s, "window taken back from %u to %u", side->offer, edge);
	if (!side->has_offer || (int32_t)(edge - side->offer) > 0)
		side->offer = edge;
	side->has_offer = true;
}

/* A SYN may be answered by a cookie, and, when it comes again, by a connection with numbers of its own. */
static void begin(struct sim_flow_side *side, uint32_t iss, const uint8_t *scale)
{
	if (side->iss != iss)
		*side = (struct sim_flow_side){.iss = iss,
					       .sent_end = iss + 1,
					       .has_before = true,
					       .before_has_scale = side->has_scale,
					       .before_scale = side->scale,
					       .before_iss = side->iss};
	side->has_scale = scale != NULL;
	side->scale = scale ? scale[2] : 0;
}

/* The other side has taken the first of two SYN-ACKs: what that said holds. */
static void choose(struct sim_flow_side *side, const uint8_t *ack)
{
	if (!side->has_before || wire_get32(ack + 8) != side->before_iss + 1)
		return;
	*side = (struct sim_flow_side){.iss = side->before_iss,
				       .sent_end = side->before_iss + 1,
				       .has_scale = side->before_has_scale,
				       .scale = side->before_scale};
}

void sim_check_sent(struct sim *s, unsigned from, const uint8_t *p, uint32_t len)
{
	struct sim_flow *f = flow_of(s, from, p);
	const uint8_t *scale = p[13] & TCP_SYN ? find_option(p, 3) : NULL;

	if (!f || (p[13] & TCP_RST))
		return;
	if (p[13] & TCP_SYN)
		begin(&f->side[from], wire_get32(p + 4), scale);
	else if (p[13] & TCP_ACK)
		choose(&f->side[!from], p);
	note_sent(&f->side[from], p, len);
	check_window(s, &f->side[from], p, len);
	check_fin(s, &f->side[from], p, len);
	if ((p[13] & (TCP_SYN | TCP_ACK)) == TCP_ACK)
		check_offer(s, f, from, p);
}

void sim_check_delivered(struct sim *s, unsigned to, const uint8_t *p, uint32_t len)
{
	struct sim_flow *f = flow_of(s, !to, p);
	uint32_t edge;

	(void)len;
	if (!f || (p[13] & TCP_RST) || !(p[13] & TCP_ACK))
		return;
	/* What acknowledges other numbers than these was for a connection before. */
	if (wire_get32(p + 8) - f->side[to].iss > f->side[to].sent_end - f->side[to].iss)
		return;
	edge = right_edge(f, !to, p);
	if (!f->side[to].has_edge || (int32_t)(edge - f->side[to].edge) > 0)
		f->side[to].edge = edge;
	f->side[to].has_edge = true;
}

/* Two sides that both ended in order have exchanged everything. */
static void check_pair(struct sim *s, const struct sim_app *a, const struct sim_app *b)
{
	if (!a->is_used || !b->is_used || a->will_close || a->reason != TCP_REASON_CLOSED ||
	    b->reason != TCP_REASON_CLOSED)
		return;
	if (a->readable != b->queued || b->readable != a->queued || a->acked != a->queued ||
	    b->acked != b->queued)
		sim_fail(s, "port %u: sent %u got %" PRIu64 ", sent %u got %" PRIu64, a->port, a->queued,
			 b->readable, b->queued, a->readable);
	if (!a->has_eof || !b->has_eof)
		sim_fail(s, "port %u: closed without an end of stream", a->port);
}

void sim_check_end(struct sim *s)
{
	char why[160];

	for (unsigned k = 0; k < 2; k++) {
		if (!invariants_is_idle(s->hosts[k].bench.engine, why, sizeof(why)))
			sim_fail(s, "host %u: %s", k, why);
		for (unsigned i = 0; i < SIM_RECORDS; i++)
			if (s->hosts[k].apps[i].is_used && !s->hosts[k].apps[i].is_dead)
				sim_fail(s, "host %u: connection %u never ended", k, i);
	}
	for (unsigned i = 0; i < s->scenario.conns; i++)
		check_pair(s, &s->flows[i].ended[0], &s->flows[i].ended[1]);
	if (s->bytes < SIM_BYTES_LEAST)
		sim_fail(s, "only %" PRIu64 " bytes delivered", s->bytes);
}
