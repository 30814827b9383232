/* SPDX-License-Identifier: BSD-2-Clause */
/* RACK-TLP, RFC 8985: loss detection by time of sending, and the probe for a lost tail. */
#ifndef TCP_TCP_RACK_H
#define TCP_TCP_RACK_H

#include "tcp/tcp_sent.h"

struct tcp_conn;

/* Section 6.2 steps 2 and 3: a record is now known to have arrived, up to position `end`. */
void tcp_rack_on_delivered(struct tcp_engine *e, uint32_t conn, const struct tcp_sent *r, int64_t end,
			   const struct tcp_segment *s);
/* Step 4: adapts the reordering window after an ACK. */
void tcp_rack_update_window(struct tcp_engine *e, uint32_t conn, const struct tcp_ack_sample *sample);
/* Step 5: marks what must be lost; arms the reordering timer for what may be. Returns bytes marked. */
uint32_t tcp_rack_detect(struct tcp_engine *e, uint32_t conn);
/* Section 6.3: at an RTO, marks the first record and all that are overdue. */
void tcp_rack_on_rto(struct tcp_engine *e, uint32_t conn);
/* Nanoseconds of the present reordering window. */
uint64_t tcp_rack_window_ns(const struct tcp_conn *c);

/* Section 7.2: the probe timeout, 0 when no probe may be scheduled. */
uint64_t tcp_tlp_timeout_ns(const struct tcp_engine *e, uint32_t conn);
/* Section 7.3: the timer has expired; the probe goes out with the next tcp_output(). */
void tcp_tlp_on_timer(struct tcp_engine *e, uint32_t conn);
/* Section 7.4: an ACK while a probe is in flight. True: the probe repaired a loss. */
bool tcp_tlp_on_ack(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
		    const struct tcp_ack_sample *sample);

#endif
