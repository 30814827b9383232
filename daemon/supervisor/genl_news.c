/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening to a multicast group of generic netlink.
 */
#include "daemon/supervisor/genl_news.h"

#include <errno.h>
#include <sys/socket.h>

#include "daemon/supervisor/genl_family.h"

#define BUFFER_BYTES 32768

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
	struct genl_family found;

	*news = (struct genl_news){.on_news = on_news, .arg = arg};
	if (genl_family_find(family, group, &found) != 0)
		return 0; /* also when it is not permitted to this service: the regular look has to do */
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (socket == NULL)
		return 0;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) != 0 ||
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
