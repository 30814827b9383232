/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nanoseconds, in which all times of the daemon are, in what people and interfaces count.
 */
#ifndef DAEMON_COMMON_TIME_UNITS_H
#define DAEMON_COMMON_TIME_UNITS_H

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

#endif
