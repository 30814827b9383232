/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The binary interface between a client process and ixd: the hello, the layout of the two shared memories,
 * commands and events. With ring.h this is the only header that ixd and libixclient share.
 *
 * Two memories per client. The *daemon memory* is written by ixd alone (the client's file descriptor is
 * read-only): event rings, received bytes, ixd's ring indices. The *client memory* is written by the client:
 * command rings, bytes to send, the client's ring indices. Neither holds a pointer or a lock. Whatever stands
 * in client memory is untrusted to ixd; whatever stands in daemon memory is trusted by the client.
 *
 * All integers are in host byte order, ports too. Addresses are 16 bytes, IPv4 mapped (::ffff:a.b.c.d);
 * sixteen zero bytes are "any address".
 */
#ifndef IX_ABI_H
#define IX_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define IX_STATIC_ASSERT static_assert
#else
#define IX_STATIC_ASSERT _Static_assert
#endif

#define IX_ABI_MAGIC   0x69786431u /* "ixd1" */
#define IX_ABI_VERSION 1u

#define IX_CORES_MAX   32u
#define IX_REASON_SIZE 160u

/* First and only message of a client on client.sock (SOCK_SEQPACKET). Zero asks for the policy's default;
 * more than the policy's limit is refused with the limit named. */
struct ix_hello {
	uint32_t magic;
	uint32_t version;
	uint64_t rx_bytes;    /* memory for received bytes */
	uint64_t tx_bytes;    /* memory for bytes to send */
	uint32_t cmd_slots;   /* per core, a power of two */
	uint32_t evt_slots;   /* per core, a power of two */
	uint8_t reserved[32]; /* zero */
};
IX_STATIC_ASSERT(sizeof(struct ix_hello) == 64, "hello is 64 bytes");

/* The answer, sent when every core has mapped the memories. status 0: with it, by SCM_RIGHTS, come the daemon
 * memory (read-only), the client memory (read-write), and `cores` doorbells (SOCK_STREAM sockets), in this
 * order. status < 0: a negative errno, no descriptor, and reason says in words what to do about it. */
struct ix_welcome {
	uint32_t magic;
	uint32_t version;
	int32_t status;
	uint32_t cores;
	uint32_t client_id; /* as shown by ixctl */
	uint32_t cmd_slots, evt_slots;
	uint32_t reserved;
	uint64_t daemon_bytes, client_bytes; /* whole sizes */
	/* Offsets in daemon memory: struct ix_daemon_core of core i lies at daemon_core_off + i * stride. */
	uint64_t daemon_core_off, daemon_core_stride;
	uint64_t evt_off, evt_stride; /* event ring of core i */
	uint64_t rx_off, rx_bytes;    /* the RX arena */
	/* Offsets in client memory. */
	uint64_t client_core_off, client_core_stride;
	uint64_t cmd_off, cmd_stride; /* command ring of core i */
	uint64_t tx_off, tx_bytes;    /* the TX arena */
	char instance[32];
	char reason[IX_REASON_SIZE];
};

/* ixd's side of a ring pair, in daemon memory. Indices run freely over 32 bits; slot = index & (slots - 1).
 */
struct ix_daemon_core {
	uint32_t evt_prod; /* next event slot that ixd fills */
	uint8_t pad0[60];
	uint32_t cmd_cons; /* next command slot that ixd reads */
	uint8_t pad1[60];
	uint32_t is_sleeping; /* 1: ring the doorbell after writing commands, and after taking events from a
			       * ring that was at least half full */
	uint32_t epoch;       /* counts dataplane processes; changes when ixd's dataplane was restarted */
	uint32_t is_shared;   /* 1: ixd's thread of this core takes turns with the client on one CPU, so a
			       * client that waits lets it run instead of spinning */
	uint8_t pad2[52];
};
IX_STATIC_ASSERT(sizeof(struct ix_daemon_core) == 192, "three cache lines");

/* How a client sleeps. By futex it waits on evt_prod, which it can read only: the word that changes is the
 * one that it waits for, and ixd wakes whoever waits there. */
enum ix_sleep { IX_AWAKE, IX_SLEEP_DOORBELL, IX_SLEEP_FUTEX };

/* The client's side of a ring pair, in client memory. */
struct ix_client_core {
	uint32_t cmd_prod;
	uint8_t pad0[60];
	uint32_t evt_cons; /* moving it past a dead event gives that connection's received bytes back */
	uint8_t pad1[60];
	uint32_t is_sleeping; /* enum ix_sleep: how to wake the client after writing events */
	uint8_t pad2[60];
};
IX_STATIC_ASSERT(sizeof(struct ix_client_core) == 192, "three cache lines");

