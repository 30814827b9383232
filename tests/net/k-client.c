/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client on the kernel's TCP that checks every byte it receives: many parallel echo streams, round-trip
 * times, HTTP transfers for throughput, half-closes in each order, and connections that are only held to see
 * how they end. The last line of output is a list of NAME=VALUE.
 */
#include <getopt.h>
#include <poll.h>
#include <sys/epoll.h>

#include "tests/net/k.h"

#define BUFFER_BYTES 262144
#define EVENTS_MAX   256

struct options {
	struct sockaddr_in server;
	struct sockaddr_in from; /* port 0 and address 0: any */
	uint64_t connections, bytes, rounds, window_bytes;
	size_t message_bytes;
	const char *path;
	bool is_spinning, is_checked;
};

struct stream {
	int fd;
	uint64_t base_off; /* where in the pattern this stream starts */
	uint64_t sent, received;
	bool is_connected, is_shut, is_done;
};

static uint8_t buffer[BUFFER_BYTES];

static int open_connection(const struct options *options, bool is_blocking)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		k_die("socket: %s", strerror(errno));
	k_tune(fd);
	if (options->from.sin_addr.s_addr != 0 &&
	    bind(fd, (const struct sockaddr *)&options->from, sizeof(options->from)) != 0)
		k_die("bind: %s", strerror(errno));
	if (!is_blocking)
		k_set_nonblocking(fd);
	if (connect(fd, (const struct sockaddr *)&options->server, sizeof(options->server)) != 0 &&
	    errno != EINPROGRESS)
		k_die("connect: %s", strerror(errno));
	return fd;
}

static void send_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *next = bytes;

	while (len > 0) {
		ssize_t sent = send(fd, next, len, 0);

		if (sent < 0 && errno == EAGAIN)
			continue;
		if (sent < 0)
			k_die("send: %s", strerror(errno));
		next += sent;
		len -= (size_t)sent;
	}
}

static double seconds_since(uint64_t start_ns)
{
	return (double)(k_now_ns() - start_ns) / 1e9;
}

static void report_transfer(uint64_t bytes, double seconds)
{
	printf("bytes=%llu seconds=%.4f gbps=%.3f\n", (unsigned long long)bytes, seconds,
	       (double)bytes * 8 / seconds / 1e9);
}

/* ---- echo: parallel streams, each sends its own part of the pattern and expects it back */

static void stream_watch(int epoll_fd, struct stream *stream, uint32_t events, int op)
{
	struct epoll_event event = {.events = events, .data.ptr = stream};

	if (epoll_ctl(epoll_fd, op, stream->fd, &event) != 0)
		k_die("epoll_ctl: %s", strerror(errno));
}

static bool stream_may_send(const struct stream *stream, const struct options *options)
{
	return stream->sent < options->bytes && stream->sent - stream->received < options->window_bytes;
}

static void stream_send(struct stream *stream, const struct options *options)
{
	while (stream_may_send(stream, options)) {
		uint64_t room = options->window_bytes - (stream->sent - stream->received);
		uint64_t left = options->bytes - stream->sent;
		size_t len = options->message_bytes;
		ssize_t sent;

		len = len < room ? len : (size_t)room;
		len = len < left ? len : (size_t)left;
		k_pattern_fill(buffer, stream->base_off + stream->sent, len);
		sent = send(stream->fd, buffer, len, 0);
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			k_die("send after %llu bytes: %s", (unsigned long long)stream->sent, strerror(errno));
		stream->sent += (uint64_t)sent;
	}
	if (stream->sent == options->bytes && !stream->is_shut) {
		stream->is_shut = true;
		shutdown(stream->fd, SHUT_WR);
	}
}

