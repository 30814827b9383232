/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers for the measuring programs: fast, seeded, the same on every machine; never for secrets.
 */
#ifndef TESTS_BENCH_LIB_RANDOM_H
#define TESTS_BENCH_LIB_RANDOM_H

#include <stdint.h>

/* SplitMix64: any seed is a good one. */
struct bench_random {
	uint64_t state;
};

static inline uint64_t bench_random_u64(struct bench_random *random)
{
	uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* 0 … bound − 1, by multiplication instead of division; bound > 0. */
static inline uint32_t bench_random_below(struct bench_random *random, uint32_t bound)
{
	return (uint32_t)(((bench_random_u64(random) >> 32) * bound) >> 32);
}

/* In (0, 1]: its logarithm is finite. */
static inline double bench_random_unit(struct bench_random *random)
{
	return (double)((bench_random_u64(random) >> 11) + 1) * 0x1p-53;
}

#endif