enum ix_op {
	IX_OP_LISTEN = 1,
	IX_OP_UNLISTEN,
	IX_OP_CONNECT,
	IX_OP_CANCEL, /* of a connect, by its cookie */
	IX_OP_ACCEPT,
	IX_OP_REJECT,
	IX_OP_SENDV,
	IX_OP_RECV_DONE,
	IX_OP_SHUTDOWN,
	IX_OP_CLOSE,
	IX_OP_ABORT,
	IX_OP_SETOPT,
	IX_OP_SEND_EARLY, /* like sendv, to a connect with IX_FAST_OPEN that is not answered, by its cookie */
	IX_OP_COUNT
};

enum ix_event_type {
	IX_EV_LISTENING = 1,
	IX_EV_KNOCK,
	IX_EV_CONNECTED,
	IX_EV_RECV,
	IX_EV_SENT,
	IX_EV_EOF,
	IX_EV_MIGRATED, /* reserved for connections that change core */
	IX_EV_ERROR,
	IX_EV_DEAD,
	IX_EV_SOFT_ERROR, /* something is in the connection's way that may pass; to be ignored, or to give up
			   */
	IX_EV_URGENT,     /* the peer calls bytes urgent, up to a place in the stream */
	IX_EV_COUNT
};

/* Congestion control of a listener or connection. */
enum ix_cc { IX_CC_DEFAULT, IX_CC_CUBIC, IX_CC_NEWRENO, IX_CC_DCTCP, IX_CC_COUNT };

/* flags of listen, connect and setopt */
enum ix_flag {
	IX_NAGLE = 1 << 0,     /* delay small segments while data is in flight (off by default) */
	IX_KEEPALIVE = 1 << 1, /* probe idle connections */
	IX_QUICKACK = 1 << 2,  /* do not delay acknowledgements */
	/* TCP Fast Open (RFC 7413), if ixd's configuration allows it; not for setopt. Listen: data that comes
	 * with a SYN is taken. Connect: IX_OP_SEND_EARLY is allowed, and the SYN may carry its bytes. Such
	 * bytes may arrive twice, as two connections: for requests that may be repeated only. */
	IX_FAST_OPEN = 1 << 3,
	/* IX_DSCP(n): the DiffServ code point of all that the connection sends, 0 to 63, in place of tcp.dscp
	 * in ixd's configuration (RFC 9293 MUST-48, RFC 2474). A listener's is that of its connections. */
	IX_DSCP_SHIFT = 8,
	IX_DSCP_MASK = 63 << IX_DSCP_SHIFT,
	IX_DSCP_GIVEN = 1 << 14,
	IX_FLAGS_ALL = IX_NAGLE | IX_KEEPALIVE | IX_QUICKACK | IX_FAST_OPEN | IX_DSCP_MASK | IX_DSCP_GIVEN
};

/* For flags; of n only what fits. */
#define IX_DSCP(n) ((uint16_t)(IX_DSCP_GIVEN | ((unsigned)(n) << IX_DSCP_SHIFT & IX_DSCP_MASK)))

/* Whether flags are of those above: no unknown ones, and no code point without IX_DSCP_GIVEN. */
static inline int ix_flags_are_valid(uint16_t flags)
{
	return !(flags & ~IX_FLAGS_ALL) && ((flags & IX_DSCP_GIVEN) || !(flags & IX_DSCP_MASK));
}

/* Why a connection ended, in IX_EV_DEAD. */
enum ix_reason {
	IX_REASON_CLOSED,      /* orderly, both directions */
	IX_REASON_ABORTED,     /* by this client */
	IX_REASON_RESET,       /* by the peer */
	IX_REASON_REFUSED,     /* connect: nobody listens there */
	IX_REASON_TIMEOUT,     /* no progress for too long */
	IX_REASON_UNREACHABLE, /* connect: ICMP or no route */
	IX_REASON_NO_RESOURCE, /* ixd ran out of records */
	IX_REASON_RESTART,     /* ixd's dataplane was restarted */
	IX_REASON_COUNT
};

/* flags of IX_EV_RECV etc. are zero for now. */

struct ix_sg {
	uint64_t off; /* in the TX arena, from tx_off */
	uint32_t len; /* bytes, > 0 */
	uint32_t reserved;
};

#define IX_SG_MAX 3u /* pieces per sendv command; the library splits longer lists */

