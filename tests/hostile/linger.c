/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends descriptors whose last close takes hours: TCP sockets that linger, with data that their peer never
 * takes. Whoever of ixd drops the last reference, by reading the message or by closing the socket that it
 * lies in, would stand still for so long. Once with the hello, once over the doorbell.
 */
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/hostile/raw.h"

#define LINGER_S 3600

static struct sockaddr_in address;

/* Never accepts: what connects stays in the backlog, and what it sends is taken by nobody. */
static void listen_deaf(void)
{
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		k_die("listen: %s", strerror(errno));
}

static int lingering(void)
{
	static const char bytes[65536];
	const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		k_die("socket: %s", strerror(errno));
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		continue;
	return fd;
}

/* Gives a lingering socket away; true when the other side has it. */
static bool give(int to, const void *bytes, size_t size)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.buffer = {0}};
	struct iovec part = {.iov_len = size};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.buffer,
				 .msg_controllen = sizeof(control.buffer)};
	int fd = lingering();

	memcpy(&part.iov_base, &bytes, sizeof(bytes));
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	bool is_given = sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)size;
	/* Ours is to be closed before theirs. What nobody took must not linger here. */
	if (!is_given)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
	close(fd);
	return is_given;
}

/* In a process of its own: one that closes last after all lingers itself, and is ended. */
static unsigned give_as_child(int to, const void *bytes, size_t size)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(give(to < 0 ? raw_socket() : to, bytes, size) ? 1 : 0);
	for (uint64_t end_ns = k_now_ns() + 200000000u; child > 0 && waitpid(child, &status, WNOHANG) == 0;)
		if (k_now_ns() > end_ns)
			kill(child, SIGKILL);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

int main(void)
{
	static const char rings[65536];
	const struct ix_hello hello = {.magic = IX_ABI_MAGIC, .version = IX_ABI_VERSION};
	unsigned given = 0;
	struct ix_event event;
	struct raw r;

	k_limit_time(60);
	listen_deaf();
	raw_open(&r);
	for (unsigned i = 0; i < 8; i++) {
		/* Behind so many rings that it is reached only when we have closed it. */
		(void)!send(r.doorbell, rings, sizeof(rings), MSG_DONTWAIT | MSG_NOSIGNAL);
		given += give_as_child(r.doorbell, "", 1);
	}
	for (unsigned i = 0; i < 8; i++) {
		given += give_as_child(-1, &hello, sizeof(hello));
		given += give_as_child(-1, "", 1);
	}
	/* ixd goes on. */
	raw_cmd(&r, (struct ix_cmd){.op = 99});
	if (!raw_wait(&r, IX_EV_ERROR, 5000, &event))
		k_die("not served any more; given=%u", given);
	int other = raw_socket();
	raw_hello(other);
	struct pollfd answer = {.fd = other, .events = POLLIN};
	if (poll(&answer, 1, 5000) != 1)
		k_die("ixd admits nobody any more; given=%u", given);
	printf("given=%u\n", given);
	return 0;
}
