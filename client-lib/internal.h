/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of libixclient share: the client, its channels, and the allocator of TX memory. The indices
 * that this side owns live here, in private memory; the shared words are only written from them.
 */
#ifndef IX_CLIENT_INTERNAL_H
#define IX_CLIENT_INTERNAL_H

#include <stdatomic.h>

#include <ix/ix.h>
#include <ix/ring.h>

/* Exported from the shared object; everything else is hidden by -fvisibility. */
#define IX_EXPORT      __attribute__((visibility("default")))

#define TX_BLOCK_SHIFT 7u  /* smallest allocation: 128 bytes, two cache lines */
#define TX_ORDERS      26u /* largest: 128 << 25 = 4 GiB */

struct tx_link {
	uint32_t prev, next;
};

/* A buddy allocator over one channel's part of the TX memory. Its tables are private memory, so that an
 * application that overruns a buffer spoils bytes, not the allocator. Blocks are named by index. */
struct tx_arena {
	uint8_t *base;
	uint32_t blocks;
	uint64_t avail_bytes;
	uint32_t free_head[TX_ORDERS];  /* coalesced blocks, doubly linked */
	uint32_t quick_head[TX_ORDERS]; /* freed a moment ago, still warm, not coalesced */
	struct tx_link *links;          /* per block */
	uint8_t *tags;                  /* per block: state and order of what begins there */
	uint32_t avail_orders;          /* bit o: free_head[o] is not empty */
};

struct ix_channel {
	struct ix_cmd *cmds;
	const struct ix_event *events;
	const struct ix_daemon_core *daemon;
	struct ix_client_core *mine;
	uint32_t cmd_slots, evt_slots;
	uint32_t cmd_prod;      /* next slot to fill */
	uint32_t cmd_published; /* what the shared word says */
	uint32_t cmd_cons;      /* ixd's index as last seen; refreshed when the ring looks full */
	uint32_t evt_cons;      /* next event to take */
	uint32_t evt_prod;      /* ixd's index as last seen */
	uint32_t seq;
	bool is_starved; /* a command found no room: waiting ends when there is some */
	int doorbell;
	uint8_t *tx_memory;
	const uint8_t *rx_memory;
	uint64_t tx_bytes;
	struct ix_client *client;
	unsigned core;
	struct tx_arena tx;
} __attribute__((aligned(64)));

/* What must stay until the client ends because events may still name it; first in its structure. */
struct leftover {
	struct leftover *next;
};

struct ix_client {
	int sock;
	unsigned cores;
	uint32_t id;
	_Atomic uint32_t spin_us;
	_Atomic bool is_gone; /* ixd closed its end: set by whichever thread sees it first */
	const uint8_t *daemon_memory;
	uint8_t *client_memory;
	uint64_t daemon_bytes, client_bytes;
	char instance[32];
	_Atomic(struct leftover *) leftovers; /* pushed by any thread, freed by ix_close() */
	struct ix_channel channels[];
};

/* Builds the allocator over `bytes` at `base`. 0 or -ENOMEM. tx_fini() frees its tables. */
int tx_init(struct tx_arena *tx, uint8_t *base, uint64_t bytes);
void tx_fini(struct tx_arena *tx);

/* Rings the channel's core; notes it when nobody is there any more. */
void channel_ring(struct ix_channel *channel);

static inline bool client_is_gone(const struct ix_client *client)
{
	return atomic_load_explicit(&client->is_gone, memory_order_relaxed);
}

static inline void client_set_gone(struct ix_client *client)
{
	atomic_store_explicit(&client->is_gone, true, memory_order_relaxed);
}

#endif
