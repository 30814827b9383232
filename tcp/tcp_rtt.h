/* SPDX-License-Identifier: BSD-2-Clause */
/* Round-trip time and retransmission timeout (RFC 6298). */
#ifndef TCP_TCP_RTT_H
#define TCP_TCP_RTT_H

#include "tcp/tcp_conn.h"

/* Takes a measurement into the smoothed estimate (section 2). */
void tcp_rtt_sample(struct tcp_conn *c, uint64_t rtt_ns);
/* Takes a measurement into the minimum, which forgets after five minutes (RFC 8985 section 6.2 step 1). */
void tcp_rtt_sample_min(struct tcp_conn *c, uint64_t rtt_ns, uint64_t now_ns);
/* The timeout with the back-off now in force. */
uint64_t tcp_rto_ns(const struct tcp_conn *c, const struct tcp_config *config);

#endif
