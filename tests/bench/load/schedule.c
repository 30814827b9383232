/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who says something when.
 *
 * A connection that may send a request is represented by a token, one for each request that its depth allows
 * beyond those under way. Closed loop: a response gives a token, and tokens are taken while fewer requests
 * are under way than the active connections allow. Open loop: requests are due at times that are drawn
 * independently of what the server does; each takes the next token, and its latency counts from when it was
 * due, also when no connection was free then, or this program was late.
 */
#include <stdlib.h>

#include "tests/bench/lib/options.h"
#include "tests/bench/load/load.h"

#define SENDS_PER_TURN 256u

void schedule_init(struct load *load)
{
	const struct load_config *config = &load->config;
	uint64_t wanted = 2 * load->conns_max * config->depth, room = 64;

	while (room < wanted)
		room *= 2;
	if (room > UINT32_MAX)
		bench_usage("--connections × --depth is more than this program can hold");
	load->tokens.slots = calloc(room, sizeof(load->tokens.slots[0]));
	load->tokens.mask = (uint32_t)room - 1;
	if (config->think_us.mean > 0) {
		load->thinkers.room = (uint32_t)room;
		load->thinkers.heap = calloc(room, sizeof(load->thinkers.heap[0]));
	}
	if (load->tokens.slots == NULL || (load->thinkers.room > 0 && load->thinkers.heap == NULL))
		bench_die("no memory for tokens");
	load->random.state = config->settings.seed;
}

static bool token_is_good(const struct load *load, struct load_token token)
{
	const struct load_conn *conn = conn_at(load, token.conn);

	return conn->generation == token.generation &&
	       (conn->flags & (CONN_OPEN | CONN_CLOSING)) == CONN_OPEN;
}

static void token_put(struct load *load, struct load_token token)
{
	struct load_tokens *tokens = &load->tokens;

	/* Full of those of connections that have ended: they are weeded out. */
	if (tokens->head - tokens->tail > tokens->mask) {
		uint32_t to = tokens->tail;

		for (uint32_t from = to; from != tokens->head; from++)
			if (token_is_good(load, tokens->slots[from & tokens->mask]))
				tokens->slots[to++ & tokens->mask] = tokens->slots[from & tokens->mask];
		tokens->head = to;
	}
	tokens->slots[tokens->head++ & tokens->mask] = token;
}

static bool token_take(struct load *load, struct load_token *token)
{
	struct load_tokens *tokens = &load->tokens;

	while (tokens->tail != tokens->head) {
		if (load->config.is_random) {
			uint32_t count = tokens->head - tokens->tail;
			uint32_t at = tokens->tail + bench_random_below(&load->random, count);
			struct load_token chosen = tokens->slots[at & tokens->mask];

			tokens->slots[at & tokens->mask] = tokens->slots[tokens->tail & tokens->mask];
			tokens->slots[tokens->tail & tokens->mask] = chosen;
		}
		*token = tokens->slots[tokens->tail++ & tokens->mask];
		if (token_is_good(load, *token))
			return true;
	}
	return false;
}

static void thinker_put(struct load *load, struct load_sleeper sleeper)
{
	struct load_thinkers *t = &load->thinkers;
	uint32_t at = t->count;

	if (t->count == t->room)
		return; /* cannot be: there are as many places as tokens */
	t->count++;
	for (; at > 0 && t->heap[(at - 1) / 2].due_ns > sleeper.due_ns; at = (at - 1) / 2)
		t->heap[at] = t->heap[(at - 1) / 2];
	t->heap[at] = sleeper;
}

static struct load_sleeper thinker_take(struct load *load)
{
	struct load_thinkers *t = &load->thinkers;
	struct load_sleeper first = t->heap[0], last = t->heap[--t->count];
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < t->count) {
		if (child + 1 < t->count && t->heap[child + 1].due_ns < t->heap[child].due_ns)
			child++;
		if (last.due_ns <= t->heap[child].due_ns)
			break;
		t->heap[at] = t->heap[child];
		at = child;
	}
	t->heap[at] = last;
	return first;
}

