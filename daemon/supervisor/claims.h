/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What instances of one network namespace must not take from each other: interfaces, and the range of local
 * ports for outgoing connections, which is merged into net.ipv4.ip_local_reserved_ports. Each claim is a
 * locked file in BASE/.netns-INODE, so that claims of the dead are told from those of the living.
 */
#ifndef DAEMON_SUPERVISOR_CLAIMS_H
#define DAEMON_SUPERVISOR_CLAIMS_H

#include <stdint.h>

#include "daemon/supervisor/instance.h"
#include "daemon/supervisor/why.h"

struct claims {
	char dir[CONFIG_PATH_SIZE + 48];
	const struct instance *instance;
	int iface_fd[IXD_IFACES_MAX];
	char iface_name[IXD_IFACES_MAX][16];
	uint32_t ifaces_count;
	int ports_fd; /* -1: none */
	uint32_t port_first, port_last;
};

int claims_init(struct claims *claims, const struct instance *instance, struct why *why);
/* -EBUSY names the instance that has it. */
int claims_iface(struct claims *claims, const char *iface_name, struct why *why);
/* Reserves ports first … last from the kernel. -EADDRINUSE: a kernel socket has one of them already. */
int claims_ports(struct claims *claims, uint32_t first, uint32_t last, struct why *why);
/* Gives all back: of the reserved ports only those that no other instance claims and that were not reserved
 * before the first instance came. */
void claims_release(struct claims *claims);

#endif
