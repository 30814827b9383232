/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timers of a connection. Deadlines are fields of the record; the wheel holds one entry per connection,
 * at or before the earliest of them, so that moving a deadline later costs nothing.
 */
#ifndef TCP_TCP_TIMER_H
#define TCP_TCP_TIMER_H

#include "tcp/tcp_conn.h"

/* After an ACK: restarts the retransmission timer when it made progress (RFC 6298 section 5.3), stops it
 * when nothing is in flight, and schedules the tail loss probe. */
void tcp_timer_on_ack(struct tcp_engine *e, uint32_t conn, bool has_progress);
/* After output: starts what is not running (RFC 6298 section 5.1), or the window probe. */
void tcp_timer_on_output(struct tcp_engine *e, uint32_t conn, bool has_sent_new);
/* The user timeout has changed: what is owed already is given up when it is over. */
void tcp_timer_on_user_timeout(struct tcp_engine *e, uint32_t conn);
/* Enters the earliest deadline into the wheel. */
void tcp_timer_arm(struct tcp_engine *e, uint32_t conn);

#endif
