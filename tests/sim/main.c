/* SPDX-License-Identifier: BSD-2-Clause */
/* Seeds in, a verdict out. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define STEPS_MAX  4000000
#define SECOND_NS  UINT64_C(1000000000)
#define FIRST_PORT 40000

uint64_t sim_random_next(struct sim_random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t sim_random_below(struct sim_random *r, uint32_t below)
{
	return (uint32_t)((sim_random_next(r) >> 32) * below >> 32);
}

bool sim_random_chance(struct sim_random *r, uint32_t per_10000)
{
	return per_10000 > 0 && sim_random_below(r, 10000) < per_10000;
}

uint8_t sim_pattern(const struct sim *s, uint16_t port, unsigned direction, uint64_t off)
{
	uint64_t z =
	    (s->seed + 1) * 0x9e3779b97f4a7c15u + port * 0xbf58476d1ce4e5b9u + direction * 77 + (off >> 3);

	z = (z ^ z >> 29) * 0x94d049bb133111ebu;
	return (uint8_t)(z >> (8 * (off & 7)));
}

void sim_fail(struct sim *s, const char *format, ...)
{
	va_list args;

	if (s->has_failed)
		return;
	s->has_failed = true;
	va_start(args, format);
	vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
}

static void choose_weather(struct sim *s)
{
	struct sim_random *r = &s->random;
	struct sim_weather *w = &s->weather;
	static const uint32_t losses[] = {0, 0, 10, 100, 300, 1000, 2000};
	static const uint64_t delays[] = {5000, 20000, 500000, 10000000, 100000000};

	w->loss = losses[sim_random_below(r, 7)];
	w->burst = sim_random_below(r, 4) == 0 ? 50 : 0;
	w->reorder = sim_random_below(r, 3) == 0 ? sim_random_below(r, 1500) : 0;
	w->duplicate = sim_random_below(r, 3) == 0 ? sim_random_below(r, 500) : 0;
	w->corrupt = sim_random_below(r, 4) == 0 ? 100 : 0;
	w->mark = sim_random_below(r, 3) == 0 ? sim_random_below(r, 1000) : 0;
	w->delay_ns = delays[sim_random_below(r, 5)];
	w->jitter_ns = sim_random_below(r, 3) == 0 ? w->delay_ns / 2 : 0;
	w->reorder_ns = w->delay_ns * (1 + sim_random_below(r, 4));
	w->byte_ns = sim_random_below(r, 3) == 0 ? 1 + sim_random_below(r, 800) : 0;
	w->queue_bytes = 5000 + sim_random_below(r, 100000);
	s->restart = sim_random_below(r, 6) == 0 ? 20 : 0;
	s->refuse = sim_random_below(r, 3) == 0 ? sim_random_below(r, 1000) : 0;
}

static void choose_config(struct sim *s, struct tcp_config *config)
{
	struct sim_random *r = &s->random;

	tcp_config_default(config);
	config->timestamps = sim_random_below(r, 4) != 0;
	config->sack = sim_random_below(r, 4) != 0;
	config->window_scaling = sim_random_below(r, 4) != 0;
	config->ecn = sim_random_below(r, 2) != 0;
	config->fast_open = s->seed % 3 == 0;
	config->fast_open_pending = s->seed % 2 == 0 ? 256 : 1;
	config->give_up_ns = 3600 * SECOND_NS; /* the network is bad, not dead */
	config->syn_give_up_ns = 3600 * SECOND_NS;
	if (sim_random_below(r, 3) == 0) {
		config->rto_min_ns = 5000000;
		config->rto_initial_ns = 50000000;
	}
}

static void deliver(struct sim *s)
{
	struct sim_packet *p;
	static const uint8_t local[2][16] = {
	    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
	    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2},
	};

	while ((p = sim_network_take(s)) != NULL) {
		struct tcp_packet packet = {
		    .local = local[p->to],
		    .remote = local[!p->to],
		    .data = p->data,
		    .len = p->len,
		    .ecn = p->ecn,
		};

		tcp_prefetch(s->hosts[p->to].engine, &packet);
		tcp_input(s->hosts[p->to].engine, (tcp_time){s->now_ns}, &packet);
		free(p);
	}
}

static bool step(struct sim *s)
{
	uint64_t next = sim_network_next_ns(s);

	for (unsigned i = 0; i < 2; i++) {
		uint64_t host_next = sim_host_next_ns(&s->hosts[i]);

		if (host_next < next)
			next = host_next;
	}
	if (next == UINT64_MAX)
		return false;
	if (next > s->now_ns)
		s->now_ns = next;
	deliver(s);
	for (unsigned i = 0; i < 2; i++) {
		struct sim_host *h = &s->hosts[i];

		tcp_timer_run(h->engine, (tcp_time){s->now_ns}, 64);
		sim_host_run_apps(h);
		tcp_output(h->engine, (tcp_time){s->now_ns}, 1 + sim_random_below(&s->random, 64),
			   sim_random_below(&s->random, 2));
	}
	return true;
}

static void add_stats(struct tcp_stats *total, const struct tcp_stats *part)
{
#define ADD(name, doc) total->name += part->name;
	TCP_STATS(ADD)
#undef ADD
}

