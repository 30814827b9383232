/* SPDX-License-Identifier: BSD-2-Clause */
/* ix-load's command line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib/clock.h"
#include "tests/bench/lib/options.h"
#include "tests/bench/lib/pattern.h"
#include "tests/bench/load/load.h"
#include "tests/bench/load/raw.h"

#define NO_CPU UINT64_MAX

/* The command line as written. */
struct line {
	const char *iface, *target, *source, *ports, *workload, *arrival, *think, *pick, *path, *histogram,
	    *transmit;
	uint64_t connections, active, size, depth, round_trips, cpu, seed, ring, batch, window, ack_delay_us,
	    time_waits, slices;
	double rate, connect_rate, duration_s, warmup_s;
	struct bench_list options;
	uint64_t in_flight;
	bool has_json, has_progress, is_unchecked;
	bool is_raw, is_raw_ping, is_one_way;
};

static void line_read(struct line *l, int argc, char *argv[])
{
	const struct bench_option rows[] = {
	    {"if", "IFACE", "interface that reaches the target; its addresses are ours", BENCH_TEXT,
	     &l->iface, 0, 0},
	    {"target", "ADDR:PORT", "the server", BENCH_TEXT, &l->target, 0, 0},
	    {"source", "ADDR[-ADDR]", "addresses to connect from (default: the interface's)", BENCH_TEXT,
	     &l->source, 0, 0},
	    {"ports", "PORT-PORT", "ports to connect from (default 1024-65535)", BENCH_TEXT, &l->ports, 0, 0},
	    {"connections", "N", "connections that are open (default 1)", BENCH_NUMBER, &l->connections, 1,
	     4000000},
	    {"active", "K", "requests on K of them at a time (default: all)", BENCH_NUMBER, &l->active, 1,
	     4000000},
	    {"pick", "turn|random|stay", "which connection is next: in turn (default), any, the same",
	     BENCH_TEXT, &l->pick, 0, 0},
	    {"workload", "NAME", "what is said, see below (default echo)", BENCH_TEXT, &l->workload, 0, 0},
	    {"option", "NAME=VALUE", "for the workload; may be repeated", BENCH_LIST, &l->options, 0, 0},
	    {"path", "PATH", "for source and sink (default /)", BENCH_TEXT, &l->path, 0, 0},
	    {"size", "BYTES", "of a message (default 64)", BENCH_NUMBER, &l->size, 1, 1 << 30},
	    {"depth", "N", "requests under way on a connection (default 1)", BENCH_NUMBER, &l->depth, 1,
	     LOAD_DEPTH_MAX},
	    {"rate", "N", "open loop: messages per second, latency from when they are due", BENCH_REAL,
	     &l->rate, 0, 0},
	    {"distribution", "KIND", "of times between arrivals: fixed, exponential (default), uniform,",
	     BENCH_TEXT, &l->arrival, 0, 0},
	    {"think-us", "[KIND:]MEAN", "  bimodal, pareto; closed loop: of pauses after an answer",
	     BENCH_TEXT, &l->think, 0, 0},
	    {"round-trips", "N", "close a connection after N, and open another (default: never)",
	     BENCH_NUMBER, &l->round_trips, 1, UINT32_MAX},
	    {"connect-rate", "N", "connections opened per second at the most (default: no bound)", BENCH_REAL,
	     &l->connect_rate, 0, 0},
	    {"duration", "SECONDS", "of the measurement (default 5)", BENCH_REAL, &l->duration_s, 0, 0},
	    {"warmup", "SECONDS", "before it (default 1)", BENCH_REAL, &l->warmup_s, 0, 0},
	    {"slices", "N", "pieces of it, of which medians are told (default 20)", BENCH_NUMBER, &l->slices,
	     1, LOAD_SLICES_MAX},
	    {"cpu", "N", "run on this CPU", BENCH_NUMBER, &l->cpu, 0, 1023},
	    {"seed", "N", "of random numbers (default 1)", BENCH_NUMBER, &l->seed, 0, UINT64_MAX},
	    {"no-check", NULL, "do not compare what comes back", BENCH_FLAG, &l->is_unchecked, 0, 0},
	    {"json", NULL, "print the result as JSON", BENCH_FLAG, &l->has_json, 0, 0},
	    {"histogram", "FILE", "write the latencies' buckets there", BENCH_TEXT, &l->histogram, 0, 0},
	    {"raw", NULL, "no TCP: --in-flight packets of --size bytes to ix-reflect and back", BENCH_FLAG,
	     &l->is_raw, 0, 0},
	    {"raw-ping", NULL, "the same with one packet, also to ix-respond", BENCH_FLAG, &l->is_raw_ping, 0,
	     0},
	    {"one-way", NULL, "with --raw: to ix-reflect --sink, as fast as it goes", BENCH_FLAG,
	     &l->is_one_way, 0, 0},
	    {"in-flight", "N", "with --raw: packets under way (default 64)", BENCH_NUMBER, &l->in_flight, 1,
	     RAW_IN_FLIGHT_MAX},
	    {"progress", NULL, "say every second on standard error how far it is", BENCH_FLAG,
	     &l->has_progress, 0, 0},
	    {"transmit", "auto|xsk|live", "by AF_XDP (xsk), as live frames, bursts as frames (default)",
	     BENCH_TEXT, &l->transmit, 0, 0},
	    {"batch", "N", "packets taken in a turn (default 64)", BENCH_NUMBER, &l->batch, 1,
	     BENCH_BATCH_MAX},
	    {"ring", "N", "slots of the AF_XDP rings, a power of two (default 2048)", BENCH_NUMBER, &l->ring,
	     64, 65536},
	    {"window", "BYTES", "receive window, rounded up to a power of two (default 1M)", BENCH_NUMBER,
	     &l->window, 4096, 1 << 28},
	    {"ack-delay-us", "N", "how long an acknowledgement waits for a request (default 40000)",
	     BENCH_NUMBER, &l->ack_delay_us, 0, 500000},
	    {"time-waits", "N", "TIME_WAIT records; when all are used the oldest goes (default 262144)",
	     BENCH_NUMBER, &l->time_waits, 16, 1 << 24},
	    {0},
	};
	const struct bench_options options = {"--if IFACE --target ADDR:PORT [OPTION...]",
					      "Loads a TCP server from an AF_XDP socket with a TCP of its "
					      "own; root, one CPU, which it keeps busy.",
					      rows, load_workload_list};

	bench_options_parse(&options, argc, argv);
}

