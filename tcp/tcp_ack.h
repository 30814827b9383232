/* SPDX-License-Identifier: BSD-2-Clause */
/* The acknowledgement and window fields of a segment (RFC 9293 section 3.10.7.4, fifth check). */
#ifndef TCP_TCP_ACK_H
#define TCP_TCP_ACK_H

#include "tcp/tcp_segment.h"

/* In a synchronised state. False: the segment must be dropped (an answer is on its way if one is due). */
bool tcp_ack_input(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s);
/* Takes the window of a segment whose ACK is acceptable, if it is newer than what we have. Returns true
 * when the window has changed. */
bool tcp_ack_update_window(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s);

#endif
