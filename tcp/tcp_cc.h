/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control, chosen by index. An algorithm decides how cwnd grows on an ACK outside recovery and
 * what ssthresh becomes after a congestion event; when an event happens, and PRR, are tcp_recovery.c's.
 */
#ifndef TCP_TCP_CC_H
#define TCP_TCP_CC_H

#include "tcp/tcp_conn.h"

struct tcp_ack_sample;

struct tcp_cc_ops {
	const char *name;
	void (*init)(struct tcp_conn *c);
	/* An ACK outside recovery while cwnd was the limit: may raise cwnd. */
	void (*on_ack)(struct tcp_conn *c, const struct tcp_ack_sample *sample, uint64_t now_ns);
	/* A congestion event, with FlightSize: the new window in bytes, which is the new ssthresh if that is
	 * not below two segments. */
	uint32_t (*ssthresh)(struct tcp_conn *c, uint32_t flight_bytes, bool is_ecn);
	/* The reduction was wrong: back to the curve of before. May be NULL. */
	void (*undo)(struct tcp_conn *c, uint64_t now_ns);
	/* Every ACK, for algorithms that count marks; may be NULL. */
	void (*on_marks)(struct tcp_conn *c, const struct tcp_ack_sample *sample);
};

extern const struct tcp_cc_ops tcp_cc_cubic, tcp_cc_newreno, tcp_cc_dctcp;

const struct tcp_cc_ops *tcp_cc_ops_of(const struct tcp_conn *c);
/* Starts the algorithm `cc` (TCP_CC_DEFAULT: the one of config) on a connection. */
void tcp_cc_start(struct tcp_conn *c, uint8_t cc, const struct tcp_config *config);
/* RFC 5681 slow start; returns the acknowledged bytes left over once ssthresh is reached. */
uint32_t tcp_cc_slow_start(struct tcp_conn *c, uint32_t acked_bytes);
/* cwnd grows by one MSS for each `per_mss` bytes acknowledged; *credit carries the rest. */
void tcp_cc_additive(struct tcp_conn *c, uint32_t *credit, uint32_t acked_bytes, uint32_t per_mss);
/*
 * FlightSize (RFC 5681) with all before `una` acknowledged, as it was after the last output, with `cwnd` as
 * it was then: ACKs that came in one batch shrink what is in flight one by one before anything can be sent
 * again, and the last of them must not find that little was needed. What limited transmit has sent beyond
 * cwnd does not count.
 */
uint32_t tcp_cc_flight(const struct tcp_conn *c, int64_t una, uint32_t cwnd);
/* A window after a congestion event: two segments at least (RFC 5681 equation 4), one after a mark (RFC 3168
 * section 6.1.2, RFC 9438 section 4.6). */
uint32_t tcp_cc_at_least(const struct tcp_conn *c, uint32_t window, bool is_ecn);

#endif
