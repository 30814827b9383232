/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table, and what can be done to the item of a key.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "client-lib/examples/kv_hash.h"
#include "client-lib/examples/kv_internal.h"

#define NS_PER_S         UINT64_C(1000000000)

/* One bucket of 4 bytes per so many bytes of item memory: few chains are longer than one. */
#define BYTES_PER_BUCKET 128u

/* Longer exptimes are Unix times. */
#define RELATIVE_MAX_S   (60 * 60 * 24 * 30)

/* The store's clock begins here, so that "a second ago" exists and is not 0, which means never. */
#define FIRST_S          2u

/* Holders are counted in 16 bits, and the store is one itself while it makes a new item of an old one: with
 * none left for that the count would be 0, and the old item be evicted under its holders. */
#define HOLDERS_MAX      (UINT16_MAX - 1u)

/* Digits of 2^64 - 1. */
#define COUNTER_CHARS    20u

static size_t bucket_bytes(const struct kv_store *store)
{
	return ((size_t)store->bucket_mask + 1) * sizeof(*store->buckets);
}

struct kv_store *kv_store_new(uint64_t memory_bytes, uint64_t now_ns, uint64_t unix_s)
{
	struct kv_store *store;
	uint64_t buckets = 1;

	if (memory_bytes < KV_MEMORY_MIN_BYTES || memory_bytes > KV_MEMORY_MAX_BYTES) {
		errno = EINVAL;
		return NULL;
	}
	store = calloc(1, sizeof(*store));
	if (!store)
		return NULL;
	while (buckets < memory_bytes / BYTES_PER_BUCKET)
		buckets *= 2;
	store->bucket_mask = (uint32_t)(buckets - 1);
	errno = -kv_slab_init(&store->slab, memory_bytes);
	if (errno) {
		free(store);
		return NULL;
	}
	store->buckets = mmap(NULL, bucket_bytes(store), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (store->buckets == MAP_FAILED ||
	    getrandom(store->hash_key, sizeof(store->hash_key), 0) != sizeof(store->hash_key)) {
		kv_store_free(store);
		return NULL;
	}
	madvise(store->buckets, bucket_bytes(store), MADV_HUGEPAGE);
	store->now_s = FIRST_S;
	store->start_s = FIRST_S;
	store->unix_base_s = unix_s - FIRST_S;
	store->next_second_ns = now_ns + NS_PER_S;
	return store;
}

void kv_store_free(struct kv_store *store)
{
	if (!store)
		return;
	if (store->buckets != MAP_FAILED)
		munmap(store->buckets, bucket_bytes(store));
	kv_slab_fini(&store->slab);
	free(store);
}

void kv_store_tick(struct kv_store *store, uint64_t now_ns)
{
	uint64_t seconds;

	if (now_ns < store->next_second_ns)
		return;
	seconds = (now_ns - store->next_second_ns) / NS_PER_S + 1;
	store->now_s += (uint32_t)seconds;
	store->next_second_ns += seconds * NS_PER_S;
	if (store->flush_at_s && store->now_s >= store->flush_at_s) {
		store->flushed_cas = store->last_cas;
		store->flush_at_s = 0;
	}
}

uint32_t kv_store_expiry(const struct kv_store *store, int64_t exptime)
{
	int64_t at_s;

	if (!exptime)
		return 0;
	if (exptime < 0)
		return store->now_s;
	if (exptime <= RELATIVE_MAX_S)
		return store->now_s + (uint32_t)exptime;
	at_s = exptime - (int64_t)store->unix_base_s;
	if (at_s <= store->now_s)
		return store->now_s;
	return at_s < UINT32_MAX ? (uint32_t)at_s : UINT32_MAX;
}

struct kv_counters *kv_store_counters(struct kv_store *store)
{
	return &store->counters;
}

static uint32_t hash_of(const struct kv_store *store, struct kv_key key)
{
	return (uint32_t)kv_hash(store->hash_key, key.bytes, key.len);
}

/* An item of a key, dead or alive. */
static struct kv_item *lookup(const struct kv_store *store, struct kv_key key, uint32_t hash)
{
	uint32_t ref = store->buckets[hash & store->bucket_mask];

