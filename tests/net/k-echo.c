/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Echo server on the kernel's TCP: one thread, epoll, TCP_NODELAY, cubic; the contender of ix-echo. With
 * --spin it polls without sleeping, which is the kernel's best round-trip time. With --processes the
 * connections are shared out among so many, as more are open then than one process may have descriptors.
 */
#include <getopt.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/net/k-accept.h"

#define BUFFER_BYTES  65536
#define FDS_MAX       65536

#define PROCESSES_MAX 64u

struct conn {
	uint8_t *held; /* bytes that the socket did not take yet */
	size_t held_off, held_len;
};

static struct conn conns[FDS_MAX];
static struct k_server server;
static pid_t children[PROCESSES_MAX];
static unsigned children_count;

static void conn_close(int fd)
{
	free(conns[fd].held);
	conns[fd] = (struct conn){0};
	close(fd);
}

/* Keeps what the socket refuses and stops reading until it is written: the peer's window does the rest. */
static void conn_hold(int fd, const uint8_t *bytes, size_t len)
{
	struct conn *conn = &conns[fd];

	conn->held = malloc(len);
	if (conn->held == NULL)
		k_die("out of memory");
	memcpy(conn->held, bytes, len);
	conn->held_off = 0;
	conn->held_len = len;
	k_watch(&server, fd, EPOLLOUT, EPOLL_CTL_MOD);
}

static void conn_read(int fd)
{
	static uint8_t buffer[BUFFER_BYTES];
	ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
	ssize_t sent;

	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			conn_close(fd);
		return;
	}
	sent = send(fd, buffer, (size_t)got, 0);
	if (sent < 0) {
		if (errno != EAGAIN) {
			conn_close(fd);
			return;
		}
		sent = 0;
	}
	if (sent < got)
		conn_hold(fd, buffer + sent, (size_t)(got - sent));
}

static void conn_write(int fd)
{
	struct conn *conn = &conns[fd];
	ssize_t sent = send(fd, conn->held + conn->held_off, conn->held_len - conn->held_off, 0);

	if (sent < 0) {
		if (errno != EAGAIN)
			conn_close(fd);
		return;
	}
	conn->held_off += (size_t)sent;
	if (conn->held_off < conn->held_len)
		return;
	free(conn->held);
	*conn = (struct conn){0};
	k_watch(&server, fd, EPOLLIN, EPOLL_CTL_MOD);
}

static void conn_turn(int fd)
{
	if (conns[fd].held != NULL)
		conn_write(fd);
	else
		conn_read(fd);
}

/* Whoever waits for the end may use the address again: the listeners go first. */
static void on_end(int signal_number)
{
	for (unsigned i = 0; i < children_count; i++)
		kill(children[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	_exit(signal_number == SIGALRM ? K_EXIT_TIMEOUT : 0);
}

/* A child that is gone takes its share of the listeners' connections with it. */
__attribute__((noreturn)) static void children_watch(void)
{
	const struct sigaction action = {.sa_handler = on_end};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	wait(NULL);
	on_end(0);
	_exit(1);
}

/* Returns a listener, in each of so many children; the parent ends with its signal, and they with it. All
 * listeners exist before the first connection, which is given to one of them by the hash of its addresses. */
static int processes_make(const char *where, unsigned count)
{
	int listeners[PROCESSES_MAX], mine;
	pid_t parent = getpid(), child = 1;

	for (unsigned i = 0; i < count; i++)
		listeners[i] = k_listener_make(where, true);
	while (children_count < count && child != 0) {
		child = fork();
		if (child < 0)
			k_die("fork: %s", strerror(errno));
		if (child > 0)
			children[children_count++] = child;
	}
	mine = child == 0 ? listeners[children_count] : -1;
	for (unsigned i = 0; i < count; i++)
		if (listeners[i] != mine)
			close(listeners[i]);
	if (child != 0) {
		k_say_listening(where);
		children_watch();
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	return mine;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"spin", no_argument, NULL, 's'},
	    {"processes", required_argument, NULL, 'p'},
	    {"timeout", required_argument, NULL, 't'},
	    {0},
	};
	const char *where = NULL;
	unsigned timeout_s = 60, processes = 1;
	int wait_ms = -1;
	int option;

	while ((option = getopt_long(argc, argv, "l:sp:t:", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			where = optarg;
			break;
		case 's':
			wait_ms = 0;
			break;
		case 'p':
			processes = (unsigned)k_number(optarg);
			break;
		case 't':
			timeout_s = (unsigned)k_number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (where == NULL || optind != argc)
		k_die("usage: k-echo --listen ADDRESS:PORT [--spin] [--processes N] [--timeout SECONDS]");
	if (processes < 1 || processes > PROCESSES_MAX)
		k_die("--processes takes 1 to %u, not %u", PROCESSES_MAX, processes);
	k_limit_time(timeout_s);
	server.fds_max = FDS_MAX;
	server.on_ready = conn_turn;
	if (processes > 1)
		k_serve_at(&server, processes_make(where, processes), wait_ms);
	k_serve(&server, where, wait_ms);
}
