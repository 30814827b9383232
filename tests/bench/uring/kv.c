/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * k-uring-kv: the key-value server on the kernel's TCP by io_uring: the store and the protocols of ix-kv, as
 * k-kv has them on epoll. Requests are read from the buffers they came in; the answers to one buffer are one
 * send.
 */
#include <getopt.h>

#include "client-lib/examples/kv_session.h"
#include "tests/bench/uring/loop.h"
#include "tests/net/k.h"

#define OUT_BYTES (256u << 10)

struct conn {
	struct kv_session session;
	uint8_t *unread; /* the beginning of a request */
	size_t unread_len;
};

static struct conn conns[URING_FDS_MAX];
static struct kv_store *store;
static uint8_t output[OUT_BYTES];
static int stop_fds[2]; /* a byte through it is the end, also while the turn waits */
static bool has_ended;

/* What was left over, and right behind it what came. */
static uint8_t input[KV_IN_MIN_BYTES + URING_BUFFER_BYTES];

static void conn_open(int fd)
{
	conns[fd] = (struct conn){0};
	kv_session_init(&conns[fd].session, store);
}

static void conn_close(int fd)
{
	kv_session_end(&conns[fd].session);
	free(conns[fd].unread);
}

static bool unread_keep(struct conn *conn, const uint8_t *from, size_t len)
{
	free(conn->unread);
	conn->unread = NULL;
	conn->unread_len = len;
	if (len == 0)
		return true;
	conn->unread = malloc(len);
	if (conn->unread == NULL)
		return false;
	memcpy(conn->unread, from, len);
	return true;
}

static bool answer_send(int fd, size_t len)
{
	struct uring_piece *piece = uring_piece_make((uint32_t)len);

	if (piece == NULL)
		return false;
	memcpy(piece->at, output, len);
	uring_send(fd, piece);
	return true;
}

/* Answers the requests between in and in_end. A client that does not take its answers is not held up, as it
 * would be by k-kv: they are kept for it. */
static bool requests_run(int fd, struct kv_io *io)
{
	enum kv_verdict verdict;

	do {
		io->out = output;
		io->out_end = output + sizeof(output);
		verdict = kv_session_run(&conns[fd].session, io);
		if (io->out > output && !answer_send(fd, (size_t)(io->out - output)))
			return false;
	} while (verdict == KV_WANTS_ROOM);
	return verdict != KV_WANTS_CLOSE;
}

static bool on_bytes(int fd, struct uring_piece *piece)
{
	struct conn *conn = &conns[fd];
	struct kv_io io = {.in = piece->at, .in_end = piece->at + piece->len};
	bool is_good;

	if (fd == stop_fds[1]) {
		has_ended = true;
		uring_piece_drop(piece);
		return true;
	}
	if (conn->unread_len > 0) {
		if (conn->unread_len + piece->len > sizeof(input)) {
			uring_piece_drop(piece);
			return false;
		}
		memcpy(input, conn->unread, conn->unread_len);
		memcpy(input + conn->unread_len, piece->at, piece->len);
		io.in = input;
		io.in_end = input + conn->unread_len + piece->len;
	}
	is_good = requests_run(fd, &io);
	if (is_good && (io.in < io.in_end || conn->unread_len > 0))
		is_good = unread_keep(conn, io.in, (size_t)(io.in_end - io.in));
	uring_piece_drop(piece);
	return is_good;
}

static void on_signal(int number)
{
	(void)number;
	if (send(stop_fds[0], "", 1, MSG_DONTWAIT) != 1)
		_exit(1);
}

/* TERM and INT end the loop, so that the statistics can be told. */
static void watch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stop_fds) != 0)
		k_die("socketpair: %s", strerror(errno));
	uring_adopt(stop_fds[1]);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static const struct uring_service service = {conn_open, on_bytes, conn_close, 0};

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
	bool has_json = false, is_spinning = false;
	int option;

	while ((option = getopt_long(argc, argv, "l:sm:jt:", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			where = optarg;
			break;
		case 's':
			is_spinning = true;
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
		k_die("usage: k-uring-kv --listen ADDRESS:PORT [--spin] [--memory MIB] [--json] [--timeout "
		      "SECONDS]");
	k_limit_time(timeout_s);
	store = kv_store_new(memory_mb << 20, k_now_ns(), (uint64_t)time(NULL));
	if (store == NULL)
		k_die("%llu MiB of memory: %s", (unsigned long long)memory_mb, strerror(errno));
	uring_open(&service);
	watch_signals();
	uring_accept(k_listen(where));
	while (!has_ended)
		if (uring_turn(is_spinning) > 0)
			kv_store_tick(store, k_now_ns());
	if (has_json)
		kv_stats_json(store, stdout);
	kv_store_free(store);
	return 0;
}
