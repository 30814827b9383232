/* SPDX-License-Identifier: BSD-2-Clause */
/* A received segment in host order, checked for form, and the writer of options. */
#ifndef TCP_TCP_SEGMENT_H
#define TCP_TCP_SEGMENT_H

#include "tcp/tcp_conn.h"

#define TCP_HEADER_BYTES         20
#define TCP_FAST_OPEN_COOKIE_MAX 16
#define TCP_NO_FAST_OPEN         0xff
#define TCP_OPTIONS_BYTES_TS     12 /* timestamps with their two NOPs */

#define TCP_OPT_NOP              1
#define TCP_OPT_ACCECN0          172
#define TCP_OPT_ACCECN1          174

struct tcp_segment {
	struct tcp_tuple tuple;
	const uint8_t *header; /* into the packet, as all pointers here; valid during the call */
	const uint8_t *payload;
	uint32_t payload_len;
	uint32_t seq, ack; /* wire values */
	uint32_t window;   /* as on the wire, not scaled */
	uint16_t flags;
	uint8_t ecn;
	uint8_t wscale; /* TCP_NO_WSCALE: no such option */
	uint8_t sack_count;
	uint16_t mss; /* 0: no such option */
	bool has_ts, sack_ok;
	uint32_t time_wait; /* the record that ends if this opens a connection; TCP_NONE */
	/* Accurate ECN option (RFC 9768): how many counters it has, which, and their values. */
	uint8_t accecn_count;
	bool accecn_has_e0b, accecn_has_ceb, accecn_has_e1b;
	uint32_t accecn_e0b, accecn_ceb, accecn_e1b;
	uint8_t fast_open_len;    /* 0: a request for a cookie; TCP_NO_FAST_OPEN: no such option */
	const uint8_t *fast_open; /* into the packet */
	uint32_t ts_val, ts_ecr;
	struct tcp_range sacks[TCP_SACK_BLOCKS]; /* wire values */

	/* Positions, once the connection is known: first and one past the last (SYN and FIN count). */
	int64_t pos, end, ack_pos;
};

/* Fills *s. False: not well-formed (RFC 9293 sections 3.1, 3.2). */
bool tcp_segment_parse(struct tcp_segment *s, const struct tcp_packet *packet);
/* The pointer of a segment with URG: it counts from the sequence number. */
uint16_t tcp_segment_urgent(const struct tcp_segment *s);
/* Just the tuple; the packet must have 4 bytes at least. */
void tcp_segment_tuple(struct tcp_tuple *tuple, const struct tcp_packet *packet);

/* Could this be the address of one host (RFC 9293 section 3.9.2.3)? Not multicast, broadcast or unspecified;
 * a subnet's own broadcast address only the layer below can know. */
bool tcp_address_is_host(const uint8_t address[16]);

/* What a SYN or SYN-ACK offers, in the order that Linux uses. */
struct tcp_syn_options {
	uint16_t mss;
	uint8_t wscale; /* TCP_NO_WSCALE: leave out */
	bool has_sack, has_ts;
	uint8_t fast_open_len; /* TCP_NO_FAST_OPEN: leave out; 0: a request */
	const uint8_t *fast_open;
	uint32_t ts_val, ts_ecr;
};
/* Both write to `out` (40 bytes) and return the length, a multiple of 4. */
uint8_t tcp_options_write_syn(uint8_t *out, const struct tcp_syn_options *o);
uint8_t tcp_options_write_ts(uint8_t *out, uint32_t ts_val, uint32_t ts_ecr);
/* SACK blocks (wire values); count is at least 1. */
uint8_t tcp_options_write_sack(uint8_t *out, const struct tcp_range *blocks, unsigned count);

#endif
