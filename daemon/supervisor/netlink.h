/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the mirror true: a whole dump at start, after every change of links, addresses or routes (gathered
 * for a few milliseconds), and when the kernel had to drop news; neighbours one by one. Asks the kernel to
 * find and keep neighbours that the dataplane needs.
 */
#ifndef DAEMON_SUPERVISOR_NETLINK_H
#define DAEMON_SUPERVISOR_NETLINK_H

#include <libmnl/libmnl.h>

#include "daemon/common/mirror.h"
#include "daemon/supervisor/bpf_load.h"
#include "daemon/supervisor/loop.h"
#include "daemon/supervisor/mirror_build.h"
#include "daemon/supervisor/why.h"

/* Neighbours that are kept for us: what a mad dataplane, or a client that connects to every address, could
 * ask for ends here. Each more takes the place of one before. */
#define NETLINK_MANAGED_MAX 4096
/* Anybody on the link can make the kernel learn neighbours. Beyond this part of the mirror only those come in
 * that were asked for. */
#define NETLINK_UNASKED_MAX (MIRROR_NEIGHS_MAX / 4)

struct netlink_managed {
	uint8_t addr[16];
	uint32_t ifindex;
};

struct netlink {
	struct loop *loop;
	struct mirror *mirror;
	struct bpf_set *bpf;        /* its local_addrs follow the mirror's addresses; NULL: none */
	struct mnl_socket *news;    /* multicast */
	struct mnl_socket *request; /* dumps and requests, answered before the next is sent */
	struct loop_watch *watch;
	struct loop_timer resync;
	struct mirror_build *build; /* what stands in the mirror */
	struct mirror_build *next;
	uint32_t *neigh_seen; /* per slot of the mirror: number of the dump in which it came */
	uint32_t dumps;
	struct netlink_managed *managed;
	uint32_t managed_count;
	uint32_t managed_oldest; /* when all places are taken: whose is taken next */
	bool has_no_managed;     /* the kernel does not know NTF_EXT_MANAGED */
	bool is_full_told, is_truncated_told;
	bool must_hurry;             /* by the owner: changes are not gathered, each is looked at at once */
	void (*on_links)(void *arg); /* NULL: nobody wants to know */
	void *links_arg;
};

/* mirror->ifaces must hold name, ifindex, queue_base and queues of all interfaces. Dumps everything. */
int netlink_init(struct netlink *netlink, struct loop *loop, struct mirror *mirror, struct bpf_set *bpf,
		 struct why *why);
/* Also takes back the neighbours that the kernel keeps for us. */
void netlink_fini(struct netlink *netlink);
/* Asks the kernel for a neighbour: it comes into the mirror when found. -EINVAL: no such interface, no IPv4;
 * what the kernel says. */
int netlink_neigh_ask(struct netlink *netlink, const uint8_t addr[16], uint32_t iface, uint32_t vlan);
/* Reads all tables now, without waiting for news. */
void netlink_refresh(struct netlink *netlink);
/* on_links(arg) is called after each change of links, addresses or routes, the mirror being up to date. */
void netlink_watch_links(struct netlink *netlink, void (*on_links)(void *arg), void *arg);
/* Index of a device by name and whether it is up; used before the mirror is there. -ENODEV. */
int netlink_iface_find(const char *name, uint32_t *ifindex, bool *is_up);

#endif
