/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting an unprivileged process of ixd.
 */
#include "daemon/supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/clock.h"

#define SEND_BUFFER_BYTES (8 * 1024 * 1024)
#define SEND_PATIENCE_MS  1000

/* The descriptor of the program, close-on-exec. A copy of ixd in a build tree or a test's folder has its
 * helpers beside it; an installed one has them in libexec. */
static int program_open(const char *program, struct why *why)
{
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length > 0) {
		self[length] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < 2; i++) {
			int used = i == 0 ? snprintf(path, sizeof(path), "%s/../libexec/%s", self, program)
					  : snprintf(path, sizeof(path), "%s/%s", self, program);
			int fd = used < (int)sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
			if (fd >= 0)
				return fd;
		}
	}
	snprintf(path, sizeof(path), "%s/%s", IXD_LIBEXECDIR, program);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return why_set(why, -errno,
		       "%s: %s; looked beside ixd, in ../libexec and in %s: is ixd installed whole?", program,
		       strerror(errno), IXD_LIBEXECDIR);
}

/* Between fork and exec; every failure ends the child with a message, which the parent sees as an exit. */
static void child_exec(const struct child *child, const char *instance, int program_fd, int socket_fd,
		       pid_t supervisor)
{
	const char *failed = NULL;
	char *argv[] = {NULL, NULL, NULL};
	sigset_t none;

	argv[0] = strdup(child->program);
	argv[1] = strdup(instance);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* The program must not sit where the socket is to go. */
	int moved_fd = fcntl(program_fd, F_DUPFD_CLOEXEC, MSG_CHILD_FD + 1);
	if (moved_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		failed = "descriptors";
	else if (socket_fd == MSG_CHILD_FD ? fcntl(socket_fd, F_SETFD, 0) < 0
					   : dup2(socket_fd, MSG_CHILD_FD) < 0)
		failed = "socket";
	else if (syscall(SYS_close_range, MSG_CHILD_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		failed = "close_range";
	else if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		failed = "ambient capabilities";
	else if (setgroups(0, NULL) != 0 || setresgid(child->gid, child->gid, child->gid) != 0)
		failed = "group";
	else if (setresuid(child->uid, child->uid, child->uid) != 0)
		failed = "user";
	else if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		failed = "no_new_privs";
	/* After the change of user, which clears it; then make sure that the parent did not die before. */
	else if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != supervisor)
		failed = "parent";
	else if (chdir("/") == 0)
		syscall(SYS_execveat, moved_fd, "", argv, environ, AT_EMPTY_PATH);
	dprintf(STDERR_FILENO, "%s[%s]: error: cannot be started: %s: %s\n", child->program, instance,
		failed ? failed : "exec", strerror(errno));
	_exit(126);
}

/* Our end never blocks the loop; both can hold a whole start-up's messages. */
static int sockets_make(int pair[2])
{
	int bytes = SEND_BUFFER_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0 ? -errno : 0;
}

int child_start(struct child *child, const char *instance, struct why *why)
{
	int pair[2];
	int program_fd = program_open(child->program, why);

	if (program_fd < 0)
		return program_fd;
	int error = sockets_make(pair);
	if (error) {
		close(program_fd);
		return why_set(why, error, "%s: socketpair: %s", child->program, strerror(-error));
	}
	pid_t supervisor = getpid();
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		child_exec(child, instance, program_fd, pair[1], supervisor);
	error = pid < 0 ? -errno : 0;
	close(program_fd);
	close(pair[1]);
	/* The child is not reaped before this: the pid cannot have been given to another process. */
	int pid_fd = error ? -1 : pidfd_open(pid, 0);
	if (pid_fd < 0) {
		error = error ? error : -errno;
		close(pair[0]);
		if (pid > 0 && kill(pid, SIGKILL) == 0)
			waitpid(pid, NULL, 0);
		return why_set(why, error, "%s: cannot be started: %s", child->program, strerror(-error));
	}
	child->pid = pid;
	child->pid_fd = pid_fd;
	child->socket_fd = pair[0];
	child->started_ns = monotonic_ns();
	child->starts++;
	return 0;
}

int child_send(const struct child *child, const struct msg *m, const int *fds, unsigned fds_count)
{
	if (child->pid == 0)
		return -ENOTCONN;
	int error = msg_send(child->socket_fd, m, fds, fds_count);
	while (error == -EAGAIN || error == -EWOULDBLOCK) {
		struct pollfd wait = {.fd = child->socket_fd, .events = POLLOUT};
		int ready = poll(&wait, 1, SEND_PATIENCE_MS);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return -EAGAIN;
		error = msg_send(child->socket_fd, m, fds, fds_count);
	}
	return error;
}

void child_reap(struct child *child, char *text, size_t text_size)
{
	int status = 0;

	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFSIGNALED(status))
		snprintf(text, text_size, "was killed by signal %d (%s)", WTERMSIG(status),
			 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else
		snprintf(text, text_size, "exited with status %d", WEXITSTATUS(status));
	close(child->pid_fd);
	close(child->socket_fd);
	child->pid = 0;
	child->pid_fd = child->socket_fd = -1;
}

void child_kill(const struct child *child)
{
	if (child->pid > 0)
		syscall(SYS_pidfd_send_signal, child->pid_fd, SIGKILL, NULL, 0);
}
