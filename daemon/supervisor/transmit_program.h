/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transmit program (bpf/transmit.h): loaded, anchored, tried; and the devices that frames may leave
 * through, which the supervisor alone writes. One thread.
 */
#ifndef DAEMON_SUPERVISOR_TRANSMIT_PROGRAM_H
#define DAEMON_SUPERVISOR_TRANSMIT_PROGRAM_H

#include <stdint.h>

#include "daemon/common/msg.h"
#include "daemon/supervisor/why.h"

/* What the configuration permits. */
enum xdp_transmit_use { XDP_TRANSMIT_AUTO, XDP_TRANSMIT_NEVER };

struct transmit_program;

/* uid, gid: of the child that anchors it. On success *out is the caller's to close. Negative errno, with the
 * reason, where the kernel does not have what it takes: that is no reason not to start. */
int transmit_program_open(uint32_t cores, uint32_t uid, uint32_t gid, struct transmit_program **out,
			  struct why *why);
/* NULL is allowed. */
void transmit_program_close(struct transmit_program *transmit);

/* Frames for port `port`, below IXD_IFACES_MAX, leave through this device; 0: are dropped. 0 or negative
 * errno. */
int transmit_program_port_set(struct transmit_program *transmit, uint32_t port, uint32_t ifindex);

/* Descriptors stay the program's: of itself, and of its maps tx_slots and tx_cursors. */
void transmit_program_fds(const struct transmit_program *transmit, int fds[MSG_DP_TRANSMIT_FDS]);

#endif
