/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's two memories and its doorbells (ix/abi.h).
 */
#ifndef DAEMON_SUPERVISOR_CLIENT_MEMORY_H
#define DAEMON_SUPERVISOR_CLIENT_MEMORY_H

#include "daemon/common/msg.h"
#include "daemon/supervisor/config.h"
#include "daemon/supervisor/why.h"

struct client_memory {
	int daemon_fd;                  /* ixd writes; the client gets a read-only descriptor */
	int client_fd;                  /* the client writes */
	int doorbell_fd[IXD_CORES_MAX]; /* ixd's ends, kept for a restarted dataplane */
	uint32_t cores;
};

/* What a hello asks for, within the grants. -EDQUOT names what is too much and the limit. */
int client_limits_decide(const struct ix_hello *hello, const struct config_grants *grants, uint32_t cores,
			 struct client_limits *limits, struct why *why);
/* Sizes, offsets and strides of both memories. */
void client_layout_compute(const struct client_limits *limits, uint32_t cores, struct ix_welcome *layout);
/* Makes the memories and `cores` doorbells. peer_fds gets what is the client's: read-only daemon memory,
 * client memory (a duplicate), doorbell ends; 2 + cores descriptors, the caller's to close. */
int client_memory_create(struct client_memory *memory, const struct ix_welcome *layout, int *peer_fds);
void client_memory_close(struct client_memory *memory);

#endif
