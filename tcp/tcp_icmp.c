/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors are believed only when they quote a sequence number in flight (RFC 5927). */
#include "tcp/tcp_icmp.h"

#include "tcp/tcp_engine.h"
#include "tcp/tcp_handshake.h"
#include "tcp/tcp_hash.h"
#include "tcp/tcp_timer.h"

#define PATH_MTU_MIN_IPV6         1280u
#define PATH_MTU_MIN              576u /* smaller ones are not believed; every IPv4 host takes this much */
#define BLACKHOLE_MSS             512u
#define BLACKHOLE_MSS_IPV6        (PATH_MTU_MIN_IPV6 - 60u) /* RFC 8201 section 4: never below that path */
#define BLACKHOLE_TIMEOUTS        2                         /* in a row before full segments are suspected */
#define BLACKHOLE_TIMEOUTS_PROVEN 4 /* when so many bytes have passed before: more likely it is loss */
#define PROVEN_BYTES              65536
#define PROBE_UP_S                300
#define NS_PER_S                  UINT64_C(1000000000)

/* Segments larger than the path takes were lost, not by congestion: they go again, smaller, and cwnd stays
 * (RFC 5681 section 4.3 leaves it; RFC 1191 section 6.4). */
static void resend_in_smaller_pieces(struct tcp_engine *e, uint32_t conn, uint32_t mss_max)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t old = c->mss;
	uint32_t next;

	tcp_conn_set_mss(c, mss_max);
	for (uint32_t i = e->links[conn].flight_head; i != TCP_NONE; i = next) {
		next = e->sent[i].time_next;
		if (tcp_seq_span(e->sent[i].start, e->sent[i].end) > c->mss && old > c->mss)
			tcp_sent_mark_lost(e, conn, i);
	}
	if (c->lost_bytes > 0) {
		c->flags |= CONN_RETRANS_ONE;
		tcp_output_list(e, conn);
	}
}

static void restore(struct tcp_conn *c)
{
	c->flags &= ~(uint32_t)CONN_BLACKHOLE;
	tcp_conn_set_mss(c, c->mss_limit);
}

/* Three timeouts with small segments; when they do not pass either it may not be the size, so three with full
 * ones; after that small ones for good, since chance may have taken the first three, and what passes at all
 * passes small. */
static bool is_size_suspected(unsigned timeouts_more)
{
	return timeouts_more <= BLACKHOLE_TIMEOUTS || timeouts_more > 2 * BLACKHOLE_TIMEOUTS + 1;
}

void tcp_icmp_suspect_blackhole(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t small = tcp_handshake_is_ipv4(&c->tuple) ? BLACKHOLE_MSS : BLACKHOLE_MSS_IPV6;
	unsigned timeouts = c->snd_una > PROVEN_BYTES ? BLACKHOLE_TIMEOUTS_PROVEN : BLACKHOLE_TIMEOUTS;

	if (c->backoff < timeouts)
		return;
	if (!is_size_suspected(c->backoff - timeouts)) {
		if (c->flags & CONN_BLACKHOLE)
			restore(c);
		return;
	}
	if (c->mss_max <= small)
		return;
	e->stats->black_holes++;
	c->flags |= CONN_BLACKHOLE;
	c->blackhole_s = (uint32_t)(e->now_ns / NS_PER_S);
	tcp_conn_set_mss(c, small);
}

void tcp_icmp_probe_up(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if ((uint32_t)(e->now_ns / NS_PER_S) - c->blackhole_s >= PROBE_UP_S)
		restore(c);
}

static void fragmentation_needed(struct tcp_engine *e, uint32_t conn, uint16_t mtu)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint32_t mss_max;

	if (!tcp_handshake_is_ipv4(&c->tuple) && mtu < PATH_MTU_MIN_IPV6) {
		e->stats->icmp_ignored++; /* RFC 8201 section 4: discarded */
		return;
	}
	if (mtu < PATH_MTU_MIN)
		mtu = PATH_MTU_MIN;
	mss_max = tcp_handshake_mss(&c->tuple, mtu);
	if (mss_max >= c->mss_max) {
		e->stats->icmp_ignored++; /* RFC 1191 section 6.3: it can only shrink */
		return;
	}
	e->stats->path_mtu_shrinks++;
	c->mss_limit = (uint16_t)mss_max;
	c->flags &= ~(uint32_t)CONN_BLACKHOLE;
	resend_in_smaller_pieces(e, conn, mss_max);
}

void tcp_icmp_input(struct tcp_engine *e, tcp_time now, const struct tcp_tuple *tuple, uint32_t quoted_seq,
		    enum tcp_icmp kind, uint16_t mtu)
{
	struct tcp_tuple key = *tuple;
	struct tcp_conn *c;
	uint32_t conn;
	int64_t pos;

	e->now_ns = now.ns;
	key.reserved = 0;
	conn = tcp_table_find(e, &key, tcp_hash_tuple(e->keys.hash, &key));
	if (conn >= e->limits.conns) {
		e->stats->icmp_ignored++;
		return;
	}
	c = tcp_conn_at(e, conn);
	pos = tcp_seq_unwrap(quoted_seq, c->iss, c->snd_una);
	if (pos < c->snd_una || pos >= c->snd_nxt) {
		e->stats->icmp_ignored++;
		return;
	}
	if (kind == TCP_ICMP_FRAG_NEEDED)
		fragmentation_needed(e, conn, mtu);
	else if (kind == TCP_ICMP_HARD && (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD))
		tcp_conn_end(e, conn, TCP_REASON_UNREACHABLE);
	else
		tcp_conn_soft_error(e, conn, TCP_SOFT_UNREACHABLE); /* RFC 5927 section 5: also hard ones */
	if (c->state != TCP_CLOSED)
		tcp_timer_arm(e, conn);
}
