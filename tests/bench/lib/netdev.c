/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking for a family's number, and for a device. */
#include "tests/bench/lib/netdev.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_BYTES     8192
#define FAMILY           "netdev"
/* linux/netdev.h, which the oldest kernel's headers that are supported do not have. */
#define CMD_DEV_GET      1
#define ATTR_IFINDEX     1
#define ATTR_FEATURES    3
#define FEATURE_NDO_XMIT 4u

struct wanted {
	uint16_t type;
	uint64_t value;
};

static int on_attr(const struct nlattr *attr, void *data)
{
	struct wanted *wanted = data;
	size_t bytes = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) != wanted->type)
		return MNL_CB_OK;
	if (bytes == sizeof(uint16_t))
		wanted->value = mnl_attr_get_u16(attr);
	else if (bytes == sizeof(uint64_t))
		wanted->value = mnl_attr_get_u64(attr);
	return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *message, void *data)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), on_attr, data);
}

static struct nlmsghdr *request(char *buffer, unsigned family, uint8_t command)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *general = mnl_nlmsg_put_extra_header(message, sizeof(*general));

	message->nlmsg_type = (uint16_t)family;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = 1;
	general->cmd = command;
	general->version = 1;
	return message;
}

/* The value of an attribute of the answer; 0: there is none. */
static uint64_t ask(struct mnl_socket *socket, struct nlmsghdr *message, uint16_t type)
{
	struct wanted wanted = {.type = type};
	char buffer[BUFFER_BYTES];
	int more = MNL_CB_OK;

	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return 0;
	while (more > MNL_CB_STOP) {
		ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (got < 0)
			return 0;
		more = mnl_cb_run(buffer, (size_t)got, 1, mnl_socket_get_portid(socket), on_message, &wanted);
	}
	return wanted.value;
}

void bench_netdev_open(struct bench_netdev *netdev, unsigned ifindex)
{
	char buffer[BUFFER_BYTES];
	struct nlmsghdr *message = request(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);

	*netdev = (struct bench_netdev){.ifindex = ifindex};
	netdev->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (netdev->socket == NULL)
		return;
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, FAMILY);
	if (mnl_socket_bind(netdev->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		netdev->family = (unsigned)ask(netdev->socket, message, CTRL_ATTR_FAMILY_ID);
	if (netdev->family == 0)
		bench_netdev_close(netdev);
}

void bench_netdev_close(struct bench_netdev *netdev)
{
	if (netdev->socket != NULL)
		mnl_socket_close(netdev->socket);
	netdev->socket = NULL;
}

bool bench_netdev_takes_frames(const struct bench_netdev *netdev)
{
	char buffer[BUFFER_BYTES];
	struct nlmsghdr *message;

	if (netdev->socket == NULL)
		return false;
	message = request(buffer, netdev->family, CMD_DEV_GET);
	mnl_attr_put_u32(message, ATTR_IFINDEX, netdev->ifindex);
	return (ask(netdev->socket, message, ATTR_FEATURES) & FEATURE_NDO_XMIT) != 0;
}
