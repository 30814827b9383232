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
#include "daemon/dataplane/batch_bound.h"
#include "daemon/dataplane/spin_bound.h"
#include "tcp/tcp.h"

struct core;
struct channel;  /* channel.h: one client on one core */
struct mailbox;  /* mailbox.h: messages between the main thread and a core thread */
struct xsk_core; /* xsk.h: the AF_XDP sockets of this core */

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
	const uint32_t
	    *flow_groups;     /* element stride is 8 bytes in an mmapable array; use flow_group_core() */
	uint8_t *frame_owner; /* enum frame_owner per frame, in the state memfd */
	uint32_t frames_total;
	uint32_t cores;
	struct tcp_keys keys;
	struct ixd_toeplitz *toeplitz;
	struct core *core[IXD_CORES_MAX];
	struct frame_exchange *exchange;   /* frame.h: rings between cores */
	struct frame_sum *frame_sums;      /* frame_check.h; NULL: frames are not checked */
	uint32_t tx_cores[IXD_IFACES_MAX]; /* a bit for each core that has a TX ring there; main thread's */
	uint64_t queues_inherited;         /* start-up: queues whose sockets a dataplane had before */
	int supervisor_fd;
	int wake_fd; /* eventfd of the main thread: a core has written to its outbox */
};

/* In core->epoll_fd an event's data.u64 with the lowest bit set is the packet side's; without it, it is a
 * struct channel pointer. */
enum core_event { CORE_EVENT_PACKETS = 1, CORE_EVENT_WAKE = 3, CORE_EVENT_TIMER = 5 };

struct core {
	/* first cache line: what every turn reads */
	tcp_time now;
	struct dataplane *dp;
	struct tcp_engine *tcp;
	struct conn_record *conns; /* in the state memfd */
	struct core_stats *stats;
	const struct mirror *mirror;
	uint16_t id;
	bool must_stop;
	struct runtime_config config;

	/* sockets and frames: owned by xsk.c, frame.c */
	struct xsk_core *xsk;
	struct frame_pool *frames;
	struct rx_batch *rx; /* packet.h: the packets of this turn */
	struct batch_bound batch_bound;
	struct ip_core *ip; /* ip.h: what sending needs: parked packets, last addresses */

	/* clients: owned by channel.c, conn.c, chunk.c, rx_memory.c */
	struct client_side *clients;

	/* waiting: owned by loop.c */
	struct spin_bound spin_bound;
	tcp_time woke_at; /* end of the last sleep */
	int epoll_fd;
	int wake_fd;            /* eventfd: mail, or another core wants something of a sleeping core */
	int timer_fd;           /* readable at timer_ns */
	uint64_t timer_ns;      /* 0: not set */
	struct mailbox *inbox;  /* main thread → core */
	struct mailbox *outbox; /* core → main thread */

	/* The only word here that others look at: set while the thread waits in epoll, see core_wake(). */
	uint32_t is_sleeping __attribute__((aligned(64)));
};

static inline uint32_t flow_group_core(const struct dataplane *dp, uint32_t group)
{
	return __atomic_load_n(&dp->flow_groups[group * 2], __ATOMIC_RELAXED);
}

/* Makes and frees a core's private world; the surviving part is in dp->state. Main thread, before start and
 * after the end of the threads. 0 or negative errno. */
int core_init(struct core *core, struct dataplane *dp, uint16_t id);
void core_fini(struct core *core);
/* Says of memory that it is a table, which exists in full from the start. */
void table_mark(void *memory, size_t bytes);
/* Engine, clients, recovery. On the core's own thread, before its first turn. 0 or negative errno. */
int core_start(struct core *core);
/* Takes what has come from the main thread; true when there was any. */
bool core_take_mail(struct core *core);
/* Wakes a core that sleeps; for other cores. What it shall see must have been published before. */
void core_wake(struct core *core);

#endif
