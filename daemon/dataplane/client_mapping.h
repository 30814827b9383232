/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's two memories, mapped once per process by the main thread and shared by all cores. Everything but
 * policy[] is constant while any core knows the client; policy[i] is written and read by core i alone.
 */
#ifndef DAEMON_DATAPLANE_CLIENT_MAPPING_H
#define DAEMON_DATAPLANE_CLIENT_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/msg.h"

/* What may change while the client lives. */
struct client_policy {
	struct client_limits limits;
	uint32_t rules_count;
	struct policy_rule rules[IXD_RULES_MAX]; /* the first match decides; none: refused */
};

struct client_mapping {
	uint32_t client; /* 0 … IXD_CLIENTS_MAX - 1 */
	uint32_t uid, gid, pid;
	bool is_restart; /* indices in the memories go on from a dataplane before */
	struct ix_welcome
	    layout;             /* checked: every part lies inside its memory, ring sizes are powers of two */
	uint8_t *daemon_memory; /* layout.daemon_bytes, written by this process alone */
	const uint8_t *client_memory;   /* layout.client_bytes, hostile, read-only here */
	int doorbell_fd[IXD_CORES_MAX]; /* closed by the main thread when every core has let go */
	struct client_policy *policy[IXD_CORES_MAX];
	/* What cores share about the client (client_shared.h): NULL at first, made by the first core that
	 * adds the client, freed by the last that lets it go. */
	struct client_shared *shared;
};

/* Maps the memories that came with m (fds: daemon memory, client memory, one doorbell for each of `cores`).
 * Takes over the doorbells when it succeeds; the two memory descriptors stay the caller's. 0 and *mapping, or
 * -EPROTO when layout, sizes and descriptors do not fit together, -ENOMEM. Main thread. */
int client_mapping_open(const struct msg_client_add *m, uint32_t cores, const int *fds, unsigned fds_count,
			struct client_mapping **mapping);
/* Unmaps, closes the doorbells, frees. No core may know the client any more. */
void client_mapping_close(struct client_mapping *mapping, uint32_t cores);

/* A new policy from m, from malloc(); NULL without memory. */
struct client_policy *client_policy_new(const struct msg_client_add *m);

#endif
