/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of the measuring programs: monotonic, in nanoseconds, read without a system call. */
#ifndef TESTS_BENCH_LIB_CLOCK_H
#define TESTS_BENCH_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
