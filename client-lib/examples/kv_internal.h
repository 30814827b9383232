/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the store share.
 */
#ifndef IX_EXAMPLES_KV_INTERNAL_H
#define IX_EXAMPLES_KV_INTERNAL_H

#include "client-lib/examples/kv_slab.h"

struct kv_store {
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t now_s;
	uint64_t next_second_ns; /* when now_s changes */
	uint64_t flushed_cas;    /* items up to this one are gone */
	uint64_t last_cas;
	uint32_t flush_at_s; /* of a flush yet to come; 0: none */
	uint64_t hash_key[2];
	uint64_t items, item_bytes, held_bytes;
	uint64_t unix_base_s; /* Unix time when now_s was 0 */
	uint64_t start_s;
	struct kv_slab slab;
	struct kv_counters counters;
};

/* Bytes that an item takes with its header. */
static inline size_t kv_item_bytes(uint32_t key_bytes, uint32_t value_bytes)
{
	return sizeof(struct kv_item) + key_bytes + value_bytes;
}

/* Whether an item may still be seen. */
static inline bool kv_item_is_live(const struct kv_store *store, const struct kv_item *item)
{
	return item->cas > store->flushed_cas && (!item->expires_s || item->expires_s > store->now_s);
}

/* Takes an item out of the table and its list; its memory is free unless somebody holds it. kv_store.c */
void kv_item_unlink(struct kv_store *store, struct kv_item *item);

/* A chunk of a class, for which others may have to go. NULL: everything is held. kv_evict.c */
struct kv_item *kv_evict_take(struct kv_store *store, unsigned size_class);

#endif
