/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device can do for XDP, as the kernel says since Linux 6.3 (generic netlink family "netdev").
 */
#ifndef DAEMON_SUPERVISOR_NETDEV_FEATURES_H
#define DAEMON_SUPERVISOR_NETDEV_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#define NETDEV_FAMILY       "netdev"
#define NETDEV_GROUP        "mgmt" /* tells each change */
/* The device takes frames that another one's XDP program redirects to it. Of a veth it is so only while the
 * other end has an XDP program or GRO; frames would be lost otherwise. */
#define NETDEV_XDP_NDO_XMIT (1u << 2)

/* Whether a driver that says that it takes frames is to be believed: only where it was tried.
 * virtnet_xdp_xmit of Linux 7.3 takes a queue beyond the last when no queue is to spare for XDP, and the
 * kernel panics. */
bool netdev_xmit_is_safe(const char *driver);

/* family: the number of NETDEV_FAMILY. 0 or negative errno. */
int netdev_xdp_features(uint16_t family, uint32_t ifindex, uint64_t *features);

#endif
