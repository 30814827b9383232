/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-rtt: round trips through ixd as an application sees them: messages of one size to an echo server, one
 * under way on each connection, by the low-level interface of libixclient.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/ix.h>

#include "tests/bench/lib/clock.h"
#include "tests/bench/lib/histogram.h"
#include "tests/bench/lib/net.h"
#include "tests/bench/lib/options.h"
#include "tests/bench/lib/pattern.h"

#define NO_CPU        UINT64_MAX
#define ALL_CORES     UINT64_MAX
#define MESSAGE_MAX   65536u
#define OPEN_LIMIT_NS 10000000000u
#define WAIT_NS       100000000u /* so often the clock is read when nothing comes */
#define COMMANDS_NEED 2u         /* of one answer: recv_done, sendv */

/* The cookie is its number plus one. */
struct conn {
	struct ix_channel *channel;
	uint64_t handle, began_ns;
	uint64_t sent, send_limit; /* bytes since the connection began */
	uint32_t got;              /* bytes of the present message that are back */
	bool is_open;
};

struct rtt {
	const char *instance, *target, *histogram;
	uint64_t connections, size, cpu, core, spin_us;
	double duration_s, warmup_s;
	bool has_json, is_unchecked;

	struct ix_client *client;
	struct ix_channel *channels[IX_CORES_MAX]; /* of the cores that are used */
	unsigned cores;
	uint8_t *message[IX_CORES_MAX]; /* by core: the same bytes for all, in each core's memory */
	struct conn *conns;
	uint64_t open, messages, now_ns;
	bool is_running; /* else connections are only opened */
	struct bench_histogram latency;
};

static void message_send(struct rtt *rtt, struct conn *conn)
{
	unsigned core = ix_channel_core(conn->channel);
	struct ix_sg sg = {.off = ix_tx_off(conn->channel, rtt->message[core]), .len = (uint32_t)rtt->size};
	int r;

	if (conn->sent + rtt->size > conn->send_limit)
		bench_die("ixd takes %llu unacknowledged bytes at the most: a smaller --size, please",
			  (unsigned long long)conn->send_limit);
	/* Never changed, hence it can be under way any number of times. */
	r = ix_sendv(conn->channel, conn->handle, &sg, 1);
	if (r < 0)
		bench_die("sendv: %s", ix_strerror(r));
	conn->sent += rtt->size;
	conn->began_ns = rtt->now_ns;
}

static void on_connected(struct rtt *rtt, struct conn *conn, const struct ix_event *event)
{
	if (event->outcome != 0)
		bench_die("cannot connect to %s: %s", rtt->target, ix_strerror(event->outcome));
	conn->handle = event->handle;
	conn->send_limit = event->open.send_limit;
	conn->is_open = true;
	rtt->open++;
}

static void on_recv(struct rtt *rtt, struct conn *conn, const struct ix_event *event)
{
	uint32_t len = event->recv.len;

	if (len > rtt->size - conn->got)
		bench_die("%s sends more than it was sent", rtt->target);
	if (!rtt->is_unchecked &&
	    !bench_pattern_check(0, conn->got, ix_rx_ptr(conn->channel, event->off), len))
		bench_die("%s sends back other bytes", rtt->target);
	ix_recv_done(conn->channel, conn->handle, len);
	conn->got += len;
	if (conn->got < rtt->size)
		return;
	conn->got = 0;
	bench_histogram_add(&rtt->latency, rtt->now_ns - conn->began_ns);
	rtt->messages++;
	if (rtt->is_running)
		message_send(rtt, conn);
}

static void on_event(struct rtt *rtt, const struct ix_event *event)
{
	struct conn *conn;

	if (event->cookie == 0 || event->cookie > rtt->connections)
		bench_die("an event for nobody, of type %u", event->type);
	conn = &rtt->conns[event->cookie - 1];
	switch (event->type) {
	case IX_EV_CONNECTED:
		on_connected(rtt, conn, event);
		break;
	case IX_EV_RECV:
		on_recv(rtt, conn, event);
		break;
	case IX_EV_SENT:
		conn->send_limit = event->sent.send_limit;
		break;
	case IX_EV_ERROR:
		bench_die("ixd refuses: %s", ix_strerror(event->outcome));
	case IX_EV_EOF:
		bench_die("%s has closed a connection", rtt->target);
	case IX_EV_DEAD:
		bench_die("a connection to %s has ended: %s", rtt->target, ix_reason_name(event->reason));
	default:
		break;
	}
}

