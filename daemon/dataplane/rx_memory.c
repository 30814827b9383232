/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks, cells, and the bytes in them. rx_window.c has the window.
 */
#include "daemon/dataplane/rx_memory.h"

#include <string.h>

/* Blocks beyond need that a core keeps, so that a burst does not go back and forth with the other cores. */
#define SPARE_CELLS_KEPT (4 * RX_CELLS_PER_BLOCK)

static void block_link(struct rx_pool *pool, uint32_t index)
{
	struct rx_block *block = &pool->shared->block[index];

	block->prev = RX_NONE;
	block->next = pool->block_head;
	if (pool->block_head != RX_NONE)
		pool->shared->block[pool->block_head].prev = index;
	pool->block_head = index;
}

static void block_unlink(struct rx_pool *pool, uint32_t index)
{
	struct rx_block *block = &pool->shared->block[index];

	if (block->prev != RX_NONE)
		pool->shared->block[block->prev].next = block->next;
	else
		pool->block_head = block->next;
	if (block->next != RX_NONE)
		pool->shared->block[block->next].prev = block->prev;
}

/* Borrows a block from the arena. */
static bool block_borrow(struct rx_pool *pool)
{
	struct client_shared *shared = pool->shared;

	if (!__atomic_load_n(&shared->blocks_free, __ATOMIC_RELAXED))
		return false;
	for (uint32_t word = 0; word <= shared->blocks / 64; word++) {
		uint64_t bits = __atomic_load_n(&shared->bitmap[word], __ATOMIC_RELAXED);

		while (bits) {
			uint64_t bit = bits & -bits;
			uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(bits);

			/* Acquire: what the core that had the block wrote into its record is over. */
			if (__atomic_fetch_and(&shared->bitmap[word], ~bit, __ATOMIC_ACQUIRE) & bit) {
				__atomic_sub_fetch(&shared->blocks_free, 1, __ATOMIC_RELAXED);
				shared->block[index].free_mask = (1u << RX_CELLS_PER_BLOCK) - 1;
				block_link(pool, index);
				pool->owned += RX_CELLS_PER_BLOCK;
				return true;
			}
			bits &= ~bit;
		}
	}
	return false;
}

/* Gives a block whose cells are all free back to the arena. */
static void block_return(struct rx_pool *pool, uint32_t index)
{
	struct client_shared *shared = pool->shared;

	block_unlink(pool, index);
	pool->owned -= RX_CELLS_PER_BLOCK;
	/* Release: the other side of block_borrow(). */
	__atomic_fetch_or(&shared->bitmap[index / 64], (uint64_t)1 << (index % 64), __ATOMIC_RELEASE);
	__atomic_add_fetch(&shared->blocks_free, 1, __ATOMIC_RELAXED);
}

bool rx_has_room(struct channel *channel, uint32_t cells)
{
	struct rx_pool *pool = &channel->rx;

	if (channel->is_quarantined || __atomic_load_n(&pool->shared->quarantined_cores, __ATOMIC_RELAXED))
		return false;
	while (pool->owned - pool->charged < cells)
		if (!block_borrow(pool))
			return false;
	return true;
}

/* A free cell; the caller has charged it, so there is one. */
static uint32_t cell_take(struct rx_pool *pool)
{
	uint32_t index = pool->block_head;
	struct rx_block *block = &pool->shared->block[index];
	uint32_t bit = (uint32_t)__builtin_ctz(block->free_mask);

	block->free_mask &= block->free_mask - 1;
	if (!block->free_mask)
		block_unlink(pool, index);
	return index * RX_CELLS_PER_BLOCK + bit;
}

static void cell_give(struct rx_pool *pool, uint32_t cell)
{
	uint32_t index = cell / RX_CELLS_PER_BLOCK;
	struct rx_block *block = &pool->shared->block[index];

	/* Last in, first out: the cell freed last is the one in the cache. */
	if (!block->free_mask)
		block_link(pool, index);
	block->free_mask |= 1u << (cell % RX_CELLS_PER_BLOCK);
	if (block->free_mask == (1u << RX_CELLS_PER_BLOCK) - 1 &&
	    pool->owned - pool->charged >= SPARE_CELLS_KEPT + RX_CELLS_PER_BLOCK)
		block_return(pool, index);
}

/* One more cell at the end of the connection's list. */
static bool cell_append(struct channel *channel, struct conn_record *rec, struct conn_local *loc)
{
	struct rx_pool *pool = &channel->rx;
	uint32_t cell;

	if (loc->cells >= rec->rx_reserved_cells) {
		if (!rx_has_room(channel, 1))
			return false;
		pool->charged++;
	}
	cell = cell_take(pool);
	pool->shared->cell_next[cell] = RX_NONE;
	if (loc->cells++)
		pool->shared->cell_next[rec->cell_tail] = cell;
	else
		rec->cell_head = cell;
	rec->cell_tail = cell;
	return true;
}

static void cell_drop_head(struct channel *channel, struct conn_record *rec, struct conn_local *loc)
{
	struct rx_pool *pool = &channel->rx;
	uint32_t cell = rec->cell_head;

	rec->cell_head = pool->shared->cell_next[cell];
	rec->rx_base_off += IXD_RX_CELL_BYTES;
	if (loc->cells-- > rec->rx_reserved_cells)
		pool->charged--;
	cell_give(pool, cell);
}

void rx_unreserve(struct channel *channel, struct conn_record *rec, struct conn_local *loc)
{
	struct rx_pool *pool = &channel->rx;

	if (loc->flags & CONN_IS_HALF_OPEN) {
		loc->flags &= (uint16_t)~CONN_IS_HALF_OPEN;
		pool->half_open -= rec->rx_reserved_cells;
	}
	if (rec->rx_reserved_cells > loc->cells)
		pool->charged -= rec->rx_reserved_cells - loc->cells;
	__atomic_sub_fetch(&pool->shared->cells_reserved, rec->rx_reserved_cells, __ATOMIC_RELAXED);
	rec->rx_reserved_cells = 0;
}

