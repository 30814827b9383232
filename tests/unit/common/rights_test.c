/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/common/rights.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool send_with_fd(int to, int fd)
{
	return rights_send(to, "x", 1, &fd, 1, 0) == 0;
}

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

Test(rights, received_descriptors_are_closed)
{
	char buffer[16];
	bool had_any = false;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	int before = lowest_free();
	cr_assert(send_with_fd(pair[1], pair[0]));
	cr_assert_eq(rights_recv(pair[0], buffer, sizeof(buffer), MSG_DONTWAIT, &had_any), 1);
	cr_expect(had_any);
	cr_expect_eq(lowest_free(), before);
	cr_assert_eq(send(pair[1], "y", 1, 0), 1);
	cr_assert_eq(rights_recv(pair[0], buffer, sizeof(buffer), MSG_DONTWAIT, &had_any), 1);
	cr_expect_not(had_any);
}

Test(rights, messages_go_whole_or_not_at_all)
{
	int fds[254] = {0}, pair[2];
	char buffer[16];
	bool had_any = true;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(rights_send(pair[1], "none", 4, NULL, 0, 0), 0);
	cr_assert_eq(rights_recv(pair[0], buffer, sizeof(buffer), MSG_DONTWAIT, &had_any), 4);
	cr_expect_not(had_any);
	cr_assert_eq(rights_send(pair[1], "as many as go", 13, fds, 253, 0), 0);
	cr_assert_eq(rights_recv(pair[0], buffer, sizeof(buffer), MSG_DONTWAIT, &had_any), 13);
	cr_expect(had_any);
	cr_expect_eq(rights_send(pair[1], "more", 4, fds, 254, 0), -EINVAL);
	cr_expect_eq(rights_send(pair[1], "wrong", 5, &(int){-1}, 1, 0), -EBADF);
	close(pair[0]);
	cr_expect_eq(rights_send(pair[1], "nobody", 6, NULL, 0, 0), -EPIPE, "and no signal");
}

/* Either the kernel refuses, or (before 6.16) what comes is thrown away; bytes alone always pass. */
Test(rights, refused_descriptors_do_not_arrive)
{
	char buffer[16];
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	rights_refuse(pair[0]);
	if (send_with_fd(pair[1], pair[0]))
		cr_expect_eq(rights_recv(pair[0], buffer, sizeof(buffer), MSG_DONTWAIT, NULL), 1);
	cr_assert_eq(send(pair[1], "y", 1, 0), 1);
	cr_expect_eq(rights_recv(pair[0], buffer, sizeof(buffer), MSG_DONTWAIT, NULL), 1);
	/* The other direction is as it was: that is how clients get theirs. */
	cr_expect(send_with_fd(pair[0], pair[1]));
}

Test(rights, a_socket_does_not_linger)
{
	const struct linger hours = {.l_onoff = 1, .l_linger = 3600};
	struct linger found = {0};
	socklen_t length = sizeof(found);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), other = dup(fd);

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hours, sizeof(hours)), 0);
	rights_close(&fd, 1);
	cr_assert_eq(getsockopt(other, SOL_SOCKET, SO_LINGER, &found, &length), 0);
	cr_expect_eq(found.l_onoff, 0);
	close(other);
}
