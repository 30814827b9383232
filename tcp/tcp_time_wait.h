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
 * RFC 6191), or the ACK that ends such a handshake by cookie. It is a segment for a listener, which ends the
 * record, named by s->time_wait, once it has accepted the connection. */
bool tcp_time_wait_input(struct tcp_engine *e, uint32_t index, struct tcp_segment *s);
/* Where our numbers ended in the connection before. */
uint32_t tcp_time_wait_snd_nxt(const struct tcp_engine *e, uint32_t index);
/* The connection after it is accepted: the record is free again. */
void tcp_time_wait_end(struct tcp_engine *e, uint32_t index);
/* Frees the oldest record if its time has passed. False when there is none. */
bool tcp_time_wait_expire(struct tcp_engine *e);
uint64_t tcp_time_wait_next_ns(const struct tcp_engine *e);
/* Takes records that survived a restart back into table and queue. */
void tcp_time_wait_rebuild(struct tcp_engine *e);

#endif
