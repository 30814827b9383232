/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening endpoints, the SYN that reaches one, and SYN cookies. */
#ifndef TCP_TCP_LISTENER_H
#define TCP_TCP_LISTENER_H

#include "tcp/tcp.h"

struct tcp_engine;
struct tcp_segment;

struct tcp_listener {
	uint8_t local[16]; /* all zero: any address */
	uint16_t port, vlan;
	uint8_t is_used, cc;
	uint16_t reserved;
	uint32_t flags; /* enum tcp_param_flags */
	uint32_t backlog;
	uint32_t half_open; /* connections in SYN_RCVD */
	uint32_t waiting;   /* established, not yet accepted */
	uint32_t next;      /* chain of the bucket, rebuilt at start */
	uint32_t reserved2;
	uint64_t user_timeout_ns;
};

/* Buckets of the listener table for so many listeners: a power of two. */
uint32_t tcp_listener_buckets(const struct tcp_limits *limits);
/* Enters a used record into the bucket chains. */
void tcp_listener_link(struct tcp_engine *e, uint32_t listener);
/* The listener for a segment: exact address first, then any; TCP_NONE. */
uint32_t tcp_listener_find(const struct tcp_engine *e, const struct tcp_tuple *tuple);
/* A segment for a listener, no connection matches (RFC 9293 section 3.10.7.2). */
void tcp_listener_input(struct tcp_engine *e, uint32_t listener, struct tcp_segment *s);
/* An ACK that is none of this half-open connection's SYN-ACK: true if it is one of a cookie that answered the
 * same SYN before there was room. The record then has become what the cookie said. */
bool tcp_listener_adopt_cookie(struct tcp_engine *e, uint32_t conn, struct tcp_segment *s);
/* A connection of this listener has left SYN_RCVD / was accepted or died while waiting. */
void tcp_listener_half_open_done(struct tcp_engine *e, uint32_t listener);

/* SYN cookies (RFC 4987): the sequence number to answer a SYN with, and the connection's parameters out of
 * the ACK that brings it back. */
void tcp_cookie_send(struct tcp_engine *e, const struct tcp_segment *s, const struct tcp_path *path,
		     bool use_ecn);
/* True and s's SYN parameters (mss, wscale, sack_ok) filled in when the ACK carries a valid cookie. */
bool tcp_cookie_check(struct tcp_engine *e, struct tcp_segment *s);
/* Just whether it does; counts nothing. */
bool tcp_cookie_is_valid(const struct tcp_engine *e, const struct tcp_segment *s);

#endif
