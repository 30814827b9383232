/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting an unprivileged process of ixd: its own user, no capability, one end of a socketpair as descriptor
 * 3 and nothing else, killed by the kernel when the supervisor dies.
 */
#ifndef DAEMON_SUPERVISOR_CHILD_H
#define DAEMON_SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/common/msg.h"
#include "daemon/supervisor/why.h"

struct child {
	const char *program; /* "ixd-dataplane" */
	uint32_t uid, gid;
	pid_t pid;     /* 0: does not run */
	int pid_fd;    /* readable when it has exited */
	int socket_fd; /* our end, non-blocking */
	uint64_t started_ns;
	uint32_t starts; /* so far */
};

/* Finds the program beside ixd or in libexec and starts it. The program is looked up anew each time, so that
 * a restart takes a new version that has been installed. */
int child_start(struct child *child, const char *instance, struct why *why);
/* Sends a message; waits at most a second for room, as only a child that hangs has none: -EAGAIN then. */
int child_send(const struct child *child, const struct msg *m, const int *fds, unsigned fds_count);
/* Takes the exit status of a child that has exited, closes our descriptors. *text says how it ended. */
void child_reap(struct child *child, char *text, size_t text_size);
/* SIGKILL; the exit is noticed through pid_fd. */
void child_kill(const struct child *child);

#endif