static void stream_receive(struct stream *stream, const struct options *options)
{
	ssize_t got = recv(stream->fd, buffer, sizeof(buffer), 0);
	size_t good;

	if (got < 0) {
		if (errno == EAGAIN)
			return;
		k_die("receive after %llu bytes: %s", (unsigned long long)stream->received, strerror(errno));
	}
	if (got == 0) {
		if (stream->received != options->bytes)
			k_die("end after %llu of %llu bytes", (unsigned long long)stream->received,
			      (unsigned long long)options->bytes);
		stream->is_done = true;
		return;
	}
	good = k_pattern_check(buffer, stream->base_off + stream->received, (size_t)got);
	if (good < (size_t)got)
		k_die("wrong byte at offset %llu", (unsigned long long)(stream->received + good));
	stream->received += (uint64_t)got;
	if (stream->received > options->bytes)
		k_die("more bytes than were sent");
}

/* Handles one stream's readiness; true when it ended well. */
static bool stream_turn(int epoll_fd, struct stream *stream, uint32_t events, const struct options *options)
{
	uint32_t wanted;

	if (!stream->is_connected && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
		int error = 0;
		socklen_t len = sizeof(error);

		getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0)
			k_die("connect: %s", strerror(error));
		stream->is_connected = true;
	}
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
		stream_receive(stream, options);
	if (stream->is_done) {
		close(stream->fd);
		return true;
	}
	stream_send(stream, options);
	wanted = EPOLLIN | (stream_may_send(stream, options) ? (uint32_t)EPOLLOUT : 0);
	stream_watch(epoll_fd, stream, wanted, EPOLL_CTL_MOD);
	return false;
}

static int run_echo(const struct options *options)
{
	struct stream *streams = calloc(options->connections, sizeof(*streams));
	struct epoll_event events[EVENTS_MAX];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t open_streams = options->connections;
	uint64_t start_ns = k_now_ns();

	if (streams == NULL || epoll_fd < 0)
		k_die("out of memory");
	for (uint64_t i = 0; i < options->connections; i++) {
		streams[i].fd = open_connection(options, false);
		streams[i].base_off = i << 40;
		stream_watch(epoll_fd, &streams[i], EPOLLOUT, EPOLL_CTL_ADD);
	}
	while (open_streams > 0) {
		int count = epoll_wait(epoll_fd, events, EVENTS_MAX, options->is_spinning ? 0 : -1);

		for (int i = 0; i < count; i++)
			open_streams -= stream_turn(epoll_fd, events[i].data.ptr, events[i].events, options);
	}
	free(streams);
	printf("connections=%llu ", (unsigned long long)options->connections);
	report_transfer(options->connections * options->bytes, seconds_since(start_ns));
	return 0;
}

/* ---- rtt: one message out, wait for it, again; spinning, so that no wake-up of this side is measured */

static int compare_u64(const void *a, const void *b)
{
	uint64_t left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return left < right ? -1 : left > right;
}

/* Of sorted times in nanoseconds */
static double quantile_us(const uint64_t *times, uint64_t count, unsigned per_mille)
{
	uint64_t at = count * per_mille / 1000;

	return (double)times[at < count ? at : count - 1] / 1e3;
}

static uint64_t ping(int fd, uint64_t round, size_t len)
{
	uint8_t message[65536], answer[65536];
	uint64_t start_ns;
	size_t received = 0;

	k_pattern_fill(message, round * len, len);
	start_ns = k_now_ns();
	send_all(fd, message, len);
	while (received < len) {
		ssize_t got = recv(fd, answer + received, len - received, 0);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			k_die("round %llu: %s", (unsigned long long)round,
			      got == 0 ? "end" : strerror(errno));
		if (got > 0)
			received += (size_t)got;
	}
	start_ns = k_now_ns() - start_ns;
	if (memcmp(message, answer, len) != 0)
		k_die("round %llu: wrong bytes", (unsigned long long)round);
	return start_ns;
}

