/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An instance's name, its directories, and the locks that keep a second one away.
 */
#ifndef DAEMON_SUPERVISOR_INSTANCE_H
#define DAEMON_SUPERVISOR_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/supervisor/config.h"
#include "daemon/supervisor/why.h"

struct instance {
	char name[IXD_NAME_SIZE];
	char base_dir[CONFIG_PATH_SIZE];    /* /run/ixd, or $IXD_RUNDIR */
	char runtime_dir[CONFIG_PATH_SIZE]; /* of this instance */
	char pin_dir[CONFIG_PATH_SIZE];
	char client_socket[CONFIG_PATH_SIZE + 16];
	char control_socket[CONFIG_PATH_SIZE + 16];
	int lock_fd;
	bool has_made_dir;
};

/* 1 to 31 letters, digits, '-', '_', '.', not '.' first: it becomes part of paths. */
int instance_name_check(const char *name, struct why *why);
/* Fills in names and paths; touches nothing. */
int instance_init(struct instance *instance, const char *name, const struct config *config, struct why *why);
/* Makes the runtime directory and takes its lock, which the kernel drops with the process.
 * -EBUSY: the instance runs already (the sentence has its pid). */
int instance_lock(struct instance *instance, struct why *why);
/* Removes lock and directory, when nothing else is in it. Allowed without a lock. */
void instance_unlock(struct instance *instance);
/* Opens and locks a file; the lock tells a living owner from a dead one. -EBUSY: locked by another. Otherwise
 * the descriptor. Safe against an owner that removes the file meanwhile. */
int lock_file_open(const char *path);
/* A listening socket; an old file at path is removed first (its owner, if any, holds no lock). type is
 * SOCK_STREAM or SOCK_SEQPACKET; gid CONFIG_NO_ID leaves the group. The descriptor, non-blocking, or
 * negative. */
int instance_socket_open(const char *path, int type, uint32_t mode, uint32_t gid, struct why *why);

#endif
