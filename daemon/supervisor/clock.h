/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's clock.
 */
#ifndef DAEMON_SUPERVISOR_CLOCK_H
#define DAEMON_SUPERVISOR_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC. Any thread. */
uint64_t monotonic_ns(void);

#endif
