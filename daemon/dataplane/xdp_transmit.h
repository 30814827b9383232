/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core's access to the transmit program (bpf/transmit.h), which sends frames without skbs: its slots, its
 * cursor, and the call.
 */
#ifndef DAEMON_DATAPLANE_XDP_TRANSMIT_H
#define DAEMON_DATAPLANE_XDP_TRANSMIT_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/transmit.h"
#include "tcp/tcp.h"

struct xdp_transmit {
	struct ixd_tx_slot *slots; /* IXD_TX_SLOTS, this core's */
	struct ixd_tx_cursor *cursor;
	tcp_time retry_at; /* the kernel has refused: not to be tried before */
	bool has_failed;   /* and that was said */
	struct ixd_tx_call call;
	union bpf_attr attr; /* points to `call` */
};

/* Maps the slots and cursors of all cores from the maps' descriptors, which stay the caller's; for as long as
 * the process lives. 0 or negative errno. */
int xdp_transmit_map(int slots_fd, int cursors_fd, uint32_t cores, struct ixd_tx_slot **slots,
		     struct ixd_tx_cursor **cursors);
/* For one core; all pointers are to what xdp_transmit_map() gave. program_fd must stay open. NULL without
 * memory; free() takes it back. */
struct xdp_transmit *xdp_transmit_new(int program_fd, struct ixd_tx_slot *slots,
				      struct ixd_tx_cursor *cursors, uint32_t core);

/* Sends the frames in slots 0 … count - 1, IXD_TX_SLOTS at most. When it returns they are with the
 * device's driver, or, on a veth, mostly with the other end already. *sent: how many, from the first on, also
 * on an error; without one it may be fewer than count, too. 0 or negative errno. */
int xdp_transmit_run(struct xdp_transmit *transmit, uint32_t count, uint32_t *sent);

#endif
