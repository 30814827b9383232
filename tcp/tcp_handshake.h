/* SPDX-License-Identifier: BSD-2-Clause */
/* The three-way handshake on both sides: SYN_SENT, SYN_RCVD, and becoming established. */
#ifndef TCP_TCP_HANDSHAKE_H
#define TCP_TCP_HANDSHAKE_H

#include "tcp/tcp_segment.h"

/* What both kinds of open share: sequence number, clock offset, windows out of the path. */
void tcp_handshake_start(struct tcp_engine *e, uint32_t conn, const struct tcp_path *path, uint32_t iss);
/* Takes over what the peer's SYN offers (RFC 9293 3.7.1, 7323, 2018, 3168). */
void tcp_handshake_negotiate(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s);
/* Our SYN is acknowledged: the connection is open. */
void tcp_handshake_establish(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s);
void tcp_handshake_input_syn_sent(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s);
void tcp_handshake_input_syn_rcvd(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s);

/* The window scale with which so large a window can be told (RFC 7323 section 2.3). */
uint8_t tcp_handshake_wscale(uint32_t window_max);
bool tcp_handshake_is_ipv4(const struct tcp_tuple *tuple);
/* What a peer takes who sends no MSS option (RFC 9293 section 3.7.1, MUST-15). */
uint16_t tcp_handshake_default_mss(const struct tcp_tuple *tuple);
/* The largest payload without options that fits the path. */
uint16_t tcp_handshake_mss(const struct tcp_tuple *tuple, uint16_t mtu);

#endif
