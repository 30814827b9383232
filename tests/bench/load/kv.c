/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two of Facebook's memcached workloads (Atikoglu et al., Workload Analysis of a Large-Scale Key-Value Store,
 * 2012), with which IX was evaluated: USR, small keys, values of 2 bytes, nearly only reads; and ETC, keys of
 * 20 to 70 bytes, values of 1 byte to 1 KB, three quarters reads. Keys are drawn by Zipf's law. The store is
 * filled first; every value that comes back is compared with the one that was set.
 *
 * Options: keys=N (default 10000), zipf=EXPONENT (0.99; 0: all alike).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load/load.h"
#include "tests/bench/load/workload.h"

extern const struct load_workload load_usr, load_etc;

#define KEYS_DEFAULT    10000u
#define KEYS_MAX        10000000u
#define KEY_MAX         70u
#define VALUE_MAX       1024u
#define HEAD_MAX        92u /* VALUE KEY 0 1024\r\n */
#define HEAD_KEY_OFF    6u
#define USR_KEY_BYTES   19u
#define USR_VALUE_BYTES 2u
#define PATTERN_BYTES   4096u
#define PARTS_PER_MILLE 1000u

/* A key with what is said about it, rendered once: the beginning of the answer to its get. */
struct key {
	uint8_t key_bytes, head_bytes;
	uint16_t value_bytes;
	char head[HEAD_MAX];
};

/* Walker's alias method: a place is drawn evenly, and then it or its alias is taken. */
struct place {
	uint32_t threshold, alias;
};

/* What is under way on a connection: key << 1 | is a set. */
struct kv_state {
	uint32_t asked[LOAD_DEPTH_MAX];
	uint16_t first, count;
	uint32_t got; /* bytes of the oldest request's answer */
	bool is_miss; /* that answer says so */
};

static struct key *keys;
static struct place *places;
static uint32_t key_count, prepared, sets_per_mille;
static bool is_checked;
static uint8_t pattern[PATTERN_BYTES];

/* ---- What the workloads are */

/* Sizes of values up to 14 bytes have probabilities of their own (table 5 there). */
static const double small_values[] = {0.00536, 0.00047, 0.17820, 0.09239, 0.00018, 0.02740, 0.00065, 0.00606,
				      0.00023, 0.00837, 0.00837, 0.08989, 0.00092, 0.00326, 0.01980};

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

/* Generalised extreme value, with the parameters of section 5 there. */
static uint8_t etc_key_bytes(struct bench_random *random)
{
	double size =
	    30.7984 + 8.20449 * (pow(-log(bench_random_unit(random) * 0.999999), -0.078688) - 1) / 0.078688;

	return (uint8_t)clamp(size, 20, KEY_MAX);
}

/* Generalised Pareto behind the small ones. */
static uint16_t etc_value_bytes(struct bench_random *random)
{
	double at = bench_random_unit(random);
	unsigned count = sizeof(small_values) / sizeof(small_values[0]);

	for (unsigned i = 0; i < count; i++) {
		if (at <= small_values[i])
			return (uint16_t)(i ? i : 1);
		at -= small_values[i];
	}
	at = 15 + 214.476 * (pow(bench_random_unit(random), -0.348238) - 1) / 0.348238;
	return (uint16_t)clamp(at, 1, VALUE_MAX);
}

static void key_make(struct key *key, uint32_t index, uint8_t key_bytes, uint16_t value_bytes)
{
	int len =
	    snprintf(key->head, sizeof(key->head), "VALUE %0*u 0 %u\r\n", key_bytes, index, value_bytes);

	key->key_bytes = key_bytes;
	key->value_bytes = value_bytes;
	key->head_bytes = (uint8_t)len;
}

static const uint8_t *value_of(uint32_t index)
{
	return pattern + index * 37u % (PATTERN_BYTES - VALUE_MAX);
}

/* ---- Zipf's law */

/* Fills the places for weights whose mean is 1. `small` and `large` have room for all. */
static void alias_make(double *weight, uint32_t *small, uint32_t *large)
{
	uint32_t small_count = 0, large_count = 0;

	for (uint32_t i = 0; i < key_count; i++) {
		places[i] = (struct place){UINT32_MAX, i};
		if (weight[i] < 1)
			small[small_count++] = i;
		else
			large[large_count++] = i;
	}
	while (small_count && large_count) {
		uint32_t poor = small[--small_count], rich = large[large_count - 1];

		places[poor] = (struct place){(uint32_t)(weight[poor] * UINT32_MAX), rich};
		weight[rich] -= 1 - weight[poor];
		if (weight[rich] < 1) {
			large_count--;
			small[small_count++] = rich;
		}
	}
}

