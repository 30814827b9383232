/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ethtool ioctl.
 */
#ifndef DAEMON_SUPERVISOR_ETHTOOL_H
#define DAEMON_SUPERVISOR_ETHTOOL_H

#include <stddef.h>

/* A command, one of the structures of linux/ethtool.h, on an interface of this network namespace. 0 or
 * negative errno. */
int ethtool_call(const char *iface_name, void *command);
/* The name of the interface's driver, or "unknown". */
void ethtool_driver_name(const char *iface_name, char *name, size_t size);

#endif