/* Low halves of offsets that lie within a window of each other: is a before b? */
static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* The cell that holds stream offset off, which lies within the connection's cells; *at, *at_low: a cursor. */
static uint32_t cell_find(const struct rx_pool *pool, const struct conn_record *rec,
			  const struct conn_local *loc, uint64_t off, uint32_t *at, uint32_t *at_low)
{
	uint64_t tail_off = rec->rx_base_off + (uint64_t)(loc->cells - 1) * IXD_RX_CELL_BYTES;
	uint32_t low = (uint32_t)off;

	if (off >= tail_off) {
		*at = rec->cell_tail;
		*at_low = (uint32_t)tail_off;
		return *at;
	}
	if (*at == RX_NONE || is_before(*at_low, (uint32_t)rec->rx_base_off) || is_before(low, *at_low)) {
		*at = rec->cell_head;
		*at_low = (uint32_t)rec->rx_base_off;
	}
	while (low - *at_low >= IXD_RX_CELL_BYTES) {
		*at = pool->shared->cell_next[*at];
		*at_low += IXD_RX_CELL_BYTES;
	}
	return *at;
}

bool rx_store(struct channel *channel, struct conn_record *rec, struct conn_local *loc, uint64_t off,
	      const uint8_t *data, uint32_t len)
{
	struct rx_pool *pool = &channel->rx;
	uint64_t end_off = off + len;

	if (!loc->cells) {
		/* Cells begin where the stream has got to, not where this segment lies: it may be out of
		 * order. */
		rec->rx_base_off = rec->rx_ready_off;
		loc->store_at = RX_NONE;
		loc->post_at = RX_NONE;
	}
	while (end_off - rec->rx_base_off > (uint64_t)loc->cells * IXD_RX_CELL_BYTES)
		if (!cell_append(channel, rec, loc))
			return false;
	while (off < end_off) {
		uint32_t cell = cell_find(pool, rec, loc, off, &loc->store_at, &loc->store_at_low);
		uint32_t within = (uint32_t)off - loc->store_at_low;
		uint32_t part = IXD_RX_CELL_BYTES - within;

		if (part > end_off - off)
			part = (uint32_t)(end_off - off);
		memcpy(pool->arena + (size_t)cell * IXD_RX_CELL_BYTES + within, data, part);
		data += part;
		off += part;
	}
	if (is_before(loc->stored_low, (uint32_t)end_off))
		loc->stored_low = (uint32_t)end_off;
	return true;
}

uint32_t rx_stretch(struct channel *channel, struct conn_record *rec, struct conn_local *loc, uint64_t off,
		    uint64_t end_off, uint64_t *arena_off)
{
	const struct rx_pool *pool = &channel->rx;
	uint32_t cell, within;
	uint64_t len;

	if (!loc->cells || off < rec->rx_base_off ||
	    off - rec->rx_base_off >= (uint64_t)loc->cells * IXD_RX_CELL_BYTES)
		return 0;
	cell = cell_find(pool, rec, loc, off, &loc->post_at, &loc->post_at_low);
	within = (uint32_t)off - loc->post_at_low;
	*arena_off = (uint64_t)cell * IXD_RX_CELL_BYTES + within;
	len = IXD_RX_CELL_BYTES - within;
	while (len < end_off - off && cell != rec->cell_tail && pool->shared->cell_next[cell] == cell + 1) {
		cell++;
		len += IXD_RX_CELL_BYTES;
		loc->post_at = cell;
		loc->post_at_low += IXD_RX_CELL_BYTES;
	}
	return len < end_off - off ? (uint32_t)len : (uint32_t)(end_off - off);
}

void rx_reclaim(struct channel *channel, struct conn_record *rec, struct conn_local *loc)
{
	if (!is_before((uint32_t)rec->rx_done_off, loc->stored_low)) {
		while (loc->cells)
			cell_drop_head(channel, rec, loc);
		return;
	}
	while (rec->rx_done_off - rec->rx_base_off >= IXD_RX_CELL_BYTES)
		cell_drop_head(channel, rec, loc);
}

void rx_free_all(struct channel *channel, struct conn_record *rec, struct conn_local *loc)
{
	rx_unreserve(channel, rec, loc);
	while (loc->cells)
		cell_drop_head(channel, rec, loc);
}

void rx_bury(struct channel *channel, struct conn_record *rec, struct conn_local *loc, uint32_t evt_index)
{
	/* At most one entry per event in the ring, so the ring of graves cannot overflow. */
	channel->dead[channel->dead_next++ & (channel->evt_slots - 1)] =
	    (struct dead_cells){.evt_index = evt_index, .cell_head = rec->cell_head};
	loc->cells = 0;
}

void rx_exhume(struct channel *channel)
{
	struct rx_pool *pool = &channel->rx;

	while (channel->dead_first != channel->dead_next) {
		struct dead_cells *grave = &channel->dead[channel->dead_first & (channel->evt_slots - 1)];
		uint32_t cell = grave->cell_head;

		/* Not taken yet: the event lies in [evt_cons, evt_prod). */
		if (grave->evt_index - channel->evt_cons < channel->evt_prod - channel->evt_cons)
			return;
		channel->dead_first++;
		while (cell != RX_NONE) {
			uint32_t next = pool->shared->cell_next[cell];

			pool->charged--;
			cell_give(pool, cell);
			cell = next;
		}
	}
}
