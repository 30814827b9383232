/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key-value server on the kernel's TCP: the store and the protocols of ix-kv on one thread, epoll,
 * TCP_NODELAY, cubic. A request costs one recv() and one send(), a batch of ready connections one
 * epoll_wait(); with --spin it polls without sleeping.
 */
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "client-lib/examples/kv_session.h"
#include "tests/net/k.h"

#define EVENTS_MAX 256
#define FDS_MAX    65536
#define IN_BYTES   (128u << 10)
#define OUT_BYTES  (256u << 10)

struct bytes {
	uint8_t *at;
	size_t off, len;
};

struct conn {
	struct kv_session session;
	struct bytes unread; /* the beginning of a request */
	struct bytes unsent; /* what the socket did not take yet */
	bool is_open, is_ending, is_eof;
};

static struct conn conns[FDS_MAX];
static int epoll_fd;
static struct kv_store *store;

/* Input: what was left over lies right before what is received. */
static uint8_t input[IN_BYTES + KV_IN_MIN_BYTES];
static uint8_t output[OUT_BYTES];

static bool bytes_keep(struct bytes *bytes, const uint8_t *from, size_t len)
{
	free(bytes->at);
	*bytes = (struct bytes){0};
	if (!len)
		return true;
	bytes->at = malloc(len);
	if (!bytes->at)
		return false;
	memcpy(bytes->at, from, len);
	bytes->len = len;
	return true;
}

static void conn_close(int fd)
{
	struct conn *conn = &conns[fd];

	kv_session_end(&conn->session);
	free(conn->unread.at);
	free(conn->unsent.at);
	*conn = (struct conn){0};
	close(fd);
}

static void conn_watch(int fd, uint32_t events, int op)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, op, fd, &event) != 0)
		k_die("epoll_ctl: %s", strerror(errno));
}

static void accept_all(int listen_fd)
{
	int fd;

	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= FDS_MAX) {
			close(fd);
			continue;
		}
		/* TCP_NODELAY and cubic are inherited from the listener. */
		conns[fd].is_open = true;
		kv_session_init(&conns[fd].session, store);
		conn_watch(fd, EPOLLIN, EPOLL_CTL_ADD);
	}
}

/* Sends `len` bytes, keeps what the socket refuses. False: the connection is over. */
static bool conn_send(int fd, const uint8_t *bytes, size_t len)
{
	struct conn *conn = &conns[fd];
	ssize_t sent = send(fd, bytes, len, 0);

	if (sent < 0 && errno != EAGAIN)
		return false;
	if (sent < 0)
		sent = 0;
	if ((size_t)sent == len)
		return true;
	if (!bytes_keep(&conn->unsent, bytes + sent, len - (size_t)sent))
		return false;
	/* Not read from until this has left: the peer's window does the rest. */
	conn_watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
	return true;
}

/* Answers the requests in `len` bytes. False: the connection is over. */
static bool conn_run(int fd, const uint8_t *bytes, size_t len)
{
	struct conn *conn = &conns[fd];
	struct kv_io io = {.in = bytes, .in_end = bytes + len};
	enum kv_verdict verdict;

	do {
		io.out = output;
		io.out_end = output + sizeof(output);
		verdict = kv_session_run(&conn->session, &io);
		if (io.out > output && !conn_send(fd, output, (size_t)(io.out - output)))
			return false;
	} while (verdict == KV_WANTS_ROOM && !conn->unsent.len);
	if (verdict == KV_WANTS_CLOSE || (verdict == KV_WANTS_INPUT && conn->is_eof))
		conn->is_ending = true;
	if (conn->is_ending && !conn->unsent.len)
		return false;
	if (io.in < io.in_end || conn->unread.len)
		return bytes_keep(&conn->unread, io.in, (size_t)(io.in_end - io.in));
	return true;
}

static void conn_read(int fd)
{
	struct conn *conn = &conns[fd];
	size_t before = conn->unread.len;
	ssize_t got;

	if (before)
		memcpy(input, conn->unread.at, before);
	got = recv(fd, input + before, IN_BYTES, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	conn->is_eof = got == 0;
	if (got < 0 || !conn_run(fd, input, before + (size_t)got))
		conn_close(fd);
}

static void conn_write(int fd)
{
	struct conn *conn = &conns[fd];
	struct bytes *unsent = &conn->unsent;
	size_t before = conn->unread.len;
	ssize_t sent = send(fd, unsent->at + unsent->off, unsent->len - unsent->off, 0);

	if (sent < 0) {
		if (errno != EAGAIN)
			conn_close(fd);
		return;
	}
	unsent->off += (size_t)sent;
	if (unsent->off < unsent->len)
		return;
	bytes_keep(unsent, NULL, 0);
	if (conn->is_ending) {
		conn_close(fd);
		return;
	}
	/* Requests that waited for this. */
	if (before)
		memcpy(input, conn->unread.at, before);
	if (!conn_run(fd, input, before))
		conn_close(fd);
	else if (!unsent->len)
		conn_watch(fd, EPOLLIN, EPOLL_CTL_MOD);
}

static void serve(int listen_fd, int signal_fd, int wait_ms)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS_MAX, wait_ms);

		if (count > 0)
			kv_store_tick(store, k_now_ns());
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == signal_fd)
				return;
			if (fd == listen_fd)
				accept_all(listen_fd);
			else if (conns[fd].unsent.len)
				conn_write(fd);
			else
				conn_read(fd);
		}
	}
}

/* TERM and INT end the loop, so that the statistics can be told. */
static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},  {"spin", no_argument, NULL, 's'},
	    {"memory", required_argument, NULL, 'm'},  {"json", no_argument, NULL, 'j'},
	    {"timeout", required_argument, NULL, 't'}, {0},
	};
	const char *where = NULL;
	uint64_t memory_mb = 64;
	unsigned timeout_s = 60;
	bool has_json = false;
	int wait_ms = -1;
	int option, listen_fd, signal_fd;

	while ((option = getopt_long(argc, argv, "l:sm:jt:", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			where = optarg;
			break;
		case 's':
			wait_ms = 0;
			break;
		case 'm':
			memory_mb = k_number(optarg);
			break;
		case 'j':
			has_json = true;
			break;
		case 't':
			timeout_s = (unsigned)k_number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (where == NULL || optind != argc)
		k_die(
		    "usage: k-kv --listen ADDRESS:PORT [--spin] [--memory MIB] [--json] [--timeout SECONDS]");
	k_limit_time(timeout_s);
	store = kv_store_new(memory_mb << 20, k_now_ns(), (uint64_t)time(NULL));
	if (store == NULL)
		k_die("%llu MiB of memory: %s", (unsigned long long)memory_mb, strerror(errno));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	signal_fd = watch_signals();
	conn_watch(signal_fd, EPOLLIN, EPOLL_CTL_ADD);
	listen_fd = k_listen(where);
	k_set_nonblocking(listen_fd);
	conn_watch(listen_fd, EPOLLIN, EPOLL_CTL_ADD);
	serve(listen_fd, signal_fd, wait_ms);
	if (has_json)
		kv_stats_json(store, stdout);
	kv_store_free(store);
	return 0;
}
