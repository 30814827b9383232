/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core thread's private world. One struct core per thread; nothing in it is touched by another thread,
 * except the mailboxes and frame-return rings, which are single-producer single-consumer.
 *
 * The way of a packet through this folder:
 *
 *   xsk_rx_burst → eth_input → ip_input → tcp_input → (conn.c callbacks) → event_post ─▶ client
 *   client ─▶ command_drain → tcp_send → tcp_output → ip_output → eth header → xsk_tx_burst
 */
#ifndef DAEMON_DATAPLANE_CORE_H
#define DAEMON_DATAPLANE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/mirror.h"
#include "daemon/common/msg.h"
#include "daemon/common/state.h"
#include "daemon/common/stats.h"
#include "tcp/tcp.h"

struct core;
struct channel;   /* channel.h: one client on one core */
struct mailbox;   /* mailbox.h: messages between the main thread and a core thread */
struct xsk_port;  /* xsk.h: one AF_XDP socket of this core */

/* A UMEM frame by number; its bytes start at umem + index * IXD_FRAME_BYTES. The frame's home core is
 * index / frames_per_core. */
typedef struct {
	uint32_t index;
} frame_index;

/* What all cores share, read-only after start. */
struct dataplane {
	const struct msg_init *init;
	struct runtime_config config; /* main thread's copy; each core has its own */
	struct state_layout layout;
	uint8_t *state;
	uint8_t *umem;
	struct stats *stats;
	const struct mirror *mirror;
	struct ixd_ephemeral *ephemeral;
	const uint32_t *flow_groups; /* element stride is 8 bytes in an mmapable array; use flow_group_core() */
	uint8_t *frame_owner;
	uint32_t frames_total;
	uint32_t cores;
	struct tcp_keys keys;
	struct ixd_toeplitz *toeplitz;
	struct core *core[IXD_CORES_MAX];
	int supervisor_fd;
};

/* A packet to be sent: header room first, so that layers prepend. */
struct tx_frame {
	frame_index frame;
	uint8_t *data;  /* first byte of the Ethernet header */
	uint32_t len;
};

struct core {
	/* first cache line: what every turn reads */
	tcp_time now;
	struct dataplane *dp;
	struct tcp_engine *tcp;
	struct conn_record *conns;   /* in the state memfd */
	struct core_stats *stats;
	const struct mirror *mirror;
	uint16_t id;
	bool must_stop;
	struct runtime_config config;

	/* sockets and frames: owned by xsk.c, frame.c */
	struct xsk_core *xsk;
	struct frame_pool *frames;

	/* clients: owned by channel.c, conn.c, chunk.c, rx_memory.c */
	struct client_side *clients;

	/* waiting: owned by loop.c */
	int epoll_fd;
	struct mailbox *inbox;  /* main thread → core */
	struct mailbox *outbox; /* core → main thread */
};

static inline uint32_t flow_group_core(const struct dataplane *dp, uint32_t group)
{
	return __atomic_load_n(&dp->flow_groups[group * 2], __ATOMIC_RELAXED);
}

#endif
