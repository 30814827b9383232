/* SPDX-License-Identifier: BSD-2-Clause */
/* F-RTO (RFC 5682): was a retransmission timeout needless? */
#ifndef TCP_TCP_FRTO_H
#define TCP_TCP_FRTO_H

#include "tcp/tcp_conn.h"

struct tcp_ack_sample;

/* The retransmission timer has expired and all is set for what is conventional. is_first: not inside the
 * recovery of an earlier loss or timeout. */
void tcp_frto_on_rto(struct tcp_engine *e, uint32_t conn, bool is_first);
/* Positions up to `end` have been sent again. */
void tcp_frto_on_retransmit(struct tcp_conn *c, int64_t end);
/* A record that never was sent twice, up to `end`, is newly acknowledged or SACKed. */
void tcp_frto_on_delivered(struct tcp_conn *c, int64_t end, struct tcp_ack_sample *sample);
/* After the scoreboard has taken an ACK. True: the timeout was spurious, its effects are to be undone. */
bool tcp_frto_on_ack(struct tcp_engine *e, uint32_t conn, const struct tcp_ack_sample *sample);
/* New data has been sent, or none could be, in a turn that tcp_frto_wants_new_data() asked for. */
void tcp_frto_on_output(struct tcp_conn *c, bool has_sent_new);

/* The next output is new data, not what is marked lost. */
static inline bool tcp_frto_wants_new_data(const struct tcp_conn *c)
{
	return c->frto == TCP_FRTO_SEND_NEW;
}

/* Nothing more is repeated until the next ACK has told. */
static inline bool tcp_frto_holds_back(const struct tcp_conn *c)
{
	return c->frto == TCP_FRTO_WAIT_SECOND;
}

#endif
