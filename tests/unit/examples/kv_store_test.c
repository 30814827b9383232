/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: what is found, what is not any more, and what happens when it is full.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client-lib/examples/kv_hash.h"
#include "client-lib/examples/kv_internal.h"

#define NS_PER_S UINT64_C(1000000000)
#define UNIX_S   UINT64_C(1700000000)

static struct kv_store *store;
static uint64_t now_ns;

static void setup(void)
{
	now_ns = 5 * NS_PER_S;
	store = kv_store_new(KV_MEMORY_MIN_BYTES, now_ns, UNIX_S);
	cr_assert_not_null(store);
}

static void teardown(void)
{
	kv_store_free(store);
}

TestSuite(kv_store, .init = setup, .fini = teardown);

static void pass(unsigned seconds)
{
	now_ns += seconds * NS_PER_S;
	kv_store_tick(store, now_ns);
}

static struct kv_key key(const char *text)
{
	return (struct kv_key){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static enum kv_outcome put(const char *name, const char *value, enum kv_mode mode, uint64_t cas)
{
	enum kv_outcome outcome;
	struct kv_item *item = kv_item_new(store, key(name), (uint32_t)strlen(value), &outcome);

	cr_assert_not_null(item);
	memcpy(kv_item_value(item), value, strlen(value));
	return kv_store_commit(store, item, mode, cas, NULL);
}

/* Stores a value of `bytes` bytes; false when it could not be. */
static bool put_bytes(const char *name, uint32_t bytes)
{
	enum kv_outcome outcome;
	struct kv_item *item = kv_item_new(store, key(name), bytes, &outcome);

	if (!item)
		return false;
	memset(kv_item_value(item), *name, bytes);
	return kv_store_commit(store, item, KV_SET, 0, NULL) == KV_OK;
}

static bool holds(const char *name, const char *value)
{
	struct kv_item *item = kv_store_find(store, key(name));

	return item && item->value_bytes == strlen(value) &&
	       !memcmp(kv_item_value(item), value, item->value_bytes);
}

Test(kv_hash, is_siphash_1_3)
{
	/* Key and messages count up from 0, as in the paper's example for 2-4; the sums are those of another
	 * implementation, which gives that example's, too. */
	const uint64_t sip_key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t message[16];

	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	cr_assert_eq(kv_hash(sip_key, message, 0), UINT64_C(0xabac0158050fc4dc));
	cr_assert_eq(kv_hash(sip_key, message, 7), UINT64_C(0xd3927d989bb11140));
	cr_assert_eq(kv_hash(sip_key, message, 15), UINT64_C(0xd320d86d2a519956));
}

Test(kv_store, memory_has_limits)
{
	cr_assert_null(kv_store_new(KV_MEMORY_MIN_BYTES - 1, 0, 0));
	cr_assert_null(kv_store_new(KV_MEMORY_MAX_BYTES + 1, 0, 0));
}

Test(kv_store, modes_ask_for_what_is_there)
{
	cr_assert_eq(put("a", "1", KV_REPLACE, 0), KV_NOT_STORED);
	cr_assert_eq(put("a", "1", KV_APPEND, 0), KV_NOT_STORED);
	cr_assert_eq(put("a", "1", KV_ADD, 0), KV_OK);
	cr_assert_eq(put("a", "2", KV_ADD, 0), KV_NOT_STORED);
	cr_assert_eq(put("a", "3", KV_REPLACE, 0), KV_OK);
	cr_assert_eq(put("a", "45", KV_APPEND, 0), KV_OK);
	cr_assert_eq(put("a", "12", KV_PREPEND, 0), KV_OK);
	cr_assert(holds("a", "12345"));
	cr_assert_eq(store->items, 1);
	cr_assert_eq(kv_store_delete(store, key("a"), 0), KV_OK);
	cr_assert_eq(kv_store_delete(store, key("a"), 0), KV_NOT_FOUND);
	cr_assert_eq(store->items, 0);
	cr_assert_eq(store->item_bytes, 0);
}

Test(kv_store, cas_is_of_one_version)
{
	uint64_t cas;

	cr_assert_eq(put("a", "1", KV_SET, 7), KV_NOT_FOUND);
	put("a", "1", KV_SET, 0);
	cas = kv_store_find(store, key("a"))->cas;
	cr_assert_eq(put("a", "2", KV_SET, cas + 1), KV_EXISTS);
	cr_assert_eq(put("a", "2", KV_SET, cas), KV_OK);
	cr_assert_eq(put("a", "3", KV_SET, cas), KV_EXISTS);
	cr_assert_eq(kv_store_delete(store, key("a"), cas), KV_EXISTS);
	cr_assert(holds("a", "2"));
}

Test(kv_store, counters_wrap_upwards_and_stop_at_0)
{
	struct kv_item *item;
	uint64_t value;

	cr_assert_eq(kv_store_count(store, key("n"), false, 1, 0, &value, &item), KV_NOT_FOUND);
	put("n", "18446744073709551615", KV_SET, 0);
	cr_assert_eq(kv_store_count(store, key("n"), false, 2, 0, &value, &item), KV_OK);
	cr_assert_eq(value, 1);
	cr_assert(holds("n", "1"));
	cr_assert_eq(kv_store_count(store, key("n"), true, 5, 0, &value, &item), KV_OK);
	cr_assert(holds("n", "0"));
	cr_assert_eq(kv_store_count(store, key("n"), false, 10, item->cas + 1, &value, &item), KV_EXISTS);
	put("n", "18446744073709551616", KV_SET, 0);
	cr_assert_eq(kv_store_count(store, key("n"), false, 1, 0, &value, &item), KV_NOT_A_NUMBER);
	put("n", "", KV_SET, 0);
	cr_assert_eq(kv_store_count(store, key("n"), false, 1, 0, &value, &item), KV_NOT_A_NUMBER);
	put("n", "7  ", KV_SET, 0);
	cr_assert_eq(kv_store_count(store, key("n"), false, 1, 0, &value, &item), KV_OK);
	cr_assert(holds("n", "8"));
}

Test(kv_store, items_end_with_their_time)
{
	put("a", "1", KV_SET, 0);
	kv_store_find(store, key("a"))->expires_s = kv_store_expiry(store, 10);
	pass(9);
	cr_assert(holds("a", "1"));
	pass(1);
	cr_assert(!holds("a", "1"));
	cr_assert_eq(store->items, 0);
	cr_assert_eq(store->counters.get_expired, 1);
}

Test(kv_store, expiry_is_relative_absolute_or_past)
{
	pass(100);
	cr_assert_eq(kv_store_expiry(store, 0), 0);
	cr_assert_eq(kv_store_expiry(store, -5), store->now_s);
	cr_assert_eq(kv_store_expiry(store, 2592000), store->now_s + 2592000);
	cr_assert_eq(kv_store_expiry(store, (int64_t)UNIX_S), store->now_s);
	cr_assert_eq(kv_store_expiry(store, (int64_t)UNIX_S + 150), store->now_s + 50);
	cr_assert_eq(kv_store_expiry(store, INT64_MAX), UINT32_MAX);
}

Test(kv_store, flush_ends_what_was_before)
{
	put("a", "1", KV_SET, 0);
	kv_store_flush(store, 0);
	put("b", "2", KV_SET, 0);
	cr_assert(!holds("a", "1") && holds("b", "2"));
	kv_store_flush(store, kv_store_expiry(store, 5));
	pass(4);
	cr_assert(holds("b", "2"));
	pass(1);
	put("c", "3", KV_SET, 0);
	cr_assert(!holds("b", "2") && holds("c", "3"));
}

Test(kv_store, sizes_up_to_the_limit_and_not_beyond)
{
	enum kv_outcome outcome;
	struct kv_item *item;

	for (uint32_t bytes = 0; bytes < KV_VALUE_MAX_BYTES; bytes = bytes * 5 / 4 + 1) {
		cr_assert(put_bytes("size", bytes), "%u bytes", bytes);
		item = kv_store_find(store, key("size"));
		cr_assert_eq(item->value_bytes, bytes);
	}
	cr_assert(put_bytes("size", KV_VALUE_MAX_BYTES));
	cr_assert_null(kv_item_new(store, key("size"), KV_VALUE_MAX_BYTES + 1, &outcome));
	cr_assert_eq(outcome, KV_TOO_LARGE);
}

Test(kv_store, classes_are_the_smallest_that_do)
{
	const struct kv_slab *slab = &store->slab;

	for (size_t bytes = 1; bytes <= kv_item_bytes(KV_KEY_MAX_BYTES, KV_VALUE_MAX_BYTES); bytes += 7) {
		int class = kv_slab_class(slab, bytes);

		cr_assert_geq(class, 0);
		cr_assert_geq(slab->classes[class].chunk_bytes, bytes);
		cr_assert(!class || slab->classes[class - 1].chunk_bytes < bytes);
	}
	cr_assert_eq(kv_slab_class(slab, KV_PAGE_BYTES), -1);
}

Test(kv_store, full_forgets_what_was_used_least)
{
	char name[32];

	put_bytes("precious", 1000);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		if (i % 1000 == 0) {
			pass(1);
			cr_assert_not_null(kv_store_find(store, key("precious")));
		}
		cr_assert(put_bytes(name, 1000));
	}
	cr_assert_not_null(kv_store_find(store, key("key19999")));
	cr_assert_null(kv_store_find(store, key("key0")));
	cr_assert_gt(store->counters.evictions, 10000);
	cr_assert_leq(store->item_bytes, KV_MEMORY_MIN_BYTES);
}

Test(kv_store, memory_moves_to_the_size_that_is_asked_for)
{
	char name[32];

	for (int i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "small%d", i);
		cr_assert(put_bytes(name, 10));
	}
	cr_assert_eq(store->slab.pages_used, store->slab.pages);
	/* None of the pages was cut for these. */
	for (int i = 0; i < 100; i++) {
		pass(20);
		snprintf(name, sizeof(name), "large%d", i);
		cr_assert(put_bytes(name, 500000), "item %d", i);
	}
	cr_assert_gt(store->counters.pages_moved, 0);
	cr_assert_not_null(kv_store_find(store, key("large99")));
}

