/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The typed messages between supervisor, dataplane and control, over SOCK_SEQPACKET socketpairs, one message
 * a datagram, file descriptors by SCM_RIGHTS. The supervisor never trusts what it receives here: msg_recv()
 * checks type, size and number of descriptors; ranges are checked where they are used.
 */
#ifndef DAEMON_COMMON_MSG_H
#define DAEMON_COMMON_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/limits.h"
#include "ix/abi.h"

#define MSG_FDS_MAX  64
#define MSG_CHILD_FD 3 /* a child finds its end of the socketpair here */
/* Of the messages and of all memory that the processes share (state.h, mirror.h, stats.h, view.h): a child
 * that was upgraded under a running supervisor must not read one layout as another. */
#define MSG_VERSION  4

/* Settings that may change while running; all validated by the supervisor. */
struct runtime_config {
	uint32_t batch;   /* B: packets per turn, 1 … 1024 */
	uint32_t spin_us; /* idle time before a core sleeps */
	uint32_t ack_delay_us;
	uint32_t log_level; /* enum log_level */
	uint32_t rto_min_us;
	uint32_t linger_ms; /* how long unsent data of a client that is gone may still be tried */
	uint32_t syn_backlog;
	uint32_t challenge_acks_per_s;
	uint32_t keepalive_idle_s, keepalive_interval_s;
	uint8_t cc;  /* enum tcp_cc as a number: same order as enum ix_cc */
	uint8_t ecn; /* 0: off, 1: RFC 3168, 2: RFC 9768 where the peer knows it */
	uint8_t timestamps, sack, window_scaling, fast_open;
	uint8_t is_shared_core; /* placement: 1 = application and core thread share a core */
	uint8_t ttl;            /* of the IP header, 1 … 255 */
	uint8_t dscp;           /* of the IP header, 0 … 63 */
	uint8_t reserved[3];
};

/* Sizes fixed at start; the state memfd is laid out from these alone (state.h). */
struct static_config {
	uint32_t cores;
	uint32_t queues;          /* over all interfaces */
	uint32_t frames_per_core; /* UMEM frames whose home is one core */
	uint32_t conns_per_core;
	uint32_t time_waits_per_core;
	uint32_t syn_backlog_max_per_core;
	uint32_t sent_records_per_core;
	uint32_t ooo_records_per_core;
	uint32_t send_chunks_per_core; /* pieces given to sendv and not yet acknowledged */
	uint32_t xsk_ring_slots;       /* of each RX, TX, FILL, COMPLETION ring */
	uint32_t flow_groups;
	uint16_t ephemeral_base, ephemeral_span;
	uint16_t cpu[IXD_CORES_MAX]; /* where core thread i is pinned; 0xffff: not pinned */
	uint32_t rx_window_initial_bytes, rx_window_max_bytes; /* per connection */
	uint64_t send_buffer_bytes; /* per connection: send_limit beyond what is acked */
	uint32_t is_hugetlb;        /* the UMEM memfd is made of huge pages */
	uint32_t check_frames;      /* the dataplane watches who touches packet frames; slow */
	uint8_t toeplitz_key[IXD_TOEPLITZ_KEY_BYTES];
};

/* A rule of the policy that applies to one client, most specific decision first: the first match decides. */
struct policy_rule {
	uint8_t addr[16];
	uint8_t prefix_len; /* 0 … 128 */
	uint8_t is_allow;
	uint16_t port_first, port_last;
	uint16_t reserved;
};

struct client_limits {
	uint64_t rx_bytes, tx_bytes;
	uint32_t cmd_slots, evt_slots;
	uint32_t conns_max, listeners_max;
};

/* Descriptors that come with MSG_DP_INIT, in the order that is said there. */
#define MSG_DP_INIT_FDS     7
#define MSG_DP_TRANSMIT_FDS 3 /* behind them, where there is XDP transmit */

