/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_XDP sockets of a core: receive bursts, send bursts, and the traffic of frames with the kernel.
 *
 * There is a socket per (queue, core), or only the diagonal. The sockets of one queue share its FILL and
 * COMPLETION rings; one core owns those (the "primary" socket's core) and serves them for all.
 */
#ifndef DAEMON_DATAPLANE_XSK_H
#define DAEMON_DATAPLANE_XSK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/dataplane/frame.h"
#include "daemon/dataplane/packet.h"
#include "daemon/dataplane/xdp_transmit.h"
#include "daemon/dataplane/xsk_ring.h"

#define XSK_REFILL_FRAMES 32 /* FILL rings are refilled when as many frames are free */
/* Fewer packets leave by the socket. Measured (130 bytes, veth, one CPU for both ends): a call of the
 * transmit program costs 9 µs and 0.2 µs a packet, the socket 1.1 µs a packet: even at 10 to 12. */
#define XSK_TRANSMIT_MIN  12

struct xsk_port {
	struct xsk_ring rx, tx, fill, comp; /* mask 0 in those it does not have */
	int fd;
	int packet_fd; /* for large sends (ip_large.c) and single packets; -1: none */
	uint8_t iface;
	bool has_tx, is_primary, is_zerocopy;
	bool is_watched;     /* by the core's epoll */
	bool is_tx_stalled;  /* the kernel did not take all; to be kicked again */
	bool has_rx_low;     /* counted as low until it has been refilled */
	bool was_fill_empty; /* when it was last refilled, by zero copy: its driver may be about to wait */
	uint16_t owner_core; /* that serves the queue's FILL and COMPLETION rings */
	uint32_t queue;
	uint32_t fill_empty_at; /* its consumer index then: once that moves, the driver has taken from it */
	uint32_t tx_staged;     /* descriptors that wait for xsk_tx_burst() */
	struct xsk_map maps[XSK_RING_KINDS];
};

/* What other cores may look at of a FILL ring: the shared words, and half of its slots. */
struct xsk_fill_watch {
	const uint32_t *producer, *consumer;
	uint32_t half;
};

struct xsk_core {
	uint32_t ports_count;
	uint32_t first_port;    /* whose turn it is to be asked first */
	uint32_t refill_credit; /* frames that came back since the last refill */
	uint32_t stalled_count;
	uint32_t watched_count; /* ports with is_watched */
	uint64_t stall_wait_ns; /* doubles while no kick makes progress */
	tcp_time stall_until;
	uint64_t away_wait_ns;         /* doubles while frames stay away; 0: none is */
	tcp_time away_until;           /* when an idle core looks for them */
	struct xdp_transmit *transmit; /* NULL: there is none */
	struct xsk_port
	    *tx_port[IXD_IFACES_MAX]; /* where packets of an interface leave; NULL: are passed on */
	struct handoff_ring *tx_pass[IXD_IFACES_MAX];
	uint16_t tx_pass_core[IXD_IFACES_MAX];
	uint32_t fill_watches; /* read by other cores, as are the watches */
	struct xsk_fill_watch fill_watch[IXD_QUEUES_MAX];
	struct xsk_port ports[IXD_QUEUES_MAX];
	uint32_t detached_count; /* ports of interfaces that are being closed, still mapped */
	struct xsk_port detached[IXD_QUEUES_MAX];
};

/* Sockets of one interface for one core that came while it runs. */
struct xsk_arrivals {
	uint32_t count;
	struct msg_xsk messages[IXD_QUEUES_MAX];
	int fds[IXD_QUEUES_MAX];
	int packet_fds[IXD_QUEUES_MAX]; /* -1: none */
};

struct xsk_core *xsk_core_new(void);
/* Maps the rings of an inherited socket and takes the indices from where they stand. fd, and packet_fd when
 * it is not -1, stay open and become the port's. 0 or negative errno, they are the caller's then. By the main
 * thread before the start, by the core's own thread after it. */
int xsk_port_add(struct core *core, const struct msg_xsk *m, int fd, int packet_fd);
/* Unmaps and closes; nobody may know of the port any more. */
void xsk_port_close(struct xsk_port *port);
void xsk_core_free(struct xsk_core *xsk);

/* xsk_iface.c: an interface's sockets come and go. By the main thread before the start, then by the core's
 * own. */
/* When all ports of an interface are there: where its packets leave. tx_cores: a bit for each core that has a
 * TX ring on it. 0 or negative errno. */
int xsk_iface_connect(struct core *core, uint8_t iface, uint32_t tx_cores);
/* Stops using the sockets of an interface. They stay mapped: other cores may be looking at their words. */
void xsk_iface_detach(struct core *core, uint8_t iface);
/* When every core has detached: forgets packets that were on their way to it, unmaps and closes. */
void xsk_iface_release(struct core *core, uint8_t iface);

/* One turn, in this order. */
/* Takes completions and frames given back, and puts packets passed by other cores into our TX rings. */
void xsk_reap(struct core *core);
/* Fills FILL rings when it is worth it. */
void xsk_refill(struct core *core);
/* Takes up to max packets over all sockets, beginning with another socket each time. */
uint32_t xsk_rx_burst(struct core *core, struct rx_batch *batch, uint32_t max);
/* At start: what waits in the RX rings is the kernel's, whatever a process before this one wrote of it when
 * it ended in between. */
void xsk_rx_unmark(struct core *core);
/* The batch is done with: frames go home. */
void xsk_rx_return(struct core *core, const struct rx_batch *batch);
/* How many packets may be staged for an interface, at most `wanted`. */
uint32_t xsk_tx_room(struct core *core, uint8_t iface, uint32_t wanted);
/* Stages a packet of len bytes at `off` in a frame of this core; the caller has asked for room. The frame is
 * the kernel's from here on. */
void xsk_tx_put(struct core *core, uint8_t iface, frame_index frame, uint32_t off, uint32_t len);
/* The socket through which large sends on an interface go, when everything that was staged before has gone
 * out, so that nothing is overtaken; -1: there is none, or it would have to wait. */
int xsk_tx_overtake(struct core *core, uint8_t iface);
/* xsk_transmit.c: what is staged goes out by the transmit program while it pays, in order; the rest stays
 * staged. For a port in copy mode. */
void xsk_transmit(struct core *core, struct xsk_port *port);
/* Everything staged goes out: one submit and one kick per socket. */
void xsk_tx_burst(struct core *core);

/* This core is out of frames: wakes the cores whose COMPLETION rings may hold some of them. */
void xsk_frames_wanted(struct core *core);
/* A core that will sleep watches its sockets by epoll; false: one of them cannot be watched. One that does
 * not sleep need not: a watched socket costs the sender of each packet a call, and on a veth the sender is
 * us. */
bool xsk_watch(struct core *core);
void xsk_unwatch(struct core *core);
void xsk_port_unwatch(struct core *core, struct xsk_port *port);
/* Last look before sleeping. */
bool xsk_has_work(struct core *core);
/* Before every sleep, the pool being up to date: sees to it that frames which are away are looked for. */
void xsk_prepare_sleep(struct core *core);
/* When the core has to look at its sockets although nothing wakes it; {0} never. */
tcp_time xsk_next_timer(const struct core *core);
/* Takes the frames whose sending is complete from a queue's ring. */
void xsk_port_reap(struct core *core, struct xsk_port *port);
/* Packets that other cores have passed to us for this interface will not be sent. */
void xsk_passed_forget(struct core *core, uint8_t iface);
/* For other cores: a FILL ring that this core serves is below half. Reads shared words only. */
bool xsk_fill_is_low(const struct core *core);

#endif
