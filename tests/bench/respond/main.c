/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-respond: attaches a TCP echo server that is an XDP program, counts, and detaches it. The server runs
 * where its client sends, inside the client's own system call: a peer that needs no CPU of its own.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/lib/net.h"
#include "tests/bench/lib/options.h"
#include "tests/bench/respond/respond.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "bench_respond.skel.h"
#pragma GCC diagnostic pop

static int libbpf_say(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* The endpoint "ADDR:PORT" or "ADDR:PORT-PORT". */
static void listen_parse(const char *text, struct bench_respond *config)
{
	const char *colon = strrchr(text, ':');
	struct bench_endpoint endpoint;
	struct bench_range ports;
	char first[64];
	int bytes = (int)strcspn(text, "-");

	if (colon == NULL || !bench_ports_parse(colon + 1, &ports) ||
	    snprintf(first, sizeof(first), "%.*s", bytes, text) >= (int)sizeof(first) ||
	    !bench_endpoint_parse(first, &endpoint))
		bench_usage("--listen takes ADDR:PORT or ADDR:PORT-PORT, not \"%s\"", text);
	*config = (struct bench_respond){
	    .ip = endpoint.ip, .port_first = (uint16_t)ports.first, .port_last = (uint16_t)ports.last};
}

static struct bench_respond_bpf *attach(const char *iface, const struct bench_respond *config, bool is_pass)
{
	struct bench_respond_bpf *skeleton;
	unsigned ifindex = if_nametoindex(iface);
	struct bpf_link *link;

	if (ifindex == 0)
		bench_die("there is no interface %s in this network namespace", iface);
	libbpf_set_print(libbpf_say);
	skeleton = bench_respond_bpf__open();
	if (skeleton == NULL)
		bench_die("BPF: %s", strerror(errno));
	memcpy(&skeleton->rodata->config, config, sizeof(*config));
	if (bench_respond_bpf__load(skeleton) != 0)
		bench_die("loading the XDP program: %s", strerror(errno));
	link = bpf_program__attach_xdp(is_pass ? skeleton->progs.bench_pass : skeleton->progs.bench_respond,
				       (int)ifindex);
	if (link == NULL)
		bench_die("interface %s: attaching the XDP program: %s", iface,
			  errno == EBUSY ? "another program is attached; stop it" : strerror(errno));
	if (is_pass)
		skeleton->links.bench_pass = link;
	else
		skeleton->links.bench_respond = link;
	return skeleton;
}

static struct bench_respond_counts counts_sum(const struct bench_respond_bpf *skeleton)
{
	struct bench_respond_counts sum = {0}, *each;
	int cpus = libbpf_num_possible_cpus();
	uint32_t key = 0;

	each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;
	if (each == NULL)
		bench_die("out of memory");
	if (bpf_map__lookup_elem(skeleton->maps.counts, &key, sizeof(key), each, (size_t)cpus * sizeof(*each),
				 0) != 0)
		bench_die("reading the counters: %s", strerror(errno));
	for (int i = 0; i < cpus; i++) {
#define BENCH_RESPOND_ADD(name, doc) sum.name += each[i].name;
		BENCH_RESPOND_COUNTS(BENCH_RESPOND_ADD)
#undef BENCH_RESPOND_ADD
	}
	free(each);
	return sum;
}

static void report(const struct bench_respond_counts *c)
{
	const char *separator = "{";

#define BENCH_RESPOND_PRINT(name, doc)                                                                       \
	printf("%s\"" #name "\":%llu", separator, (unsigned long long)c->name);                              \
	separator = ",";
	BENCH_RESPOND_COUNTS(BENCH_RESPOND_PRINT)
#undef BENCH_RESPOND_PRINT
	puts("}");
}

/* Until SIGTERM or SIGINT, which are blocked, or until the time is up. */
static void wait_for_end(const sigset_t *signals, double duration_s)
{
	struct timespec limit = {.tv_sec = (time_t)duration_s,
				 .tv_nsec = (long)((duration_s - (double)(time_t)duration_s) * 1e9)};

	while (sigtimedwait(signals, NULL, duration_s > 0 ? &limit : NULL) < 0 && errno == EINTR)
		;
}

int main(int argc, char *argv[])
{
	const char *iface = NULL, *listen = NULL;
	double duration_s = 0;
	bool is_pass = false;
	const struct bench_option rows[] = {
	    {"if", "IFACE", "interface to attach to: the peer's end of a veth", BENCH_TEXT, &iface, 0, 0},
	    {"listen", "ADDR:PORT[-PORT]", "whom to be", BENCH_TEXT, &listen, 0, 0},
	    {"pass", NULL, "attach a program that does nothing: for the client's end", BENCH_FLAG, &is_pass,
	     0, 0},
	    {"duration", "SECONDS", "end after so long (default: at SIGTERM or SIGINT)", BENCH_REAL,
	     &duration_s, 0, 0},
	    {0},
	};
	const struct bench_options options = {
	    "--if IFACE --listen ADDR:PORT | --if IFACE --pass",
	    "A TCP echo server that is an XDP program. Prints what it counted, as JSON, when it ends.", rows,
	    NULL};
	struct bench_respond config = {0};
	struct bench_respond_bpf *skeleton;
	struct bench_respond_counts counts;
	sigset_t signals;

	bench_options_parse(&options, argc, argv);
	if (iface == NULL || (listen == NULL) == !is_pass)
		bench_usage("--if and either --listen or --pass are needed; try --help");
	if (listen != NULL)
		listen_parse(listen, &config);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	skeleton = attach(iface, &config, is_pass);
	if (is_pass)
		printf("passing on %s\n", iface);
	else
		printf("listening on %s\n", listen);
	fflush(stdout);
	wait_for_end(&signals, duration_s);
	counts = counts_sum(skeleton);
	bench_respond_bpf__destroy(skeleton);
	if (!is_pass)
		report(&counts);
	return 0;
}