	while (ref != KV_NONE) {
		struct kv_item *item = kv_slab_item(&store->slab, ref);

		if (item->hash == hash && item->key_bytes == key.len &&
		    !memcmp(item->bytes, key.bytes, key.len))
			return item;
		ref = item->chain;
	}
	return NULL;
}

static void link_item(struct kv_store *store, struct kv_item *item)
{
	uint32_t *bucket = &store->buckets[item->hash & store->bucket_mask];

	item->chain = *bucket;
	*bucket = kv_slab_ref(&store->slab, item);
	item->state = KV_ITEM_LINKED;
	item->accessed_s = store->now_s;
	item->cas = ++store->last_cas;
	kv_list_push(&store->slab, &store->slab.classes[item->size_class].used, item);
	store->items++;
	store->item_bytes += kv_item_bytes(item->key_bytes, item->value_bytes);
	store->counters.total_items++;
}

void kv_item_unlink(struct kv_store *store, struct kv_item *item)
{
	uint32_t *at = &store->buckets[item->hash & store->bucket_mask];
	uint32_t ref = kv_slab_ref(&store->slab, item);

	while (*at != ref)
		at = &kv_slab_item(&store->slab, *at)->chain;
	*at = item->chain;
	kv_list_remove(&store->slab, &store->slab.classes[item->size_class].used, item);
	store->items--;
	store->item_bytes -= kv_item_bytes(item->key_bytes, item->value_bytes);
	item->state = KV_ITEM_GONE;
	if (!item->holders)
		kv_slab_give(&store->slab, item);
}

/* An item that lives. One that does not is removed on the way. */
static struct kv_item *find_live(struct kv_store *store, struct kv_key key, uint32_t hash)
{
	struct kv_item *item = lookup(store, key, hash);

	if (!item || kv_item_is_live(store, item))
		return item;
	if (item->cas <= store->flushed_cas)
		store->counters.get_flushed++;
	else
		store->counters.get_expired++;
	kv_item_unlink(store, item);
	return NULL;
}

struct kv_item *kv_store_find(struct kv_store *store, struct kv_key key)
{
	struct kv_item *item = find_live(store, key, hash_of(store, key));
	struct kv_list *used;

	/* The order is that of seconds: within one, reading a popular item writes nothing. */
	if (!item || item->accessed_s == store->now_s)
		return item;
	used = &store->slab.classes[item->size_class].used;
	item->accessed_s = store->now_s;
	kv_list_remove(&store->slab, used, item);
	kv_list_push(&store->slab, used, item);
	return item;
}

struct kv_item *kv_item_new(struct kv_store *store, struct kv_key key, uint32_t value_bytes,
			    enum kv_outcome *outcome)
{
	struct kv_item *item;
	int size_class;

	if (value_bytes > KV_VALUE_MAX_BYTES) {
		store->counters.too_large++;
		*outcome = KV_TOO_LARGE;
		return NULL;
	}
	size_class = kv_slab_class(&store->slab, kv_item_bytes(key.len, value_bytes));
	item = size_class < 0 ? NULL : kv_evict_take(store, (unsigned)size_class);
	if (!item) {
		store->counters.out_of_memory++;
		*outcome = KV_NO_MEMORY;
		return NULL;
	}
	item->hash = hash_of(store, key);
	item->expires_s = 0;
	item->flags = 0;
	item->holders = 0;
	item->value_bytes = value_bytes;
	item->key_bytes = (uint8_t)key.len;
	memcpy(item->bytes, key.bytes, key.len);
	return item;
}

void kv_item_discard(struct kv_store *store, struct kv_item *item)
{
	kv_slab_give(&store->slab, item);
}

static struct kv_key key_of(const struct kv_item *item)
{
	return (struct kv_key){item->bytes, item->key_bytes};
}

/* A new item with the values of both; NULL: *outcome. The old one is held meanwhile: making room evicts. */
static struct kv_item *joined(struct kv_store *store, struct kv_item *old, struct kv_item *item,
			      enum kv_mode mode, enum kv_outcome *outcome)
{
	struct kv_item *first = mode == KV_APPEND ? old : item, *second = mode == KV_APPEND ? item : old;
	struct kv_item *both;

	old->holders++;
	both = kv_item_new(store, key_of(item), old->value_bytes + item->value_bytes, outcome);
	old->holders--;
	if (!both)
		return NULL;
	memcpy(kv_item_value(both), kv_item_value(first), first->value_bytes);
	memcpy(kv_item_value(both) + first->value_bytes, kv_item_value(second), second->value_bytes);
	/* What is joined to a value has no say in its flags and its time. */
	both->flags = old->flags;
	both->expires_s = old->expires_s;
	return both;
}

/* Whether the one that is there allows it. */
static enum kv_outcome may_commit(struct kv_store *store, const struct kv_item *old, enum kv_mode mode,
				  uint64_t cas)
{
	struct kv_counters *counters = &store->counters;

	if (cas && !old) {
		counters->cas_misses++;
		return KV_NOT_FOUND;
	}
	if (cas && old->cas != cas) {
		counters->cas_badval++;
		return KV_EXISTS;
	}
	if (cas)
		counters->cas_hits++;
	if (mode == KV_SET || (mode == KV_ADD) == !old)
		return KV_OK;
	return KV_NOT_STORED;
}

enum kv_outcome kv_store_commit(struct kv_store *store, struct kv_item *item, enum kv_mode mode, uint64_t cas,
				struct kv_item **stored)
{
	struct kv_item *old = find_live(store, key_of(item), item->hash);
	enum kv_outcome outcome = may_commit(store, old, mode, cas);
	struct kv_item *both = NULL;