static bool zipf_make(double exponent)
{
	double *weight = calloc(key_count, sizeof(*weight)), sum = 0;
	uint32_t *lists = calloc(key_count, 2 * sizeof(*lists));
	bool is_made = weight && lists && places;

	for (uint32_t i = 0; is_made && i < key_count; i++) {
		weight[i] = pow(i + 1, -exponent);
		sum += weight[i];
	}
	for (uint32_t i = 0; is_made && i < key_count; i++)
		weight[i] *= key_count / sum;
	if (is_made)
		alias_make(weight, lists, lists + key_count);
	free(weight);
	free(lists);
	return is_made;
}

static uint32_t key_draw(struct bench_random *random)
{
	uint64_t x = bench_random_u64(random);
	uint32_t at = (uint32_t)((x >> 32) * key_count >> 32);

	return (uint32_t)x <= places[at].threshold ? at : places[at].alias;
}

/* ---- Settings */

static bool option_read(const char *option, double *zipf)
{
	char *end;

	if (!strncmp(option, "keys=", 5)) {
		unsigned long value = strtoul(option + 5, &end, 10);

		key_count = (uint32_t)value;
		return !*end && value && value <= KEYS_MAX;
	}
	if (!strncmp(option, "zipf=", 5)) {
		*zipf = strtod(option + 5, &end);
		return !*end && *zipf >= 0 && *zipf <= 10;
	}
	return false;
}

static bool kv_init(const struct load_settings *settings)
{
	struct bench_random random = {settings->seed};
	double zipf = 0.99;

	key_count = KEYS_DEFAULT;
	is_checked = settings->is_checked;
	for (const char *const *option = settings->options; *option; option++)
		if (!option_read(*option, &zipf)) {
			fprintf(stderr, "--option takes keys=1…%u and zipf=0…10, not \"%s\"\n", KEYS_MAX,
				*option);
			return false;
		}
	for (uint32_t i = 0; i < PATTERN_BYTES; i++)
		pattern[i] = (uint8_t)bench_random_u64(&random);
	keys = calloc(key_count, sizeof(*keys));
	places = calloc(key_count, sizeof(*places));
	if (!keys || !zipf_make(zipf)) {
		fprintf(stderr, "%u keys: out of memory\n", key_count);
		return false;
	}
	return true;
}

static bool usr_init(const struct load_settings *settings)
{
	if (!kv_init(settings))
		return false;
	sets_per_mille = 2;
	for (uint32_t i = 0; i < key_count; i++)
		key_make(&keys[i], i, USR_KEY_BYTES, USR_VALUE_BYTES);
	return true;
}

static bool etc_init(const struct load_settings *settings)
{
	struct bench_random random = {settings->seed + 1};

	if (!kv_init(settings))
		return false;
	sets_per_mille = 250;
	for (uint32_t i = 0; i < key_count; i++) {
		uint8_t key_bytes = etc_key_bytes(&random);

		key_make(&keys[i], i, key_bytes, etc_value_bytes(&random));
	}
	return true;
}

/* ---- Requests */

static void asked_push(struct kv_state *state, uint32_t index, bool is_set)
{
	uint32_t at = state->first + state->count++;

	state->asked[at % LOAD_DEPTH_MAX] = index << 1 | is_set;
}

static uint32_t put(uint8_t *out, uint32_t at, const void *bytes, uint32_t len)
{
	memcpy(out + at, bytes, len);
	return at + len;
}

static struct load_request set_request(struct kv_state *state, uint32_t index, uint8_t *out)
{
	const struct key *key = &keys[index];
	uint32_t at = put(out, 0, "set ", 4);

	/* KEY 0 as in the answer, with the exptime between flags and size. */
	at = put(out, at, key->head + HEAD_KEY_OFF, key->key_bytes);
	at = put(out, at, " 0 0", 4);
	at = put(out, at, key->head + HEAD_KEY_OFF + key->key_bytes + 2,
		 (uint32_t)key->head_bytes - HEAD_KEY_OFF - key->key_bytes - 2);
	at = put(out, at, value_of(index), key->value_bytes);
	at = put(out, at, "\r\n", 2);
	asked_push(state, index, true);
	return (struct load_request){.bytes = at};
}

