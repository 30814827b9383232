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

/* A spinning thread's pause: where two CPUs are threads of one core, the other one gets on faster. */
static inline void bench_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
