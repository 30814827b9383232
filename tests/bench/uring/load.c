/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * k-uring-load: round trips of an application that uses the kernel's TCP by io_uring, what k-load is on
 * epoll: messages of one size to an echo server, one under way on each connection.
 */
#include "tests/bench/lib/clock.h"
#include "tests/bench/lib/histogram.h"
#include "tests/bench/lib/net.h"
#include "tests/bench/lib/options.h"
#include "tests/bench/lib/pattern.h"
#include "tests/bench/uring/loop.h"
#include "tests/net/k.h"

#define NO_CPU      UINT64_MAX
#define MESSAGE_MAX 65536u

struct conn {
	uint32_t got; /* bytes of the present message that are back */
	uint64_t began_ns;
};

static struct conn conns[URING_FDS_MAX];
static const char *target_text;
static uint64_t connections = 1, size = 64, cpu = NO_CPU;
static double duration_s = 5, warmup_s = 1;
static bool has_json, is_spinning;
static uint64_t now_ns, messages;
static struct bench_histogram latency;

static void message_send(int fd)
{
	struct uring_piece *piece = uring_piece_make((uint32_t)size);

	if (piece == NULL)
		bench_die("out of memory");
	memcpy(piece->at, bench_pattern_at(0, 0), size);
	conns[fd] = (struct conn){.began_ns = now_ns};
	uring_send(fd, piece);
}

static bool on_bytes(int fd, struct uring_piece *piece)
{
	struct conn *conn = &conns[fd];

	if (piece->len > size - conn->got || !bench_pattern_check(0, conn->got, piece->at, piece->len))
		bench_die("%s sends back other bytes", target_text);
	conn->got += piece->len;
	uring_piece_drop(piece);
	if (conn->got < size)
		return true;
	now_ns = bench_now_ns();
	bench_histogram_add(&latency, now_ns - conn->began_ns);
	messages++;
	message_send(fd);
	return true;
}

static void on_close(int fd)
{
	(void)fd;
	bench_die("%s has closed a connection", target_text);
}

static void connect_all(const struct sockaddr_in *target)
{
	for (uint64_t i = 0; i < connections; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || fd >= URING_FDS_MAX)
			bench_die("no socket for connection %llu", (unsigned long long)i);
		k_tune(fd);
		if (connect(fd, (const struct sockaddr *)target, sizeof(*target)) != 0)
			bench_die("connect to %s: %s", target_text, strerror(errno));
		uring_adopt(fd);
	}
}

static void turns_for(double seconds)
{
	uint64_t until_ns = bench_now_ns() + (uint64_t)(seconds * 1e9);

	for (now_ns = bench_now_ns(); now_ns < until_ns;)
		if (uring_turn(is_spinning) == 0)
			now_ns = bench_now_ns();
}

static void report(double seconds)
{
	double rate = (double)messages / seconds;

	if (!has_json) {
		printf("messages_per_s=%.0f p50_us=%.2f p99_us=%.2f p999_us=%.2f max_us=%.2f\n", rate,
		       (double)bench_histogram_quantile(&latency, 5000) / 1e3,
		       (double)bench_histogram_quantile(&latency, 9900) / 1e3,
		       (double)bench_histogram_quantile(&latency, 9990) / 1e3, (double)latency.max_ns / 1e3);
		return;
	}
	printf(
	    "{\"workload\":\"echo\",\"connections\":%llu,\"size\":%llu,\"duration_s\":%.6f,\"messages\":%llu,"
	    "\"messages_per_s\":%.1f,\"latency_us\":",
	    (unsigned long long)connections, (unsigned long long)size, seconds, (unsigned long long)messages,
	    rate);
	bench_histogram_json(&latency, stdout);
	puts("}");
}

static struct sockaddr_in line_read(int argc, char *argv[])
{
	const struct bench_option rows[] = {
	    {"target", "ADDR:PORT", "an echo server", BENCH_TEXT, &target_text, 0, 0},
	    {"connections", "N", "each with one message under way (default 1)", BENCH_NUMBER, &connections, 1,
	     10000},
	    {"size", "BYTES", "of a message (default 64)", BENCH_NUMBER, &size, 1, MESSAGE_MAX},
	    {"duration", "SECONDS", "of the measurement (default 5)", BENCH_REAL, &duration_s, 0, 0},
	    {"warmup", "SECONDS", "before it (default 1)", BENCH_REAL, &warmup_s, 0, 0},
	    {"spin", NULL, "never sleep", BENCH_FLAG, &is_spinning, 0, 0},
	    {"cpu", "N", "run on this CPU", BENCH_NUMBER, &cpu, 0, 1023},
	    {"json", NULL, "print the result as JSON", BENCH_FLAG, &has_json, 0, 0},
	    {0},
	};
	const struct bench_options options = {
	    "--target ADDR:PORT [OPTION...]",
	    "Loads an echo server through the kernel's TCP by io_uring ($K_CONGESTION, default cubic).", rows,
	    NULL};
	struct bench_endpoint target;

	bench_options_parse(&options, argc, argv);
	if (target_text == NULL)
		bench_usage("--target is needed; try --help");
	if (!bench_endpoint_parse(target_text, &target))
		bench_usage("--target takes ADDR:PORT, like 192.0.2.1:7000, not \"%s\"", target_text);
	return (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(target.ip), .sin_port = htons(target.port)};
}

int main(int argc, char *argv[])
{
	/* A connection exists when it is received from; it speaks then. */
	static const struct uring_service service = {message_send, on_bytes, on_close, 0};
	struct sockaddr_in target = line_read(argc, argv);
	uint64_t began_ns;

	if (cpu != NO_CPU)
		bench_pin((unsigned)cpu);
	bench_pattern_init();
	signal(SIGPIPE, SIG_IGN);
	uring_open(&service);
	now_ns = bench_now_ns();
	connect_all(&target);
	turns_for(warmup_s);
	messages = 0;
	latency = (struct bench_histogram){0};
	began_ns = bench_now_ns();
	turns_for(duration_s);
	report((double)(bench_now_ns() - began_ns) / 1e9);
	return 0;
}
