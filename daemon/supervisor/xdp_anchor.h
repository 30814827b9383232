/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An XDP program that is called by nothing but test runs must still be attached somewhere: only then does the
 * kernel keep it ready (its dispatcher; otherwise each run with a repeat above 1 waits for two RCU grace
 * periods). Here it is attached to the loopback device, which is down, of a network namespace of its own,
 * where no packet ever is.
 */
#ifndef DAEMON_SUPERVISOR_XDP_ANCHOR_H
#define DAEMON_SUPERVISOR_XDP_ANCHOR_H

#include <stdint.h>

#include "daemon/supervisor/why.h"

/* A short-lived child, which becomes this user first, makes the namespace and attaches the program; ixd has
 * no right to do so itself. Returns the namespace's descriptor, the caller's: with it, or with the process,
 * namespace and attachment go. Negative errno where user namespaces are refused, or after five seconds. */
int xdp_anchor_open(int program_fd, uint32_t uid, uint32_t gid, struct why *why);

#endif
