/* SPDX-License-Identifier: BSD-2-Clause */
/* Accurate ECN (RFC 9768). */
#include "tcp/tcp_accecn.h"

#include "tcp/tcp_emit.h"
#include "tcp/tcp_engine.h"

#define NOT_ECT          0u
#define CE               3u
#define COUNTER_MASK     0xffffffu /* counters of the option have 24 bits */
#define COUNTER_HALF     0x800000u
#define CEP_INITIAL      5u  /* 3.2.2.1: so that a field of zeros stands out */
#define BYTES_INITIAL    1u  /* 3.2.1: the same for the ECT counters of the option */
#define MARKS_DATA       2u  /* 3.2.2.5.1: CE marks that are told at once, with new data … */
#define MARKS_NO_DATA    3u  /* … and without */
#define MARKS_MOST       6u  /* no more than these in one ACK, whatever the batch */
#define SYN_RETRIES      1u  /* 3.1.4.1: SYNs that ask again before the path is suspected */
#define SYN_ACK_RETRIES  1u  /* 3.1.4.2: SYN-ACKs without the option, then without the flags */
#define OPTION_BYTES     8u  /* two counters */
#define OPTION_BYTES_E1B 12u /* all three, and a NOP */
#define CYCLE            8u  /* of the ACE field */

/* 3.1.2 table 2, 3.2.2.1 table 3: how the IP-ECN field of a SYN or SYN-ACK comes back; by its two bits. */
static const uint8_t handshake_ace[4] = {2, 3, 4, 6};

bool tcp_accecn_is_wanted(const struct tcp_engine *e, const struct tcp_conn *c)
{
	return e->config.accurate_ecn && (e->config.ecn || c->cc == TCP_CC_DCTCP);
}

static void begin(struct tcp_conn *c, const struct tcp_segment *s)
{
	c->options |= TCP_INFO_ECN | TCP_INFO_ACCECN;
	c->syn_ecn = s->ecn & 3u;
	c->accecn.rcv_cep = (uint8_t)(CEP_INITIAL + (s->ecn == CE));
	c->accecn.rcv_cep_told = c->accecn.rcv_cep;
	c->accecn.snd_cep = CEP_INITIAL;
	c->accecn.rcv_e0b = BYTES_INITIAL;
	c->accecn.rcv_e1b = BYTES_INITIAL;
	c->accecn.rcv_ceb = 0;
	c->accecn.snd_ceb = 0;
}

/* What came back of the IP-ECN field of our SYN or SYN-ACK, which was Not-ECT. Anything else was put there on
 * the way, and such a path cannot be trusted with ECT (3.2.2.4). */
static void take_handshake_ace(struct tcp_engine *e, struct tcp_conn *c, unsigned ace)
{
	c->accecn.snd_cep = (uint8_t)(CEP_INITIAL + (ace == handshake_ace[CE]));
	if (ace == 0 || ace == handshake_ace[1] || ace == handshake_ace[2] || ace == handshake_ace[CE]) {
		c->accecn.flags |= TCP_ACCECN_NO_ECT;
		e->stats->accecn_mangled++;
	}
}

/* 3.2.3.2.4: counters that cannot be 0 yet say that something clears the option. */
static void check_first_option(struct tcp_engine *e, struct tcp_conn *c, const struct tcp_segment *s)
{
	if (s->accecn_count == 0)
		return;
	if ((s->accecn_has_e0b && s->accecn_e0b == 0) || (s->accecn_has_e1b && s->accecn_e1b == 0)) {
		c->accecn.flags |= TCP_ACCECN_BAD_OPTION;
		e->stats->accecn_mangled++;
	} else {
		c->accecn.flags |= TCP_ACCECN_PEER_OPTION;
	}
}

bool tcp_accecn_negotiate(struct tcp_engine *e, struct tcp_conn *c, const struct tcp_segment *s)
{
	unsigned ace = tcp_ace_of(s->flags);

	if (!tcp_accecn_is_wanted(e, c))
		return false;
	if (!(s->flags & TCP_ACK)) { /* 3.1.2: 0 is no ECN, 3 classic; 3.1.3: all else means Accurate ECN */
		if (ace == 0 || ace == 3)
			return false;
		begin(c, s);
		return true;
	}
	/* None, classic, or a peer that mirrors what it does not know. */
	if (ace == 0 || ace == 1 || ace == 7)
		return false;
	begin(c, s);
	take_handshake_ace(e, c, ace); /* 3.1.3: 5 is reserved, and as if the SYN had arrived unchanged */
	check_first_option(e, c, s);
	return true;
}