static struct load_request kv_prepare(void *state, uint8_t out[LOAD_REQUEST_MAX])
{
	if (prepared == key_count)
		return (struct load_request){0};
	return set_request(state, prepared++, out);
}

static struct load_request kv_request(void *state, struct bench_random *random, uint64_t stream_off,
				      uint8_t out[LOAD_REQUEST_MAX])
{
	uint32_t index = key_draw(random);
	const struct key *key = &keys[index];
	uint32_t at;

	(void)stream_off;
	if (bench_random_below(random, PARTS_PER_MILLE) < sets_per_mille)
		return set_request(state, index, out);
	at = put(out, 0, "get ", 4);
	at = put(out, at, key->head + HEAD_KEY_OFF, key->key_bytes);
	at = put(out, at, "\r\n", 2);
	asked_push(state, index, false);
	return (struct load_request){.bytes = at};
}

/* ---- Answers */

struct part {
	const void *bytes;
	uint32_t len;
};

/* The answer that is right, in three parts. */
static void answer_of(const struct kv_state *state, struct part parts[3])
{
	uint32_t asked = state->asked[state->first % LOAD_DEPTH_MAX];
	const struct key *key = &keys[asked >> 1];

	parts[0] = parts[1] = parts[2] = (struct part){"", 0};
	if (asked & 1) {
		parts[0] = (struct part){"STORED\r\n", 8};
	} else if (state->is_miss) {
		parts[0] = (struct part){"END\r\n", 5};
	} else {
		parts[0] = (struct part){key->head, key->head_bytes};
		parts[1] = (struct part){value_of(asked >> 1), key->value_bytes};
		parts[2] = (struct part){"\r\nEND\r\n", 7};
	}
}

/* Compares the answer from state->got on with up to `len` bytes. Returns how many belong to it; *is_whole:
 * it ends there. */
static uint32_t answer_compare(struct kv_state *state, const uint8_t *data, uint32_t len, bool *is_whole,
			       bool *is_wrong)
{
	uint32_t skip = state->got, used = 0;
	struct part parts[3];

	answer_of(state, parts);
	*is_whole = true;
	for (int i = 0; i < 3; i++) {
		uint32_t part;

		if (skip >= parts[i].len) {
			skip -= parts[i].len;
			continue;
		}
		part = parts[i].len - skip;
		*is_whole = part <= len - used;
		if (!*is_whole)
			part = len - used;
		/* What frames the value must be right in any case, or nothing can be counted. */
		if ((is_checked || i != 1) &&
		    memcmp(data + used, (const uint8_t *)parts[i].bytes + skip, part) != 0)
			*is_wrong = true;
		used += part;
		skip = 0;
		if (!*is_whole)
			break;
	}
	state->got += used;
	return used;
}

static struct load_progress kv_response(void *opaque, uint64_t pattern_base, uint64_t stream_off,
					const uint8_t *data, uint32_t len)
{
	struct load_progress progress = {0};
	struct kv_state *state = opaque;

	(void)pattern_base;
	(void)stream_off;
	while (len && !progress.is_wrong) {
		bool is_whole;
		uint32_t used;

		if (!state->count) {
			progress.is_wrong = true;
			break;
		}
		if (!state->got)
			state->is_miss = *data == 'E';
		used = answer_compare(state, data, len, &is_whole, &progress.is_wrong);
		data += used;
		len -= used;
		if (!is_whole)
			break;
		progress.completed++;
		progress.misses += state->is_miss;
		state->is_miss = false;
		state->got = 0;
		/* From the beginning when it can, so that few lines of the cache are used. */
		state->first = --state->count ? (uint16_t)(state->first + 1) : 0;
	}
	return progress;
}

const struct load_workload load_usr = {
    .name = "usr",
    .help = "memcached text protocol, keys of 19 and values of 2 bytes, 99.8 % get (options keys=, zipf=)",
    .state_bytes = sizeof(struct kv_state),
    .init = usr_init,
    .prepare = kv_prepare,
    .request = kv_request,
    .response = kv_response,
};

const struct load_workload load_etc = {
    .name = "etc",
    .help = "the same, keys of 20 to 70 and values of 1 to 1024 bytes, 75 % get",
    .state_bytes = sizeof(struct kv_state),
    .init = etc_init,
    .prepare = kv_prepare,
    .request = kv_request,
    .response = kv_response,
};