/* Takes what has come; no more events than there is room for the commands that they cause. */
static void channel_turn(struct rtt *rtt, struct ix_channel *channel)
{
	const struct ix_event *events;
	int count = ix_peek(channel, &events);
	uint32_t room;

	if (count < 0)
		bench_die("ixd has gone: %s", ix_strerror(count));
	if (count == 0)
		return;
	rtt->now_ns = bench_now_ns();
	room = ix_cmd_space(channel) / COMMANDS_NEED;
	if ((uint32_t)count > room)
		count = (int)room;
	for (int i = 0; i < count; i++)
		on_event(rtt, &events[i]);
	ix_release(channel, (unsigned)count);
}

static void turn(struct rtt *rtt)
{
	int ready = ix_wait_any(rtt->channels, rtt->cores, WAIT_NS);

	if (ready < 0 && ready != -EINTR)
		bench_die("ixd has gone: %s", ix_strerror(ready));
	for (unsigned i = 0; i < rtt->cores; i++)
		channel_turn(rtt, rtt->channels[i]);
	if (ready <= 0)
		rtt->now_ns = bench_now_ns();
}

static void memory_make(struct rtt *rtt)
{
	for (unsigned i = 0; i < rtt->cores; i++) {
		uint8_t *message = ix_tx_alloc(rtt->channels[i], rtt->size);

		if (message == NULL)
			bench_die("no memory for a message of %llu bytes", (unsigned long long)rtt->size);
		memcpy(message, bench_pattern_at(0, 0), rtt->size);
		rtt->message[ix_channel_core(rtt->channels[i])] = message;
	}
	rtt->conns = calloc(rtt->connections, sizeof(rtt->conns[0]));
	if (rtt->conns == NULL)
		bench_die("no memory for %llu connections", (unsigned long long)rtt->connections);
}

static void connect_all(struct rtt *rtt)
{
	struct ix_addr remote;
	uint64_t until_ns = bench_now_ns() + OPEN_LIMIT_NS;

	if (ix_addr_parse(rtt->target, &remote) < 0)
		bench_usage("--target takes ADDR:PORT, like 192.0.2.1:7000, not \"%s\"", rtt->target);
	for (uint64_t i = 0; i < rtt->connections; i++) {
		struct conn *conn = &rtt->conns[i];
		int r;

		conn->channel = rtt->channels[i % rtt->cores];
		while ((r = ix_connect(conn->channel, i + 1, &remote, NULL, NULL)) == -EAGAIN)
			turn(rtt);
		if (r < 0)
			bench_die("connect: %s", ix_strerror(r));
	}
	while (rtt->open < rtt->connections) {
		turn(rtt);
		if (bench_now_ns() > until_ns)
			bench_die("%llu of %llu connections are open, and no more within seconds",
				  (unsigned long long)rtt->open, (unsigned long long)rtt->connections);
	}
}

static void turns_for(struct rtt *rtt, double seconds)
{
	uint64_t until_ns = bench_now_ns() + (uint64_t)(seconds * 1e9);

	while (rtt->now_ns < until_ns)
		turn(rtt);
}

static void start_all(struct rtt *rtt)
{
	rtt->is_running = true;
	rtt->now_ns = bench_now_ns();
	for (uint64_t i = 0; i < rtt->connections; i++) {
		while (ix_cmd_space(rtt->conns[i].channel) < COMMANDS_NEED)
			turn(rtt);
		message_send(rtt, &rtt->conns[i]);
	}
}

static void report(const struct rtt *rtt, double seconds)
{
	const struct bench_histogram *h = &rtt->latency;

	if (!rtt->has_json) {
		printf("messages_per_s=%.0f p50_us=%.2f p99_us=%.2f p999_us=%.2f max_us=%.2f\n",
		       (double)rtt->messages / seconds, (double)bench_histogram_quantile(h, 5000) / 1e3,
		       (double)bench_histogram_quantile(h, 9900) / 1e3,
		       (double)bench_histogram_quantile(h, 9990) / 1e3, (double)h->max_ns / 1e3);
		return;
	}
	printf(
	    "{\"workload\":\"rtt\",\"connections\":%llu,\"size\":%llu,\"duration_s\":%.6f,\"messages\":%llu,"
	    "\"messages_per_s\":%.1f,\"latency_us\":",
	    (unsigned long long)rtt->connections, (unsigned long long)rtt->size, seconds,
	    (unsigned long long)rtt->messages, (double)rtt->messages / seconds);
	bench_histogram_json(h, stdout);
	puts("}");
}

