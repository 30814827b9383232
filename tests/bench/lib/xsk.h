/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One AF_XDP socket with a UMEM of its own, on queue 0 of an interface, in copy mode, and the program that
 * steers packets to it. The rings are handled by the code that the dataplane uses.
 */
#ifndef TESTS_BENCH_LIB_XSK_H
#define TESTS_BENCH_LIB_XSK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/dataplane/xsk_ring.h"
#include "tests/bench/lib/steer.h"
#include "tests/bench/lib/transmit.h"

#define BENCH_FRAME_BYTES  2048u
#define BENCH_BATCH_MAX    256u
#define BENCH_REFILL_AFTER 32u /* frames that are free before the FILL ring is filled up */

struct bench_packet {
	uint8_t *data;
	uint32_t len;
	uint64_t addr;
};

struct bench_xsk {
	struct xsk_ring rx, tx, fill, comp;
	uint8_t *umem;
	uint64_t *free; /* stack of free frames */
	uint32_t free_count, frames;
	uint32_t free_floor; /* the FILL ring leaves so many for sending */
	uint32_t tx_done;    /* what the kernel has taken of the TX ring */
	int fd;
	uint64_t kicks;
	uint64_t tx_ring_full; /* times there was no room, or no frame, for a packet */
	uint64_t tx_stalls;    /* kicks that did not empty the ring */
	bool has_stalled;      /* so did the last */
	void *steer;           /* the loaded program */
	struct bench_transmit transmit;
};

/* Opens the socket with rings of `slots` (a power of two), the way out that the mode says, and attaches the
 * steering program. Ends the program with a message when something is missing. Everything goes with the
 * process. */
void bench_xsk_open(struct bench_xsk *xsk, const char *iface, uint32_t slots, enum bench_transmit_mode mode,
		    const struct bench_steer *steer);
void bench_xsk_close(struct bench_xsk *xsk);

/* Takes completions; their frames are free. */
void bench_xsk_reap(struct bench_xsk *xsk);
/* Takes up to max (<= BENCH_BATCH_MAX) packets. Each frame is the caller's: bench_xsk_free(), or sent. */
uint32_t bench_xsk_receive(struct bench_xsk *xsk, struct bench_packet *packets, uint32_t max);
/* Fills the FILL ring when it is worth it. */
void bench_xsk_refill(struct bench_xsk *xsk);
/* Everything staged goes out, in one kick or one call if the kernel can. */
void bench_xsk_kick(struct bench_xsk *xsk);
/* Packets that were lost before this socket's RX ring, or in it: from the socket's statistics. */
uint64_t bench_xsk_rx_drops(const struct bench_xsk *xsk);
/* What the program counted. */
struct bench_steer_counts bench_xsk_counts(const struct bench_xsk *xsk);

static inline void bench_xsk_free(struct bench_xsk *xsk, uint64_t addr)
{
	/* A descriptor's address may point behind the frame's beginning (headroom). */
	xsk->free[xsk->free_count++] = addr & ~(uint64_t)(BENCH_FRAME_BYTES - 1);
}

/* A frame to send, with room in the TX ring for it. False, counted: there is none now. */
static inline bool bench_xsk_tx_get(struct bench_xsk *xsk, uint64_t *addr)
{
	if (xsk->free_count == 0 || xsk_ring_room(&xsk->tx, 1) == 0) {
		xsk->tx_ring_full++;
		return false;
	}
	*addr = xsk->free[--xsk->free_count];
	return true;
}

/* Stages len bytes at addr; room was asked for. */
static inline void bench_xsk_tx_put(struct bench_xsk *xsk, uint64_t addr, uint32_t len)
{
	*xsk_ring_desc(&xsk->tx, xsk->tx.prod++) = (struct xdp_desc){.addr = addr, .len = len};
}

#endif
