/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News of a generic netlink family, as "somebody has changed queues, rings or RSS of some interface" from
 * ethtool's. What exactly is not read here: the one who is told looks for himself.
 */
#ifndef DAEMON_SUPERVISOR_GENL_NEWS_H
#define DAEMON_SUPERVISOR_GENL_NEWS_H

#include <libmnl/libmnl.h>

#include "daemon/supervisor/loop.h"
#include "daemon/supervisor/why.h"

struct genl_news {
	struct mnl_socket *socket; /* NULL: the kernel has no such family */
	struct loop_watch *watch;
	uint16_t family; /* its number, for requests on another socket */
	void (*on_news)(void *arg);
	void *arg;
};

/* Calls on_news(arg) after each message to the family's multicast group. A kernel without the family is no
 * error: nothing is ever told. */
int genl_news_open(struct genl_news *news, struct loop *loop, const char *family, const char *group,
		   void (*on_news)(void *arg), void *arg, struct why *why);
void genl_news_close(struct genl_news *news, struct loop *loop);

#endif