static void histogram_save(const struct rtt *rtt)
{
	FILE *file = fopen(rtt->histogram, "we");

	if (file == NULL)
		bench_die("%s: %s", rtt->histogram, strerror(errno));
	bench_histogram_write(&rtt->latency, file);
	if (fclose(file) != 0)
		bench_die("%s: %s", rtt->histogram, strerror(errno));
}

static void line_read(struct rtt *rtt, int argc, char *argv[])
{
	const struct bench_option rows[] = {
	    {"target", "ADDR:PORT", "an echo server", BENCH_TEXT, &rtt->target, 0, 0},
	    {"instance", "NAME", "ixd instance, or path of its socket", BENCH_TEXT, &rtt->instance, 0, 0},
	    {"connections", "N", "each with one message under way (default 1)", BENCH_NUMBER,
	     &rtt->connections, 1, 1000000},
	    {"size", "BYTES", "of a message (default 64)", BENCH_NUMBER, &rtt->size, 1, MESSAGE_MAX},
	    {"duration", "SECONDS", "of the measurement (default 5)", BENCH_REAL, &rtt->duration_s, 0, 0},
	    {"warmup", "SECONDS", "before it (default 1)", BENCH_REAL, &rtt->warmup_s, 0, 0},
	    {"spin-us", "N", "spin so long before sleeping (default 1000000)", BENCH_NUMBER, &rtt->spin_us, 0,
	     UINT32_MAX},
	    {"cpu", "N", "run on this CPU", BENCH_NUMBER, &rtt->cpu, 0, 1023},
	    {"core", "N", "connections of this core of ixd only (default: in turn)", BENCH_NUMBER, &rtt->core,
	     0, IX_CORES_MAX - 1},
	    {"no-check", NULL, "do not compare what comes back", BENCH_FLAG, &rtt->is_unchecked, 0, 0},
	    {"json", NULL, "print the result as JSON", BENCH_FLAG, &rtt->has_json, 0, 0},
	    {"histogram", "FILE", "write the latencies' buckets there", BENCH_TEXT, &rtt->histogram, 0, 0},
	    {0},
	};
	const struct bench_options options = {"--target ADDR:PORT [OPTION...]",
					      "Measures round trips to an echo server through ixd.", rows,
					      NULL};

	bench_options_parse(&options, argc, argv);
	if (rtt->target == NULL)
		bench_usage("--target is needed; try --help");
}

static void channels_get(struct rtt *rtt)
{
	unsigned cores = ix_cores(rtt->client);

	if (rtt->core != ALL_CORES && rtt->core >= cores)
		bench_usage("--core %llu: ixd has %u", (unsigned long long)rtt->core, cores);
	for (unsigned core = 0; core < cores; core++)
		if (rtt->core == ALL_CORES || rtt->core == core)
			rtt->channels[rtt->cores++] = ix_channel(rtt->client, core);
}

int main(int argc, char *argv[])
{
	static struct rtt rtt = {.connections = 1,
				 .size = 64,
				 .duration_s = 5,
				 .warmup_s = 1,
				 .spin_us = 1000000,
				 .cpu = NO_CPU,
				 .core = ALL_CORES};
	struct ix_open_params params = {0};
	uint64_t began_ns;

	line_read(&rtt, argc, argv);
	if (rtt.cpu != NO_CPU)
		bench_pin((unsigned)rtt.cpu);
	bench_pattern_init();
	params.spin_us = (uint32_t)rtt.spin_us;
	if (ix_open(rtt.instance, &params, &rtt.client) != 0)
		bench_die("%s", ix_open_reason());
	channels_get(&rtt);
	memory_make(&rtt);
	connect_all(&rtt);
	start_all(&rtt);
	turns_for(&rtt, rtt.warmup_s);
	rtt.messages = 0;
	rtt.latency = (struct bench_histogram){0};
	began_ns = bench_now_ns();
	turns_for(&rtt, rtt.duration_s);
	report(&rtt, (double)(rtt.now_ns - began_ns) / 1e9);
	if (rtt.histogram != NULL)
		histogram_save(&rtt);
	ix_close(rtt.client);
	return 0;
}
