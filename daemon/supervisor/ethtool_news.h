/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News of ethtool's netlink family: somebody has changed queues, rings or RSS of some interface. What exactly
 * is not read here: the one who is told looks for himself.
 */
#ifndef DAEMON_SUPERVISOR_ETHTOOL_NEWS_H
#define DAEMON_SUPERVISOR_ETHTOOL_NEWS_H

#include <libmnl/libmnl.h>

#include "daemon/supervisor/loop.h"
#include "daemon/supervisor/why.h"

struct ethtool_news {
	struct mnl_socket *socket; /* NULL: the kernel has no such family */
	struct loop_watch *watch;
	void (*on_news)(void *arg);
	void *arg;
};

/* Calls on_news(arg) after each change. A kernel without the family is no error: nothing is ever told. */
int ethtool_news_open(struct ethtool_news *news, struct loop *loop, void (*on_news)(void *arg), void *arg,
		      struct why *why);
void ethtool_news_close(struct ethtool_news *news, struct loop *loop);

#endif
