/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbers that the kernel has given to a generic netlink family and to a multicast group of it. They are
 * others after each start of the kernel.
 */
#ifndef DAEMON_SUPERVISOR_GENL_FAMILY_H
#define DAEMON_SUPERVISOR_GENL_FAMILY_H

#include <stdint.h>

struct genl_family {
	uint16_t id;
	uint32_t group_id;
};

/* 0, -ENOENT: the kernel has no such family or group, else negative errno. One thread. */
int genl_family_find(const char *name, const char *group, struct genl_family *family);

#endif
