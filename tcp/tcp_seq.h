/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequence numbers. On the wire they are 32 bits and wrap; inside the engine every one is a 64-bit position
 * that never wraps: 0 is the SYN, 1 the first byte of the stream, and the FIN comes after the last byte. So
 * positions are compared with < and >, and the wrap exists in this file alone.
 */
#ifndef TCP_TCP_SEQ_H
#define TCP_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* The position that wire value `wire` means: the one nearest to `near`. May be negative (before the SYN). */
static inline int64_t tcp_seq_unwrap(uint32_t wire, uint32_t initial, int64_t near)
{
	return near + (int32_t)(wire - (initial + (uint32_t)near));
}

static inline uint32_t tcp_seq_wire(uint32_t initial, int64_t pos)
{
	return initial + (uint32_t)pos;
}

/* Bytes from one position to a later one; 0 when it is not later, capped at the largest uint32_t. */
static inline uint32_t tcp_seq_span(int64_t from, int64_t to)
{
	int64_t span = to - from;

	if (span <= 0)
		return 0;
	return span > UINT32_MAX ? UINT32_MAX : (uint32_t)span;
}

/* Timestamps compare like wire sequence numbers (RFC 7323 section 5.2). */
static inline bool tcp_ts_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Stream offsets of the user against positions: offset 0 is position 1. */
static inline uint64_t tcp_seq_off(int64_t pos)
{
	return (uint64_t)(pos - 1);
}

static inline int64_t tcp_seq_pos(uint64_t off)
{
	return (int64_t)off + 1;
}

#endif
