/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending and receiving the typed messages. One table says what a well-formed message of each type is; what
 * differs from it never reaches the receiver's logic.
 */
#include "daemon/common/msg.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/common/rights.h"

#define PAYLOAD_OFF    offsetof(struct msg, init)
#define PAYLOAD(field) sizeof(((struct msg *)0)->field)

static const struct msg_kind {
	const char *name;
	size_t payload_bytes;
	unsigned fds_min, fds_max;
} kinds[MSG_TYPE_COUNT] = {
    [MSG_DP_INIT] = {"dp-init", PAYLOAD(init), MSG_DP_INIT_FDS, MSG_DP_INIT_FDS + MSG_DP_TRANSMIT_FDS},
    [MSG_DP_XSK] = {"dp-xsk", PAYLOAD(xsk), 1, 2},
    [MSG_DP_START] = {"dp-start", 0, 0, 0},
    [MSG_DP_CONFIG] = {"dp-config", PAYLOAD(config), 0, 0},
    [MSG_DP_CLIENT_ADD] = {"dp-client-add", PAYLOAD(client_add), 3, 2 + IXD_CORES_MAX},
    [MSG_DP_CLIENT_DEL] = {"dp-client-del", PAYLOAD(client), 0, 0},
    [MSG_DP_CLIENT_POLICY] = {"dp-client-policy", PAYLOAD(client_add), 0, 0},
    [MSG_DP_LISTEN] = {"dp-listen", PAYLOAD(listen), 0, 0},
    [MSG_DP_LISTEN_DONE] = {"dp-listen-done", PAYLOAD(listen), 0, 0},
    [MSG_DP_UNLISTEN] = {"dp-unlisten", PAYLOAD(listen), 0, 0},
    [MSG_DP_STOP] = {"dp-stop", 0, 0, 0},
    [MSG_DP_IFACE_CLOSE] = {"dp-iface-close", PAYLOAD(iface), 0, 0},
    [MSG_DP_IFACE_OPEN] = {"dp-iface-open", PAYLOAD(iface), 0, 0},
    [MSG_SUP_READY] = {"sup-ready", 0, 0, 0},
    [MSG_SUP_ALIVE] = {"sup-alive", PAYLOAD(alive), 0, 0},
    [MSG_SUP_CLIENT_READY] = {"sup-client-ready", PAYLOAD(client), 0, 0},
    [MSG_SUP_CLIENT_GONE] = {"sup-client-gone", PAYLOAD(client), 0, 0},
    [MSG_SUP_CLIENT_FAULT] = {"sup-client-fault", PAYLOAD(fault), 0, 0},
    [MSG_SUP_LISTEN] = {"sup-listen", PAYLOAD(listen), 0, 0},
    [MSG_SUP_UNLISTEN] = {"sup-unlisten", PAYLOAD(listen), 0, 0},
    [MSG_SUP_LISTEN_READY] = {"sup-listen-ready", PAYLOAD(listen), 0, 0},
    [MSG_SUP_NEIGH] = {"sup-neigh", PAYLOAD(neigh), 0, 0},
    [MSG_SUP_IFACE_CLOSED] = {"sup-iface-closed", PAYLOAD(iface), 0, 0},
    [MSG_SUP_IFACE_OPENED] = {"sup-iface-opened", PAYLOAD(iface), 0, 0},
    [MSG_CTL_INIT] = {"ctl-init", PAYLOAD(init), 6, 7},
    [MSG_CTL_CONFIG] = {"ctl-config", PAYLOAD(config), 0, 0},
    [MSG_CTL_REPLY] = {"ctl-reply", PAYLOAD(reply), 0, 0},
    [MSG_CTL_STOP] = {"ctl-stop", 0, 0, 0},
    [MSG_SUP_CTL_READY] = {"sup-ctl-ready", 0, 0, 0},
    [MSG_SUP_REQUEST] = {"sup-request", PAYLOAD(request), 1, 1},
};

union fds_control {
	char buffer[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static const struct msg_kind *kind_find(uint32_t type)
{
	return type < MSG_TYPE_COUNT && kinds[type].name != NULL ? &kinds[type] : NULL;
}

const char *msg_type_name(uint32_t type)
{
	const struct msg_kind *kind = kind_find(type);

	return kind != NULL ? kind->name : "unknown";
}

int msg_send(int socket_fd, const struct msg *m, const int *fds, unsigned fds_count)
{
	const struct msg_kind *kind = kind_find(m->type);
	int error;

	if (kind == NULL || fds_count < kind->fds_min || fds_count > kind->fds_max)
		return -EINVAL;
	do
		error = rights_send(socket_fd, m, PAYLOAD_OFF + kind->payload_bytes, fds, fds_count, 0);
	while (error == -EINTR);
	return error;
}

/* A message without a byte reads like the end of file; only at the end has the peer hung up. */
static bool has_hung_up(int socket_fd)
{
	struct pollfd look = {.fd = socket_fd, .events = POLLRDHUP};

	return poll(&look, 1, 0) != 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Takes over every descriptor that came, so that a refused message leaves none behind. */
static unsigned fds_take(struct msghdr *header, int *fds)
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		memcpy(fds + count, CMSG_DATA(c), bytes);
		count += (unsigned)(bytes / sizeof(int));
	}
	return count;
}

static bool msg_is_well_formed(const struct msg *m, size_t bytes, unsigned fds_count, int flags)
{
	if ((flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || bytes < PAYLOAD_OFF)
		return false;
	const struct msg_kind *kind = kind_find(m->type);

	return kind != NULL && bytes == PAYLOAD_OFF + kind->payload_bytes && fds_count >= kind->fds_min &&
	       fds_count <= kind->fds_max;
}

int msg_recv(int socket_fd, struct msg *m, int *fds, unsigned *fds_count)
{
	union fds_control control;
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control.buffer,
				.msg_controllen = sizeof(control.buffer)};
	ssize_t bytes;

	*fds_count = 0;
	memset(m, 0, sizeof(*m)); /* what the message does not carry reads as zero */
	do
		bytes = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;

	unsigned count = fds_take(&header, fds);

	if (bytes == 0 && count == 0 && has_hung_up(socket_fd))
		return 0;
	if (!msg_is_well_formed(m, (size_t)bytes, count, header.msg_flags)) {
		rights_close(fds, count);
		return -EPROTO;
	}
	*fds_count = count;
	return 1;
}