static uint64_t power_of_two(uint64_t at_least)
{
	uint64_t value = 1;

	while (value < at_least)
		value *= 2;
	return value;
}

static void addresses_read(const struct line *l, struct load_config *c)
{
	if (l->iface == NULL || l->target == NULL)
		bench_usage("--if and --target are needed; try --help");
	c->iface = l->iface;
	if (!bench_endpoint_parse(l->target, &c->target))
		bench_usage("--target takes ADDR:PORT, like 192.0.2.1:7000, not \"%s\"", l->target);
	if (l->source != NULL && !bench_addresses_parse(l->source, &c->sources))
		bench_usage("--source takes ADDR or ADDR-ADDR, not \"%s\"", l->source);
	if (!bench_ports_parse(l->ports, &c->ports))
		bench_usage("--ports takes PORT or PORT-PORT from 1 to 65535, not \"%s\"", l->ports);
}

static void sources_check(const struct line *l, struct load_config *c)
{
	uint64_t tuples;

	if (l->source == NULL)
		c->sources.first = c->sources.last = bench_iface_ip(c->iface);
	tuples = ((uint64_t)c->sources.last - c->sources.first + 1) *
		 ((uint64_t)c->ports.last - c->ports.first + 1);
	if (c->connections > tuples)
		bench_usage("%llu connections need as many source addresses and ports, and there are %llu: "
			    "give more addresses by --source",
			    (unsigned long long)c->connections, (unsigned long long)tuples);
}

