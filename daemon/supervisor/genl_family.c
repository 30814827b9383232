/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking the kernel's family of families.
 */
#include "daemon/supervisor/genl_family.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_BYTES 32768

struct group {
	const char *name;
	uint32_t id;
};

/* What is looked for, and what was found. */
struct search {
	const char *group;
	struct genl_family *family;
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
	struct search *search = data;

	if (mnl_attr_parse_nested(attr, on_group_field, &group) >= 0 && group.name != NULL &&
	    strcmp(group.name, search->group) == 0)
		search->family->group_id = group.id;
	return MNL_CB_OK;
}

static int on_attr(const struct nlattr *attr, void *data)
{
	struct search *search = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID && mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
		search->family->id = mnl_attr_get_u16(attr);
	return mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS ? mnl_attr_parse_nested(attr, on_group, data)
								 : MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *message, void *data)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), on_attr, data);
}

static int ask(struct mnl_socket *socket, const char *name, struct search *search)
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
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) != 0 ||
	    mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
		ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (got < 0)
			return -errno;
		more = mnl_cb_run(buffer, (size_t)got, 1, mnl_socket_get_portid(socket), on_family, search);
		if (more < 0)
			return -errno;
	}
	return search->family->id != 0 && search->family->group_id != 0 ? 0 : -ENOENT;
}

int genl_family_find(const char *name, const char *group, struct genl_family *family)
{
	struct search search = {.group = group, .family = family};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);

	*family = (struct genl_family){0};
	if (socket == NULL)
		return -errno;
	int error = ask(socket, name, &search);
	mnl_socket_close(socket);
	return error;
}