uint16_t tcp_accecn_syn_flags(struct tcp_conn *c)
{
	if (c->state == TCP_SYN_SENT) {
		if (c->backoff <= SYN_RETRIES)
			return TCP_ACE_FLAGS;
	} else if (c->backoff <= SYN_ACK_RETRIES) {
		return tcp_ace_flags(handshake_ace[c->syn_ecn]);
	}
	/* 3.1.5: who has sent a SYN without the flags sends no ECT, whatever comes back. */
	c->accecn.flags |= TCP_ACCECN_NO_ECT;
	return 0;
}

void tcp_accecn_on_repeated_syn(struct tcp_conn *c, const struct tcp_segment *s)
{
	if ((c->options & TCP_INFO_ACCECN) && tcp_ace_of(s->flags) == 0)
		c->accecn.flags |= TCP_ACCECN_NO_ECT; /* 3.1.5, on this side */
}

void tcp_accecn_establish(struct tcp_conn *c)
{
	if (!(c->options & TCP_INFO_ACCECN))
		return;
	c->accecn.flags |= TCP_ACCECN_FIRST;
	if (c->state == TCP_SYN_SENT)
		c->accecn.flags |= TCP_ACCECN_HANDSHAKE_OWED;
	else if (c->backoff > 0)
		c->accecn.flags |= TCP_ACCECN_NO_OPTION; /* 3.2.3.2.2: the SYN-ACK with it did not arrive */
}

static uint32_t add24(uint32_t counter, uint32_t bytes)
{
	return (counter + bytes) & COUNTER_MASK;
}

static void count_bytes(struct tcp_conn *c, const struct tcp_segment *s)
{
	switch (s->ecn) {
	case 1:
		c->accecn.rcv_e1b = add24(c->accecn.rcv_e1b, s->payload_len);
		break;
	case 2:
		c->accecn.rcv_e0b = add24(c->accecn.rcv_e0b, s->payload_len);
		break;
	case CE:
		c->accecn.rcv_ceb = add24(c->accecn.rcv_ceb, s->payload_len);
		c->accecn.flags |= TCP_ACCECN_OPTION_OWED;
		break;
	default:
		break;
	}
}

void tcp_accecn_receive(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_ce = s->ecn == CE;
	unsigned untold;

	if (s->payload_len > 0) {
		count_bytes(c, s);
		if (is_ce && !(c->flags & CONN_ECN_CE_SEEN))
			tcp_ack_now(e, conn); /* 3.2.2.5.1: the first mark is told at once */
		c->flags = is_ce ? c->flags | CONN_ECN_CE_SEEN : c->flags & ~(uint32_t)CONN_ECN_CE_SEEN;
	}
	if (!is_ce)
		return;
	c->accecn.rcv_cep++;
	e->stats->accecn_ce_in++;
	untold = (uint8_t)(c->accecn.rcv_cep - c->accecn.rcv_cep_told);
	if (untold >= (s->payload_len > 0 ? MARKS_DATA : MARKS_NO_DATA))
		tcp_ack_now(e, conn);
	/* A whole batch may be marked, and its one ACK could not tell how often. */
	if (untold >= MARKS_MOST)
		tcp_emit_ack(e, conn);
}

/* Of two ACKs that acknowledge the same the older may arrive later; counters must not be read backwards. */
static bool is_old(const struct tcp_conn *c, const struct tcp_segment *s)
{
	return s->ack_pos < c->snd_una ||
	       ((c->options & TCP_INFO_TIMESTAMPS) && s->has_ts && tcp_ts_before(s->ts_val, c->ts_recent));
}

