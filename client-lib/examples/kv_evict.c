/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making room: the least recently used item of the size class goes. A class that has nothing to give, or
 * whose oldest items are in much better use than another's, gets a page of that other one.
 */
#include "client-lib/examples/kv_internal.h"

/* Items that are looked at from the oldest on, when the oldest ones are held. */
#define LOOKS             32u

/* Evictions of a class between two looks at the ages of the other classes. */
#define EVICTIONS_PER_AGE 256u

/* A page moves when its oldest item has been unused for twice as long as the receiver's, and for so long. */
#define AGE_RATIO         2u
#define AGE_MIN_S         10u

static bool evict(struct kv_store *store, struct kv_item *item)
{
	if (item->holders)
		return false;
	if (kv_item_is_live(store, item)) {
		store->counters.evictions++;
		store->slab.classes[item->size_class].evictions++;
	} else {
		store->counters.expired++;
	}
	kv_item_unlink(store, item);
	return true;
}

static bool evict_oldest(struct kv_store *store, struct kv_class *class)
{
	uint32_t ref = class->used.oldest;

	for (unsigned looks = 0; ref != KV_NONE && looks < LOOKS; looks++) {
		struct kv_item *item = kv_slab_item(&store->slab, ref);

		ref = item->newer;
		if (evict(store, item))
			return true;
	}
	return false;
}

/* Frees every chunk of a page. False: one of them is in somebody's hands. */
static bool empty_page(struct kv_store *store, uint32_t page)
{
	const struct kv_class *class = &store->slab.classes[store->slab.page_class[page] - 1];

	for (uint32_t i = 0; i < class->chunks; i++) {
		const struct kv_item *item = kv_slab_chunk(&store->slab, page, i);

		if (item->state == KV_ITEM_NEW || item->holders)
			return false;
	}
	for (uint32_t i = 0; i < class->chunks; i++) {
		struct kv_item *item = kv_slab_chunk(&store->slab, page, i);

		if (item->state == KV_ITEM_LINKED)
			evict(store, item);
	}
	return true;
}

static bool move_page(struct kv_store *store, uint32_t page, unsigned to_class)
{
	if (store->slab.page_class[page] == to_class + 1 || !empty_page(store, page))
		return false;
	kv_slab_move_page(&store->slab, page, to_class);
	store->counters.pages_moved++;
	return true;
}

/* How long a class's oldest item has not been used; a class with nothing in use comes before all. */
static uint32_t age_s(const struct kv_store *store, const struct kv_class *class)
{
	if (class->used.oldest == KV_NONE)
		return UINT32_MAX;
	return store->now_s - kv_slab_item(&store->slab, class->used.oldest)->accessed_s;
}

/* The class, beside `to_class`, that can best do without one of its pages. -1: there is none. */
static int best_donor(const struct kv_store *store, unsigned to_class)
{
	int best = -1;
	uint32_t best_age = 0;

	for (unsigned i = 0; i < store->slab.class_count; i++) {
		const struct kv_class *class = &store->slab.classes[i];

		if (i == to_class || !class->pages)
			continue;
		if (best >= 0 && age_s(store, class) < best_age)
			continue;
		/* Of equals the one with more. */
		if (best >= 0 && age_s(store, class) == best_age &&
		    class->pages <= store->slab.classes[best].pages)
			continue;
		best = (int)i;
		best_age = age_s(store, class);
	}
	return best;
}

/* A class that was starved: any page will do, the best donor's oldest first. */
static bool steal_page(struct kv_store *store, unsigned to_class)
{
	int donor = best_donor(store, to_class);
	uint32_t oldest;

	if (donor < 0)
		return false;
	oldest = store->slab.classes[donor].used.oldest;
	if (oldest != KV_NONE &&
	    move_page(store, kv_slab_page(&store->slab, kv_slab_item(&store->slab, oldest)), to_class))
		return true;
	for (uint32_t page = 0; page < store->slab.pages_used; page++)
		if (store->slab.page_class[page] == (unsigned)donor + 1 && move_page(store, page, to_class))
			return true;
	/* That donor's pages are all held somewhere. */
	for (uint32_t page = 0; page < store->slab.pages_used; page++)
		if (move_page(store, page, to_class))
			return true;
	return false;
}

/* The shares of the classes follow what is asked for. */
static void balance(struct kv_store *store, unsigned to_class)
{
	int donor = best_donor(store, to_class);
	uint32_t own_age = age_s(store, &store->slab.classes[to_class]), other_age, oldest;

	if (donor < 0)
		return;
	other_age = age_s(store, &store->slab.classes[donor]);
	if (other_age < AGE_MIN_S || other_age / AGE_RATIO < own_age)
		return;
	oldest = store->slab.classes[donor].used.oldest;
	if (oldest == KV_NONE)
		steal_page(store, to_class);
	else
		move_page(store, kv_slab_page(&store->slab, kv_slab_item(&store->slab, oldest)), to_class);
}

struct kv_item *kv_evict_take(struct kv_store *store, unsigned size_class)
{
	struct kv_class *class = &store->slab.classes[size_class];
	struct kv_item *item = kv_slab_take(&store->slab, size_class);

	if (item)
		return item;
	if (!evict_oldest(store, class) && !steal_page(store, size_class))
		return NULL;
	if (class->evictions % EVICTIONS_PER_AGE == EVICTIONS_PER_AGE - 1)
		balance(store, size_class);
	return kv_slab_take(&store->slab, size_class);
}
