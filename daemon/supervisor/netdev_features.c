/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One question to the kernel's netdev family. Its header, linux/netdev.h, is younger than the oldest kernel
 * that is supported: what is needed of it stands here.
 */
#include "daemon/supervisor/netdev_features.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <string.h>
#include <sys/socket.h>

#define NETDEV_CMD_DEV_GET        1
#define NETDEV_A_DEV_IFINDEX      1
#define NETDEV_A_DEV_XDP_FEATURES 3
#define VERSION                   1
#define BUFFER_BYTES              8192

struct answer {
	uint64_t features;
	int error; /* until it has come */
};

bool netdev_xmit_is_safe(const char *driver)
{
	return strcmp(driver, "veth") == 0;
}

static int on_attr(const struct nlattr *attr, void *data)
{
	struct answer *answer = data;

	if (mnl_attr_get_type(attr) == NETDEV_A_DEV_XDP_FEATURES &&
	    mnl_attr_validate(attr, MNL_TYPE_U64) >= 0) {
		answer->features = mnl_attr_get_u64(attr);
		answer->error = 0;
	}
	return MNL_CB_OK;
}

static int on_device(const struct nlmsghdr *message, void *data)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), on_attr, data);
}

static int ask(struct mnl_socket *socket, uint16_t family, uint32_t ifindex, struct answer *answer)
{
	char buffer[BUFFER_BYTES];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *general = mnl_nlmsg_put_extra_header(message, sizeof(*general));

	message->nlmsg_type = family;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = 1;
	general->cmd = NETDEV_CMD_DEV_GET;
	general->version = VERSION;
	mnl_attr_put_u32(message, NETDEV_A_DEV_IFINDEX, ifindex);
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) != 0 ||
	    mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	/* The kernel has answered before sendto() returns. */
	ssize_t got = recv(mnl_socket_get_fd(socket), buffer, sizeof(buffer), MSG_DONTWAIT);
	if (got < 0)
		return -errno;
	if (mnl_cb_run(buffer, (size_t)got, 1, mnl_socket_get_portid(socket), on_device, answer) < 0)
		return -errno;
	return answer->error;
}

int netdev_xdp_features(uint16_t family, uint32_t ifindex, uint64_t *features)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	struct answer answer = {.error = -ENODATA};

	if (socket == NULL)
		return -errno;
	int error = ask(socket, family, ifindex, &answer);
	mnl_socket_close(socket);
	*features = answer.features;
	return error;
}
