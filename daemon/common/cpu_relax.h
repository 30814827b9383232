/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A spinning thread's pause: where two CPUs are threads of one core, the other one gets on faster.
 */
#ifndef DAEMON_COMMON_CPU_RELAX_H
#define DAEMON_COMMON_CPU_RELAX_H

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
