/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor tells the control process about itself, in a memfd that the supervisor alone writes:
 * interfaces, listeners, clients, child processes. Under one sequence count; a reader copies and compares.
 */
#ifndef DAEMON_COMMON_VIEW_H
#define DAEMON_COMMON_VIEW_H

#include <stdint.h>

#include "daemon/common/limits.h"
#include "daemon/common/msg.h"

#define VIEW_MAGIC 0x69787631u

struct view_iface {
	char name[16];
	char mode[16];      /* "native" or "generic" */
	char mode_why[320]; /* why not what was asked first, and what that costs; empty when it costs nothing
			     */
	char copy[16];      /* "zerocopy", "copy" or "mixed"; "closed" while its device is away */
	char copy_why[160];
	char transmit[16];      /* "xdp": bursts leave by the transmit program; "socket": by AF_XDP alone */
	char transmit_why[128]; /* why not; empty too when zero copy makes it needless */
	char rss[16];           /* "aligned", "software", or "none" with one core */
	char rss_why[128];
	char driver[32];
	uint32_t ifindex, queues, queue_base;
	uint32_t closes; /* how often its sockets had to be made anew */
};

/* What the kernel counted on a queue's sockets since they were made (XDP_STATISTICS). */
struct view_queue_counters {
	uint64_t rx_dropped;   /* no room, or no frame, for the packet */
	uint64_t rx_ring_full; /* the core was too slow */
	uint64_t fill_empty;   /* no frame when one was wanted */
	uint64_t fill_invalid, tx_invalid;
};

struct view_queue {
	uint32_t is_used;
	uint32_t iface, queue; /* of the interface, from 0 */
	uint32_t core;         /* that serves its FILL and COMPLETION rings */
	uint32_t sockets;
	uint32_t is_zerocopy;
	char copy_why[128]; /* why it copies although zero copy was to be tried; else empty */
	struct view_queue_counters counters;
};

struct view_listener {
	uint32_t is_used;
	uint8_t addr[16];
	uint16_t port, vlan;
	uint32_t clients; /* how many share it */
	uint32_t uid;
};

struct view_client {
	uint32_t is_used;
	uint32_t pid, uid, gid;
	char comm[16];
	uint64_t rx_bytes, tx_bytes;
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	uint32_t listeners;
	uint32_t conns_max;
};

struct view {
	uint32_t magic;
	uint32_t seq; /* odd while being written */
	char instance[IXD_NAME_SIZE];
	char config_path[256];
	uint64_t started_ns, dataplane_started_ns; /* CLOCK_MONOTONIC */
	uint32_t supervisor_pid, dataplane_pid, control_pid;
	uint32_t dataplane_starts, control_starts; /* processes started so far */
	uint32_t is_dataplane_ready;
	uint32_t is_hugetlb;
	uint32_t ifaces_count;
	uint64_t reconfigured_ns; /* of the last successful reconfigure, 0 never */
	struct static_config fixed;
	struct runtime_config config;
	struct view_iface ifaces[IXD_IFACES_MAX];
	struct view_queue queues[IXD_QUEUES_MAX]; /* by number over all interfaces */
	struct view_listener listeners[IXD_LISTENERS_MAX];
	struct view_client clients[IXD_CLIENTS_MAX];
};

#endif
