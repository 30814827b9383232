/* SPDX-License-Identifier: BSD-2-Clause */
/* TIME_WAIT in 64 bytes: a FIFO by age, since all wait equally long. */
#ifndef TCP_TCP_TIME_WAIT_H
#define TCP_TCP_TIME_WAIT_H

#include "tcp/tcp_segment.h"

void tcp_time_wait_init(struct tcp_engine *e);
/* Both FINs are acknowledged but for the last ACK, which goes out from here: the connection ends and leaves a
 * TIME_WAIT record. */
void tcp_time_wait_enter(struct tcp_engine *e, uint32_t conn);
/* A segment for a TIME_WAIT record. True: a SYN that may open the connection anew (RFC 9293 section 3.6.1,
 * RFC 6191); the record is gone and the segment is one for a listener. */
bool tcp_time_wait_input(struct tcp_engine *e, uint32_t index, struct tcp_segment *s);
/* Frees the oldest record if its time has passed. False when there is none. */
bool tcp_time_wait_expire(struct tcp_engine *e);
uint64_t tcp_time_wait_next_ns(const struct tcp_engine *e);
/* Takes records that survived a restart back into table and queue. */
void tcp_time_wait_rebuild(struct tcp_engine *e);

#endif