/* One request whose latency counts from due_ns. False: the workload has none (preparations only). */
static bool request_send(struct load *load, uint32_t index, uint64_t due_ns)
{
	const struct load_config *config = &load->config;
	struct load_conn *conn = conn_at(load, index);
	bool is_preparation = load->phase == LOAD_PREPARING;
	uint32_t at = conn->first + conn->outstanding;

	/* The last request of the connection's life is under way. */
	if (!is_preparation && config->round_trips != 0 &&
	    conn->trips + conn->outstanding >= config->round_trips)
		return true;
	if (stream_request(load, index, is_preparation) == 0)
		return false;
	conn->times[at < config->depth ? at : at - config->depth] = due_ns;
	conn->outstanding++;
	load->in_flight++;
	return true;
}

void schedule_join(struct load *load, uint32_t index)
{
	const struct load_conn *conn = conn_at(load, index);

	for (uint64_t i = 0; i < load->config.depth; i++)
		token_put(load, (struct load_token){index, conn->generation});
}

void schedule_next(struct load *load, uint32_t index)
{
	const struct load_config *config = &load->config;
	struct load_token token = {index, conn_at(load, index)->generation};

	if (load->phase == LOAD_PREPARING)
		return;
	if (load->phase == LOAD_CLOSING) {
		token_put(load, token);
	} else if (config->think_us.mean > 0) {
		double think_ns = bench_distribution_sample(&config->think_us, &load->random) * 1e3;

		thinker_put(load, (struct load_sleeper){load->now.ns + (uint64_t)think_ns, token});
	} else if (config->rate == 0 && (config->is_staying || config->active == config->connections)) {
		request_send(load, index, load->now.ns);
	} else {
		token_put(load, token);
	}
}

/* One preparation at a time on each connection; tokens only say which connections there are. */
static void prepare_turn(struct load *load)
{
	uint32_t count = load->tokens.head - load->tokens.tail;
	struct load_token token;

	for (uint32_t i = 0; i < SENDS_PER_TURN && i < count && !load->is_prepared; i++) {
		if (!token_take(load, &token))
			return;
		if (conn_at(load, token.conn)->outstanding == 0)
			load->is_prepared = !request_send(load, token.conn, load->now.ns);
		token_put(load, token);
	}
}

static void closed_loop_turn(struct load *load)
{
	uint64_t most = load->config.active * load->config.depth;
	struct load_token token;

	for (uint32_t i = 0; i < SENDS_PER_TURN && load->in_flight < most && token_take(load, &token); i++)
		request_send(load, token.conn, load->now.ns);
}

static void thinkers_turn(struct load *load)
{
	for (uint32_t i = 0;
	     i < SENDS_PER_TURN && load->thinkers.count > 0 && load->thinkers.heap[0].due_ns <= load->now.ns;
	     i++) {
		struct load_sleeper sleeper = thinker_take(load);

		if (token_is_good(load, sleeper.token))
			request_send(load, sleeper.token.conn, sleeper.due_ns);
	}
}

static void open_loop_turn(struct load *load)
{
	struct load_token token;

	for (uint32_t i = 0;
	     i < SENDS_PER_TURN && load->next_arrival_ns <= (double)load->now.ns && token_take(load, &token);
	     i++) {
		request_send(load, token.conn, (uint64_t)load->next_arrival_ns);
		load->next_arrival_ns += bench_distribution_sample(&load->config.arrival, &load->random);
	}
}

void schedule_begin(struct load *load)
{
	load->next_arrival_ns = (double)load->now.ns;
}

void schedule_turn(struct load *load)
{
	if (load->phase == LOAD_PREPARING)
		prepare_turn(load);
	if (load->phase != LOAD_WARMING && load->phase != LOAD_MEASURING)
		return;
	if (load->config.rate > 0) {
		open_loop_turn(load);
		return;
	}
	if (load->thinkers.count > 0)
		thinkers_turn(load);
	if (load->tokens.tail != load->tokens.head)
		closed_loop_turn(load);
}
