/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a store counts, by the names that monitoring tools know from memcached.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/examples/kv_internal.h"

#define COUNTER(name)                                                                                        \
	{                                                                                                    \
#name, offsetof(struct kv_store, counters.name)                                              \
	}

/* Counters, as they stand in the store. */
static const struct {
	const char *name;
	size_t off;
} rows[] = {
    COUNTER(curr_connections),
    COUNTER(total_connections),
    COUNTER(cmd_get),
    COUNTER(cmd_set),
    COUNTER(cmd_flush),
    COUNTER(cmd_touch),
    COUNTER(get_hits),
    COUNTER(get_misses),
    COUNTER(get_expired),
    COUNTER(get_flushed),
    COUNTER(delete_misses),
    COUNTER(delete_hits),
    COUNTER(incr_misses),
    COUNTER(incr_hits),
    COUNTER(decr_misses),
    COUNTER(decr_hits),
    COUNTER(cas_misses),
    COUNTER(cas_hits),
    COUNTER(cas_badval),
    COUNTER(touch_hits),
    COUNTER(touch_misses),
    COUNTER(bytes_read),
    COUNTER(bytes_written),
    COUNTER(total_items),
    COUNTER(evictions),
    COUNTER(expired),
    COUNTER(pages_moved),
    COUNTER(malformed),
    COUNTER(too_large),
    COUNTER(out_of_memory),
    COUNTER(pins_refused),
    {"curr_items", offsetof(struct kv_store, items)},
    {"bytes", offsetof(struct kv_store, item_bytes)},
    {"held_bytes", offsetof(struct kv_store, held_bytes)},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* What is computed or no number: these come first. */
enum { ROW_PID, ROW_UPTIME, ROW_TIME, ROW_VERSION, ROW_POINTER_SIZE, ROW_THREADS, ROW_LIMIT, SPECIAL_ROWS };

static const char *special_row(const struct kv_store *store, unsigned i, char value[32])
{
	switch (i) {
	case ROW_PID:
		snprintf(value, 32, "%ld", (long)getpid());
		return "pid";
	case ROW_UPTIME:
		snprintf(value, 32, "%" PRIu64, store->now_s - store->start_s);
		return "uptime";
	case ROW_TIME:
		snprintf(value, 32, "%" PRIu64, store->unix_base_s + store->now_s);
		return "time";
	case ROW_VERSION:
		snprintf(value, 32, "%s", IXD_VERSION);
		return "version";
	case ROW_POINTER_SIZE:
		snprintf(value, 32, "%zu", 8 * sizeof(void *));
		return "pointer_size";
	case ROW_THREADS:
		snprintf(value, 32, "1");
		return "threads";
	default:
		snprintf(value, 32, "%" PRIu64, (uint64_t)store->slab.pages * KV_PAGE_BYTES);
		return "limit_maxbytes";
	}
}

bool kv_stats_row(const struct kv_store *store, unsigned i, const char **name, char value[32])
{
	uint64_t number;

	if (i < SPECIAL_ROWS) {
		*name = special_row(store, i, value);
		return true;
	}
	i -= SPECIAL_ROWS;
	if (i >= ROWS)
		return false;
	memcpy(&number, (const char *)store + rows[i].off, sizeof(number));
	*name = rows[i].name;
	snprintf(value, 32, "%" PRIu64, number);
	return true;
}

void kv_stats_reset(struct kv_store *store)
{
	/* How many connections there are is no count of events. */
	store->counters = (struct kv_counters){.curr_connections = store->counters.curr_connections};
}

void kv_stats_json(const struct kv_store *store, FILE *file)
{
	const char *name;
	char value[32];

	for (unsigned i = 0; kv_stats_row(store, i, &name, value); i++) {
		const char *quote = i == ROW_VERSION ? "\"" : "";

		fprintf(file, "%s\"%s\":%s%s%s", i ? "," : "{", name, quote, value, quote);
	}
	fputs("}\n", file);
	fflush(file);
}