Test(kv_store, a_share_grows_while_others_are_not_used)
{
	char name[32];
	int found = 0;

	for (int i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "large%d", i);
		cr_assert(put_bytes(name, KV_VALUE_MAX_BYTES));
	}
	/* One page is left; its owners are in use every second, the large items never again. */
	for (int i = 0; i < 40000; i++) {
		if (i % 100 == 0)
			pass(1);
		snprintf(name, sizeof(name), "key%d", i);
		cr_assert(put_bytes(name, 100));
	}
	for (int i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		found += kv_store_find(store, key(name)) != NULL;
	}
	cr_assert_gt(found, 15000, "%d", found);
}

Test(kv_store, what_is_held_stays_and_holds_are_bounded)
{
	struct kv_item *items[64];
	char name[32];
	int held = 0;

	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "held%d", i);
		cr_assert(put_bytes(name, KV_VALUE_MAX_BYTES));
		items[i] = kv_store_find(store, key(name));
		if (!kv_item_hold(store, items[i]))
			break;
		held++;
	}
	cr_assert_eq(held, 4);
	cr_assert_eq(store->counters.pins_refused, 1);
	kv_store_delete(store, key("held0"), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "new%d", i);
		cr_assert(put_bytes(name, KV_VALUE_MAX_BYTES));
	}
	cr_assert_eq(kv_item_value(items[0])[KV_VALUE_MAX_BYTES - 1], 'h');
	for (int i = 0; i < held; i++)
		kv_item_release(store, items[i]);
	cr_assert_eq(store->held_bytes, 0);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "newer%d", i);
		cr_assert(put_bytes(name, KV_VALUE_MAX_BYTES));
	}
}