static int run_rtt(const struct options *options)
{
	uint64_t *times = calloc(options->rounds, sizeof(*times));
	uint64_t warm_up = options->rounds / 10, start_ns;
	double seconds;
	int fd = open_connection(options, true);

	if (times == NULL || options->message_bytes > 65536 || options->rounds == 0)
		k_die("rtt: at least one round, at most 65536 bytes");
	if (options->is_spinning)
		k_set_nonblocking(fd);
	for (uint64_t i = 0; i < warm_up; i++)
		ping(fd, i, options->message_bytes);
	start_ns = k_now_ns();
	for (uint64_t i = 0; i < options->rounds; i++)
		times[i] = ping(fd, i, options->message_bytes);
	seconds = seconds_since(start_ns);
	close(fd);
	qsort(times, options->rounds, sizeof(*times), compare_u64);
	printf("rounds=%llu rate=%.0f p50_us=%.2f p90_us=%.2f p99_us=%.2f p999_us=%.2f max_us=%.2f\n",
	       (unsigned long long)options->rounds, (double)options->rounds / seconds,
	       quantile_us(times, options->rounds, 500), quantile_us(times, options->rounds, 900),
	       quantile_us(times, options->rounds, 990), quantile_us(times, options->rounds, 999),
	       quantile_us(times, options->rounds, 1000));
	free(times);
	return 0;
}

/* ---- get, put: one HTTP transfer, timed from the request to the last byte (or the answer) */

/* Reads a head; what came behind it stays in `buffer`, its length is returned. */
static size_t read_head(int fd, char *head, size_t size)
{
	size_t len = 0;

	for (;;) {
		ssize_t got = recv(fd, head + len, size - 1 - len, 0);
		char *end;

		if (got <= 0)
			k_die("no answer: %s", got == 0 ? "end" : strerror(errno));
		len += (size_t)got;
		head[len] = '\0';
		end = strstr(head, "\r\n\r\n");
		if (end != NULL) {
			size_t rest = len - (size_t)(end + 4 - head);

			memcpy(buffer, end + 4, rest);
			*end = '\0';
			return rest;
		}
		if (len == size - 1)
			k_die("the head of the answer is too long");
	}
}

static uint64_t content_length(const char *head)
{
	const char *found = strcasestr(head, "\nContent-Length:");

	if (strncmp(head, "HTTP/1.1 2", 10) != 0)
		k_die("refused: %.60s", head);
	if (found == NULL)
		k_die("answer without Content-Length");
	return strtoull(found + 16, NULL, 10);
}

static void check_body(const struct options *options, uint64_t off, size_t len)
{
	if (options->is_checked && k_pattern_check(buffer, off, len) < len)
		k_die("wrong byte between offsets %llu and %llu", (unsigned long long)off,
		      (unsigned long long)(off + len));
}

static int run_get(const struct options *options)
{
	char head[8192];
	int fd = open_connection(options, true);
	int used = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", options->path);
	uint64_t start_ns = k_now_ns(), received, bytes;

	send_all(fd, head, (size_t)used);
	received = read_head(fd, head, sizeof(head));
	bytes = content_length(head);
	check_body(options, 0, (size_t)received);
	while (received < bytes) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

		if (got <= 0)
			k_die("after %llu of %llu bytes: %s", (unsigned long long)received,
			      (unsigned long long)bytes, got == 0 ? "end" : strerror(errno));
		check_body(options, received, (size_t)got);
		received += (uint64_t)got;
	}
	if (received != bytes)
		k_die("%llu bytes came, %llu were announced", (unsigned long long)received,
		      (unsigned long long)bytes);
	report_transfer(received, seconds_since(start_ns));
	close(fd);
	return 0;
}

/* The same bytes time and again where nobody looks at them: that is cheaper. */
static void send_pattern(int fd, uint64_t bytes, bool is_checked)
{
	k_pattern_fill(buffer, 0, sizeof(buffer));
	for (uint64_t sent = 0; sent < bytes;) {
		uint64_t left = bytes - sent;
		size_t len = left < sizeof(buffer) ? (size_t)left : sizeof(buffer);

		if (is_checked)
			k_pattern_fill(buffer, sent, len);
		send_all(fd, buffer, len);
		sent += len;
	}
}

