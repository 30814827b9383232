/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to cwnd when segments are lost: recovery, PRR, timeouts, ECN, and undoing mistakes. */
#ifndef TCP_TCP_RECOVERY_H
#define TCP_TCP_RECOVERY_H

#include "tcp/tcp_conn.h"

struct tcp_ack_sample;
struct tcp_segment;

/* After the scoreboard has taken an ACK. */
void tcp_recovery_on_ack(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
			 struct tcp_ack_sample *sample);
/* The reordering timer has marked segments as lost. */
void tcp_recovery_on_reo_timer(struct tcp_engine *e, uint32_t conn);
/* The retransmission timer has expired (RFC 6298 section 5.4 to 5.6, RFC 5681 equation 4). */
void tcp_recovery_on_rto(struct tcp_engine *e, uint32_t conn);
/* Bytes from position `start` on have been sent again. */
void tcp_recovery_on_retransmit(struct tcp_engine *e, uint32_t conn, int64_t start, uint32_t bytes);
/* Bytes that are believed to be in the network. */
uint32_t tcp_recovery_pipe(const struct tcp_conn *c);
/* The congestion window after the handshake and after an idle time (RFC 6928, 5681 section 4.1). */
uint32_t tcp_recovery_initial_window(const struct tcp_engine *e, const struct tcp_conn *c);

#endif