/* So many peers read one counter slowly; adding to it makes a new item, and must not free what they hold. */
Test(kv_store, holders_are_counted_to_their_end)
{
	struct kv_store *large = kv_store_new(UINT64_C(16) << 20, 0, 1700000000);
	enum kv_outcome outcome;
	struct kv_item *item = kv_item_new(large, key("n"), 1, &outcome), *stored;
	uint64_t value;
	uint32_t held = 0;

	*kv_item_value(item) = '9';
	cr_assert_eq(kv_store_commit(large, item, KV_SET, 0, NULL), KV_OK);
	while (kv_item_hold(large, item))
		held++;
	cr_assert_eq(held, UINT16_MAX - 1);
	/* The class's memory is full, and this is its oldest: what is evicted for the new one is another. */
	for (int i = 0; i < 1000000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "k%d", i);
		cr_assert_eq(
		    kv_store_commit(large, kv_item_new(large, key(name), 1, &outcome), KV_SET, 0, NULL),
		    KV_OK);
		if (large->counters.evictions)
			break;
	}
	cr_assert_gt(large->counters.evictions, 0);
	cr_assert_eq(kv_store_count(large, key("n"), false, 1, 0, &value, &stored), KV_OK);
	cr_assert_eq(value, 10);
	cr_assert_neq(stored, item);
	cr_assert_eq(item->holders, held);
	cr_assert_eq(item->state, KV_ITEM_GONE);
	cr_assert_eq(*kv_item_value(item), '9');
	while (held--)
		kv_item_release(large, item);
	cr_assert_eq(item->state, KV_ITEM_FREE);
	cr_assert_eq(large->held_bytes, 0);
	kv_store_free(large);
}

Test(kv_store, nothing_to_evict_is_no_memory)
{
	struct kv_item *items[16];
	enum kv_outcome outcome;
	int made = 0;

	while (made < 16 && (items[made] = kv_item_new(store, key("new"), KV_VALUE_MAX_BYTES, &outcome)))
		made++;
	cr_assert_eq(made, 8);
	cr_assert_eq(outcome, KV_NO_MEMORY);
	while (made)
		kv_item_discard(store, items[--made]);
	cr_assert(put_bytes("after", 10));
}

Test(kv_store, statistics_have_rows_and_json)
{
	const char *name;
	char value[32], *text;
	size_t len;
	FILE *file = open_memstream(&text, &len);
	unsigned rows = 0;

	put("a", "1", KV_SET, 0);
	while (kv_stats_row(store, rows, &name, value))
		rows++;
	cr_assert_gt(rows, 30);
	kv_stats_json(store, file);
	fclose(file);
	cr_assert_not_null(strstr(text, "\"cmd_set\":1,"));
	cr_assert_eq(text[0], '{');
	cr_assert_str_eq(text + len - 2, "}\n");
	free(text);
	kv_stats_reset(store);
	cr_assert_eq(store->counters.cmd_set, 0);
}
