/* SPDX-License-Identifier: BSD-2-Clause */
/* From a seed to a scenario, from a file to a scenario, and to what the engine takes. */
#include "tests/sim/scenario.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define SECOND_NS  UINT64_C(1000000000)
#define FOR_EVER   UINT64_C(100000000) /* ms: longer than any give-up time */
#define LINE_BYTES 200

static const struct row {
	const char *name;
	size_t offset;
} rows[] = {
#define ROW(name, doc) {#name, offsetof(struct sim_scenario, name)},
    SIM_SCENARIO(ROW)
#undef ROW
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static uint64_t *field(struct sim_scenario *s, const struct row *row)
{
	return (uint64_t *)(void *)((uint8_t *)s + row->offset);
}

/* One of the values, or one in `n` times something. */
#define PICK(random, ...)                                                                                    \
	((const uint64_t[]){__VA_ARGS__})[sim_random_below(                                                  \
	    random, (uint32_t)(sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)))]

static bool one_in(struct sim_random *r, uint32_t n)
{
	return sim_random_below(r, n) == 0;
}

static void choose_network(struct sim_scenario *s, struct sim_random *r)
{
	s->loss = PICK(r, 0, 0, 10, 100, 300, 1000, 2000);
	s->burst = one_in(r, 4) ? 50 : 0;
	s->reorder = one_in(r, 3) ? sim_random_below(r, 1500) : 0;
	s->duplicate = one_in(r, 3) ? sim_random_below(r, 500) : 0;
	s->corrupt = one_in(r, 4) ? 100 : 0;
	s->mark = one_in(r, 3) ? sim_random_below(r, 1000) : 0;
	s->remark = one_in(r, 10) ? sim_random_below(r, 5000) : 0;
	s->delay_ns = PICK(r, 5000, 20000, 500000, 10000000, 100000000);
	s->jitter_ns = one_in(r, 3) ? s->delay_ns / 2 : 0;
	s->reorder_ns = s->delay_ns * (1 + sim_random_below(r, 4));
	s->byte_ns = one_in(r, 3) ? 1 + sim_random_below(r, 800) : 0;
	s->queue_bytes = 5000 + sim_random_below(r, 100000);
	s->path_mtu = one_in(r, 8) ? PICK(r, 600, 1000, 1400) : 0;
	s->has_icmp = !one_in(r, 4);
	s->cut_after_bytes = one_in(r, 8) ? SIM_BYTES_LEAST + sim_random_below(r, 65536) : 0;
	s->cut_ms = one_in(r, 2) ? FOR_EVER : 1 + sim_random_below(r, 20000);
	s->forge = one_in(r, 4) ? PICK(r, 10, 100, 1000) : 0;
}

static void choose_users(struct sim_scenario *s, struct sim_random *r)
{
	s->conns = 1 + sim_random_below(r, one_in(r, 4) ? SIM_CONNS : 2);
	s->client_cc = sim_random_below(r, TCP_CC_COUNT);
	s->server_cc = sim_random_below(r, TCP_CC_COUNT);
	s->nagle = one_in(r, 2);
	s->abort_one_in = one_in(r, 2) ? 10 : 0;
	s->close_one_in = one_in(r, 3) ? 4 : 0;
	s->refuse = one_in(r, 3) ? sim_random_below(r, 1000) : 0;
	s->restart = one_in(r, 6) ? 20 : 0;
	s->wide = one_in(r, 2);
	s->stall = one_in(r, 4) ? 1 + sim_random_below(r, 1000) : 0;
	s->stall_ms = 500 + sim_random_below(r, 20000);
}

static void choose_engine(struct sim_scenario *s, struct sim_random *r)
{
	s->timestamps = !one_in(r, 4);
	s->sack = !one_in(r, 4);
	s->window_scaling = !one_in(r, 4);
	s->ecn = one_in(r, 2);
	s->rto_min_ns = 200 * SECOND_NS / 1000;
	s->rto_initial_ns = SECOND_NS;
	if (one_in(r, 3)) {
		s->rto_min_ns = 5 * SECOND_NS / 1000;
		s->rto_initial_ns = 50 * SECOND_NS / 1000;
	}
	/* The network is bad, not dead: unless it is. */
	s->give_up_ns = (s->cut_after_bytes != 0 ? 100 : 3600) * SECOND_NS;
	s->keepalive_ns = one_in(r, 4) ? 2 * SECOND_NS : 0;
	s->accurate_ecn = one_in(r, 2) ? 1 + sim_random_below(r, 3) : 0;
	s->fast_open = one_in(r, 3);
	s->fast_open_pending = one_in(r, 2) ? 1 : 256;
	s->challenge_acks_per_s = PICK(r, 1, 100, 1000);
	s->syn_backlog = one_in(r, 3) ? 1 : 64;
	s->listen_backlog = one_in(r, 4) ? 1 + sim_random_below(r, 3) : 0;
	s->time_waits = one_in(r, 4) ? 2 : 32;
	s->client_sent_records = one_in(r, 3) ? 4 : 1024;
	s->server_sent_records = one_in(r, 3) ? 4 : 1024;
	s->client_ooo_records = one_in(r, 3) ? 2 : 256;
	s->server_ooo_records = one_in(r, 3) ? 2 : 256;
}