static int run_put(const struct options *options)
{
	char head[8192];
	int fd = open_connection(options, true);
	int used =
	    snprintf(head, sizeof(head), "PUT %s HTTP/1.1\r\nHost: test\r\nContent-Length: %llu\r\n\r\n",
		     options->path, (unsigned long long)options->bytes);
	uint64_t start_ns = k_now_ns();

	send_all(fd, head, (size_t)used);
	send_pattern(fd, options->bytes, options->is_checked);
	read_head(fd, head, sizeof(head));
	content_length(head);
	report_transfer(options->bytes, seconds_since(start_ns));
	close(fd);
	return 0;
}

/* ---- send, receive: a raw stream one way, half-closed by its sender, read to the other side's end */

static uint64_t read_to_end(int fd)
{
	uint64_t received = 0;

	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
		size_t good;

		if (got == 0)
			return received;
		if (got < 0)
			k_die("receive after %llu bytes: %s", (unsigned long long)received, strerror(errno));
		good = k_pattern_check(buffer, received, (size_t)got);
		if (good < (size_t)got)
			k_die("wrong byte at offset %llu", (unsigned long long)(received + good));
		received += (uint64_t)got;
	}
}

static int run_send(const struct options *options)
{
	int fd = open_connection(options, true);
	uint64_t start_ns = k_now_ns(), back;

	send_pattern(fd, options->bytes, true);
	shutdown(fd, SHUT_WR);
	back = read_to_end(fd);
	printf("back=%llu ", (unsigned long long)back);
	report_transfer(options->bytes, seconds_since(start_ns));
	return 0;
}

/* Reads to the peer's end first, then answers with --bytes bytes: the other order of half-closing. */
static int run_receive(const struct options *options)
{
	int fd = open_connection(options, true);
	uint64_t start_ns = k_now_ns();
	uint64_t received = read_to_end(fd);

	send_pattern(fd, options->bytes, true);
	shutdown(fd, SHUT_WR);
	if (recv(fd, buffer, 1, 0) != 0)
		k_die("bytes or an error after the peer's end");
	report_transfer(received, seconds_since(start_ns));
	return 0;
}

/* ---- hold: open connections, send --bytes on each, then only read; report how each one ends. SIGUSR1: send
 * on each again, and say when an echo of all has come */

static volatile sig_atomic_t has_signal;

static void on_signal(int number)
{
	(void)number;
	has_signal = 1;
}

static uint64_t hold_send_again(const struct options *options, const struct pollfd *polls)
{
	const size_t bytes = options->bytes < BUFFER_BYTES ? options->bytes : BUFFER_BYTES;
	uint64_t sent = 0;

	k_pattern_fill(buffer, 0, bytes);
	for (uint64_t i = 0; i < options->connections; i++)
		if (polls[i].fd >= 0) {
			send_all(polls[i].fd, buffer, bytes);
			sent += bytes;
		}
	return sent;
}

static int run_hold(const struct options *options)
{
	struct pollfd *polls = calloc(options->connections, sizeof(*polls));
	uint64_t left = options->connections, eof = 0, reset = 0, other = 0, received = 0, due = 0;
	const struct sigaction action = {.sa_handler = on_signal};
	unsigned rounds = 0;

	if (polls == NULL)
		k_die("out of memory");
	sigaction(SIGUSR1, &action, NULL);
	for (uint64_t i = 0; i < options->connections; i++) {
		polls[i].fd = open_connection(options, true);
		polls[i].events = POLLIN;
		k_pattern_fill(buffer, 0, options->bytes < BUFFER_BYTES ? options->bytes : BUFFER_BYTES);
		send_all(polls[i].fd, buffer, options->bytes < BUFFER_BYTES ? options->bytes : BUFFER_BYTES);
	}
	printf("held=%llu\n", (unsigned long long)options->connections);
	fflush(stdout);
	while (left > 0) {
		if (has_signal) {
			has_signal = 0;
			due = received + hold_send_again(options, polls);
		}
		/* A signal just before it would wait for the next byte: hence not for ever. */
		poll(polls, options->connections, 200);
		for (uint64_t i = 0; i < options->connections; i++) {
			ssize_t got;

			if (polls[i].fd < 0 || polls[i].revents == 0)
				continue;
			got = recv(polls[i].fd, buffer, sizeof(buffer), MSG_DONTWAIT);
			if (got > 0) {
				received += (uint64_t)got;
				continue;
			}
			eof += got == 0;
			reset += got < 0 && errno == ECONNRESET;
			other += got < 0 && errno != ECONNRESET;
			close(polls[i].fd);
			polls[i].fd = -1;
			left--;
		}
		if (due != 0 && received >= due) {
			printf("round=%u\n", ++rounds);
			fflush(stdout);
			due = 0;
		}
	}
	printf("received=%llu eof=%llu reset=%llu other=%llu\n", (unsigned long long)received,
	       (unsigned long long)eof, (unsigned long long)reset, (unsigned long long)other);
	free(polls);
	return 0;
}

