/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet socket that can only send.
 */
#include "daemon/supervisor/packet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes under way to the driver; a driver that keeps them until they are on the wire would otherwise bound a
 * connection by the system's default, which is two or three large sends. */
#define SEND_BUFFER_BYTES (4 << 20)

static int option_set(int fd, int level, int name, const void *value, socklen_t bytes)
{
	return setsockopt(fd, level, name, value, bytes) < 0 ? -errno : 0;
}

/* Protocol 0 receives nothing. The filter, which cannot be taken off again, keeps it so whatever the process
 * that is given the socket binds it to. */
static int receiving_refuse(int fd)
{
	struct sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = {.len = 1, .filter = &refuse};
	const int on = 1;
	int error = option_set(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));

	return error ? error : option_set(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on));
}

static int prepare(int fd, uint32_t ifindex)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex};
	const int on = 1, bytes = SEND_BUFFER_BYTES;
	int error = receiving_refuse(fd);

	if (!error)
		error = option_set(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on));
	if (!error)
		/* More than the system's limit takes CAP_NET_ADMIN; less is slower, not wrong. */
		(void)option_set(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if (!error && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		error = -errno;
	return error;
}

int packet_socket_open(uint32_t ifindex)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = fd < 0 ? -errno : prepare(fd, ifindex);

	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	return error;
}
