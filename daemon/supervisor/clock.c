/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's clock.
 */
#include "daemon/supervisor/clock.h"

#include <time.h>

#include "daemon/common/time_units.h"

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}
