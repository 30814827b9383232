/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ethtool ioctl.
 */
#ifndef DAEMON_SUPERVISOR_ETHTOOL_H
#define DAEMON_SUPERVISOR_ETHTOOL_H

/* A command, one of the structures of linux/ethtool.h, on an interface of this network namespace. 0 or
 * negative errno. */
int ethtool_call(const char *iface_name, void *command);

#endif