/* A command, one cache line. */
struct ix_cmd {
	uint8_t op; /* enum ix_op */
	uint8_t sg_count;
	uint16_t flags;
	uint32_t seq; /* the client's; comes back in IX_EV_ERROR */
	union {
		uint64_t handle; /* of the connection, or of the listener for unlisten */
		uint64_t cookie; /* listen, connect, cancel, send_early */
	};
	union {
		struct {                  /* listen, connect */
			uint8_t addr[16]; /* local for listen, remote for connect */
			uint8_t from[16]; /* connect: local address, all zero: chosen by route */
			uint16_t port;
			uint8_t cc;
			uint8_t pad;
			uint32_t backlog;         /* listen: 0 = default */
			uint32_t user_timeout_ms; /* 0 = default */
		} open;
		struct ix_sg sg[IX_SG_MAX]; /* sendv, send_early */
		struct {
			uint64_t cookie;
		} accept;
		struct {
			uint64_t bytes;
		} recv_done;
		struct {
			uint8_t cc;
			uint8_t pad[3];
			uint32_t user_timeout_ms;
		} setopt; /* with flags */
		uint8_t raw[48];
	};
};
IX_STATIC_ASSERT(sizeof(struct ix_cmd) == 64, "one cache line");

/* An event, one cache line. */
struct ix_event {
	uint8_t type;    /* enum ix_event_type */
	uint8_t reason;  /* enum ix_reason, in dead */
	int16_t outcome; /* 0 or negative errno: listening, connected, error, soft error */
	uint16_t local_port, remote_port;
	uint64_t cookie; /* the client's: of the connection, or (knock, listening) of the listener; error: the
			    one that the command carried (listen, connect, cancel, accept), else the
			    connection's, else 0 */
	union {
		uint64_t handle;      /* knock, connected, error; listening: the listener's handle */
		uint64_t off;         /* recv: in the RX arena, from rx_off */
		uint64_t acked_total; /* sent: bytes acknowledged since the connection began */
		uint64_t urgent_end;  /* urgent: so many bytes since the connection began, and no more, are */
	};
	union {
		struct { /* knock, connected */
			uint8_t local[16];
			uint8_t remote[16];
			uint64_t send_limit; /* connected, and in an accepted connection's first sent */
		} open;
		struct {
			uint32_t len; /* recv */
		} recv;
		struct {
			uint64_t send_limit; /* sent: bytes that may have been given to sendv since the
						connection began */
		} sent;
		struct {
			uint32_t seq; /* error: of the command */
			uint8_t op;   /* error: of the command */
		} error;
		struct { /* migrated */
			uint32_t core;
		} migrated;
		uint8_t raw[40];
	};
};
IX_STATIC_ASSERT(sizeof(struct ix_event) == 64, "one cache line");

/* After IX_OP_ACCEPT ixd posts one IX_EV_SENT with acked_total 0 and the first send_limit: only then may the
 * client send. `outcome` -ESTALE in IX_EV_ERROR is a handle that does not exist (any more).
 *
 * IX_EV_DEAD gives a connection's received bytes back to ixd. After an orderly end of both directions (the
 * client has shut down, but not closed) it therefore waits until IX_OP_RECV_DONE covers what came, or the
 * client closes.
 *
 * IX_EV_SOFT_ERROR ends nothing: `outcome` is -EHOSTUNREACH for an ICMP error about this connection's
 * segments, and -ETIMEDOUT for three retransmissions in vain. It comes between connect and IX_EV_DEAD, for an
 * accepted connection between accept and IX_EV_DEAD, several of a kind perhaps as one (RFC 9293
 * section 3.9.1.8).
 *
 * IX_EV_URGENT: of the bytes since the connection began, received and read or not, those before urgent_end
 * are urgent (RFC 9293 section 3.8.5). They come by IX_EV_RECV like all others, after this event or before
 * it; it says nothing of where they begin, and an application that has no use for it ignores it (RFC 6093).
 * It comes again when the place moves on, at most once for what has arrived together.
 *
 * IX_EV_DEAD carries the handle as well: a connection that ends before it was accepted has no cookie yet (0).
 * A connect that fails after it was begun is answered by IX_EV_CONNECTED with a negative outcome and then
 * IX_EV_DEAD; one that is refused at once by IX_EV_ERROR alone, with the cookie. IX_EV_ERROR carries the
 * command's handle or, for listen, connect, cancel and send_early, its cookie in `cookie`; for accept both.
 */

#ifdef __cplusplus
}
#endif
#endif
