/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors that go along with a message: sending ours, and refusing a stranger's. Whoever drops the last
 * reference to one runs its close, and that can take as long as the sender likes: a TCP socket that lingers,
 * a file of its own file system. No thread that others depend on may do that for a stranger.
 */
#ifndef DAEMON_COMMON_RIGHTS_H
#define DAEMON_COMMON_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* One message of `size` bytes with `count` descriptors, which stay the caller's; `flags` as those of
 * sendmsg(), without a signal in any case. 0 or negative errno; on a socket that keeps messages apart never a
 * part. */
int rights_send(int socket_fd, const void *message, size_t size, const int *fds, unsigned count, int flags);

/* From now on the kernel refuses descriptors to those who send to this Unix socket, and to those who connect
 * to it when it listens (unix(7), SO_PASSRIGHTS). Before Linux 6.16 nothing happens, and rights_recv() is all
 * that protects. */
void rights_refuse(int socket_fd);

/* recv(), with the descriptors that come along closed by rights_close() and not by the kernel. *had_any, if
 * not NULL, says whether there were some. Returns as recvmsg(); with MSG_TRUNC in flags the real length. */
ssize_t rights_recv(int socket_fd, void *buffer, size_t size, int flags, bool *had_any);

/* Closes descriptors of a stranger; a socket among them does not linger. */
void rights_close(const int *fds, unsigned count);

#endif
