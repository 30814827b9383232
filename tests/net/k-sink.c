/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server on the kernel's TCP that takes one connection after the other, checks every received byte against
 * the pattern, and can send a stream of it: the far end for ix-cat. Prints a line per connection:
 * `received N sent N end eof|reset|mismatch@OFFSET`.
 *
 *   --source N       send N bytes, then half-close, then read to the end
 *   --source-after   first read to the end, then send (the peer half-closed first)
 *   --count N        leave after N connections
 *   --slow MS        read at most 64 KB each MS milliseconds: a window that closes
 */
#include <getopt.h>
#include <poll.h>

#include "tests/net/k-accept.h"

#define BUFFER_BYTES 65536

struct job {
	uint64_t source_bytes;
	bool is_source_after;
	int slow_ms;
};

struct outcome {
	uint64_t received, sent;
	const char *end;
	uint64_t mismatch_off;
};

static uint8_t buffer[BUFFER_BYTES];

/* false: nothing more will come. */
static bool take(int fd, struct outcome *outcome)
{
	ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
	size_t good;

	if (got == 0) {
		outcome->end = "eof";
		return false;
	}
	if (got < 0) {
		if (errno == EAGAIN)
			return true;
		outcome->end = errno == ECONNRESET ? "reset" : strerror(errno);
		return false;
	}
	good = k_pattern_check(buffer, outcome->received, (size_t)got);
	if (good < (size_t)got) {
		outcome->end = "mismatch";
		outcome->mismatch_off = outcome->received + good;
		return false;
	}
	outcome->received += (uint64_t)got;
	return true;
}

static bool give(int fd, const struct job *job, struct outcome *outcome)
{
	uint64_t left = job->source_bytes - outcome->sent;
	size_t len = left < sizeof(buffer) ? (size_t)left : sizeof(buffer);
	ssize_t sent;

	k_pattern_fill(buffer, outcome->sent, len);
	sent = send(fd, buffer, len, 0);
	if (sent < 0) {
		if (errno == EAGAIN)
			return true;
		outcome->end = errno == ECONNRESET || errno == EPIPE ? "reset" : strerror(errno);
		return false;
	}
	outcome->sent += (uint64_t)sent;
	return true;
}

static void exchange(int fd, const struct job *job, struct outcome *outcome)
{
	bool is_reading = true, is_sending = job->source_bytes > 0;

	k_set_nonblocking(fd);
	while (is_reading || is_sending) {
		bool may_send = is_sending && (!job->is_source_after || !is_reading);
		struct pollfd ready = {.fd = fd};

		ready.events = (short)((is_reading ? POLLIN : 0) | (may_send ? POLLOUT : 0));
		if (job->slow_ms > 0)
			poll(NULL, 0, job->slow_ms);
		poll(&ready, 1, -1);
		if (is_reading && (ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			is_reading = take(fd, outcome);
		if (outcome->end != NULL && strcmp(outcome->end, "eof") != 0)
			return;
		if (may_send && (ready.revents & POLLOUT) != 0 && !give(fd, job, outcome))
			return;
		if (is_sending && outcome->sent == job->source_bytes) {
			is_sending = false;
			shutdown(fd, SHUT_WR);
		}
	}
}

static void serve(int listen_fd, const struct job *job, uint64_t count)
{
	for (uint64_t i = 0; count == 0 || i < count; i++) {
		struct outcome outcome = {0};
		int fd = k_accept(listen_fd, 0);

		if (fd < 0)
			k_die("accept: %s", strerror(errno));
		exchange(fd, job, &outcome);
		printf("received %llu sent %llu end %s", (unsigned long long)outcome.received,
		       (unsigned long long)outcome.sent, outcome.end);
		if (strcmp(outcome.end, "mismatch") == 0)
			printf("@%llu", (unsigned long long)outcome.mismatch_off);
		putchar('\n');
		fflush(stdout);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"source", required_argument, NULL, 'n'},
	    {"source-after", no_argument, NULL, 'a'},
	    {"count", required_argument, NULL, 'c'},
	    {"slow", required_argument, NULL, 'w'},
	    {"timeout", required_argument, NULL, 't'},
	    {0},
	};
	struct job job = {0};
	const char *where = NULL;
	unsigned timeout_s = 60;
	uint64_t count = 0;
	int option;

	while ((option = getopt_long(argc, argv, "l:n:ac:w:t:", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			where = optarg;
			break;
		case 'n':
			job.source_bytes = k_number(optarg);
			break;
		case 'a':
			job.is_source_after = true;
			break;
		case 'c':
			count = k_number(optarg);
			break;
		case 'w':
			job.slow_ms = (int)k_number(optarg);
			break;
		case 't':
			timeout_s = (unsigned)k_number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (where == NULL || optind != argc)
		k_die("usage: k-sink --listen ADDRESS:PORT [--source N [--source-after]] [--count N] [--slow "
		      "MS]");
	k_limit_time(timeout_s);
	serve(k_listen(where), &job, count);
	return 0;
}