static void load_kind_read(const struct line *l, struct load_config *c)
{
	c->workload = load_workload_find(l->workload);
	if (c->workload == NULL)
		bench_usage("there is no workload \"%s\"; --help lists them", l->workload);
	c->rate = l->rate;
	c->arrival = (struct bench_distribution){.kind = BENCH_EXPONENTIAL};
	if (l->arrival != NULL && !bench_distribution_parse(l->arrival, &c->arrival))
		bench_usage("--distribution: \"%s\" is none", l->arrival);
	c->arrival.mean = l->rate > 0 ? 1e9 / l->rate : 0;
	if (l->think != NULL && !bench_distribution_parse(l->think, &c->think_us))
		bench_usage("--think-us takes MEAN or KIND:MEAN, not \"%s\"", l->think);
	if (l->rate > 0 && (c->think_us.mean > 0 || l->active != 0))
		bench_usage(
		    "--rate says when messages are due; --think-us and --active are of the closed loop");
	c->is_random = strcmp(l->pick, "random") == 0;
	c->is_staying = strcmp(l->pick, "stay") == 0;
	if (!c->is_random && !c->is_staying && strcmp(l->pick, "turn") != 0)
		bench_usage("--pick takes turn, random or stay, not \"%s\"", l->pick);
	c->active = l->active == 0 ? l->connections : l->active;
	if (c->active > l->connections)
		bench_usage("--active %llu is more than --connections %llu", (unsigned long long)c->active,
			    (unsigned long long)l->connections);
}

static void config_make(const struct line *l, struct load_config *c)
{
	addresses_read(l, c);
	load_kind_read(l, c);
	if ((l->ring & (l->ring - 1)) != 0)
		bench_usage("--ring takes a power of two, not %llu", (unsigned long long)l->ring);
	if (!bench_transmit_parse(l->transmit, &c->transmit))
		bench_usage("--transmit takes auto, xsk or live, not \"%s\"", l->transmit);
	c->connections = l->connections;
	c->depth = l->depth;
	c->round_trips = l->round_trips;
	c->connect_rate = l->connect_rate;
	c->duration_s = l->duration_s;
	c->warmup_s = l->warmup_s;
	c->window_bytes = power_of_two(l->window);
	c->ack_delay_us = l->ack_delay_us;
	c->ring_slots = l->ring;
	c->batch = l->batch;
	c->time_waits = l->time_waits;
	c->slices = l->slices;
	c->settings = (struct load_settings){
	    .message_bytes = l->size,
	    .connections = (uint32_t)l->connections,
	    .seed = l->seed,
	    .path = l->path,
	    .host = l->target,
	    .is_checked = !l->is_unchecked,
	    .options = l->options.items,
	};
	sources_check(l, c);
	if (c->workload->init != NULL && !c->workload->init(&c->settings))
		exit(2);
}

static void raw_read(struct line *l, struct raw_config *raw)
{
	if (l->is_one_way && !l->is_raw)
		bench_usage("--one-way goes with --raw");
	*raw =
	    (struct raw_config){.in_flight = l->is_raw_ping ? 1 : l->in_flight, .is_one_way = l->is_one_way};
	l->is_raw |= l->is_raw_ping;
}

static void histogram_save(const struct load *load, const char *path)
{
	FILE *file = fopen(path, "we");

	if (file == NULL)
		bench_die("%s: %s", path, strerror(errno));
	bench_histogram_write(&load->measured.latency, file);
	if (fclose(file) != 0)
		bench_die("%s: %s", path, strerror(errno));
}

int main(int argc, char *argv[])
{
	static struct load load;
	static struct line line = {
	    .ports = "1024-65535",
	    .workload = "echo",
	    .pick = "turn",
	    .path = "/",
	    .transmit = "auto",
	    .connections = 1,
	    .size = 64,
	    .depth = 1,
	    .duration_s = 5,
	    .warmup_s = 1,
	    .cpu = NO_CPU,
	    .seed = 1,
	    .batch = 64,
	    .ring = 2048,
	    .window = 1 << 20,
	    .ack_delay_us = 40000,
	    .time_waits = 262144,
	    .slices = 20,
	    .in_flight = 64,
	};
	static struct raw_config raw;

	line_read(&line, argc, argv);
	raw_read(&line, &raw);
	config_make(&line, &load.config);
	if (line.cpu != NO_CPU)
		bench_pin((unsigned)line.cpu);
	bench_pattern_init();
	load.now.ns = bench_now_ns();
	conn_init(&load);
	schedule_init(&load);
	wire_init(&load);
	if (line.is_raw)
		raw_run(&load, &raw, line.has_json);
	else if (!run_all(&load, line.has_progress))
		return 1;
	else if (line.has_json)
		report_json(&load, stdout);
	else
		report_text(&load);
	if (line.histogram != NULL)
		histogram_save(&load, line.histogram);
	bench_xsk_close(&load.xsk);
	return 0;
}
