/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for items: pages of 1 MiB, each cut into chunks of one size class. A class keeps its free chunks in
 * a list, and its stored items in the order of their use. Pages go from class to class when all their chunks
 * are free.
 *
 * Items are named by their distance from the beginning in units of 16 bytes; 0 names none.
 */
#ifndef IX_EXAMPLES_KV_SLAB_H
#define IX_EXAMPLES_KV_SLAB_H

#include "client-lib/examples/kv_store.h"

#define KV_PAGE_BYTES  (1u << 20)
#define KV_UNIT_SHIFT  4
#define KV_CLASSES_MAX 64u
#define KV_CHUNK_MIN   64u
#define KV_NONE        0u

/* The first unit of the memory is never an item, so that 0 can mean none. */
#define KV_FIRST_OFF   16u

enum kv_item_state {
	KV_ITEM_FREE,
	KV_ITEM_NEW,    /* being filled in */
	KV_ITEM_LINKED, /* in the table and in its class's list */
	KV_ITEM_GONE,   /* not any more, but somebody holds it */
};

struct kv_list {
	uint32_t newest, oldest;
};

struct kv_class {
	uint32_t chunk_bytes;
	uint32_t chunks; /* per page */
	uint32_t pages;
	struct kv_list free;
	struct kv_list used;
	uint64_t evictions;
};

struct kv_slab {
	uint8_t *base;
	uint8_t *page_class; /* class + 1 of each page, 0 while it has none */
	uint32_t pages, pages_used;
	unsigned class_count;
	struct kv_class classes[KV_CLASSES_MAX];
	/* The class of a size in units of 64 bytes, rounded up: for sizes up to 4096. */
	uint8_t small_class[65];
};

/* 0 or negative errno. */
int kv_slab_init(struct kv_slab *slab, uint64_t bytes);
void kv_slab_fini(struct kv_slab *slab);

static inline struct kv_item *kv_slab_item(const struct kv_slab *slab, uint32_t ref)
{
	return (struct kv_item *)(void *)(slab->base + ((size_t)ref << KV_UNIT_SHIFT));
}

static inline uint32_t kv_slab_ref(const struct kv_slab *slab, const struct kv_item *item)
{
	return (uint32_t)((size_t)((const uint8_t *)item - slab->base) >> KV_UNIT_SHIFT);
}

/* The class for an item of so many bytes, -1 when none is large enough. */
int kv_slab_class(const struct kv_slab *slab, size_t bytes);

/* A chunk of a class, also from a page that no class has yet. NULL: somebody must make room. */
struct kv_item *kv_slab_take(struct kv_slab *slab, unsigned size_class);
void kv_slab_give(struct kv_slab *slab, struct kv_item *item);

/* Chunk `i` of a page. */
struct kv_item *kv_slab_chunk(const struct kv_slab *slab, uint32_t page, uint32_t i);
/* The page that an item lies in. */
uint32_t kv_slab_page(const struct kv_slab *slab, const struct kv_item *item);
/* Makes a page whose chunks are all free a page of another class. */
void kv_slab_move_page(struct kv_slab *slab, uint32_t page, unsigned size_class);

/* Lists of items by newer and older. */
void kv_list_push(struct kv_slab *slab, struct kv_list *list, struct kv_item *item);
void kv_list_remove(struct kv_slab *slab, struct kv_list *list, struct kv_item *item);

#endif
