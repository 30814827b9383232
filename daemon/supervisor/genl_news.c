/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News of a generic netlink family: finds its multicast group and listens.
 */
#include "daemon/supervisor/genl_news.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_BYTES 32768

struct group {
	const char *name;
	uint32_t id;
};

/* What is looked for, and what was found. */
struct family {
	const char *group;
	uint32_t group_id;
	uint16_t id;
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
	struct family *family = data;

	if (mnl_attr_parse_nested(attr, on_group_field, &group) >= 0 && group.name != NULL &&
	    strcmp(group.name, family->group) == 0)
		family->group_id = group.id;
	return MNL_CB_OK;
}

static int on_attr(const struct nlattr *attr, void *data)
{
	struct family *family = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID && mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
		family->id = mnl_attr_get_u16(attr);
	return mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS ? mnl_attr_parse_nested(attr, on_group, data)
								 : MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *message, void *data)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), on_attr, data);
}

/* False: the kernel has no such family or group. */
static bool family_find(struct mnl_socket *socket, const char *name, struct family *family)
{
	static char buffer[BUFFER_BYTES];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *general = mnl_nlmsg_put_extra_header(message, sizeof(*general));

	message->nlmsg_type = GENL_ID_CTRL;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = 1;
	general->cmd = CTRL_CMD_GETFAMILY;
	general->version = 1;
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, name);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return false;
	for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
		ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (got < 0)
			return false;
		more = mnl_cb_run(buffer, (size_t)got, 1, mnl_socket_get_portid(socket), on_family, family);
	}
	return family->id != 0 && family->group_id != 0;
}

static void on_readable(void *arg)
{
	static char buffer[BUFFER_BYTES];
	struct genl_news *news = arg;
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

int genl_news_open(struct genl_news *news, struct loop *loop, const char *family, const char *group,
		   void (*on_news)(void *arg), void *arg, struct why *why)
{
	struct family found = {.group = group};

	*news = (struct genl_news){.on_news = on_news, .arg = arg};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (socket == NULL)
		return 0; /* not permitted to this service: the regular look has to do */
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) != 0 || !family_find(socket, family, &found) ||
	    mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &found.group_id, sizeof(found.group_id)) <
		0) {
		mnl_socket_close(socket);
		return 0;
	}
	news->watch = loop_watch_add(loop, mnl_socket_get_fd(socket), on_readable, news);
	if (news->watch == NULL) {
		mnl_socket_close(socket);
		return why_set(why, -ENOMEM, "out of memory");
	}
	news->socket = socket;
	news->family = found.id;
	return 0;
}

void genl_news_close(struct genl_news *news, struct loop *loop)
{
	if (news->socket == NULL)
		return;
	loop_watch_remove(loop, news->watch);
	mnl_socket_close(news->socket);
	news->socket = NULL;
}