enum msg_type {
	MSG_NONE,
	/* supervisor → dataplane */
	MSG_DP_INIT,          /* fds: state, keys, umem, stats, mirror, ephemeral map, flow group map; where
			       * there is XDP transmit also its program, slots map and cursors map */
	MSG_DP_XSK,           /* fds: one AF_XDP socket, bound, and in copy mode a packet socket for large
			       * sends on the same interface; `xsk` */
	MSG_DP_START,         /* all XSKs are sent: sandbox yourself and run; answered by MSG_SUP_READY */
	MSG_DP_CONFIG,        /* `config` */
	MSG_DP_CLIENT_ADD,    /* fds: daemon memory, client memory, doorbell of each core; `client_add` */
	MSG_DP_CLIENT_DEL,    /* `client`: its socket was closed */
	MSG_DP_CLIENT_POLICY, /* `client_add`, without fds: new connect rules and limits */
	MSG_DP_LISTEN, /* `listen`: allowed, port is held; install on all cores, then MSG_SUP_LISTEN_READY */
	MSG_DP_LISTEN_DONE, /* `listen`: owned entry is written, or outcome < 0: post `listening` */
	MSG_DP_UNLISTEN,    /* `listen`: remove from all cores (owned entry is gone already) */
	MSG_DP_STOP,        /* finish: reset connections, exit 0 */
	MSG_DP_IFACE_CLOSE, /* `iface`: let go of its sockets, then MSG_SUP_IFACE_CLOSED */
	MSG_DP_IFACE_OPEN,  /* `iface`: new sockets of it have come by MSG_DP_XSK; use them, then
			     * MSG_SUP_IFACE_OPENED */
	/* dataplane → supervisor */
	MSG_SUP_READY,
	MSG_SUP_ALIVE,        /* once a second: `alive` */
	MSG_SUP_CLIENT_READY, /* `client`: mapped by every core */
	MSG_SUP_CLIENT_GONE,  /* `client`: every core has let go; memories may be closed */
	MSG_SUP_CLIENT_FAULT, /* `fault`: broke the ring protocol; disconnect it */
	MSG_SUP_LISTEN,       /* `listen`: a client asks */
	MSG_SUP_UNLISTEN,     /* `listen`: a client asks (client, listener) */
	MSG_SUP_LISTEN_READY, /* `listen`: installed on all cores */
	MSG_SUP_NEIGH,        /* `neigh`: a link-layer address is needed */
	MSG_SUP_IFACE_CLOSED, /* `iface`: nothing here refers to its sockets any more */
	MSG_SUP_IFACE_OPENED, /* `iface`: the rings of its sockets are mapped, or outcome < 0 */
	/* supervisor → control */
	MSG_CTL_INIT, /* fds: state (ro), stats (ro), mirror (ro), view (ro), verdicts map, control listener,
		       * flow group map */
	MSG_CTL_CONFIG, /* `config` */
	MSG_CTL_REPLY,  /* `reply`: a piece of the answer to MSG_SUP_REQUEST */
	MSG_CTL_STOP,
	/* control → supervisor */
	MSG_SUP_CTL_READY,
	MSG_SUP_REQUEST, /* fd: the connection of the asker, so that the supervisor itself checks its peer;
			    `request` */
	MSG_TYPE_COUNT
};

enum request_kind {
	REQUEST_RECONFIGURE,
	REQUEST_WHO, /* outcome: the asker's uid as its bits, -1 for none; control's sandbox sees all as one
		      */
	REQUEST_KIND_COUNT
};
#define REPLY_TEXT_SIZE 896

