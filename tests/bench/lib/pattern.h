/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that need no memory of their own: byte `off` of a stream is byte (base + off) mod 64 Ki of one table
 * of noise, so that it can be sent, sent again and checked wherever it lies, by a copy or a comparison.
 * Streams have different bases: a byte that is lost, repeated, swapped or another connection's is noticed.
 */
#ifndef TESTS_BENCH_LIB_PATTERN_H
#define TESTS_BENCH_LIB_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_PATTERN_PERIOD 65536u
#define BENCH_PATTERN_RUN    65536u /* most bytes that one call gives or checks */

extern uint8_t bench_pattern_table[BENCH_PATTERN_PERIOD + BENCH_PATTERN_RUN];

/* Once, before the first use. */
void bench_pattern_init(void);

/* The bytes from `off` on, at least BENCH_PATTERN_RUN of them. */
static inline const uint8_t *bench_pattern_at(uint64_t base, uint64_t off)
{
	return bench_pattern_table + ((base + off) & (BENCH_PATTERN_PERIOD - 1));
}

/* Whether these are the stream's bytes from `off` on. */
bool bench_pattern_check(uint64_t base, uint64_t off, const uint8_t *data, uint64_t len);

#endif
