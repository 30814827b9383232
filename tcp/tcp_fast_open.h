/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP Fast Open (RFC 7413): data in the SYN, on both sides. */
#ifndef TCP_TCP_FAST_OPEN_H
#define TCP_TCP_FAST_OPEN_H

#include "tcp/tcp_segment.h"

#define TCP_FAST_OPEN_COOKIE_BYTES 8  /* of ours */
#define TCP_FAST_OPEN_CACHE_SETS   32 /* a power of two */
#define TCP_FAST_OPEN_CACHE_WAYS   2

/* What a client remembers of a server. Volatile: a forgotten cookie costs one round trip. */
struct tcp_fast_open_entry {
	uint8_t remote[16];
	uint8_t cookie[TCP_FAST_OPEN_COOKIE_MAX];
	uint64_t used_ns; /* 0: a free entry */
	uint32_t blocked_until_s;
	uint16_t mss;       /* that the server announced */
	uint8_t cookie_len; /* 0: none */
	uint8_t reserved;
};

struct tcp_fast_open {
	struct tcp_fast_open_entry cache[TCP_FAST_OPEN_CACHE_SETS][TCP_FAST_OPEN_CACHE_WAYS];
	uint32_t pending;   /* connections in SYN_RCVD whose data was taken */
	uint32_t resets;    /* of these ended by a RST since resets_ns: still counted for a while */
	uint64_t resets_ns; /* when the last of them came */
};

/* The server's side: a SYN has made the half-open connection conn. Takes its data if its cookie is valid, and
 * notes whether the SYN-ACK is to bring a (new) one. */
void tcp_fast_open_input_syn(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s);
/* The cookie for a client now. */
void tcp_fast_open_cookie(const struct tcp_engine *e, const uint8_t remote[16],
			  uint8_t out[TCP_FAST_OPEN_COOKIE_BYTES]);
/* A pending connection was reset by the peer. */
void tcp_fast_open_on_reset(struct tcp_engine *e);

/* The client's side: may this connection's SYN carry data at once? Then it is worth waiting for some. */
bool tcp_fast_open_has_cookie(struct tcp_engine *e, const uint8_t remote[16]);
/* Completes options and payload of the first SYN: an entry's cookie and data, or a request for a cookie. */
void tcp_fast_open_write_syn(struct tcp_engine *e, uint32_t conn, struct tcp_syn_options *o,
			     uint32_t *payload_max);
/* The SYN-ACK may bring a cookie, and may leave our data unacknowledged. */
void tcp_fast_open_input_syn_ack(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s);
/* The first SYN was not answered in time: something on the way may dislike it. */
void tcp_fast_open_on_timeout(struct tcp_engine *e, uint32_t conn);

#endif
