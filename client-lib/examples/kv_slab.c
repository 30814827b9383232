/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages, size classes, and their lists of chunks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client-lib/examples/kv_slab.h"

#define SMALL_SHIFT   6
#define SMALL_MAX     4096u

/* A page's first chunk begins behind the unit that is never used. */
#define PAGE_ROOM     (KV_PAGE_BYTES - KV_FIRST_OFF)

/* Chunks this large waste less of a page when they are a fraction of it. */
#define FRACTION_FROM (PAGE_ROOM / 8)

static uint32_t round_down(uint32_t bytes)
{
	return bytes & ~((1u << KV_UNIT_SHIFT) - 1);
}

static void add_class(struct kv_slab *slab, uint32_t chunk_bytes)
{
	slab->classes[slab->class_count++] = (struct kv_class){
	    .chunk_bytes = chunk_bytes,
	    .chunks = PAGE_ROOM / chunk_bytes,
	};
}

/* Each class a quarter larger than the one before; the large ones are fractions of a page. */
static void make_classes(struct kv_slab *slab)
{
	uint32_t bytes = KV_CHUNK_MIN;
	unsigned at = 0;

	for (; bytes < FRACTION_FROM; bytes = round_down(bytes + bytes / 4 + 15))
		add_class(slab, bytes);
	for (uint32_t parts = 8; parts; parts--)
		add_class(slab, round_down(PAGE_ROOM / parts));
	for (uint32_t units = 0; units <= SMALL_MAX >> SMALL_SHIFT; units++) {
		while (slab->classes[at].chunk_bytes < units << SMALL_SHIFT)
			at++;
		slab->small_class[units] = (uint8_t)at;
	}
}

int kv_slab_init(struct kv_slab *slab, uint64_t bytes)
{
	memset(slab, 0, sizeof(*slab));
	slab->pages = (uint32_t)(bytes / KV_PAGE_BYTES);
	slab->page_class = calloc(slab->pages, 1);
	if (!slab->page_class)
		return -ENOMEM;
	slab->base = mmap(NULL, (size_t)slab->pages * KV_PAGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slab->base == MAP_FAILED) {
		int error = -errno;

		free(slab->page_class);
		return error;
	}
	/* Items lie all over it: fewer TLB misses. Where there are no huge pages it is not needed. */
	madvise(slab->base, (size_t)slab->pages * KV_PAGE_BYTES, MADV_HUGEPAGE);
	make_classes(slab);
	return 0;
}

void kv_slab_fini(struct kv_slab *slab)
{
	munmap(slab->base, (size_t)slab->pages * KV_PAGE_BYTES);
	free(slab->page_class);
}

int kv_slab_class(const struct kv_slab *slab, size_t bytes)
{
	unsigned low = 0, high = slab->class_count;

	if (bytes <= SMALL_MAX) {
		/* Rounded up it may name one too large: the one below is tried first. */
		low = slab->small_class[(bytes + (1u << SMALL_SHIFT) - 1) >> SMALL_SHIFT];
		while (low && slab->classes[low - 1].chunk_bytes >= bytes)
			low--;
		return (int)low;
	}
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (slab->classes[middle].chunk_bytes < bytes)
			low = middle + 1;
		else
			high = middle;
	}
	return low < slab->class_count ? (int)low : -1;
}

void kv_list_push(struct kv_slab *slab, struct kv_list *list, struct kv_item *item)
{
	uint32_t ref = kv_slab_ref(slab, item);

	item->newer = KV_NONE;
	item->older = list->newest;
	if (list->newest == KV_NONE)
		list->oldest = ref;
	else
		kv_slab_item(slab, list->newest)->newer = ref;
	list->newest = ref;
}

void kv_list_remove(struct kv_slab *slab, struct kv_list *list, struct kv_item *item)
{
	if (item->newer == KV_NONE)
		list->newest = item->older;
	else
		kv_slab_item(slab, item->newer)->older = item->older;
	if (item->older == KV_NONE)
		list->oldest = item->newer;
	else
		kv_slab_item(slab, item->older)->newer = item->newer;
}

struct kv_item *kv_slab_chunk(const struct kv_slab *slab, uint32_t page, uint32_t i)
{
	const struct kv_class *class = &slab->classes[slab->page_class[page] - 1];

	return (struct kv_item *)(void *)(slab->base + (size_t)page * KV_PAGE_BYTES + KV_FIRST_OFF +
					  (size_t)i * class->chunk_bytes);
}

uint32_t kv_slab_page(const struct kv_slab *slab, const struct kv_item *item)
{
	return (uint32_t)((size_t)((const uint8_t *)item - slab->base) / KV_PAGE_BYTES);
}

void kv_slab_give(struct kv_slab *slab, struct kv_item *item)
{
	item->state = KV_ITEM_FREE;
	kv_list_push(slab, &slab->classes[item->size_class].free, item);
}

/* Cuts a page. Backwards, so that the chunks are taken in the order of their addresses. */
static void cut_page(struct kv_slab *slab, uint32_t page, unsigned size_class)
{
	struct kv_class *class = &slab->classes[size_class];

	slab->page_class[page] = (uint8_t)(size_class + 1);
	class->pages++;
	for (uint32_t i = class->chunks; i-- > 0;) {
		struct kv_item *item = kv_slab_chunk(slab, page, i);

		item->size_class = (uint8_t)size_class;
		item->holders = 0;
		kv_slab_give(slab, item);
	}
}

struct kv_item *kv_slab_take(struct kv_slab *slab, unsigned size_class)
{
	struct kv_class *class = &slab->classes[size_class];
	struct kv_item *item;

	if (class->free.newest == KV_NONE) {
		if (slab->pages_used == slab->pages)
			return NULL;
		cut_page(slab, slab->pages_used++, size_class);
	}
	item = kv_slab_item(slab, class->free.newest);
	kv_list_remove(slab, &class->free, item);
	item->state = KV_ITEM_NEW;
	return item;
}

void kv_slab_move_page(struct kv_slab *slab, uint32_t page, unsigned size_class)
{
	struct kv_class *class = &slab->classes[slab->page_class[page] - 1];

	for (uint32_t i = 0; i < class->chunks; i++)
		kv_list_remove(slab, &class->free, kv_slab_chunk(slab, page, i));
	class->pages--;
	cut_page(slab, page, size_class);
}
