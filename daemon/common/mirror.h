/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's interfaces, addresses, routes and neighbours, mirrored into a memfd that the supervisor alone
 * writes and that core threads and the control process map read-only. Readers take no lock: tables are under
 * a sequence count, a neighbour's link-layer address is one atomic word, so that a change is seen by the next
 * packet without a message.
 */
#ifndef DAEMON_COMMON_MIRROR_H
#define DAEMON_COMMON_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/limits.h"

#define MIRROR_MAGIC      0x69786d31u
#define MIRROR_ADDRS_MAX  IXD_LOCAL_ADDRS_MAX
#define MIRROR_ROUTES_MAX 4096
#define MIRROR_NEIGHS_MAX 16384 /* a power of two */
#define MIRROR_NO_NEIGH   UINT32_MAX

enum mirror_checksum { MIRROR_CHECKSUM_FULL, MIRROR_CHECKSUM_PARTIAL_OK };

struct mirror_iface {
	char name[16];
	uint32_t ifindex;    /* of the underlying device that carries the AF_XDP sockets */
	uint32_t queue_base; /* index of its queue 0 among the instance's queues */
	uint16_t queues;
	uint16_t mtu; /* bytes of IP */
	uint8_t mac[6];
	uint8_t is_up;       /* administratively up and with carrier */
	uint8_t rx_checksum; /* enum mirror_checksum: what arriving TCP checksums are accepted */
	uint8_t is_native;   /* XDP mode got: 1 native, 0 generic */
	uint8_t is_zerocopy; /* every socket is bound XDP_ZEROCOPY */
	/* Bursts may leave by the transmit program (bpf/transmit.h). Atomic by itself, under no count: it
	 * follows the other end of the link, and is read before each burst. */
	uint8_t can_xdp_transmit;
	uint8_t reserved[5];
};

struct mirror_addr {
	uint8_t addr[16];
	uint8_t prefix_len; /* 0 … 128; an IPv4 /24 is 120 */
	uint8_t iface;      /* index in ifaces */
	uint16_t vlan;
};

enum mirror_route_type { MIRROR_ROUTE_UNICAST, MIRROR_ROUTE_LOCAL, MIRROR_ROUTE_REJECT };

/* Kept sorted: longest prefix first, then lowest metric, so that the first match is the route. */
struct mirror_route {
	uint8_t dst[16];
	uint8_t gateway[16];
	uint8_t prefsrc[16]; /* all zero: none given */
	uint32_t metric;
	uint16_t mtu; /* 0: the interface's */
	uint16_t vlan;
	uint8_t prefix_len;
	uint8_t type; /* enum mirror_route_type */
	uint8_t has_gateway;
	uint8_t iface; /* index in ifaces; 0xff: an interface that is not ours */
	uint32_t reserved;
};

/* A hash table with linear probing by (addr, iface, vlan). A slot keeps its key for ever once taken, unless
 * the table is rebuilt under a new epoch; so a connection may remember its slot. */
struct mirror_neigh {
	uint8_t addr[16];
	uint8_t iface;
	uint8_t is_taken; /* set last, with release */
	uint16_t vlan;
	uint32_t reserved;
	uint64_t lladdr; /* atomic: six bytes in memory order, then MIRROR_NEIGH_VALID or 0 as uint16_t */
};
#define MIRROR_NEIGH_VALID 1u

struct mirror {
	uint32_t magic;
	uint32_t seq;        /* odd while ifaces, addrs or routes change */
	uint32_t generation; /* incremented by each such change: routes remembered under another are stale */
	uint32_t neigh_epoch;
	uint32_t ifaces_count, addrs_count, routes_count, neighs_count;
	struct mirror_iface ifaces[IXD_IFACES_MAX];
	struct mirror_addr addrs[MIRROR_ADDRS_MAX];
	struct mirror_route routes[MIRROR_ROUTES_MAX];
	struct mirror_neigh neighs[MIRROR_NEIGHS_MAX];
};

/* Where a packet to some destination goes. */
struct mirror_hop {
	uint8_t iface; /* index in ifaces */
	uint16_t vlan;
	uint16_t mtu;
	uint8_t next_hop[16]; /* the gateway or the destination itself */
	uint8_t source[16];   /* preferred local address */
	uint32_t generation;
};

/* Readers; safe against a concurrent writer, bounded in time. */
/* 0, -ENETUNREACH without a route through one of our interfaces, -EAGAIN when the writer stands still inside
 * a change. Fills *hop. */
int mirror_route_lookup(const struct mirror *m, const uint8_t dst[16], struct mirror_hop *hop);
/* Slot of a neighbour or MIRROR_NO_NEIGH. */
uint32_t mirror_neigh_find(const struct mirror *m, const uint8_t addr[16], uint8_t iface, uint16_t vlan);
/* Copies the link-layer address; false while it is not known. */
static inline bool mirror_neigh_mac(const struct mirror *m, uint32_t slot, uint8_t mac[6])
{
	uint64_t word = __atomic_load_n(&m->neighs[slot].lladdr, __ATOMIC_RELAXED);

	__builtin_memcpy(mac, &word, 6);
	return (word >> 48) != 0; /* little endian: the two last bytes in memory */
}
bool mirror_addr_is_local(const struct mirror *m, const uint8_t addr[16]);

/* The writer (supervisor, one thread). */
void mirror_write_begin(struct mirror *m);
void mirror_write_end(struct mirror *m);
/* Inserts or updates; mac NULL: not known (any more). -ENOSPC when the table is full. */
int mirror_neigh_set(struct mirror *m, const uint8_t addr[16], uint8_t iface, uint16_t vlan,
		     const uint8_t *mac);

#endif
