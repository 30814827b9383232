/* SPDX-License-Identifier: BSD-2-Clause */
/* ix-load's key-value workloads, answered by a store of one array. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load/workload.h"

extern const struct load_workload load_usr, load_etc;

static const char *no_options[] = {NULL};
static uint8_t request[LOAD_REQUEST_MAX], answer[LOAD_REQUEST_MAX];

static void *begin(const struct load_workload *workload, const char *const *options)
{
	struct load_settings settings = {.seed = 7, .is_checked = true, .options = options};

	cr_assert(workload->init(&settings));
	return calloc(1, workload->state_bytes);
}

static struct load_progress say(const struct load_workload *workload, void *state, const void *bytes,
				size_t len)
{
	return workload->response(state, 0, 0, bytes, (uint32_t)len);
}

Test(kv_workload, options)
{
	const char *const wrong[][2] = {{"keys=0"}, {"keys=x"}, {"zipf=-1"}, {"zipf=no"}, {"other=1"}};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct load_settings settings = {.options = wrong[i]};

		cr_assert(!load_usr.init(&settings), "%s", wrong[i][0]);
	}
}

Test(kv_workload, every_key_is_set_once)
{
	const char *options[] = {"keys=100", NULL};
	void *state = begin(&load_usr, options);
	char expected[64];

	for (int i = 0; i < 100; i++) {
		struct load_request set = load_usr.prepare(state, request);

		snprintf(expected, sizeof(expected), "set %019d 0 0 2\r\n", i);
		cr_assert_eq(set.bytes, strlen(expected) + 4);
		cr_assert(!memcmp(request, expected, strlen(expected)));
		cr_assert_eq(say(&load_usr, state, "STORED\r\n", 8).completed, 1);
	}
	cr_assert_eq(load_usr.prepare(state, request).bytes, 0);
	free(state);
}

/* What a store would say to the request, with the value of the set that it remembers. */
static size_t answer_to(size_t bytes, const uint8_t value[2])
{
	if (request[0] == 's') {
		memcpy(answer, "STORED\r\n", 8);
		return 8;
	}
	cr_assert_eq(bytes, 4 + 19 + 2);
	snprintf((char *)answer, sizeof(answer), "VALUE %.19s 0 2\r\n", request + 4);
	memcpy(answer + 31, value, 2);
	memcpy(answer + 33, "\r\nEND\r\n", 7);
	return 40;
}

Test(kv_workload, answers_may_be_cut_anywhere_and_every_byte_counts)
{
	const char *options[] = {"keys=1", NULL};
	void *state = begin(&load_usr, options);
	struct bench_random random = {1};
	struct load_request asked = load_usr.prepare(state, request);
	uint8_t value[2];
	size_t len;

	memcpy(value, request + asked.bytes - 4, 2);
	say(&load_usr, state, "STORED\r\n", 8);
	do
		asked = load_usr.request(state, &random, 0, request);
	while (request[0] == 's' && say(&load_usr, state, "STORED\r\n", 8).completed);
	len = answer_to(asked.bytes, value);
	for (size_t cut = 1; cut < len; cut++) {
		struct load_progress first = say(&load_usr, state, answer, cut);
		struct load_progress second = say(&load_usr, state, answer + cut, len - cut);

		cr_assert(!first.completed && !first.is_wrong, "cut at %zu", cut);
		cr_assert(second.completed == 1 && !second.is_wrong && !second.misses, "cut at %zu", cut);
		do
			asked = load_usr.request(state, &random, 0, request);
		while (request[0] == 's' && say(&load_usr, state, "STORED\r\n", 8).completed);
	}
	cr_assert_eq(say(&load_usr, state, "END\r\n", 5).misses, 1);
	for (size_t at = 1; at < len; at++) {
		do
			load_usr.request(state, &random, 0, request);
		while (request[0] == 's' && say(&load_usr, state, "STORED\r\n", 8).completed);
		answer[at] ^= 1;
		cr_assert(say(&load_usr, state, answer, len).is_wrong, "byte %zu", at);
		answer[at] ^= 1;
		memset(state, 0, load_usr.state_bytes);
	}
	free(state);
}

Test(kv_workload, nobody_answers_what_was_not_asked)
{
	void *state = begin(&load_etc, no_options);

	cr_assert(say(&load_etc, state, "STORED\r\n", 8).is_wrong);
	free(state);
}

static double gets_of(const struct load_workload *workload, double *value_bytes)
{
	void *state = begin(workload, no_options);
	struct bench_random random = {5};
	unsigned count = 200000, gets = 0, popular = 0;
	double sum = 0;

	for (unsigned i = 0; i < count; i++) {
		struct load_request asked = workload->request(state, &random, 0, request);
		const char *words = (const char *)request;

		memset(state, 0, workload->state_bytes);
		gets += *words == 'g';
		popular += strtoul(words + 4, NULL, 10) == 0;
		if (*words == 's') {
			request[asked.bytes] = 0;
			sum += strtod(strstr(words, " 0 0 ") + 5, NULL);
		}
	}
	/* Zipf's law with 0.99 for 10000 keys: the first has about a tenth. */
	cr_assert_float_eq((double)popular / count, 0.0976, 0.01);
	*value_bytes = gets < count ? sum / (count - gets) : 0;
	free(state);
	return (double)gets / count;
}

Test(kv_workload, shares_and_sizes)
{
	double bytes;

	cr_assert_float_eq(gets_of(&load_usr, &bytes), 0.998, 0.001);
	cr_assert_float_eq(bytes, 2, 1e-9);
	cr_assert_float_eq(gets_of(&load_etc, &bytes), 0.75, 0.01);
	cr_assert(bytes > 50 && bytes < 400, "%f", bytes);
}
