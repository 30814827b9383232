/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending descriptors; refusing and closing those of strangers.
 */
#include "daemon/common/rights.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

#define RIGHTS_MAX 253 /* of one message: the kernel's SCM_MAX_FD */

/* Room for the descriptors of one message. */
union control {
	char bytes[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int rights_send(int socket_fd, const void *message, size_t size, const int *fds, unsigned count, int flags)
{
	/* sendmsg only reads what an iovec points to, though the type does not say so. */
	struct iovec part = {.iov_len = size};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	union control control;

	if (count > RIGHTS_MAX)
		return -EINVAL;
	memcpy(&part.iov_base, &message, sizeof(part.iov_base));
	if (count > 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		memset(control.bytes, 0, header.msg_controllen);
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	return sendmsg(socket_fd, &header, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void rights_refuse(int socket_fd)
{
	const int off = 0;

	(void)setsockopt(socket_fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

void rights_close(const int *fds, unsigned count)
{
	const struct linger off = {.l_onoff = 0};

	for (unsigned i = 0; i < count; i++) {
		/* Fails on what is no socket. Who has another reference can switch it on again, but then the
		 * last close is not ours. */
		(void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &off, sizeof(off));
		close(fds[i]);
	}
}

ssize_t rights_recv(int socket_fd, void *buffer, size_t size, int flags, bool *had_any)
{
	union control control;
	struct iovec part = {.iov_base = buffer, .iov_len = size};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(socket_fd, &header, flags | MSG_CMSG_CLOEXEC);

	if (had_any != NULL)
		*had_any = false;
	if (got < 0)
		return got;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c)) {
		int fds[RIGHTS_MAX];
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || bytes > sizeof(fds))
			continue;
		memcpy(fds, CMSG_DATA(c), bytes);
		rights_close(fds, (unsigned)(bytes / sizeof(int)));
		if (had_any != NULL)
			*had_any = true;
	}
	return got;
}
