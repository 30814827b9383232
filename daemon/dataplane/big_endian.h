/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integers in network order, at any address.
 */
#ifndef DAEMON_DATAPLANE_BIG_ENDIAN_H
#define DAEMON_DATAPLANE_BIG_ENDIAN_H

#include <stdint.h>

static inline uint16_t load_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t load_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void store_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void store_be32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

/* A value as it adds to an Internet checksum that is kept in memory order. */
static inline uint64_t sum_of_be16(uint32_t value)
{
	return __builtin_bswap16((uint16_t)value);
}

static inline uint64_t sum_of_be32(uint32_t value)
{
	return __builtin_bswap32(value);
}

#endif
