/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * k-load: an ordinary load generator on the kernel's TCP and epoll, closed loop, one message under way on
 * each connection. It says nothing that ix-load does not say; that both say the same is what it is for. It is
 * also the kernel's application for round trips: one connection and --spin is a loop around recv().
 */
#include <sys/epoll.h>

#include "tests/bench/lib/clock.h"
#include "tests/bench/lib/histogram.h"
#include "tests/bench/lib/net.h"
#include "tests/bench/lib/options.h"
#include "tests/bench/lib/pattern.h"
#include "tests/net/k.h"

#define NO_CPU      UINT64_MAX
#define EVENTS_MAX  256
#define MESSAGE_MAX 65536u
#define WAIT_MS     100 /* so often a sleeping generator looks at the clock */

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

struct conn {
	int fd;
	bool is_connected;
	uint32_t got; /* bytes of the present message that are back */
	uint64_t trips, began_ns;
};

struct load {
	const char *target_text, *source_text, *histogram;
	uint64_t connections, size, round_trips, cpu;
	double duration_s, warmup_s;
	bool has_json, is_spinning;

	struct sockaddr_in target;
	struct bench_range sources;
	uint64_t next_source;
	int epoll_fd;
	struct conn *conns;
	uint64_t now_ns, open, messages, closed;
	struct bench_histogram latency, connect;
};

static void watch(const struct load *load, struct conn *conn, uint32_t events, int op)
{
	struct epoll_event event = {.events = events, .data.ptr = conn};

	if (epoll_ctl(load->epoll_fd, op, conn->fd, &event) != 0)
		bench_die("epoll_ctl: %s", strerror(errno));
}

/* From one source address after the other; the port is chosen by connect(), which sees more that are free. */
static void source_bind(struct load *load, int fd)
{
	uint32_t count = load->sources.last - load->sources.first + 1;
	uint32_t ip = load->sources.first + (uint32_t)(load->next_source++ % count);
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};
	int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		bench_die("--source: %s", strerror(errno));
}

static void conn_open(struct load *load, struct conn *conn)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		bench_die("socket: %s%s", strerror(errno),
			  errno == EMFILE ? "; fewer --connections, or ulimit -n" : "");
	k_tune(fd);
	if (load->source_text != NULL)
		source_bind(load, fd);
	*conn = (struct conn){.fd = fd, .began_ns = load->now_ns};
	if (connect(fd, (struct sockaddr *)&load->target, sizeof(load->target)) != 0 && errno != EINPROGRESS)
		bench_die("connect to %s: %s%s", load->target_text, strerror(errno),
			  errno == EADDRNOTAVAIL ? "; more addresses by --source" : "");
	watch(load, conn, EPOLLOUT, EPOLL_CTL_ADD);
}

static void message_send(struct load *load, struct conn *conn)
{
	const uint8_t *next = bench_pattern_at(0, 0);
	size_t left = load->size;

	conn->began_ns = load->now_ns;
	while (left > 0) {
		ssize_t sent = send(conn->fd, next, left, 0);

		if (sent < 0 && errno != EAGAIN)
			bench_die("send: %s", strerror(errno));
		if (sent > 0) {
			next += sent;
			left -= (size_t)sent;
		}
	}
}

static void on_connected(struct load *load, struct conn *conn)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
	if (error != 0)
		bench_die("connect to %s: %s", load->target_text, strerror(error));
	conn->is_connected = true;
	load->open++;
	bench_histogram_add(&load->connect, load->now_ns - conn->began_ns);
	watch(load, conn, EPOLLIN, EPOLL_CTL_MOD);
	message_send(load, conn);
}

/* Takes what has come; true when the message is back. */
static bool message_receive(struct load *load, struct conn *conn)
{
	static uint8_t buffer[MESSAGE_MAX];
	ssize_t got = recv(conn->fd, buffer, load->size - conn->got, 0);

	if (got < 0 && errno == EAGAIN)
		return false;
	if (got <= 0)
		bench_die("receive: %s", got == 0 ? "the server has closed a connection" : strerror(errno));
	if (!bench_pattern_check(0, conn->got, buffer, (uint64_t)got))
		bench_die("%s sends back other bytes", load->target_text);
	conn->got += (uint32_t)got;
	return conn->got == load->size;
}

static void on_message(struct load *load, struct conn *conn)
{
	bench_histogram_add(&load->latency, load->now_ns - conn->began_ns);
	load->messages++;
	conn->got = 0;
	if (++conn->trips != load->round_trips) {
		message_send(load, conn);
		return;
	}
	/* We close first: FIN, and TIME_WAIT is ours. */
	close(conn->fd);
	load->closed++;
	load->open--;
	conn_open(load, conn);
}

static void turn(struct load *load)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, load->is_spinning ? 0 : WAIT_MS);

	load->now_ns = bench_now_ns();
	for (int i = 0; i < count; i++) {
		struct conn *conn = events[i].data.ptr;

		if (!conn->is_connected)
			on_connected(load, conn);
		else if (message_receive(load, conn))
			on_message(load, conn);
	}
}

/* One connection, spinning: no epoll in between. */
static void single_turn(struct load *load)
{
	if (!message_receive(load, &load->conns[0]))
		return;
	load->now_ns = bench_now_ns();
	on_message(load, &load->conns[0]);
}

static void turns_for(struct load *load, double seconds)
{
	uint64_t until_ns = bench_now_ns() + (uint64_t)(seconds * 1e9);
	bool is_single = load->connections == 1 && load->is_spinning && load->round_trips == 0;

	load->now_ns = bench_now_ns();
	while (load->now_ns < until_ns) {
		if (is_single && load->open == 1)
			single_turn(load);
		else
			turn(load);
	}
}

