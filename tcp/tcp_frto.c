/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * F-RTO (RFC 5682), the basic version of section 2.1 and with SACK that of section 3.1. After a timeout one
 * segment is repeated. If the ACK of it leaves something open, up to two new segments go instead of more
 * repetitions; should the ACK after that acknowledge what was never repeated, the originals were late, not
 * lost. Timestamps (Eifel) mostly tell earlier; this needs none.
 */
#include "tcp/tcp_frto.h"

#include "tcp/tcp_engine.h"
#include "tcp/tcp_recovery.h"

#define NEW_SEGMENTS          2u
#define CONVENTIONAL_SEGMENTS 3u /* cwnd two round trips after a timeout */

void tcp_frto_on_rto(struct tcp_engine *e, uint32_t conn, bool is_first)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	/* Step 1: not inside a recovery. What cannot be undone need not be found out either. */
	c->frto = is_first && (c->flags & CONN_UNDO) ? TCP_FRTO_RETRANSMIT : TCP_FRTO_OFF;
}

void tcp_frto_on_retransmit(struct tcp_conn *c, int64_t end)
{
	if (c->frto == TCP_FRTO_RETRANSMIT) {
		c->frto = TCP_FRTO_WAIT_FIRST;
		c->frto_end = (uint32_t)end;
	} else if (c->frto == TCP_FRTO_WAIT_FIRST && (int32_t)((uint32_t)end - c->frto_end) > 0) {
		c->frto_end = (uint32_t)end;
	}
}

void tcp_frto_on_delivered(struct tcp_conn *c, int64_t end, struct tcp_ack_sample *sample)
{
	if (end > c->recovery_point)
		sample->has_beyond_recovery = true;
	else
		sample->has_original = true;
}

/* Step 2: the first ACK after the repetition. */
static void take_first(struct tcp_engine *e, uint32_t conn, const struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool has_sack = c->options & TCP_INFO_SACK;
	uint32_t cwnd;

	if (sample->acked_bytes == 0) {
		/* With SACK duplicates only fill the scoreboard; without, they say that something is missing.
		 */
		if (sample->is_dup && !has_sack)
			c->frto = TCP_FRTO_OFF;
		return;
	}
	if (c->snd_una < tcp_seq_unwrap(c->frto_end, 0, c->snd_una)) {
		if (!has_sack)
			c->frto = TCP_FRTO_OFF; /* 2a: not all that was repeated */
		return;
	}
	if (c->snd_una >= c->recovery_point || c->snd_nxt >= c->snd_end ||
	    c->snd_una + (int64_t)c->snd_wnd <= c->snd_nxt) {
		c->frto = TCP_FRTO_OFF; /* 2a: all is told; or there is nothing new that may be sent */
		return;
	}
	/* 2b */
	c->frto = TCP_FRTO_SEND_NEW;
	cwnd = tcp_recovery_pipe(c) + NEW_SEGMENTS * c->mss;
	if (c->cwnd < cwnd)
		c->cwnd = cwnd;
	tcp_output_list(e, conn);
}

/* Step 3: the second. */
static bool take_second(struct tcp_conn *c, const struct tcp_ack_sample *sample)
{
	bool has_sack = c->options & TCP_INFO_SACK;
	bool has_told = has_sack ? sample->is_dup || sample->acked_bytes > 0 || sample->sacked_bytes > 0
				 : sample->is_dup || sample->acked_bytes > 0;

	if (!has_told)
		return false; /* other types of ACKs are ignored */
	c->frto = TCP_FRTO_OFF;
	if (has_sack ? sample->has_original && !sample->has_beyond_recovery : sample->has_original)
		return true; /* 3b */
	/* 3a: a real loss. On with repeating, from what a conventional sender would have now. */
	if (c->cwnd > CONVENTIONAL_SEGMENTS * c->mss)
		c->cwnd = CONVENTIONAL_SEGMENTS * c->mss;
	c->flags |= CONN_RETRANS_ONE;
	return false;
}

bool tcp_frto_on_ack(struct tcp_engine *e, uint32_t conn, const struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_spurious = false;

	switch (c->frto) {
	case TCP_FRTO_RETRANSMIT:
		if (sample->acked_bytes > 0)
			c->frto = TCP_FRTO_OFF; /* came before the repetition went: step 1 is void */
		break;
	case TCP_FRTO_WAIT_FIRST:
		take_first(e, conn, sample);
		break;
	case TCP_FRTO_SEND_NEW: /* in the same batch as the first: nothing but one segment was repeated yet */
	case TCP_FRTO_WAIT_SECOND:
		is_spurious = take_second(c, sample);
		break;
	default:
		break;
	}
	if (is_spurious)
		e->stats->frto_spurious++;
	if (c->frto == TCP_FRTO_OFF && !is_spurious)
		tcp_output_list(e, conn);
	return is_spurious;
}

void tcp_frto_on_output(struct tcp_conn *c, bool has_sent_new)
{
	c->frto = has_sent_new ? TCP_FRTO_WAIT_SECOND : TCP_FRTO_OFF;
}
