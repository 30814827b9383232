/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transmit program (bpf/transmit.h): loaded, anchored, tried; and the devices that frames may leave
 * through, which the supervisor alone writes. One thread.
 */
#ifndef DAEMON_SUPERVISOR_XDP_TRANSMIT_H
#define DAEMON_SUPERVISOR_XDP_TRANSMIT_H

#include <stdint.h>

#include "daemon/supervisor/why.h"

/* What the configuration permits. */
enum xdp_transmit_use { XDP_TRANSMIT_AUTO, XDP_TRANSMIT_NEVER };

struct xdp_transmit;

/* uid, gid: of the child that anchors it. On success *out is the caller's to close. Negative errno, with the
 * reason, where the kernel does not have what it takes: that is no reason not to start. */
int xdp_transmit_open(uint32_t cores, uint32_t uid, uint32_t gid, struct xdp_transmit **out, struct why *why);
/* NULL is allowed. */
void xdp_transmit_close(struct xdp_transmit *transmit);

/* Frames for port `port`, below IXD_IFACES_MAX, leave through this device; 0: are dropped. 0 or negative
 * errno. */
int xdp_transmit_port_set(struct xdp_transmit *transmit, uint32_t port, uint32_t ifindex);

/* Descriptors stay the program's: of itself, and of its maps tx_slots and tx_cursors. */
#define XDP_TRANSMIT_FDS 3
void xdp_transmit_fds(const struct xdp_transmit *transmit, int fds[XDP_TRANSMIT_FDS]);

#endif