static void report(const struct load *load, double seconds)
{
	const struct bench_histogram *h = &load->latency;

	if (!load->has_json) {
		printf("messages_per_s=%.0f connections_per_s=%.0f p50_us=%.2f p99_us=%.2f p999_us=%.2f "
		       "max_us=%.2f\n",
		       (double)load->messages / seconds, (double)load->closed / seconds,
		       (double)bench_histogram_quantile(h, 5000) / 1e3,
		       (double)bench_histogram_quantile(h, 9900) / 1e3,
		       (double)bench_histogram_quantile(h, 9990) / 1e3, (double)h->max_ns / 1e3);
		return;
	}
	printf("{\"workload\":\"echo\",\"connections\":%llu,\"size\":%llu,\"round_trips\":%llu,"
	       "\"duration_s\":%.6f,\"messages\":%llu,\"messages_per_s\":%.1f,\"connections_closed\":%llu,"
	       "\"connections_per_s\":%.1f,\"latency_us\":",
	       (unsigned long long)load->connections, (unsigned long long)load->size,
	       (unsigned long long)load->round_trips, seconds, (unsigned long long)load->messages,
	       (double)load->messages / seconds, (unsigned long long)load->closed,
	       (double)load->closed / seconds);
	bench_histogram_json(h, stdout);
	fputs(",\"connect_us\":", stdout);
	bench_histogram_json(&load->connect, stdout);
	puts("}");
}

static void histogram_save(const struct load *load)
{
	FILE *file = fopen(load->histogram, "we");

	if (file == NULL)
		bench_die("%s: %s", load->histogram, strerror(errno));
	bench_histogram_write(&load->latency, file);
	if (fclose(file) != 0)
		bench_die("%s: %s", load->histogram, strerror(errno));
}

static void line_read(struct load *l, int argc, char *argv[])
{
	const struct bench_option rows[] = {
	    {"target", "ADDR:PORT", "an echo server", BENCH_TEXT, &l->target_text, 0, 0},
	    {"source", "ADDR[-ADDR]", "addresses to connect from, in turn", BENCH_TEXT, &l->source_text, 0,
	     0},
	    {"connections", "N", "each with one message under way (default 1)", BENCH_NUMBER, &l->connections,
	     1, 1000000},
	    {"size", "BYTES", "of a message (default 64)", BENCH_NUMBER, &l->size, 1, MESSAGE_MAX},
	    {"round-trips", "N", "close a connection after N, and open another (default: never)",
	     BENCH_NUMBER, &l->round_trips, 1, UINT32_MAX},
	    {"duration", "SECONDS", "of the measurement (default 5)", BENCH_REAL, &l->duration_s, 0, 0},
	    {"warmup", "SECONDS", "before it, connecting included (default 1)", BENCH_REAL, &l->warmup_s, 0,
	     0},
	    {"spin", NULL, "never sleep", BENCH_FLAG, &l->is_spinning, 0, 0},
	    {"cpu", "N", "run on this CPU", BENCH_NUMBER, &l->cpu, 0, 1023},
	    {"json", NULL, "print the result as JSON", BENCH_FLAG, &l->has_json, 0, 0},
	    {"histogram", "FILE", "write the latencies' buckets there", BENCH_TEXT, &l->histogram, 0, 0},
	    {0},
	};
	const struct bench_options options = {
	    "--target ADDR:PORT [OPTION...]",
	    "Loads an echo server through the kernel's TCP ($K_CONGESTION, default cubic).", rows, NULL};
	struct bench_endpoint target;

	bench_options_parse(&options, argc, argv);
	if (l->target_text == NULL)
		bench_usage("--target is needed; try --help");
	if (!bench_endpoint_parse(l->target_text, &target))
		bench_usage("--target takes ADDR:PORT, like 192.0.2.1:7000, not \"%s\"", l->target_text);
	if (l->source_text != NULL && !bench_addresses_parse(l->source_text, &l->sources))
		bench_usage("--source takes ADDR or ADDR-ADDR, not \"%s\"", l->source_text);
	l->target = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(target.ip), .sin_port = htons(target.port)};
}

int main(int argc, char *argv[])
{
	static struct load load = {
	    .connections = 1, .size = 64, .duration_s = 5, .warmup_s = 1, .cpu = NO_CPU};
	uint64_t began_ns;

	line_read(&load, argc, argv);
	if (load.cpu != NO_CPU)
		bench_pin((unsigned)load.cpu);
	bench_pattern_init();
	signal(SIGPIPE, SIG_IGN);
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load.conns = calloc(load.connections, sizeof(load.conns[0]));
	if (load.epoll_fd < 0 || load.conns == NULL)
		bench_die("out of memory");
	load.now_ns = bench_now_ns();
	for (uint64_t i = 0; i < load.connections; i++)
		conn_open(&load, &load.conns[i]);
	turns_for(&load, load.warmup_s);
	if (load.open < load.connections && load.round_trips == 0)
		bench_die("%llu of %llu connections are open after the warm-up: a longer --warmup",
			  (unsigned long long)load.open, (unsigned long long)load.connections);
	load.messages = load.closed = 0;
	load.latency = (struct bench_histogram){0};
	began_ns = bench_now_ns();
	turns_for(&load, load.duration_s);
	report(&load, (double)(bench_now_ns() - began_ns) / 1e9);
	if (load.histogram != NULL)
		histogram_save(&load);
	return 0;
}
