/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only clock of the dataplane.
 */
#include "daemon/dataplane/clock.h"

#include <time.h>

#include "daemon/common/time_units.h"

tcp_time clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (tcp_time){(uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec};
}
