/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive-side scaling of an interface: its hash key, which the flow hash shares, and its indirection table.
 * Where every slot of the table leads a flow group to a queue of the group's core, a queue needs one socket;
 * elsewhere it needs one for each core, and the XDP program picks.
 */
#ifndef DAEMON_SUPERVISOR_RSS_H
#define DAEMON_SUPERVISOR_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/limits.h"
#include "daemon/supervisor/why.h"

#define RSS_SLOTS_MAX 4096

/* What the configuration permits: write the table, only read it, or take no notice of it. */
enum rss_use { RSS_AUTO, RSS_KEEP, RSS_SOFTWARE };

struct rss {
	uint8_t key[IXD_TOEPLITZ_KEY_BYTES];
	uint32_t slots; /* a power of two */
	uint32_t table[RSS_SLOTS_MAX];
};

/* The queues of an interface and who serves them: queue q, from 0, belongs to core (base + q) % cores. */
struct rss_queues {
	uint32_t base, count, cores;
};

/* Reads key and table. An error, with the reason, when the interface has none, or when it does not hash
 * addresses and ports of TCP by Toeplitz's function, as the flow hash does. */
int rss_read(const char *iface_name, struct rss *rss, struct why *why);
/* Writes the table, with the key when with_key; restores it is the same call with what was read before. 0 or
 * negative errno. */
int rss_write(const char *iface_name, const struct rss *rss, bool with_key);

/* The core of each of `groups` flow groups, a power of two, as the table has it. False when a group is led to
 * queues of several cores, to a queue that is not served, or when the cores' parts are very unequal. */
bool rss_groups_derive(const struct rss *rss, const struct rss_queues *queues, uint32_t groups,
		       uint32_t *core_of_group);
/* Whether every slot leads to a queue of its group's core. */
bool rss_is_aligned(const struct rss *rss, const struct rss_queues *queues, uint32_t groups,
		    const uint32_t *core_of_group);
/* Fills the table so that it is; false when a core has no queue. */
bool rss_table_make(struct rss *rss, const struct rss_queues *queues, uint32_t groups,
		    const uint32_t *core_of_group);

#endif