struct mode {
	const char *name;
	int (*run)(const struct options *options);
	const char *help;
};

static const struct mode modes[] = {
    {"echo", run_echo, "parallel streams of --bytes each to an echo server, every byte checked"},
    {"rtt", run_rtt, "--rounds round trips of --size bytes, percentiles"},
    {"get", run_get, "GET --path, throughput (--check: the body is the pattern)"},
    {"put", run_put, "PUT --bytes bytes of pattern to --path, throughput"},
    {"send", run_send, "send --bytes bytes of pattern, half-close, read the pattern back to the end"},
    {"receive", run_receive, "read the pattern to the end, then send --bytes bytes and close"},
    {"hold", run_hold, "open --connections, send --bytes on each, read until all have ended"},
};

static int usage(void)
{
	fputs(
	    "usage: k-client ADDRESS:PORT MODE [--connections N] [--bytes N] [--rounds N] [--size N]\n"
	    "                [--window N] [--path PATH] [--from ADDRESS] [--spin] [--check] [--timeout S]\n",
	    stderr);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		fprintf(stderr, "  %-8s %s\n", modes[i].name, modes[i].help);
	return 2;
}

static bool take_option(struct options *options, int option, const char *value)
{
	switch (option) {
	case 'c':
		options->connections = k_number(value);
		return options->connections > 0;
	case 'n':
		options->bytes = k_number(value);
		return true;
	case 'r':
		options->rounds = k_number(value);
		return true;
	case 's':
		options->message_bytes = (size_t)k_number(value);
		return options->message_bytes > 0 && options->message_bytes <= BUFFER_BYTES;
	case 'w':
		options->window_bytes = k_number(value);
		return options->window_bytes > 0;
	case 'p':
		options->path = value;
		return true;
	case 'f':
		options->from.sin_family = AF_INET;
		return inet_pton(AF_INET, value, &options->from.sin_addr) == 1;
	case 'S':
		options->is_spinning = true;
		return true;
	case 'C':
		options->is_checked = true;
		return true;
	case 't':
		k_limit_time((unsigned)k_number(value));
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
	    {"connections", required_argument, NULL, 'c'},
	    {"bytes", required_argument, NULL, 'n'},
	    {"rounds", required_argument, NULL, 'r'},
	    {"size", required_argument, NULL, 's'},
	    {"window", required_argument, NULL, 'w'},
	    {"path", required_argument, NULL, 'p'},
	    {"from", required_argument, NULL, 'f'},
	    {"spin", no_argument, NULL, 'S'},
	    {"check", no_argument, NULL, 'C'},
	    {"timeout", required_argument, NULL, 't'},
	    {0},
	};
	struct options options = {
	    .connections = 1,
	    .rounds = 10000,
	    .message_bytes = 64,
	    .window_bytes = UINT64_MAX,
	    .path = "/",
	};
	int option;

	k_limit_time(60);
	while ((option = getopt_long(argc, argv, "c:n:r:s:w:p:f:SCt:", table, NULL)) != -1)
		if (!take_option(&options, option, optarg))
			return usage();
	if (argc - optind != 2)
		return usage();
	options.server = k_address(argv[optind]);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[optind + 1], modes[i].name) == 0)
			return modes[i].run(&options);
	return usage();
}
