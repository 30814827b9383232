/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for bytes to send: a buddy allocator per channel, so that no lock is needed. Freed blocks first rest
 * on a list of their size, because a server asks for the same few sizes again and again; only when a request
 * finds nothing are they joined with their neighbours.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/internal.h"

#define NONE      UINT32_MAX

/* Tags: what begins at a block. Zero: nothing, the block is inside of another. */
#define TAG_USED  0x40u
#define TAG_FREE  0x80u
#define TAG_QUICK 0xc0u
#define TAG_STATE 0xc0u
#define TAG_ORDER 0x3fu

static void free_push(struct tx_arena *tx, uint32_t block, unsigned order)
{
	uint32_t head = tx->free_head[order];

	tx->tags[block] = (uint8_t)(TAG_FREE | order);
	tx->links[block] = (struct tx_link){.prev = NONE, .next = head};
	if (head != NONE)
		tx->links[head].prev = block;
	tx->free_head[order] = block;
	tx->avail_orders |= 1u << order;
}

static void free_unlink(struct tx_arena *tx, uint32_t block, unsigned order)
{
	struct tx_link link = tx->links[block];

	if (link.prev == NONE)
		tx->free_head[order] = link.next;
	else
		tx->links[link.prev].next = link.next;
	if (link.next != NONE)
		tx->links[link.next].prev = link.prev;
	if (tx->free_head[order] == NONE)
		tx->avail_orders &= ~(1u << order);
	tx->tags[block] = 0;
}

/* Joins a block with its buddy as long as that is free, and files the result. */
static void free_coalesced(struct tx_arena *tx, uint32_t block, unsigned order)
{
	tx->tags[block] = 0;
	while (order + 1 < TX_ORDERS) {
		uint32_t buddy = block ^ (1u << order);

		if (buddy >= tx->blocks || tx->tags[buddy] != (TAG_FREE | order))
			break;
		free_unlink(tx, buddy, order);
		block &= ~(1u << order);
		order++;
	}
	free_push(tx, block, order);
}

/* Takes a block of `order` from the coalesced lists, splitting a larger one if need be. NONE: no room. */
static uint32_t take_coalesced(struct tx_arena *tx, unsigned order)
{
	uint32_t fitting = tx->avail_orders & ~((1u << order) - 1);
	unsigned from;
	uint32_t block;

	if (!fitting)
		return NONE;
	from = (unsigned)__builtin_ctz(fitting);
	block = tx->free_head[from];
	free_unlink(tx, block, from);
	while (from > order) {
		from--;
		free_push(tx, block + (1u << from), from);
	}
	return block;
}

static void coalesce_quick(struct tx_arena *tx)
{
	for (unsigned order = 0; order < TX_ORDERS; order++) {
		uint32_t block = tx->quick_head[order];

		tx->quick_head[order] = NONE;
		while (block != NONE) {
			uint32_t next = tx->links[block].next;

			free_coalesced(tx, block, order);
			block = next;
		}
	}
}

int tx_init(struct tx_arena *tx, uint8_t *base, uint64_t bytes)
{
	uint64_t blocks = bytes >> TX_BLOCK_SHIFT;
	uint32_t at = 0;

	memset(tx, 0, sizeof(*tx));
	for (unsigned order = 0; order < TX_ORDERS; order++)
		tx->free_head[order] = tx->quick_head[order] = NONE;
	tx->base = base;
	tx->blocks = blocks < NONE ? (uint32_t)blocks : NONE - 1;
	tx->avail_bytes = (uint64_t)tx->blocks << TX_BLOCK_SHIFT;
	if (!tx->blocks)
		return 0;
	/* calloc: pages that are never used are never touched. */
	tx->links = calloc(tx->blocks, sizeof(*tx->links));
	tx->tags = calloc(tx->blocks, sizeof(*tx->tags));
	if (!tx->links || !tx->tags) {
		tx_fini(tx);
		return -ENOMEM;
	}
	/* Cut the arena into the largest aligned blocks: from the front, each as large as its place allows.
	 */
	while (at < tx->blocks) {
		unsigned order = at ? (unsigned)__builtin_ctz(at) : TX_ORDERS - 1;

		while (order >= TX_ORDERS || (1u << order) > tx->blocks - at)
			order--;
		free_push(tx, at, order);
		at += 1u << order;
	}
	return 0;
}

