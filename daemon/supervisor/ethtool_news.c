/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News of ethtool's netlink family: finds its multicast group and listens.
 */
#include "daemon/supervisor/ethtool_news.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>
#include <sys/socket.h>

#define FAMILY       "ethtool"
#define GROUP        "monitor"
#define BUFFER_BYTES 32768

struct group {
	const char *name;
	uint32_t id;
};

static int on_group_field(const struct nlattr *field, void *data)
{
	struct group *group = data;

	if (mnl_attr_get_type(field) == CTRL_ATTR_MCAST_GRP_NAME &&
	    mnl_attr_validate(field, MNL_TYPE_NUL_STRING) >= 0)
		group->name = mnl_attr_get_str(field);
	if (mnl_attr_get_type(field) == CTRL_ATTR_MCAST_GRP_ID && mnl_attr_validate(field, MNL_TYPE_U32) >= 0)
		group->id = mnl_attr_get_u32(field);
	return MNL_CB_OK;
}

static int on_group(const struct nlattr *attr, void *data)
{
	struct group group = {NULL, 0};

	if (mnl_attr_parse_nested(attr, on_group_field, &group) >= 0 && group.name != NULL &&
	    strcmp(group.name, GROUP) == 0)
		memcpy(data, &group.id, sizeof(group.id));
	return MNL_CB_OK;
}

static int on_attr(const struct nlattr *attr, void *data)
{
	return mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS ? mnl_attr_parse_nested(attr, on_group, data)
								 : MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *message, void *data)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), on_attr, data);
}

/* The number of the family's group; 0: the kernel has none. */
static uint32_t group_find(struct mnl_socket *socket)
{
	static char buffer[BUFFER_BYTES];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *general = mnl_nlmsg_put_extra_header(message, sizeof(*general));
	uint32_t group = 0;

	message->nlmsg_type = GENL_ID_CTRL;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = 1;
	general->cmd = CTRL_CMD_GETFAMILY;
	general->version = 1;
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, FAMILY);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return 0;
	for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
		ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (got < 0)
			return 0;
		more = mnl_cb_run(buffer, (size_t)got, 1, mnl_socket_get_portid(socket), on_family, &group);
	}
	return group;
}

static void on_readable(void *arg)
{
	static char buffer[BUFFER_BYTES];
	struct ethtool_news *news = arg;
	bool has_news = false;

	/* Also when the kernel had to drop some: that is news, too. */
	for (unsigned i = 0; i < 64; i++) {
		ssize_t got = recv(mnl_socket_get_fd(news->socket), buffer, sizeof(buffer), MSG_DONTWAIT);
		if (got <= 0 && errno != ENOBUFS)
			break;
		has_news = true;
	}
	if (has_news)
		news->on_news(news->arg);
}

int ethtool_news_open(struct ethtool_news *news, struct loop *loop, void (*on_news)(void *arg), void *arg,
		      struct why *why)
{
	*news = (struct ethtool_news){.on_news = on_news, .arg = arg};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);

	if (socket == NULL)
		return 0; /* not permitted to this service: the regular look has to do */
	uint32_t group = 0;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0)
		group = group_find(socket);
	if (group == 0 || mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
		mnl_socket_close(socket);
		return 0;
	}
	news->watch = loop_watch_add(loop, mnl_socket_get_fd(socket), on_readable, news);
	if (news->watch == NULL) {
		mnl_socket_close(socket);
		return why_set(why, -ENOMEM, "out of memory");
	}
	news->socket = socket;
	return 0;
}

void ethtool_news_close(struct ethtool_news *news, struct loop *loop)
{
	if (news->socket == NULL)
		return;
	loop_watch_remove(loop, news->watch);
	mnl_socket_close(news->socket);
	news->socket = NULL;
}
