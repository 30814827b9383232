/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop of the servers on the kernel's TCP that serve many connections: one thread, epoll,
 * level-triggered. */
#ifndef TESTS_NET_K_ACCEPT_H
#define TESTS_NET_K_ACCEPT_H

#include <sys/epoll.h>

#include "tests/net/k.h"

#define K_EVENTS_MAX 256

struct k_server {
	int epoll_fd, listen_fd;
	int fds_max;               /* connections with a larger descriptor are closed at once */
	void (*on_ready)(int fd);  /* something can be read or written, or is over */
	bool (*on_accept)(int fd); /* false: no room for this one. May be NULL */
};

static inline void k_watch(const struct k_server *server, int fd, uint32_t events, int op)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(server->epoll_fd, op, fd, &event) != 0)
		k_die("epoll_ctl: %s", strerror(errno));
}

/* The next connection; -1 when none waits. TCP_NODELAY and the congestion control are inherited from the
 * listener: two calls less per connection. */
static inline int k_accept(int listen_fd, int flags)
{
	return accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | flags);
}

static inline void k_accept_all(const struct k_server *server)
{
	int fd;

	while ((fd = k_accept(server->listen_fd, SOCK_NONBLOCK)) >= 0) {
		if (fd < server->fds_max && (server->on_accept == NULL || server->on_accept(fd)))
			k_watch(server, fd, EPOLLIN, EPOLL_CTL_ADD);
		else
			close(fd);
	}
}

/* Serves those who come to a listener, for ever; wait_ms as in epoll_wait(2). */
__attribute__((noreturn)) static inline void k_serve_at(struct k_server *server, int listen_fd, int wait_ms)
{
	struct epoll_event events[K_EVENTS_MAX];

	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	server->listen_fd = listen_fd;
	k_set_nonblocking(server->listen_fd);
	k_watch(server, server->listen_fd, EPOLLIN, EPOLL_CTL_ADD);
	for (;;) {
		int count = epoll_wait(server->epoll_fd, events, K_EVENTS_MAX, wait_ms);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == server->listen_fd)
				k_accept_all(server);
			else
				server->on_ready(events[i].data.fd);
		}
	}
}

__attribute__((noreturn)) static inline void k_serve(struct k_server *server, const char *where, int wait_ms)
{
	k_serve_at(server, k_listen(where), wait_ms);
}

#endif
