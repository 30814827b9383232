/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the test tools that use the kernel's TCP (k-*.c) share: a time limit, addresses, sockets with the
 * settings that make measurements comparable, and a byte pattern that is a function of the stream offset, so
 * that a lost, repeated, swapped or foreign byte is found at its exact place.
 */
#ifndef TESTS_NET_K_H
#define TESTS_NET_K_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define K_EXIT_TIMEOUT 124

__attribute__((format(printf, 1, 2), noreturn)) static inline void k_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static inline uint64_t k_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void k_on_alarm(int signal_number)
{
	static const char text[] = "time limit reached\n";

	(void)signal_number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(K_EXIT_TIMEOUT);
	_exit(K_EXIT_TIMEOUT);
}

/* No tool outlives its test: the process ends with K_EXIT_TIMEOUT after `seconds`, TIME_SCALE times as many
 * where the harness says so because all is slower. */
static inline void k_limit_time(unsigned seconds)
{
	const char *scale = getenv("TIME_SCALE");
	unsigned long times = scale != NULL ? strtoul(scale, NULL, 10) : 1;

	signal(SIGALRM, k_on_alarm);
	signal(SIGPIPE, SIG_IGN);
	alarm(seconds * (times > 1 ? (unsigned)times : 1));
}

static inline uint64_t k_number(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (*text == '\0')
		k_die("a number is expected, not an empty string");
	if (*end == 'k' || *end == 'K')
		value <<= 10, end++;
	else if (*end == 'm' || *end == 'M')
		value <<= 20, end++;
	else if (*end == 'g' || *end == 'G')
		value <<= 30, end++;
	if (*end != '\0')
		k_die("'%s' is not a number", text);
	return value;
}

/* "10.0.0.1:80" */
static inline struct sockaddr_in k_address(const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char host[64];
	const char *colon = strrchr(text, ':');

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		k_die("'%s': ADDRESS:PORT is expected", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		k_die("'%s' is not an IPv4 address", host);
	address.sin_port = htons((uint16_t)k_number(colon + 1));
	return address;
}

/*
 * The machine's default may be another congestion control; cubic is what ixd is compared with, and others are
 * asked for by $K_CONGESTION.
 */
static inline void k_tune(int fd)
{
	const char *wanted = getenv("K_CONGESTION");
	const char *name = wanted != NULL ? wanted : "cubic";
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) != 0 && wanted != NULL)
		k_die("the kernel does not have or not permit congestion control %s: %s", name,
		      strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static inline void k_set_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
		k_die("fcntl: %s", strerror(errno));
}

#define K_BIND_WAIT_NS 2000000000u

/* The sockets of a program that used io_uring are closed some milliseconds after its end. */
static inline int k_bind(int fd, const struct sockaddr_in *address)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	uint64_t until_ns = k_now_ns() + K_BIND_WAIT_NS;

	while (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
		if (errno != EADDRINUSE || k_now_ns() > until_ns)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* With is_shared, any number of listeners may have the same address: the kernel deals connections out to
 * them. */
static inline int k_listener_make(const char *where, bool is_shared)
{
	struct sockaddr_in address = k_address(where);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		k_die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (is_shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
		k_die("SO_REUSEPORT: %s", strerror(errno));
	k_tune(fd);
	if (k_bind(fd, &address) != 0 || listen(fd, 4096) != 0)
		k_die("%s: %s", where, strerror(errno));
	return fd;
}

/* Tests wait for this line. */
static inline void k_say_listening(const char *where)
{
	printf("listening on %s\n", where);
	fflush(stdout);
}

static inline int k_listen(const char *where)
{
	int fd = k_listener_make(where, false);

	k_say_listening(where);
	return fd;
}

static inline uint64_t k_pattern_word(uint64_t index)
{
	uint64_t x = index * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return x ^ (x >> 32);
}

static inline uint8_t k_pattern_byte(uint64_t off)
{
	return (uint8_t)(k_pattern_word(off / 8) >> (8 * (off % 8)));
}

/* Stream bytes off … off + len of the pattern. `off` of different streams start far apart (stream << 40). */
static inline void k_pattern_fill(void *buffer, uint64_t off, size_t len)
{
	uint8_t *out = buffer;
	size_t i = 0;

	for (; i < len && (off + i) % 8 != 0; i++)
		out[i] = k_pattern_byte(off + i);
	for (; i + 8 <= len; i += 8) {
		uint64_t word = htole64(k_pattern_word((off + i) / 8));

		memcpy(out + i, &word, 8);
	}
	for (; i < len; i++)
		out[i] = k_pattern_byte(off + i);
}

/* Position of the first byte that differs from the pattern, `len` if there is none. */
static inline size_t k_pattern_check(const void *buffer, uint64_t off, size_t len)
{
	const uint8_t *in = buffer;
	size_t i = 0;

	for (; i < len && (off + i) % 8 != 0; i++)
		if (in[i] != k_pattern_byte(off + i))
			return i;
	for (; i + 8 <= len; i += 8) {
		uint64_t word = htole64(k_pattern_word((off + i) / 8));

		if (memcmp(in + i, &word, 8) != 0)
			break;
	}
	for (; i < len; i++)
		if (in[i] != k_pattern_byte(off + i))
			return i;
	return len;
}

#endif
