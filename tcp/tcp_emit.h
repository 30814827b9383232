/* SPDX-License-Identifier: BSD-2-Clause */
/* Building what goes out: options, window and flags of a train, and answers that belong to no connection. */
#ifndef TCP_TCP_EMIT_H
#define TCP_TCP_EMIT_H

#include "tcp/tcp_segment.h"

/* Sends positions [start, end) of a connection, or one segment without any when they are equal. The FIN goes
 * along when end lies behind it. Returns how many positions went, or -EAGAIN. What the segment acknowledges
 * is settled. */
int64_t tcp_emit_range(struct tcp_engine *e, uint32_t conn, int64_t start, int64_t end,
		       bool is_retransmission);
/* SYN in SYN_SENT, SYN-ACK in SYN_RCVD. 0 or -EAGAIN. */
int tcp_emit_syn(struct tcp_engine *e, uint32_t conn);
/* RST for a connection in a synchronised state. */
void tcp_emit_rst(struct tcp_engine *e, uint32_t conn);
/* RST in answer to a segment (RFC 9293 section 3.5.2); none in answer to a RST. */
void tcp_emit_rst_reply(struct tcp_engine *e, const struct tcp_segment *s);
/* A segment without payload that belongs to no record: TIME_WAIT's ACKs, SYN cookies. */
void tcp_emit_stateless(struct tcp_engine *e, const struct tcp_emit *train);
/* Sends an ACK without payload. 0 or -EAGAIN. */
int tcp_emit_ack(struct tcp_engine *e, uint32_t conn);
/* Payload bytes per segment with the options that the next segment will carry. */
uint32_t tcp_emit_mss(const struct tcp_engine *e, uint32_t conn);
/* Would a window update be worth a segment of its own (RFC 9293 section 3.8.6.2.2)? */
bool tcp_emit_wants_window_update(const struct tcp_conn *c);

#endif
