/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the transmit program and its callers share. A call of BPF_PROG_TEST_RUN with
 * BPF_F_TEST_XDP_LIVE_FRAMES makes `repeat` frames in the kernel's own memory and runs the program on each;
 * it fills the frame from the next slot of the caller's core and redirects it to a device. No skb is made on
 * the way, which on a veth saves two allocations and two copies per packet. A call has a price of its own (it
 * makes a page pool), so it pays from about a dozen packets on.
 *
 * The program must be known to the kernel's XDP dispatcher before it is called with a repeat above 1, that
 * is, be attached to some device: else each call waits for an RCU grace period, twice (25 ms).
 */
#ifndef BPF_TRANSMIT_H
#define BPF_TRANSMIT_H

#include <linux/types.h>

/* Of each core, and so the most frames of one call: a veth's other end takes them when the call is over, and
 * its queue has 256 places. A power of two. */
#define IXD_TX_SLOTS      128
#define IXD_TX_DATA_BYTES 2040

/* Map `tx_slots`: mmapable array; slot n of core c is element c * IXD_TX_SLOTS + n. Written by core threads.
 */
struct ixd_tx_slot {
	__u32 port; /* index in `tx_ports` */
	__u32 len;  /* 14 … IXD_TX_DATA_BYTES; all else is dropped */
	__u8 data[IXD_TX_DATA_BYTES];
};

/* Map `tx_cursors`: mmapable array, one element per core, each in a cache line of its own. The caller sets
 * `next` before a call; after it, it is larger by the number of slots that were sent. */
struct ixd_tx_cursor {
	__u32 next;
	__u8 pad[60];
};

/* Map `tx_ports`: DEVMAP, written by the supervisor alone: the devices that frames may leave through. */

/* The packet that a call gives to the kernel (data_in): every frame begins with it. Or nearly so: the kernel
 * copies it once into each page, and a page that comes back within the call still has what was sent in it.
 * That is known by its EtherType, and dropped without a slot being used up: `next` says how many were sent.
 * It is rare with a batch_size that is not less than `repeat`. */
struct ixd_tx_call {
	__u32 core;
	__u8 pad[8];
	__u16 not_a_frame; /* 0; where a frame has its EtherType, which never is */
	__u8 pad2[50];     /* 0 */
};

#endif
