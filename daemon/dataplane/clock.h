/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only clock. Everything else gets the time as an argument: core->now, read once per turn.
 */
#ifndef DAEMON_DATAPLANE_CLOCK_H
#define DAEMON_DATAPLANE_CLOCK_H

#include "tcp/tcp.h"

/* CLOCK_MONOTONIC; the same over restarts of the process, so that deadlines in surviving records stay true.
 * Any thread; no system call where the vDSO serves it. */
tcp_time clock_now(void);

#endif