void tx_fini(struct tx_arena *tx)
{
	free(tx->links);
	free(tx->tags);
	memset(tx, 0, sizeof(*tx));
}

static unsigned order_of(size_t len)
{
	size_t blocks = (len + (1u << TX_BLOCK_SHIFT) - 1) >> TX_BLOCK_SHIFT;

	return blocks <= 1 ? 0 : (unsigned)(64 - __builtin_clzll((unsigned long long)(blocks - 1)));
}

IX_EXPORT void *ix_tx_alloc(struct ix_channel *channel, size_t len)
{
	struct tx_arena *tx = &channel->tx;
	unsigned order;
	uint32_t block;

	if (!len || len > tx->avail_bytes)
		return NULL;
	order = order_of(len);
	if (order >= TX_ORDERS)
		return NULL;
	block = tx->quick_head[order];
	if (block != NONE) {
		tx->quick_head[order] = tx->links[block].next;
	} else {
		block = take_coalesced(tx, order);
		if (block == NONE) {
			coalesce_quick(tx);
			block = take_coalesced(tx, order);
		}
		if (block == NONE)
			return NULL;
	}
	tx->tags[block] = (uint8_t)(TAG_USED | order);
	tx->avail_bytes -= (uint64_t)1 << (order + TX_BLOCK_SHIFT);
	return tx->base + ((size_t)block << TX_BLOCK_SHIFT);
}

/* The block that a pointer of ix_tx_alloc() names, NONE when it is not one in use. */
static uint32_t block_of(const struct tx_arena *tx, const void *memory)
{
	uintptr_t delta = (uintptr_t)memory - (uintptr_t)tx->base;
	uintptr_t block = delta >> TX_BLOCK_SHIFT;

	if (block >= tx->blocks || delta & ((1u << TX_BLOCK_SHIFT) - 1))
		return NONE;
	return (tx->tags[block] & TAG_STATE) == TAG_USED ? (uint32_t)block : NONE;
}

IX_EXPORT int ix_tx_free(struct ix_channel *channel, void *memory)
{
	struct tx_arena *tx = &channel->tx;
	uint32_t block;
	unsigned order;

	if (!memory)
		return 0;
	block = block_of(tx, memory);
	if (block == NONE)
		return -EINVAL;
	order = tx->tags[block] & TAG_ORDER;
	tx->tags[block] = (uint8_t)(TAG_QUICK | order);
	tx->links[block].next = tx->quick_head[order];
	tx->quick_head[order] = block;
	tx->avail_bytes += (uint64_t)1 << (order + TX_BLOCK_SHIFT);
	return 0;
}

IX_EXPORT size_t ix_tx_size(const struct ix_channel *channel, const void *memory)
{
	uint32_t block = memory ? block_of(&channel->tx, memory) : NONE;

	return block == NONE ? 0 : (size_t)1 << ((channel->tx.tags[block] & TAG_ORDER) + TX_BLOCK_SHIFT);
}

IX_EXPORT size_t ix_tx_total(const struct ix_channel *channel)
{
	return (size_t)channel->tx.blocks << TX_BLOCK_SHIFT;
}

IX_EXPORT size_t ix_tx_avail(const struct ix_channel *channel)
{
	return channel->tx.avail_bytes;
}

IX_EXPORT uint64_t ix_tx_off(const struct ix_channel *channel, const void *byte)
{
	return (uint64_t)((const uint8_t *)byte - channel->tx_memory);
}