/* With Fast Open the others follow once the first has (perhaps) brought a cookie. */
static void connect_some(struct sim *s, uint32_t upto)
{
	for (; s->connected < upto; s->connected++) {
		uint16_t port = (uint16_t)(FIRST_PORT + s->connected);

		sim_host_connect(&s->hosts[0], port, SIM_BYTES_MIN + sim_random_below(&s->random, 32768), 0);
	}
}

static bool run(uint64_t seed, bool is_tracing, const char *pcap, struct tcp_stats *total, uint64_t *bytes)
{
	struct sim *s = calloc(1, sizeof(*s));
	struct tcp_config config;
	bool is_ok;

	if (!s)
		abort();
	s->seed = seed;
	s->random.state = seed * 0x2545f4914f6cdd1du + 1;
	s->now_ns = SECOND_NS + sim_random_next(&s->random) % (SECOND_NS * 100000);
	s->is_tracing = is_tracing;
	if (pcap)
		sim_trace_open(s, pcap);
	choose_weather(s);
	choose_config(s, &config);
	sim_host_init(s, 0, &config);
	sim_host_init(s, 1, &config);
	s->conns = 1 + sim_random_below(&s->random, sim_random_below(&s->random, 4) ? 2 : SIM_CONNS);
	connect_some(s, config.fast_open ? 1 : s->conns);
	while (!s->has_failed && step(s)) {
		if (sim_random_chance(&s->random, s->restart))
			sim_host_restart(&s->hosts[sim_random_below(&s->random, 2)]);
		if (s->connected < s->conns && sim_host_has_opened(&s->hosts[0]))
			connect_some(s, s->conns);
		sim_check_step(s);
		if (++s->steps > STEPS_MAX)
			sim_fail(s, "no end after %d steps", STEPS_MAX);
	}
	if (!s->has_failed)
		sim_check_end(s);
	if (s->has_failed)
		printf("seed %" PRIu64 ": %s (at %.6f ms, step %" PRIu64 ")\n", seed, s->why,
		       (double)s->now_ns / 1e6, s->steps);
	for (unsigned i = 0; i < 2; i++) {
		add_stats(total, &s->hosts[i].stats);
		sim_host_fini(&s->hosts[i]);
	}
	*bytes += s->bytes;
	is_ok = !s->has_failed;
	if (s->pcap)
		fclose(s->pcap);
	sim_network_fini(s);
	free(s);
	return is_ok;
}

/* Counters that prove that the run reached what it is for. */
static unsigned report(const struct tcp_stats *t, bool is_full)
{
	unsigned missing = 0;

#define REQUIRE(name)                                                                                        \
	if (is_full && t->name == 0 && ++missing)                                                            \
		printf("never happened over all seeds: %s\n", #name);
	REQUIRE(retransmits)
	REQUIRE(rto_expiries)
	REQUIRE(fast_recoveries)
	REQUIRE(sack_recoveries)
	REQUIRE(tlp_probes)
	REQUIRE(spurious_recoveries)
	REQUIRE(frto_probes)
	REQUIRE(frto_spurious)
	REQUIRE(dsack_in)
	REQUIRE(dup_acks_in)
	REQUIRE(ooo_segments_in)
	REQUIRE(zero_window_probes)
	REQUIRE(zero_windows_in)
	REQUIRE(delayed_acks)
	REQUIRE(resets_in)
	REQUIRE(time_waits)
	REQUIRE(syn_cookies_out)
	REQUIRE(syn_cookies_in)
	REQUIRE(fast_open_in)
	REQUIRE(fast_open_out)
	REQUIRE(fast_open_fallbacks)
	REQUIRE(fast_open_cookies_out)
#undef REQUIRE
	return missing;
}

static void print_stats(const struct tcp_stats *t)
{
#define PRINT(name, doc)                                                                                     \
	if (t->name)                                                                                         \
		printf("  %-24s %" PRIu64 "\n", #name, t->name);
	TCP_STATS(PRINT)
#undef PRINT
}

int main(int argc, char **argv)
{
	uint64_t first = 1, count = 1000, failed = 0, bytes = 0;
	struct tcp_stats total = {0};
	const char *pcap = NULL;
	bool is_tracing = false, is_verbose = false, has_seed = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			first = strtoull(argv[++i], NULL, 0);
			count = has_seed ? count : 1;
			has_seed = true;
		} else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
			count = strtoull(argv[++i], NULL, 0);
			has_seed = true;
		} else if (strcmp(argv[i], "--pcapng") == 0 && i + 1 < argc) {
			pcap = argv[++i];
		} else if (strcmp(argv[i], "--trace") == 0) {
			is_tracing = true;
		} else if (strcmp(argv[i], "--stats") == 0) {
			is_verbose = true;
		} else {
			fprintf(stderr,
				"usage: %s [--seed N] [--seeds N] [--trace] [--stats] [--pcapng FILE]\n",
				argv[0]);
			return 2;
		}
	}
	for (uint64_t seed = first; seed < first + count; seed++)
		failed += !run(seed, is_tracing, pcap, &total, &bytes);
	if (is_verbose)
		print_stats(&total);
	failed += report(&total, count >= 1000);
	printf("sim: %" PRIu64 " seeds, %" PRIu64 " bytes delivered, %" PRIu64 " failed\n", count, bytes,
	       failed);
	return failed > 0;
}