/* Bytes newly marked as the option tells; UINT32_MAX: it does not. */
static uint32_t option_delta(struct tcp_conn *c, const struct tcp_segment *s)
{
	uint32_t delta;

	if (!s->accecn_has_ceb || (c->accecn.flags & TCP_ACCECN_BAD_OPTION))
		return UINT32_MAX;
	c->accecn.flags |= TCP_ACCECN_PEER_OPTION;
	delta = (s->accecn_ceb - c->accecn.snd_ceb) & COUNTER_MASK;
	if (delta >= COUNTER_HALF)
		return UINT32_MAX; /* older than what we know */
	c->accecn.snd_ceb = s->accecn_ceb;
	return delta;
}

/* 3.2.2.5.2: between two ACKs the field may have gone round, if so many packets are newly acknowledged and no
 * option tells better. */
static uint32_t packets_marked(const struct tcp_conn *c, uint32_t delta, uint32_t delivered_bytes)
{
	uint32_t packets = (delivered_bytes + c->mss - 1u) / c->mss;

	if (delta == 0 || packets < CYCLE || (c->accecn.flags & TCP_ACCECN_PEER_OPTION))
		return delta;
	return packets - ((packets - delta) & (CYCLE - 1));
}

void tcp_accecn_feedback(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
			 struct tcp_ack_sample *sample)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	unsigned ace = tcp_ace_of(s->flags);
	uint32_t delta, bytes;

	if (is_old(c, s))
		return;
	if (c->accecn.flags & TCP_ACCECN_FIRST) {
		c->accecn.flags &= (uint8_t)~TCP_ACCECN_FIRST;
		if (!(c->flags & CONN_PASSIVE) && ace == 0) { /* 3.2.2.3: no mark can have led to this yet */
			c->accecn.flags |= TCP_ACCECN_NO_ECT;
			e->stats->accecn_mangled++;
			return;
		}
		if (c->flags & CONN_PASSIVE) {
			check_first_option(e, c, s);
			take_handshake_ace(e, c, ace);
			return;
		}
	}
	delta = (ace - c->accecn.snd_cep) & (CYCLE - 1);
	c->accecn.snd_cep = (uint8_t)(c->accecn.snd_cep + delta);
	bytes = option_delta(c, s);
	delta = packets_marked(c, delta, sample->delivered_bytes);
	sample->is_ece = delta > 0 || (bytes != UINT32_MAX && bytes > 0);
	sample->marked_bytes = bytes != UINT32_MAX ? bytes : delta * c->mss;
	e->stats->accecn_marks_in += delta;
}

uint16_t tcp_accecn_flags(const struct tcp_conn *c)
{
	if (c->accecn.flags & TCP_ACCECN_HANDSHAKE_OWED)
		return tcp_ace_flags(handshake_ace[c->syn_ecn]);
	return tcp_ace_flags(c->accecn.rcv_cep);
}

unsigned tcp_accecn_option_bytes(const struct tcp_conn *c, bool has_payload, bool *is_owed)
{
	*is_owed = c->accecn.flags & TCP_ACCECN_OPTION_OWED;
	if ((c->accecn.flags & TCP_ACCECN_NO_OPTION) || (has_payload && !*is_owed))
		return 0;
	return c->accecn.rcv_e1b != BYTES_INITIAL ? OPTION_BYTES_E1B : OPTION_BYTES;
}

static uint8_t *put24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
	return p + 3;
}

void tcp_accecn_option_write(const struct tcp_conn *c, uint8_t *out, unsigned bytes)
{
	uint8_t *p = out;

	if (bytes == OPTION_BYTES_E1B)
		*p++ = TCP_OPT_NOP;
	*p++ = TCP_OPT_ACCECN0;
	*p++ = bytes == OPTION_BYTES_E1B ? 11 : 8;
	p = put24(p, c->accecn.rcv_e0b);
	p = put24(p, c->accecn.rcv_ceb);
	if (bytes == OPTION_BYTES_E1B)
		put24(p, c->accecn.rcv_e1b);
}

void tcp_accecn_settle(struct tcp_conn *c, bool had_option)
{
	c->accecn.rcv_cep_told = c->accecn.rcv_cep;
	c->accecn.flags &= (uint8_t)~TCP_ACCECN_HANDSHAKE_OWED;
	if (had_option)
		c->accecn.flags &= (uint8_t)~TCP_ACCECN_OPTION_OWED;
}
