/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns rtnetlink messages into the tables of the mirror. Addresses and routes are gathered from a whole dump
 * into a private copy and taken over at once; so there is no order of single changes to get wrong.
 */
#ifndef DAEMON_SUPERVISOR_MIRROR_BUILD_H
#define DAEMON_SUPERVISOR_MIRROR_BUILD_H

#include <libmnl/libmnl.h>

#include "daemon/common/mirror.h"

#define MIRROR_DEVICES_MAX 256 /* our interfaces and the VLAN devices on them */

/* A kernel device that belongs to one of our interfaces. */
struct mirror_device {
	uint32_t ifindex;
	uint16_t vlan;
	uint8_t iface; /* index in the mirror */
};

struct mirror_build {
	struct mirror_device devices[MIRROR_DEVICES_MAX];
	uint32_t devices_count;
	struct mirror_iface ifaces[IXD_IFACES_MAX];
	uint32_t ifaces_count;
	struct mirror_addr addrs[MIRROR_ADDRS_MAX];
	uint32_t addrs_count;
	struct mirror_route routes[MIRROR_ROUTES_MAX];
	uint32_t routes_count;
	uint32_t left_off; /* entries for which there was no room */
};

/* Starts from the interfaces as they are in the mirror, all held for down until their link is seen. */
void mirror_build_begin(struct mirror_build *build, const struct mirror *mirror);
/* One message of a dump. VLAN devices may come before the interface below them: dump links twice. */
void mirror_build_link(struct mirror_build *build, const struct nlmsghdr *message);
void mirror_build_addr(struct mirror_build *build, const struct nlmsghdr *message);
void mirror_build_route(struct mirror_build *build, const struct nlmsghdr *message);
/* Takes the tables over if they differ; false: nothing has changed. */
bool mirror_build_commit(struct mirror_build *build, struct mirror *mirror);

/* What a neighbour message says. False: not about one of our devices, or not of a known family. */
struct mirror_neigh_news {
	uint8_t addr[16];
	uint8_t mac[6];
	uint8_t iface;
	bool is_valid;
	uint16_t vlan;
};
bool mirror_neigh_parse(const struct mirror_build *build, const struct nlmsghdr *message,
			struct mirror_neigh_news *news);
/* The kernel's device for an interface and VLAN; 0: none. */
uint32_t mirror_device_ifindex(const struct mirror_build *build, uint8_t iface, uint16_t vlan);

#endif
