/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many challenge ACKs may be sent (RFC 5961 section 7): so many for one connection, which bounds what one
 * attacked connection costs, and so many for all.
 */
#include "tcp/tcp_engine.h"
#include "tcp/tcp_hash.h"

#define SECOND_NS UINT64_C(1000000000)
#define CONN_ACKS 10 /* the RFC's own example */
#define CONN_NS   (5 * SECOND_NS)
#define DOMAIN    UINT64_C(0x65676e656c6c6163) /* no other use of the key hashes this */

/* RFC 5961 section 7 for one connection; records in TIME_WAIT have no such count. */
static bool is_allowed_for_conn(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_links *l = &e->links[conn];

	if (tcp_since_ns(e, l->challenge_tick) >= CONN_NS) {
		l->challenge_tick = tcp_tick(e);
		l->challenge_count = 0;
	}
	if (l->challenge_count >= CONN_ACKS) {
		e->stats->challenge_acks_limited_conn++;
		return false;
	}
	l->challenge_count++;
	return true;
}

/* The engine's limit is another in each second, between the setting and its double, and nobody outside can
 * know it: a fixed one tells an attacker, who counts what is left of it for himself, whether somebody else's
 * connection has just used some, and so whether his guess at its numbers was right. */
static void begin_second(struct tcp_engine *e)
{
	uint64_t words[2] = {e->now_ns, DOMAIN};
	uint64_t random = tcp_hash_strong(e->keys.cookie, words, 2) & UINT32_MAX;

	e->challenge_epoch_ns = e->now_ns;
	e->challenge_count = 0;
	e->challenge_limit = e->config.challenge_acks_per_s;
	e->challenge_limit += (uint32_t)(random * e->challenge_limit >> 32);
}

void tcp_challenge_init(struct tcp_engine *e)
{
	begin_second(e);
}

bool tcp_challenge_allowed(struct tcp_engine *e, uint32_t conn)
{
	if (conn != TCP_NONE && !is_allowed_for_conn(e, conn))
		return false;
	if (e->now_ns - e->challenge_epoch_ns >= SECOND_NS)
		begin_second(e);
	if (e->challenge_count >= e->challenge_limit) {
		e->stats->challenge_acks_limited++;
		return false;
	}
	e->challenge_count++;
	e->stats->challenge_acks++;
	return true;
}
