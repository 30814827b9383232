/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A system call filter against what a process that holds sockets of others could do with them.
 */
#ifndef DAEMON_COMMON_SANDBOX_FILTER_H
#define DAEMON_COMMON_SANDBOX_FILTER_H

/* From here on the process and its future threads make no socket, bind and connect none, send to no
 * address, pass no descriptor or message but through channel_fd, and of bpf(2) have test runs alone: other
 * such calls fail with EPERM. Needs no_new_privs. 0 or negative errno. */
int sandbox_filter_sockets(int channel_fd);

#endif
