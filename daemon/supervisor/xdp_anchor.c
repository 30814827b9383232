/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The child that anchors an XDP program, and what it says to its parent.
 */
#include "daemon/supervisor/xdp_anchor.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <grp.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/rights.h"

#define LOOPBACK    1 /* the first device of every network namespace */
#define PATIENCE_MS 5000

enum step { STEP_DONE, STEP_USER, STEP_NAMESPACE, STEP_ATTACH, STEP_DESCRIPTOR };

struct report {
	enum step step; /* that failed */
	int error;
};

union fd_control {
	char buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* The namespace of a socket of ours. /proc/self/ns would need a /proc. */
static int namespace_open(void)
{
	int socket_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	int fd = socket_fd < 0 ? -1 : ioctl(socket_fd, SIOCGSKNS);

	return fd < 0 ? -errno : fd;
}

static struct report anchor(int program_fd, uint32_t uid, uint32_t gid, int *namespace_fd)
{
	int error;

	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return (struct report){STEP_USER, errno};
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return (struct report){STEP_NAMESPACE, errno};
	error = bpf_xdp_attach(LOOPBACK, program_fd, XDP_FLAGS_SKB_MODE, NULL);
	if (error < 0)
		return (struct report){STEP_ATTACH, -error};
	*namespace_fd = namespace_open();
	if (*namespace_fd < 0)
		return (struct report){STEP_DESCRIPTOR, -*namespace_fd};
	return (struct report){STEP_DONE, 0};
}

/* The namespace's descriptor or negative errno. */
static int report_receive(int socket_fd, struct why *why)
{
	static const char *const said[] = {
	    [STEP_USER] = "its user cannot be changed",
	    [STEP_NAMESPACE] = "user and network namespaces are refused (see user.max_user_namespaces)",
	    [STEP_ATTACH] = "the program cannot be attached",
	    [STEP_DESCRIPTOR] = "the namespace cannot be kept",
	};
	struct pollfd wait = {.fd = socket_fd, .events = POLLIN};
	struct report report;
	struct iovec part = {.iov_base = &report, .iov_len = sizeof(report)};
	union fd_control control = {.buffer = {0}};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.buffer,
				.msg_controllen = sizeof(control.buffer)};
	int fd = -1;

	if (poll(&wait, 1, PATIENCE_MS) <= 0)
		return why_set(why, -ETIMEDOUT, "anchoring the program took more than %d s",
			       PATIENCE_MS / 1000);
	if (recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(report))
		return why_set(why, -ECHILD, "the process that anchors the program ended early");
	if (report.step != STEP_DONE)
		return why_set(why, -report.error, "%s: %s", said[report.step], strerror(report.error));
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
	if (cmsg == NULL)
		return why_set(why, -EPROTO, "%s", said[STEP_DESCRIPTOR]);
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

int xdp_anchor_open(int program_fd, uint32_t uid, uint32_t gid, struct why *why)
{
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return why_set(why, -errno, "socketpair: %s", strerror(errno));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		int namespace_fd = -1;
		struct report report = anchor(program_fd, uid, gid, &namespace_fd);

		/* If it does not arrive the parent sees the end of file. */
		(void)rights_send(pair[1], &report, sizeof(report), &namespace_fd, namespace_fd >= 0 ? 1 : 0,
				  0);
		_exit(0);
	}
	fd = pid < 0 ? why_set(why, -errno, "fork: %s", strerror(errno)) : 0;
	close(pair[1]);
	if (pid > 0) {
		fd = report_receive(pair[0], why);
		/* Not reaped yet: the number is still its own. */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(pair[0]);
	return fd;
}
