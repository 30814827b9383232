/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter: which calls fail from then on, and which go on working. In a child, there is no way back.
 */
#include "daemon/common/sandbox_filter.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int channel[2], other[2];

static bool is_refused(long result)
{
	return result < 0 && errno == EPERM;
}

/* The number of the first wrong answer, 0: all are right. */
static int look(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct iovec byte = {.iov_base = (char[]){"x"}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};
	struct mmsghdr messages = {.msg_hdr = message};
	const int off = 0;
	union bpf_attr attributes = {.test = {.prog_fd = UINT32_MAX}};

	if (!is_refused(socket(AF_INET, SOCK_DGRAM, 0)))
		return 1;
	if (!is_refused(bind(other[0], (struct sockaddr *)&address, sizeof(address))) ||
	    !is_refused(connect(other[0], (struct sockaddr *)&address, sizeof(address))))
		return 2;
	if (!is_refused(sendto(other[0], "x", 1, 0, (struct sockaddr *)&address, sizeof(address))))
		return 3;
	if (!is_refused(sendmsg(other[0], &message, 0)) || !is_refused(sendmmsg(other[0], &messages, 1, 0)))
		return 4;
	if (!is_refused(setsockopt(other[0], SOL_IP, 1, &off, sizeof(off))))
		return 5;
	if (sendto(other[0], "x", 1, 0, NULL, 0) != 1 || writev(other[0], &byte, 1) != 1)
		return 6;
	if (sendmsg(channel[0], &message, 0) != 1)
		return 7;
	if (setsockopt(other[0], SOL_SOCKET, SO_PRIORITY, &off, sizeof(off)) != 0)
		return 8;
	/* The channel stays the channel. */
	if (!is_refused(dup2(other[0], channel[0])) || !is_refused(dup3(other[0], channel[0], O_CLOEXEC)))
		return 9;
	if (!is_refused(close(channel[0])) || !is_refused(close_range(0, ~0u, 0)))
		return 10;
	if (!is_refused(execl("/bin/true", "true", (char *)NULL)))
		return 11;
	if (dup2(other[0], other[1]) != other[1] || close(other[1]) != 0)
		return 12;
	/* bpf(2): a test run is refused by the kernel, for its attributes or by its own rules; others by us.
	 */
	for (int command = 0; command < 40; command++)
		if (command != BPF_PROG_TEST_RUN &&
		    !is_refused(syscall(SYS_bpf, command, &attributes, sizeof(attributes))))
			return 13;
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof(attributes)) != -1 || errno != EBADF)
		return 14;
	return 0;
}

Test(sandbox_filter, what_is_left)
{
	int status;
	pid_t pid;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, channel), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, other), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sandbox_filter_sockets(channel[0]))
			_exit(99);
		_exit(look());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 0, "answer %d is wrong", WEXITSTATUS(status));
}
