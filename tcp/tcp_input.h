/* SPDX-License-Identifier: BSD-2-Clause */
/* What the handlers of single states share. */
#ifndef TCP_TCP_INPUT_H
#define TCP_TCP_INPUT_H

#include "tcp/tcp_segment.h"

/* Gives a segment to the handler of the connection's state and arms its timer. */
void tcp_input_dispatch(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s);
/* PAWS, window, RST, SYN and ACK flag (RFC 9293 section 3.10.7.4); fills in the positions of s. False: the
 * segment was dropped or has ended the connection. */
bool tcp_input_check(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s);

#endif
