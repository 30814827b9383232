/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accurate ECN (RFC 9768): the receiver counts marked packets and bytes and says how many; the sender takes
 * the differences. Section numbers here and in tcp_accecn.c are those of the RFC.
 */
#ifndef TCP_TCP_ACCECN_H
#define TCP_TCP_ACCECN_H

#include "tcp/tcp_segment.h"

struct tcp_ack_sample;

#define TCP_ACE_FLAGS (TCP_AE | TCP_CWR | TCP_ECE)

/* The three flags as a number, AE first. */
static inline unsigned tcp_ace_of(uint16_t flags)
{
	return (flags & TCP_AE ? 4u : 0u) | (flags & TCP_CWR ? 2u : 0u) | (flags & TCP_ECE ? 1u : 0u);
}

static inline uint16_t tcp_ace_flags(unsigned ace)
{
	return (uint16_t)((ace & 4 ? TCP_AE : 0) | (ace & 2 ? TCP_CWR : 0) | (ace & 1 ? TCP_ECE : 0));
}

/* May this connection ask for it, or agree to it? */
bool tcp_accecn_is_wanted(const struct tcp_engine *e, const struct tcp_conn *c);
/* Takes over what a SYN or SYN-ACK says. True: Accurate ECN; else classic ECN is to be looked for. */
bool tcp_accecn_negotiate(struct tcp_engine *e, struct tcp_conn *c, const struct tcp_segment *s);
/* Flags of our SYN or SYN-ACK, for a connection that wants it or has agreed to it. */
uint16_t tcp_accecn_syn_flags(struct tcp_conn *c);
/* Their SYN has come again. */
void tcp_accecn_on_repeated_syn(struct tcp_conn *c, const struct tcp_segment *s);
/* The handshake is complete. */
void tcp_accecn_establish(struct tcp_conn *c);

/* An acceptable segment has come: counts its mark. May emit an ACK when much is to be told. */
void tcp_accecn_receive(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s);
/* What its flags and its option tell about our own packets; the scoreboard has taken the ACK. */
void tcp_accecn_feedback(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
			 struct tcp_ack_sample *sample);

/* Flags of a segment that is no SYN. */
uint16_t tcp_accecn_flags(const struct tcp_conn *c);
/* Bytes of the option that a segment should carry, 0 for none; is_owed: before SACK blocks (section 3.2.3.3).
 */
unsigned tcp_accecn_option_bytes(const struct tcp_conn *c, bool has_payload, bool *is_owed);
void tcp_accecn_option_write(const struct tcp_conn *c, uint8_t *out, unsigned bytes);
/* A segment with those flags went; it had the option. */
void tcp_accecn_settle(struct tcp_conn *c, bool had_option);

/* May data be sent as ECN-capable? */
static inline bool tcp_accecn_may_send_ect(const struct tcp_conn *c)
{
	return !(c->accecn.flags & TCP_ACCECN_NO_ECT);
}

#endif
