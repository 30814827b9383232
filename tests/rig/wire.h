/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all benches of the engine share of the wire: two hosts, TCP headers by hand, and the cutting of a
 * train into segments as the layer below does it.
 */
#ifndef TESTS_RIG_WIRE_H
#define TESTS_RIG_WIRE_H

#include <string.h>

#include "tcp/tcp.h"

#define WIRE_HEADER_BYTES  20
#define WIRE_OPTIONS_BYTES 40

/* 10.0.0.1 and 10.0.0.2; fd00::1 and fd00::2. */
extern const uint8_t wire_hosts[2][16];
extern const uint8_t wire_hosts_ipv6[2][16];

static inline void wire_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_put32(uint8_t *p, uint32_t v)
{
	wire_put16(p, v >> 16);
	wire_put16(p + 2, v & 0xffff);
}

static inline uint32_t wire_get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t wire_get32(const uint8_t *p)
{
	return wire_get16(p) << 16 | wire_get16(p + 2);
}

/* A header in host order. options_len is rounded up to words by the caller. */
struct wire_header {
	uint16_t from, to; /* ports */
	uint32_t seq, ack;
	uint16_t window;
	uint16_t flags; /* enum tcp_flag */
	uint32_t options_len;
};

/* Writes the 20 bytes; checksum and urgent pointer are 0. Returns where the payload begins. */
static inline uint32_t wire_header_write(uint8_t *p, const struct wire_header *h)
{
	wire_put16(p, h->from);
	wire_put16(p + 2, h->to);
	wire_put32(p + 4, h->seq);
	wire_put32(p + 8, h->ack);
	p[12] = (uint8_t)((WIRE_HEADER_BYTES + h->options_len) / 4 << 4 | h->flags >> 8);
	p[13] = (uint8_t)h->flags;
	wire_put16(p + 14, h->window);
	wire_put32(p + 16, 0);
	return WIRE_HEADER_BYTES + h->options_len;
}

/* One segment of a train. Zero-initialised before the first wire_cut_next(). */
struct wire_cut {
	uint32_t at, len; /* payload bytes of the train */
	uint16_t flags;
	bool is_begun;
};

/* The next segment of those that carry the first `limit` payload bytes of the train; false after the last. */
bool wire_cut_next(const struct tcp_emit *train, uint32_t limit, struct wire_cut *cut);

/* Header and options of one segment of a train; returns where the payload begins. */
uint32_t wire_cut_write(uint8_t *p, const struct tcp_emit *train, const struct wire_cut *cut);

#endif
