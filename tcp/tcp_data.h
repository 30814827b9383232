/* SPDX-License-Identifier: BSD-2-Clause */
/* Received payload and FIN: in-order delivery, reassembly, what the next ACK must report. */
#ifndef TCP_TCP_DATA_H
#define TCP_TCP_DATA_H

#include "tcp/tcp_segment.h"

/* Puts all range records of the pool on the free list. */
void tcp_data_init(struct tcp_engine *e);
/* Takes the payload of an acceptable segment and notes where its FIN is. */
void tcp_data_input(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s);
/* The peer's FIN is next in order: takes it. True when it was taken now. may_wait: its ACK may wait for a
 * segment to ride on. */
bool tcp_data_take_fin(struct tcp_engine *e, uint32_t conn, bool may_wait);
/* A segment without anything new has come: report it (RFC 2883) and acknowledge at once. */
void tcp_data_report_duplicate(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s);
/* A range held out of order that is not among the kept blocks of `conn`, the highest; false: there is none.
 */
bool tcp_data_other_range(const struct tcp_engine *e, uint32_t conn, struct tcp_range *range);
/* Frees all out-of-order ranges. */
void tcp_data_free_all(struct tcp_engine *e, uint32_t conn);

#endif
