/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the dataplane gives up before it looks at the first packet.
 */
#ifndef DAEMON_DATAPLANE_SANDBOX_H
#define DAEMON_DATAPLANE_SANDBOX_H

/* Before any descriptor is received: closes everything above first_fd, which children do not need. */
void sandbox_close_files(int first_fd);

/* No new privileges, an empty read-only root in a user and mount namespace of its own (else Landlock without any
 * right), no capability, not readable by other processes of the same user. To be called while the process has
 * one thread. Returns a static text that names what confines the file system, NULL when nothing does. */
const char *sandbox_enter(void);

#endif
