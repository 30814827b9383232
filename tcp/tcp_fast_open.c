/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP Fast Open (RFC 7413). A cookie is a keyed hash of the client's address and of the hour, so that it
 * proves an address and expires by itself; nothing is kept for it. The client's cache is small and fixed:
 * two ways of 32 sets by a keyed hash of the server's address.
 */
#include "tcp/tcp_fast_open.h"

#include <string.h>

#include "tcp/tcp_data.h"
#include "tcp/tcp_engine.h"
#include "tcp/tcp_handshake.h"
#include "tcp/tcp_hash.h"
#include "tcp/tcp_recovery.h"

#define NS_PER_S       UINT64_C(1000000000)
#define PERIOD_NS      (UINT64_C(3600) * NS_PER_S)
#define BLOCKED_S      3600u           /* no Fast Open to a server after a SYN with its option was lost */
#define RESETS_HELD_NS (60 * NS_PER_S) /* section 5.1: how long a reset goes on counting as pending */
#define DOMAIN         UINT64_C(0x6e65704f74736146) /* "FastOpen": no other use of the key hashes this */

/* ---- the server */

static void make_cookie(const struct tcp_engine *e, const uint8_t remote[16], uint64_t period,
			uint8_t out[TCP_FAST_OPEN_COOKIE_BYTES])
{
	uint64_t words[4] = {DOMAIN, period};
	uint64_t mac;

	memcpy(&words[2], remote, 16);
	mac = tcp_hash_strong(e->keys.cookie, words, 4);
	memcpy(out, &mac, TCP_FAST_OPEN_COOKIE_BYTES);
}

void tcp_fast_open_cookie(const struct tcp_engine *e, const uint8_t remote[16],
			  uint8_t out[TCP_FAST_OPEN_COOKIE_BYTES])
{
	make_cookie(e, remote, e->now_ns / PERIOD_NS, out);
}

/* Compares without telling by time how much of a guess was right. */
static bool cookies_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;

	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	return (x ^ y) == 0;
}

/* How many hours old a cookie is: 0 or 1, else it is not valid (-1). */
static int cookie_age(const struct tcp_engine *e, const struct tcp_segment *s)
{
	uint8_t want[TCP_FAST_OPEN_COOKIE_BYTES];
	uint64_t period = e->now_ns / PERIOD_NS;

	if (s->fast_open_len != TCP_FAST_OPEN_COOKIE_BYTES)
		return -1;
	for (int age = 0; age < 2; age++) {
		make_cookie(e, s->tuple.remote, period - (uint64_t)age, want);
		if (cookies_equal(want, s->fast_open))
			return age;
	}
	return -1;
}

/* Section 5.1: spoofed SYNs with stolen cookies hold no more than this. */
static bool has_room(struct tcp_engine *e)
{
	struct tcp_fast_open *f = &e->fast_open;

	if (f->resets > 0 && e->now_ns - f->resets_ns > RESETS_HELD_NS)
		f->resets = 0;
	return f->pending + f->resets < e->config.fast_open_pending;
}

void tcp_fast_open_on_reset(struct tcp_engine *e)
{
	e->fast_open.resets++;
	e->fast_open.resets_ns = e->now_ns;
}

/* The user is told now, before the handshake is complete, and may answer: that is what all this is for. */
static void take_data(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_segment data = *s;

	data.flags &= (uint16_t) ~(TCP_SYN | TCP_FIN); /* a FIN comes again: section 4.2.2 asks for no more */
	data.pos = 1;
	data.end = 1 + (int64_t)s->payload_len;
	c->flags |= CONN_FAST_OPEN;
	c->options |= TCP_INFO_FAST_OPEN;
	c->cwnd = tcp_recovery_initial_window(e, c);
	/* No window was offered yet; it would have been this. */
	c->rcv_adv = c->rcv_limit < 1 + UINT16_MAX ? c->rcv_limit : 1 + UINT16_MAX;
	e->fast_open.pending++;
	e->stats->fast_open_in++;
	e->ops->on_established(e->ctx, conn, c->listener);
	tcp_data_input(e, conn, &data);
}

void tcp_fast_open_input_syn(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	int age;

	if (s->fast_open_len == TCP_NO_FAST_OPEN || !e->config.fast_open ||
	    !(e->listeners[c->listener].flags & TCP_PARAM_FAST_OPEN))
		return;
	age = s->fast_open_len == 0 ? -1 : cookie_age(e, s);
	c->owes_cookie = age != 0; /* asked for, not valid, or soon to expire */
	if (age < 0) {
		e->stats->fast_open_bad_cookies += s->fast_open_len != 0;
		return;
	}
	if (s->payload_len == 0)
		return;
	if (has_room(e))
		take_data(e, conn, s);
	else
		e->stats->fast_open_limited++;
}

