/* SPDX-License-Identifier: BSD-2-Clause */
/* The flight and lost lists of struct tcp_sent, shared by the files that keep the scoreboard. */
#ifndef TCP_TCP_SENT_LIST_H
#define TCP_TCP_SENT_LIST_H

#include "tcp/tcp_sent.h"

/* Takes a record off flight or lost (by its flags) and its bytes off flight_bytes or lost_bytes. */
void tcp_sent_time_unlink(struct tcp_engine *e, uint32_t conn, uint32_t index);
/* Puts a record at the end of flight: it is the latest sent. */
void tcp_sent_flight_push(struct tcp_engine *e, uint32_t conn, uint32_t index);
/* Puts a record back into flight at the time it was sent, behind `hint` if that was earlier (TCP_NONE: no
 * hint). Returns it, the hint for the next. */
uint32_t tcp_sent_flight_insert(struct tcp_engine *e, uint32_t conn, uint32_t index, uint32_t hint);
/* Puts a record into lost at its position. */
void tcp_sent_lost_insert(struct tcp_engine *e, uint32_t conn, uint32_t index);
/* Puts the second half of a split record behind the first in their list; bytes are counted already. */
void tcp_sent_time_link_after(struct tcp_engine *e, uint32_t conn, uint32_t index, uint32_t prev);
/* Frees a record that is in no list but the one by position, or in any. */
void tcp_sent_remove(struct tcp_engine *e, uint32_t conn, uint32_t index);
/* RTT, RACK and rate from a record whose bytes up to `end` are now known to have arrived. */
void tcp_sent_note_delivered(struct tcp_engine *e, uint32_t conn, const struct tcp_sent *r, int64_t end,
			     const struct tcp_segment *s, struct tcp_ack_sample *sample);

#endif
