/* SPDX-License-Identifier: BSD-2-Clause */
/* Keyed hashing: the connection table, initial sequence numbers, timestamp offsets, SYN cookies. */
#ifndef TCP_TCP_HASH_H
#define TCP_TCP_HASH_H

#include "tcp/tcp.h"

/* SipHash-1-3 of whole 64-bit words; enough against flooding of a table. */
uint64_t tcp_hash_fast(const uint8_t key[16], const uint64_t *words, unsigned count);
/* SipHash-2-4, for values that a peer sees. */
uint64_t tcp_hash_strong(const uint8_t key[16], const uint64_t *words, unsigned count);

uint32_t tcp_hash_tuple(const uint8_t key[16], const struct tcp_tuple *tuple);
/* RFC 6528: F(tuple) plus a clock of 4.096 us. */
uint32_t tcp_hash_isn(const uint8_t key[16], const struct tcp_tuple *tuple, uint64_t now_ns);
/* RFC 7323 section 5.4: a constant per tuple, so that the clock goes on over reuse of the tuple. */
uint32_t tcp_hash_ts_offset(const uint8_t key[16], const struct tcp_tuple *tuple);
/* 32 bits that authenticate a SYN cookie. */
uint32_t tcp_hash_cookie(const uint8_t key[16], const struct tcp_tuple *tuple, uint32_t irs, uint32_t data);

#endif
