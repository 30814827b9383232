/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key-value store behind ix-kv: a hash table over items in memory of a fixed size, from which the least
 * recently used go when it is full. It knows no protocol, no connection and no clock: time is told by
 * kv_store_tick().
 *
 * One thread. All memory is mapped when the store is made; nothing is allocated per request.
 */
#ifndef IX_EXAMPLES_KV_STORE_H
#define IX_EXAMPLES_KV_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define KV_KEY_MAX_BYTES    250u
/* An item with its header and key lies within one page of the slab. */
#define KV_VALUE_MAX_BYTES  ((1u << 20) - 512u)
#define KV_MEMORY_MIN_BYTES (UINT64_C(8) << 20)
#define KV_MEMORY_MAX_BYTES (UINT64_C(64) << 30)

struct kv_store;

/* A key and its value. What is behind `bytes` is only to be written before the item is committed. */
struct kv_item {
	uint32_t chain;        /* next of the same bucket */
	uint32_t newer, older; /* in the list by use of its size class, or in the list of free chunks */
	uint32_t hash;
	uint64_t cas;                   /* changes with every change of the item; unique in a store */
	uint32_t expires_s, accessed_s; /* in the store's seconds; expires_s 0: never */
	uint32_t flags;                 /* the client's */
	uint32_t value_bytes;
	uint16_t holders;
	uint8_t key_bytes;
	uint8_t size_class;
	uint8_t state; /* enum kv_item_state */
	uint8_t pad[3];
	uint8_t bytes[]; /* key, value */
};
_Static_assert(sizeof(struct kv_item) == 48, "what every item costs beside key and value");

static inline uint8_t *kv_item_value(struct kv_item *item)
{
	return item->bytes + item->key_bytes;
}

struct kv_key {
	const uint8_t *bytes;
	uint32_t len; /* 1 … KV_KEY_MAX_BYTES */
};

enum kv_outcome {
	KV_OK,
	KV_NOT_STORED, /* add, replace, append, prepend: the key is, or is not, there */
	KV_EXISTS,     /* changed since the cas was read */
	KV_NOT_FOUND,
	KV_NOT_A_NUMBER,
	KV_TOO_LARGE,
	KV_NO_MEMORY,
	KV_OUTCOMES
};

enum kv_mode { KV_SET, KV_ADD, KV_REPLACE, KV_APPEND, KV_PREPEND };

/* What `stats` tells; kv_stats.c names them. */
struct kv_counters {
	uint64_t cmd_get, cmd_set, cmd_flush, cmd_touch;
	uint64_t get_hits, get_misses, get_expired, get_flushed;
	uint64_t delete_hits, delete_misses, incr_hits, incr_misses, decr_hits, decr_misses;
	uint64_t cas_hits, cas_misses, cas_badval, touch_hits, touch_misses;
	uint64_t bytes_read, bytes_written;
	uint64_t total_items, evictions, expired, pages_moved;
	uint64_t curr_connections, total_connections;
	uint64_t malformed, too_large, out_of_memory, pins_refused;
};

/* Makes a store of `memory_bytes` (KV_MEMORY_MIN_BYTES … KV_MEMORY_MAX_BYTES) for the items; the table takes
 * an eighth to a sixteenth of that in addition. `now_ns` is a monotonic, `unix_s` the wall clock's time.
 * NULL: errno tells. */
struct kv_store *kv_store_new(uint64_t memory_bytes, uint64_t now_ns, uint64_t unix_s);
void kv_store_free(struct kv_store *store);

/* Tells the time; once per turn of the server's loop. Cheap when the second is the same. */
void kv_store_tick(struct kv_store *store, uint64_t now_ns);

/* An expiry time as both protocols write it: 0 never, negative at once, up to 30 days from now, else a Unix
 * time. In the store's seconds. */
uint32_t kv_store_expiry(const struct kv_store *store, int64_t exptime);

struct kv_counters *kv_store_counters(struct kv_store *store);

/* The item of a key, NULL when there is none that lives. Counts as a use. Valid until the next call that
 * stores or deletes, or until kv_item_release() if held. */
struct kv_item *kv_store_find(struct kv_store *store, struct kv_key key);

/* A new item, to be filled in by the caller and given to kv_store_commit() or kv_item_discard(); others may
 * be evicted for it. NULL: *outcome is KV_TOO_LARGE or KV_NO_MEMORY. */
struct kv_item *kv_item_new(struct kv_store *store, struct kv_key key, uint32_t value_bytes,
			    enum kv_outcome *outcome);
void kv_item_discard(struct kv_store *store, struct kv_item *item);

/* Puts a new item in its place; it is the store's then, whatever the outcome. `cas` other than 0: only if
 * the one that is there has it. *stored (may be NULL) is the item of the key on KV_OK, as from
 * kv_store_find(). */
enum kv_outcome kv_store_commit(struct kv_store *store, struct kv_item *item, enum kv_mode mode, uint64_t cas,
				struct kv_item **stored);

/* KV_OK, KV_NOT_FOUND, KV_EXISTS. */
enum kv_outcome kv_store_delete(struct kv_store *store, struct kv_key key, uint64_t cas);

/* Adds to or subtracts from a decimal number: up modulo 2^64, down to 0. *value is the new one, *stored the
 * item. */
enum kv_outcome kv_store_count(struct kv_store *store, struct kv_key key, bool is_down, uint64_t delta,
			       uint64_t cas, uint64_t *value, struct kv_item **stored);

/* Everything stored before now, or before the time of kv_store_expiry(), is gone then. */
void kv_store_flush(struct kv_store *store, uint32_t at_s);

/* A hold keeps an item's bytes in place although it is replaced, deleted or evicted. It is for transfers that
 * a peer drags out, so the sum of all is bounded to half of the memory: false beyond. New items are held in
 * the same way, and must be released before they are committed or discarded. */
bool kv_item_hold(struct kv_store *store, struct kv_item *item);
void kv_item_release(struct kv_store *store, struct kv_item *item);

/* Row `i` of the statistics as name and text; false behind the last. `value` has room for 32 characters. */
bool kv_stats_row(const struct kv_store *store, unsigned i, const char **name, char value[32]);
/* Begins to count anew. */
void kv_stats_reset(struct kv_store *store);
/* All rows as one line of JSON. */
void kv_stats_json(const struct kv_store *store, FILE *file);

#endif