void sim_scenario_choose(struct sim_scenario *s, uint64_t seed)
{
	struct sim_random random = {.state = seed * 0x2545f4914f6cdd1du + 1};

	memset(s, 0, sizeof(*s));
	choose_network(s, &random);
	choose_users(s, &random);
	choose_engine(s, &random);
	s->run = sim_random_next(&random);
}

static const struct sim_scenario clean = {
    .conns = 1,
    .delay_ns = 500000,
    .timestamps = 1,
    .sack = 1,
    .window_scaling = 1,
    .rto_min_ns = 200000000,
    .rto_initial_ns = SECOND_NS,
    .give_up_ns = 3600 * SECOND_NS,
    .challenge_acks_per_s = 1000,
    .syn_backlog = 64,
    .time_waits = 32,
    .client_sent_records = 1024,
    .server_sent_records = 1024,
    .client_ooo_records = 256,
    .server_ooo_records = 256,
};

static int read_line(struct sim_scenario *s, char *line)
{
	char *comment = strchr(line, '#'), *save = NULL, *name, *value, *end;

	if (comment)
		*comment = '\0';
	name = strtok_r(line, " \t\n", &save);
	if (!name)
		return 0;
	value = strtok_r(NULL, " \t\n", &save);
	for (size_t i = 0; value && i < ROW_COUNT; i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		*field(s, &rows[i]) = strtoull(value, &end, 0);
		return *end == '\0' ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int sim_scenario_read(struct sim_scenario *s, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[LINE_BYTES];
	unsigned number = 0;
	int error = file ? 0 : -errno;

	*s = clean;
	while (error == 0 && fgets(line, sizeof(line), file)) {
		number++;
		error = read_line(s, line);
	}
	if (error == 0 && (s->conns < 1 || s->conns > SIM_CONNS || s->client_cc >= TCP_CC_COUNT ||
			   s->server_cc >= TCP_CC_COUNT || s->syn_backlog < 1))
		error = -EINVAL;
	if (error != 0)
		fprintf(stderr, "%s:%u: %s\n", path, number, strerror(-error));
	if (file)
		fclose(file);
	return error;
}

void sim_scenario_print(const struct sim_scenario *s, FILE *out)
{
#define PRINT(name, doc)                                                                                     \
	if (s->name != clean.name)                                                                           \
		fprintf(out, "%s %" PRIu64 "\n", #name, s->name);
	SIM_SCENARIO(PRINT)
#undef PRINT
}

void sim_scenario_config(const struct sim_scenario *s, struct tcp_config *config)
{
	tcp_config_default(config);
	config->timestamps = s->timestamps != 0;
	config->sack = s->sack != 0;
	config->window_scaling = s->window_scaling != 0;
	config->ecn = s->ecn != 0;
	config->accurate_ecn = s->accurate_ecn == 1;
	config->fast_open = s->fast_open != 0;
	config->fast_open_pending = (uint32_t)s->fast_open_pending;
	config->rto_min_ns = s->rto_min_ns;
	config->rto_initial_ns = s->rto_initial_ns;
	config->give_up_ns = s->give_up_ns;
	config->syn_give_up_ns = s->give_up_ns;
	config->challenge_acks_per_s = (uint32_t)s->challenge_acks_per_s;
	if (s->keepalive_ns != 0) {
		config->keepalive_idle_ns = s->keepalive_ns;
		config->keepalive_intvl_ns = s->keepalive_ns / 2;
	}
}

void sim_scenario_limits(const struct sim_scenario *s, unsigned host, struct tcp_limits *limits)
{
	*limits = (struct tcp_limits){
	    .conns = SIM_RECORDS,
	    .listeners = 4,
	    .syn_backlog = (uint32_t)s->syn_backlog,
	    .time_waits = (uint32_t)s->time_waits,
	    .sent_records = (uint32_t)(host ? s->server_sent_records : s->client_sent_records),
	    .ooo_records = (uint32_t)(host ? s->server_ooo_records : s->client_ooo_records),
	};
}