struct msg_init {
	uint32_t version;
	char instance[IXD_NAME_SIZE];
	struct static_config fixed;
	struct runtime_config config;
	uint64_t state_bytes, umem_bytes, stats_bytes, mirror_bytes, view_bytes;
	uint32_t is_restart;      /* the state memfd was used by a dataplane before */
	uint32_t has_new_sockets; /* the AF_XDP sockets are not those of the dataplane before: no frame is the
				     kernel's */
	uint32_t epoch;           /* dataplane processes so far */
	uint32_t admin_gid;       /* group that may change things, UINT32_MAX: none */
};
struct msg_xsk {
	uint32_t iface; /* index in the mirror's ifaces */
	uint32_t queue; /* index over all interfaces */
	uint32_t core;
	uint32_t
	    is_primary; /* its FILL and COMPLETION rings are the queue's; only primaries have them mapped */
	uint32_t has_tx;
	uint32_t is_zerocopy;
	uint32_t rx_slots, tx_slots, fill_slots, comp_slots;
	uint32_t owner_core; /* that serves the queue's FILL and COMPLETION rings: the primary's */
	uint32_t is_new;     /* no dataplane had it before: the kernel holds no frame through its queue */
};
/* An interface whose sockets go or come while the dataplane runs. */
struct msg_iface {
	uint32_t iface; /* index in the mirror's ifaces */
	int32_t outcome;
	uint64_t queues; /* bit per queue over all interfaces: those that it had before */
};
struct msg_client_add {
	uint32_t client; /* 0 … IXD_CLIENTS_MAX - 1 */
	uint32_t uid, gid, pid;
	uint32_t is_restart;  /* known to a dataplane before: indices in its memories go on */
	uint32_t rules_count; /* connect policy; no match: refused */
	struct client_limits limits;
	struct ix_welcome layout; /* as the client was or will be told */
	struct policy_rule rules[IXD_RULES_MAX];
};
struct msg_listen {
	uint32_t client;
	uint32_t core; /* whose command ring it came through */
	uint64_t cookie;
	uint32_t listener; /* supervisor's id, 0 … IXD_LISTENERS_MAX - 1 */
	uint32_t
	    is_first; /* the first client of this listener: cores must install it; else only add the client */
	uint8_t addr[16];
	uint16_t port, vlan;
	uint32_t flags, backlog, user_timeout_ms;
	uint8_t cc;
	uint8_t is_last; /* unlisten: no client is left, cores must remove it */
	uint8_t reserved[2];
	int32_t outcome;
};
struct msg_reply {
	uint32_t id;
	int32_t outcome; /* valid when is_last */
	uint32_t is_last;
	uint32_t text_len;
	char text[REPLY_TEXT_SIZE];
};

struct msg {
	uint32_t type; /* enum msg_type */
	uint32_t reserved;
	union {
		struct msg_init init;
		struct msg_xsk xsk;
		struct msg_iface iface;
		struct runtime_config config;
		struct msg_client_add client_add;
		uint32_t client;
		struct {
			uint32_t client;
			char reason[IX_REASON_SIZE];
		} fault;
		struct msg_listen listen;
		struct {
			uint64_t turns[IXD_CORES_MAX]; /* loop turns of each core, or sleeps: progress for the
							  watchdog */
		} alive;
		struct {
			uint8_t addr[16];
			uint32_t iface; /* index in the mirror */
			uint32_t vlan;
		} neigh;
		struct msg_reply reply;
		struct {
			uint32_t id;
			uint32_t kind; /* enum request_kind */
		} request;
	};
};

/* Sends one message with fds_count descriptors (kept by the caller). Blocks only as the socket does.
 * 0 or negative errno. */
int msg_send(int socket_fd, const struct msg *m, const int *fds, unsigned fds_count);
/* Receives one message; fds must have room for MSG_FDS_MAX, all O_CLOEXEC and the caller's to close.
 * 1 for a message, 0 for end of file, -EAGAIN, -EPROTO for a wrong type, size or number of descriptors (the
 * descriptors are closed then), other negative errno. */
int msg_recv(int socket_fd, struct msg *m, int *fds, unsigned *fds_count);
const char *msg_type_name(uint32_t type);

#endif
