/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the control process has its knowledge from: read-only mappings of the state, stats, mirror and view
 * memfds, and two BPF maps. Others go on writing while it reads, so that everything is copied first, is then
 * bounded, and a value may be a moment older than its neighbour.
 */
#ifndef DAEMON_CONTROL_SOURCES_H
#define DAEMON_CONTROL_SOURCES_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/common/mirror.h"
#include "daemon/common/msg.h"
#include "daemon/common/state.h"
#include "daemon/common/stats.h"
#include "daemon/common/view.h"

#define SOURCES_FRAME_OWNERS 4 /* values of enum frame_owner */

struct sources {
	char instance[IXD_NAME_SIZE];
	struct static_config fixed;
	struct state_layout layout;
	const uint8_t *state;
	const struct stats *stats;
	const struct mirror *mirror;
	const struct view *view;
	int verdicts_fd;    /* per-CPU map of struct ixd_verdicts; -1: none */
	int flow_groups_fd; /* map of flow group to core; -1: none */
	uint32_t cpus;      /* possible CPUs: how many values a per-CPU map has */
};

/* Order of the descriptors in MSG_CTL_INIT. */
enum source_fd {
	SOURCE_FD_STATE,
	SOURCE_FD_STATS,
	SOURCE_FD_MIRROR,
	SOURCE_FD_VIEW,
	SOURCE_FD_VERDICTS,
	SOURCE_FD_LISTENER,
	SOURCE_FD_FLOW_GROUPS,
	SOURCE_FDS_MAX
};

/* Maps what came with MSG_CTL_INIT; the map descriptors are kept by *s, the memfds may be closed afterwards.
 * Before the sandbox (it looks at /sys for the number of CPUs). 0, -EPROTO when a memory is smaller than said
 * or not what it should be, else negative errno; the log has the words. */
int sources_init(struct sources *s, const struct msg_init *init, const int *fds, unsigned fds_count);
void sources_fini(struct sources *s);

/* Copies the supervisor's view. 0, or -EAGAIN when its writer stands still inside a change. */
int sources_copy_view(const struct sources *s, struct view *copy);

/* The part of the mirror that is listed. */
struct sources_net {
	uint32_t ifaces_count, addrs_count, routes_count;
	struct mirror_iface ifaces[IXD_IFACES_MAX];
	struct mirror_addr addrs[MIRROR_ADDRS_MAX];
};
/* Copies it. 0 or -EAGAIN as above. */
int sources_copy_net(const struct sources *s, struct sources_net *copy);

/* Copies the counters of one core (core < fixed.cores). */
void sources_copy_core_stats(const struct sources *s, uint32_t core, struct core_stats *copy);

/* Sums the verdict counters over CPUs. 0 or negative errno (-ENOENT: no map was given). */
int sources_read_verdicts(const struct sources *s, struct ixd_verdicts *sum);
/* Reads the core of each of the fixed.flow_groups groups into cores[IXD_FLOW_GROUPS]. 0 or negative errno. */
int sources_read_flow_groups(const struct sources *s, uint32_t *cores);

/* A connection as both halves know it. */
struct sources_conn {
	struct tcp_info tcp;
	struct conn_record record;
};
/* Copies connection `index` (< fixed.conns_per_core) of a core. 0 or -EBADF when there is none. */
int sources_copy_conn(const struct sources *s, uint32_t core, uint32_t index, struct sources_conn *conn);
/* Copies the dataplane's half alone: cheap, for counting. */
void sources_copy_record(const struct sources *s, uint32_t core, uint32_t index, struct conn_record *record);

/* How many of the packet frames whose home is `core` each enum frame_owner has. The bytes change meanwhile:
 * the sum is always right, its parts are when the core is idle. */
void sources_count_frames(const struct sources *s, uint32_t core, uint32_t count[SOURCES_FRAME_OWNERS]);

/* CLOCK_MONOTONIC, nanoseconds. The only place in this process that reads a clock. */
uint64_t sources_now_ns(void);

#endif