	store->counters.cmd_set++;
	if (outcome == KV_OK && (mode == KV_APPEND || mode == KV_PREPEND)) {
		both = joined(store, old, item, mode, &outcome);
		kv_item_discard(store, item);
		item = both;
		if (!item)
			return outcome;
	}
	if (outcome != KV_OK) {
		kv_item_discard(store, item);
		return outcome;
	}
	if (old)
		kv_item_unlink(store, old);
	link_item(store, item);
	if (stored)
		*stored = item;
	return KV_OK;
}

enum kv_outcome kv_store_delete(struct kv_store *store, struct kv_key key, uint64_t cas)
{
	struct kv_item *item = find_live(store, key, hash_of(store, key));

	if (!item) {
		store->counters.delete_misses++;
		return KV_NOT_FOUND;
	}
	if (cas && cas != item->cas)
		return KV_EXISTS;
	store->counters.delete_hits++;
	kv_item_unlink(store, item);
	return KV_OK;
}

/* The number that a value is, blanks behind it aside: other servers leave such. */
static bool parse_number(const uint8_t *bytes, uint32_t len, uint64_t *value)
{
	uint64_t sum = 0;

	while (len && bytes[len - 1] == ' ')
		len--;
	if (!len || len > COUNTER_CHARS)
		return false;
	for (uint32_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(bytes[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, digit, &sum))
			return false;
	}
	*value = sum;
	return true;
}

static uint32_t print_number(uint64_t value, uint8_t text[COUNTER_CHARS])
{
	uint8_t backwards[COUNTER_CHARS];
	uint32_t len = 0;

	do
		backwards[len++] = (uint8_t)('0' + value % 10);
	while (value /= 10);
	for (uint32_t i = 0; i < len; i++)
		text[i] = backwards[len - 1 - i];
	return len;
}

/* Gives a counter its new text: where the old one lies when it is as long and nobody is sending that. */
static enum kv_outcome replace_number(struct kv_store *store, struct kv_item *old, uint64_t value,
				      struct kv_item **stored)
{
	uint8_t text[COUNTER_CHARS];
	uint32_t len = print_number(value, text);
	enum kv_outcome outcome = KV_OK;
	struct kv_item *item;

	if (len == old->value_bytes && !old->holders) {
		memcpy(kv_item_value(old), text, len);
		old->cas = ++store->last_cas;
		*stored = old;
		return KV_OK;
	}
	old->holders++;
	item = kv_item_new(store, key_of(old), len, &outcome);
	old->holders--;
	if (!item)
		return outcome;
	memcpy(kv_item_value(item), text, len);
	item->flags = old->flags;
	item->expires_s = old->expires_s;
	kv_item_unlink(store, old);
	link_item(store, item);
	*stored = item;
	return KV_OK;
}

enum kv_outcome kv_store_count(struct kv_store *store, struct kv_key key, bool is_down, uint64_t delta,
			       uint64_t cas, uint64_t *value, struct kv_item **stored)
{
	struct kv_item *item = find_live(store, key, hash_of(store, key));
	struct kv_counters *counters = &store->counters;

	if (!item) {
		*(is_down ? &counters->decr_misses : &counters->incr_misses) += 1;
		return KV_NOT_FOUND;
	}
	if (cas && cas != item->cas)
		return KV_EXISTS;
	if (!parse_number(kv_item_value(item), item->value_bytes, value))
		return KV_NOT_A_NUMBER;
	*(is_down ? &counters->decr_hits : &counters->incr_hits) += 1;
	if (is_down)
		*value = *value > delta ? *value - delta : 0;
	else
		*value += delta;
	return replace_number(store, item, *value, stored);
}

void kv_store_flush(struct kv_store *store, uint32_t at_s)
{
	store->counters.cmd_flush++;
	if (at_s > store->now_s) {
		store->flush_at_s = at_s;
		return;
	}
	store->flushed_cas = store->last_cas;
	store->flush_at_s = 0;
}

bool kv_item_hold(struct kv_store *store, struct kv_item *item)
{
	uint64_t bytes = store->slab.classes[item->size_class].chunk_bytes;
	uint64_t limit = (uint64_t)store->slab.pages * KV_PAGE_BYTES / 2;

	if (item->holders >= HOLDERS_MAX || store->held_bytes + bytes > limit) {
		store->counters.pins_refused++;
		return false;
	}
	item->holders++;
	store->held_bytes += bytes;
	return true;
}

void kv_item_release(struct kv_store *store, struct kv_item *item)
{
	item->holders--;
	store->held_bytes -= store->slab.classes[item->size_class].chunk_bytes;
	if (!item->holders && item->state == KV_ITEM_GONE)
		kv_slab_give(&store->slab, item);
}
