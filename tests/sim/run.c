/* SPDX-License-Identifier: BSD-2-Clause */
/* One run: time goes from one event to the next until nothing is left to happen. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define STEPS_MAX 4000000
#define SECOND_NS UINT64_C(1000000000)

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

bool sim_random_chance(struct sim_random *r, uint64_t per_10000)
{
	return per_10000 > 0 && sim_random_below(r, 10000) < per_10000;
}

static void deliver(struct sim *s)
{
	struct sim_packet *p;

	while (!s->has_failed && (p = sim_network_take(s)) != NULL) {
		if (p->kind == SIM_PACKET_TCP)
			sim_check_delivered(s, p->to, p->data, p->len);
		sim_host_input(&s->hosts[p->to], p);
		free(p);
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t host_next_ns(const struct sim_host *h)
{
	uint64_t next = tcp_timer_next(h->bench.engine).ns;

	next = earlier(next == 0 ? UINT64_MAX : next, sim_app_next_ns(h));
	if (tcp_output_pending(h->bench.engine))
		next = earlier(next, h->sim->now_ns + 1000);
	return next;
}

/* With Fast Open the others follow once the first has (perhaps) brought a cookie. */
static void connect_some(struct sim *s)
{
	const struct sim_app *first = &s->hosts[0].apps[0];
	bool is_waiting = s->scenario.fast_open && s->connected == 1 && !first->is_open && !first->is_dead;

	while (s->connected < s->scenario.conns && !is_waiting) {
		sim_app_connect(&s->hosts[0], s->connected++);
		is_waiting = s->scenario.fast_open && s->connected == 1;
	}
}

/* A connection may end early for good reasons (a cookie that came too late, an abort); the user tries again.
 */
static bool try_again(struct sim *s)
{
	if (s->bytes >= SIM_BYTES_LEAST || s->scenario.conns == SIM_FLOWS)
		return false;
	s->scenario.conns++;
	return true;
}

static bool step(struct sim *s)
{
	uint64_t next = earlier(host_next_ns(&s->hosts[0]), host_next_ns(&s->hosts[1]));
	tcp_time now;

	next = earlier(next, sim_network_next_ns(s));
	if (next == UINT64_MAX)
		return try_again(s);
	if (next > s->now_ns)
		s->now_ns = next;
	now.ns = s->now_ns;
	deliver(s);
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_engine *e = s->hosts[i].bench.engine;

		tcp_timer_run(e, now, 64);
		sim_app_run_all(&s->hosts[i]);
		tcp_output(e, now, 1 + sim_random_below(&s->random, 64), sim_random_below(&s->random, 2));
	}
	if (sim_random_chance(&s->random, s->scenario.forge))
		sim_forge(s);
	if (sim_random_chance(&s->random, s->scenario.restart))
		sim_host_restart(&s->hosts[sim_random_below(&s->random, 2)]);
	return true;
}

static void run_to_the_end(struct sim *s)
{
	connect_some(s);
	while (!s->has_failed && step(s)) {
		connect_some(s);
		sim_check_step(s);
		if (++s->steps > STEPS_MAX)
			sim_fail(s, "no end after %d steps", STEPS_MAX);
	}
	if (!s->has_failed)
		sim_check_end(s);
}

static void add_stats(struct tcp_stats *total, const struct tcp_stats *part)
{
#define ADD(name, doc) total->name += part->name;
	TCP_STATS(ADD)
#undef ADD
}

void sim_run(const struct sim_scenario *scenario, bool is_tracing, const char *pcap, struct tcp_stats *total,
	     struct sim_verdict *verdict)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->scenario = *scenario;
	s->first_conns = scenario->conns;
	s->random.state = scenario->run;
	s->now_ns = SECOND_NS + sim_random_next(&s->random) % (SECOND_NS * 100000);
	s->is_tracing = is_tracing;
	if (pcap)
		sim_trace_open(s, pcap);
	sim_host_init(s, 0);
	sim_host_init(s, 1);
	run_to_the_end(s);
	for (unsigned i = 0; i < 2; i++) {
		if (total)
			add_stats(total, &s->hosts[i].bench.stats);
		sim_host_fini(&s->hosts[i]);
	}
	*verdict = (struct sim_verdict){
	    .is_ok = !s->has_failed, .bytes = s->bytes, .steps = s->steps, .now_ns = s->now_ns};
	memcpy(verdict->why, s->why, sizeof(verdict->why));
	if (s->pcap)
		fclose(s->pcap);
	sim_network_fini(s);
	free(s);
}
