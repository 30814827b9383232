/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the cores share about one client: how many connections and listeners it has, which blocks of its RX
 * arena are lent to which core, and whether its memory has failed. Everything here is private memory of the
 * dataplane; words that several cores write are atomic, a block's record is written by the core that has the
 * block.
 */
#ifndef DAEMON_DATAPLANE_CLIENT_SHARED_H
#define DAEMON_DATAPLANE_CLIENT_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/dataplane/client_mapping.h"

#define RX_CELLS_PER_BLOCK (IXD_RX_BLOCK_BYTES / IXD_RX_CELL_BYTES)
#define RX_NONE            UINT32_MAX

_Static_assert(RX_CELLS_PER_BLOCK == 16, "a block's free cells are a 16-bit mask");

/* A block of the RX arena while a core has it. */
struct rx_block {
	uint32_t next, prev; /* in the core's list of blocks with free cells */
	uint32_t free_mask;  /* bit i: cell i of the block is free */
	uint32_t reserved;
};

struct client_shared {
	uint32_t users;      /* cores that have not let go yet */
	uint32_t conns;      /* connections of the client, over all cores */
	uint32_t listeners;  /* listeners that the client has or has asked for */
	uint32_t has_failed; /* set by the SIGBUS guard: a page of the client's memory could not be had */
	uint32_t is_fault_told;
	/* Cores on which the client has not yet taken the `dead` events of a dataplane before; until it has,
	 * the bytes that it may still be reading are anywhere in the arena, and nothing is stored there. */
	uint32_t quarantined_cores;
	uint32_t blocks;
	uint32_t blocks_free __attribute__((aligned(64)));
	uint32_t cells_reserved; /* by connections, over all cores */
	uint64_t *bitmap;        /* 1: the block is lent to nobody */
	struct rx_block *block;
	/* Links of cells in a connection's list; the 16 words of a block fill one cache line, so that cores
	 * do not write to one line. */
	uint32_t *cell_next;
};

/* The shared part of a client, made by whichever core asks first. NULL without memory. Any core thread. */
struct client_shared *client_shared_get(struct client_mapping *mapping, uint32_t cores);
/* This core needs it no more; the last one frees it. */
void client_shared_put(struct client_mapping *mapping);

/* Takes one off a count, not below 0: a dataplane before may have counted what this one did not. */
void client_shared_uncount(uint32_t *count);

/*
 * Reading client memory may fault: the client can have punched a hole that cannot be filled again (out of
 * huge pages, out of memory). From client_shared_get() on, a SIGBUS inside the client's memory replaces the
 * whole mapping by zero pages of the process's own and sets has_failed; the reader goes on with zeros and the
 * channel notices later. Any other SIGBUS ends the process as ever. Call client_guard_install() once per
 * process; more calls are harmless.
 */
void client_guard_install(void);

#endif