/* ---- the client */

static struct tcp_fast_open_entry *cache_set(struct tcp_engine *e, const uint8_t remote[16])
{
	uint64_t words[2];

	memcpy(words, remote, 16);
	return e->fast_open.cache[tcp_hash_fast(e->keys.hash, words, 2) & (TCP_FAST_OPEN_CACHE_SETS - 1)];
}

static struct tcp_fast_open_entry *cache_find(struct tcp_engine *e, const uint8_t remote[16])
{
	struct tcp_fast_open_entry *set = cache_set(e, remote);

	for (unsigned i = 0; i < TCP_FAST_OPEN_CACHE_WAYS; i++)
		if (set[i].used_ns != 0 && memcmp(set[i].remote, remote, 16) == 0)
			return &set[i];
	return NULL;
}

/* The server's entry, made in the place of the one used longest ago if there is none. */
static struct tcp_fast_open_entry *cache_get(struct tcp_engine *e, const uint8_t remote[16])
{
	struct tcp_fast_open_entry *entry = cache_find(e, remote);
	struct tcp_fast_open_entry *set = cache_set(e, remote);

	if (!entry) {
		entry = &set[0];
		for (unsigned i = 1; i < TCP_FAST_OPEN_CACHE_WAYS; i++)
			if (set[i].used_ns < entry->used_ns)
				entry = &set[i];
		memset(entry, 0, sizeof(*entry));
		memcpy(entry->remote, remote, 16);
	}
	entry->used_ns = e->now_ns > 0 ? e->now_ns : 1;
	return entry;
}

static bool is_blocked(const struct tcp_engine *e, const struct tcp_fast_open_entry *entry)
{
	return entry->blocked_until_s > (uint32_t)(e->now_ns / NS_PER_S);
}

bool tcp_fast_open_has_cookie(struct tcp_engine *e, const uint8_t remote[16])
{
	const struct tcp_fast_open_entry *entry = e->config.fast_open ? cache_find(e, remote) : NULL;

	return entry && entry->cookie_len > 0 && !is_blocked(e, entry);
}

void tcp_fast_open_write_syn(struct tcp_engine *e, uint32_t conn, struct tcp_syn_options *o,
			     uint32_t *payload_max)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_fast_open_entry *entry;

	*payload_max = 0;
	/* Section 4.1.3: what was lost once goes again as an ordinary SYN. */
	if (!e->config.fast_open || !(c->flags & CONN_FAST_OPEN) || (c->flags & CONN_SYN_RETRANS))
		return;
	entry = cache_find(e, c->tuple.remote);
	if (entry && is_blocked(e, entry))
		return;
	o->fast_open_len = 0;
	if (!entry || entry->cookie_len == 0)
		return;
	o->fast_open = entry->cookie;
	o->fast_open_len = entry->cookie_len;
	*payload_max = entry->mss < c->mss_max ? entry->mss : c->mss_max;
}

void tcp_fast_open_input_syn_ack(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_fast_open_entry *entry;

	if (!e->config.fast_open || !(c->flags & CONN_FAST_OPEN))
		return;
	if (c->snd_nxt > 1 && s->ack_pos == 1 && !(c->flags & CONN_SYN_RETRANS))
		e->stats->fast_open_fallbacks++;
	if (s->fast_open_len == TCP_NO_FAST_OPEN || s->fast_open_len == 0)
		return;
	entry = cache_get(e, c->tuple.remote);
	memcpy(entry->cookie, s->fast_open, s->fast_open_len);
	entry->cookie_len = s->fast_open_len;
	entry->mss = s->mss != 0 ? s->mss : tcp_handshake_default_mss(&c->tuple);
	entry->blocked_until_s = 0;
}

void tcp_fast_open_on_timeout(struct tcp_engine *e, uint32_t conn)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);
	struct tcp_fast_open_entry *entry;

	if (c->state != TCP_SYN_SENT || !e->config.fast_open || !(c->flags & CONN_FAST_OPEN) ||
	    (c->flags & CONN_SYN_RETRANS))
		return;
	entry = cache_get(e, c->tuple.remote);
	if (!is_blocked(e, entry))
		e->stats->fast_open_fallbacks++;
	entry->blocked_until_s = (uint32_t)(e->now_ns / NS_PER_S) + BLOCKED_S;
}
