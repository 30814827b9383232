/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TCP engine, seen from outside. This is the only header of tcp/ that other folders include.
 *
 * The engine is pure: it does no I/O, reads no clock, allocates nothing, keeps no globals and starts no
 * threads. The caller gives memory at init, the time with every call, segments through tcp_input(), and an
 * ops table through which the engine emits segments and reports events. One engine belongs to one core
 * thread; no call on an engine may overlap another call on the same engine, and no engine call may be made
 * from inside an ops callback.
 *
 * All state that a connection *is* lives in fixed-size records in caller memory, addressed by index; no
 * pointers are stored in them, so that the memory can be mapped elsewhere by another process later.
 */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcp/tcp_stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A point in time, nanoseconds on a monotonic clock of the caller's choice. Wrapped so that it cannot be
 * mixed up with a duration. Zero is "never". */
typedef struct {
	uint64_t ns;
} tcp_time;

/* "No connection", "no listener". */
#define TCP_NONE UINT32_MAX

/* Addresses are 16 bytes, IPv4 mapped (::ffff:a.b.c.d). Ports and VLAN ids are in host byte order.
 * vlan is 0 for untagged traffic. */
struct tcp_tuple {
	uint8_t local[16];
	uint8_t remote[16];
	uint16_t local_port;
	uint16_t remote_port;
	uint16_t vlan;
	uint16_t reserved; /* zero */
};

enum tcp_state {
	TCP_CLOSED, /* a free record */
	TCP_LISTEN, /* never in a connection record; for listings */
	TCP_SYN_SENT,
	TCP_SYN_RCVD,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	TCP_STATE_COUNT
};

/* Congestion control by index: surviving records hold no pointers. */
enum tcp_cc { TCP_CC_DEFAULT, TCP_CC_CUBIC, TCP_CC_NEWRENO, TCP_CC_DCTCP, TCP_CC_COUNT };

/* Why a connection ended; carried by on_dead(). */
enum tcp_reason {
	TCP_REASON_CLOSED,      /* orderly: both FINs acknowledged */
	TCP_REASON_ABORTED,     /* tcp_abort() by the user */
	TCP_REASON_RESET,       /* RST from the peer */
	TCP_REASON_REFUSED,     /* RST in answer to our SYN */
	TCP_REASON_TIMEOUT,     /* retransmission, user or keepalive timeout */
	TCP_REASON_UNREACHABLE, /* hard ICMP error while connecting */
	TCP_REASON_NO_RESOURCE, /* out of records */
	TCP_REASON_COUNT
};

/* How many records of each kind one engine has. All counts are fixed at init. */
struct tcp_limits {
	uint32_t conns;        /* connection records (<= 512 bytes each) */
	uint32_t listeners;    /* listening endpoints */
	uint32_t syn_backlog;  /* half-open connections over all listeners */
	uint32_t time_waits;   /* TIME_WAIT records (<= 64 bytes each); the oldest is recycled when full */
	uint32_t sent_records; /* pool of per-sent-segment records, shared by all connections */
	uint32_t ooo_records;  /* pool of out-of-order ranges beyond the few inside the connection record */
};

/* Settings of the whole engine. tcp_config_default() fills in the documented defaults. */
struct tcp_config {
	uint64_t rto_min_ns;         /* 200 ms (RFC 6298 asks 1 s; see ARCHITECTURE.md) */
	uint64_t rto_initial_ns;     /* 1 s, RFC 6298 section 2.1 */
	uint64_t rto_max_ns;         /* 60 s */
	uint64_t ack_delay_ns;       /* 50 us; below 500 ms (RFC 9293 section 3.8.6.3) */
	uint64_t give_up_ns;         /* 100 s or more without progress ends a connection (RFC 9293 R2) */
	uint64_t syn_give_up_ns;     /* give-up for SYN and SYN-ACK; at least 3 minutes for SYN by RFC 1122 */
	uint64_t time_wait_ns;       /* 2 MSL; 60 s as Linux does */
	uint64_t fin_wait_2_ns;      /* limit for FIN_WAIT_2 after the user has closed; 60 s */
	uint64_t keepalive_idle_ns;  /* 2 h */
	uint64_t keepalive_intvl_ns; /* 75 s */
	uint32_t keepalive_probes;   /* 9 */
	uint32_t challenge_acks_per_s; /* RFC 5961 section 7, per engine: so many to twice as many */
	uint32_t syn_backlog;          /* half-open connections over all listeners; at most the limit's */
	uint16_t initial_window_mss;   /* 10, RFC 6928 */
	uint8_t cc;                    /* enum tcp_cc for TCP_CC_DEFAULT */
	bool timestamps;               /* RFC 7323 */
	bool sack;                     /* RFC 2018 */
	bool window_scaling;           /* RFC 7323 */
	bool ecn;                      /* RFC 3168 */
	bool accurate_ecn;             /* RFC 9768 where ECN is on and the peer knows it */
	bool fast_open;                /* RFC 7413, for those that ask with TCP_PARAM_FAST_OPEN; off */
	uint32_t fast_open_pending;    /* passive ones not yet confirmed by an ACK; more wait as usual; 256 */
};

/* Keys: 16 random bytes each, secret, the same for every engine of an instance and over restarts. */
struct tcp_keys {
	uint8_t isn[16];    /* RFC 6528 */
	uint8_t cookie[16]; /* RFC 4987 */
	uint8_t ts[16];     /* RFC 7323 section 5.4, timestamp offsets */
	uint8_t hash[16];   /* connection table */
};

/* Per connection or listener; zero-initialised means: all defaults. */
enum tcp_param_flags {
	TCP_PARAM_NAGLE = 1 << 0, /* Nagle on; it is off by default */
	TCP_PARAM_KEEPALIVE = 1 << 1,
	TCP_PARAM_NO_DELAYED_ACK = 1 << 2,
	/* RFC 7413. Listener: data in a SYN is taken when its cookie is valid; the connection is announced at
	 * once and may be answered. tcp_connect(): tcp_send() is allowed at once, and the SYN carries the
	 * first of it when a cookie is known (it then waits for tcp_send(), the initial RTO at most). */
	TCP_PARAM_FAST_OPEN = 1 << 3,
};
struct tcp_params {
	uint32_t flags;           /* enum tcp_param_flags */
	uint32_t backlog;         /* listeners: half-open plus not yet accepted; 0 = 1024 */
	uint64_t user_timeout_ns; /* 0 = tcp_config.give_up_ns */
	uint8_t cc;               /* enum tcp_cc */
};

/* What the layer below knows about the way to a peer, and what memory allows. */
struct tcp_path {
	uint16_t mtu;            /* bytes, IP header included */
	uint32_t rcv_window;     /* bytes that may be offered at once for this new connection */
	uint32_t rcv_window_max; /* bytes that the window may ever grow to: decides the window scale */
};

/* TCP header flag bits, as in byte 13 of the header, and one of byte 12. */
enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
	TCP_AE = 0x100, /* the lowest bit of byte 12 (RFC 9768) */
};

/*
 * A train of segments to send: one header, and payload_len bytes of the connection's outgoing stream from
 * stream offset payload_off on, to be cut into segments of mss payload bytes each (the last may be shorter).
 * Each next segment's seq advances by what precedes it; PSH and FIN in flags belong to the last one only,
 * those in first_flags to the first only, everything else to all. payload_len 0 is exactly one segment
 * without payload. The structure and what it points to are valid during the call only.
 */
struct tcp_emit {
	const struct tcp_tuple *tuple;
	uint32_t conn;        /* TCP_NONE for stateless answers (RST, SYN cookie); these carry no payload */
	uint32_t seq, ack;    /* host order */
	uint16_t window;      /* as on the wire, i.e. already shifted; host order */
	uint16_t flags;       /* enum tcp_flag */
	uint8_t first_flags;  /* of these, for the first segment alone: CWR (RFC 3168), or none */
	uint8_t options_len;  /* multiple of 4, at most 40 */
	uint8_t ecn;          /* two bits for the IP header */
	uint16_t mss;         /* payload bytes per segment, > 0 when payload_len > 0 */
	uint64_t payload_off; /* 64-bit offset in the outgoing stream; the first byte ever sent is 0 */
	uint32_t payload_len;
	uint8_t options[40];
};

/* What a user may be told of without an end of the connection. */
enum tcp_soft_error {
	TCP_SOFT_UNREACHABLE, /* an ICMP error, believed by its sequence number, that does not end it */
	TCP_SOFT_UNANSWERED,  /* retransmitted so often in vain that the path is in doubt: R1 of section 3.8.3
			       */
	TCP_SOFT_COUNT
};

/*
 * What the engine calls. ctx is the pointer given at init. Every callback returns quickly and never calls
 * the engine; what it wants done it notes and does after the engine call has returned.
 */
struct tcp_ops {
	/* Sends a train. Returns the number of payload bytes taken: payload_len when all went; less, a
	 * multiple of mss, when frames ran out (FIN and PSH then did not go out); for a train without payload
	 * 0 when it went. -EAGAIN when nothing went: the engine keeps the connection on its output list and
	 * tries again in the next tcp_output(). Other negative errno: no way to the peer now; treated as lost
	 * on the wire. */
	int64_t (*emit)(void *ctx, const struct tcp_emit *train);

	/* Asked when a SYN for a listener arrives, and in tcp_connect() (listener == TCP_NONE): fills *path.
	 * False refuses: the SYN is dropped and counted. Reserves nothing that needs to be undone. */
	bool (*path)(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path);

	/* Connection record conn has been taken for a passive open; the user may initialise its own record
	 * of the same index. Called before any other callback about conn. Not called for tcp_connect(). */
	void (*on_open)(void *ctx, uint32_t conn, uint32_t listener);

	/* The handshake is complete (Fast Open: the SYN's data is taken); passive (listener != TCP_NONE): the
	 * user may now be told (a knock). */
	void (*on_established)(void *ctx, uint32_t conn, uint32_t listener);

	/* Store len received bytes at stream offset off (in order or not, always inside the offered window
	 * and never overlapping bytes stored before). False: no memory; the bytes count as never received. */
	bool (*rx_store)(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len);

	/* All bytes before stream offset end_off have now arrived in order. */
	void (*on_readable)(void *ctx, uint32_t conn, uint64_t end_off);

	/* The peer has acknowledged all bytes before stream offset acked_off (FIN not counted). */
	void (*on_acked)(void *ctx, uint32_t conn, uint64_t acked_off);

	/* The peer's FIN has arrived in order; nothing more will be readable. */
	void (*on_eof)(void *ctx, uint32_t conn);

	/* The peer says that the bytes before stream offset end_off, which may not have arrived yet, are
	 * urgent (RFC 9293 section 3.8.5, RFC 6093). Told for each segment that says so; whether it is more
	 * than before the user knows. May be NULL: nobody wants to know. */
	void (*on_urgent)(void *ctx, uint32_t conn, uint64_t end_off);

	/* Something is in the connection's way that may pass; the engine goes on trying, and tells so that
	 * the user may give up sooner (RFC 9293 section 3.9.1.8, MUST-47). May be NULL: nobody wants to know.
	 */
	void (*on_soft_error)(void *ctx, uint32_t conn, enum tcp_soft_error what);

	/* Last callback about conn, exactly one per connection that was opened (on_open() or tcp_connect()
	 * returning an index). False: the record may be reused as soon as the present engine call has
	 * returned. True: the user's half of it is still needed, and the record is held: the index names no
	 * other connection before tcp_release(). */
	bool (*on_dead)(void *ctx, uint32_t conn, enum tcp_reason reason);
};

/* One IP datagram's worth of TCP, checksum already verified by the caller. */
struct tcp_packet {
	const uint8_t *local;  /* 16 bytes: the destination address */
	const uint8_t *remote; /* 16 bytes: the source address */
	const uint8_t *data;   /* the TCP header and what follows */
	uint32_t len;          /* bytes at data: IP payload length */
	uint16_t vlan;
	uint8_t ecn; /* two bits of the IP header */
};

struct tcp_engine;

/* Fills *config with the defaults named above. */
void tcp_config_default(struct tcp_config *config);

/* Memory. The surviving part holds records; the volatile part holds indexes rebuilt from them (hash table,
 * timer wheel, free lists). The engine structure itself is volatile and lies in the volatile part. Both need
 * 64-byte alignment. Sizes depend on limits only. */
size_t tcp_surviving_size(const struct tcp_limits *limits);
size_t tcp_volatile_size(const struct tcp_limits *limits);

/*
 * Makes an engine in `volatile_mem`. `surviving` either is all zero (a fresh start) or was used by an engine
 * of the same limits and layout version before, in which case hash table, lists and timers are rebuilt from
 * its records and every connection is there again. A record that is not consistent is closed, counted and
 * held, as are those that were held before: what the user's half of them is worth, the user knows.
 * stats, ops, ctx must outlive the engine; config and keys are copied. Returns NULL when limits are out of
 * range or `surviving` has another layout.
 */
struct tcp_engine *tcp_engine_init(void *surviving, void *volatile_mem, const struct tcp_limits *limits,
				   const struct tcp_config *config, const struct tcp_keys *keys,
				   const struct tcp_ops *ops, void *ctx, struct tcp_stats *stats,
				   tcp_time now);

/* Takes over new settings; open connections keep what they negotiated. */
void tcp_engine_configure(struct tcp_engine *e, const struct tcp_config *config);

/* Calls fn for each connection record in use (state is not CLOSED). For start-up after a crash. */
void tcp_for_each(struct tcp_engine *e, void (*fn)(void *arg, uint32_t conn), void *arg);

/* Is the record held by on_dead()'s answer, or since the start? */
bool tcp_is_held(const struct tcp_engine *e, uint32_t conn);
/* Gives a held record back for new connections; nothing happens to one that is not held. */
void tcp_release(struct tcp_engine *e, uint32_t conn);

/* Packets in. */
void tcp_input(struct tcp_engine *e, tcp_time now, const struct tcp_packet *packet);
/* Prefetches where tcp_input() of this packet will look first. Returns what names that place; call it for a
 * whole batch, and then, a few packets ahead of tcp_input(), tcp_prefetch_record(). */
uint32_t tcp_prefetch(struct tcp_engine *e, const struct tcp_packet *packet);
/* Prefetches the records that are found there. Returns the connection that it is, in all likelihood, so that
 * the user can fetch his own record; TCP_NONE: none. */
uint32_t tcp_prefetch_record(const struct tcp_engine *e, uint32_t place);
/* An ICMP error that quotes a segment of ours (RFC 5927): quoted points to at least 8 bytes of the TCP
 * header inside. mtu is the next-hop MTU for type "fragmentation needed", else 0. */
enum tcp_icmp { TCP_ICMP_SOFT, TCP_ICMP_HARD, TCP_ICMP_FRAG_NEEDED };
void tcp_icmp_input(struct tcp_engine *e, tcp_time now, const struct tcp_tuple *tuple, uint32_t quoted_seq,
		    enum tcp_icmp kind, uint16_t mtu);

/*
 * Sends what is owed: for each connection on the output list new data, retransmissions, window updates and
 * acknowledgements that are due. With flush_acks also delayed acknowledgements not yet due (shared core:
 * the application has had its turn). Emits at most `budget` trains and returns how many it emitted; the
 * rest stays listed for the next call.
 */
uint32_t tcp_output(struct tcp_engine *e, tcp_time now, uint32_t budget, bool flush_acks);
/* True while tcp_output() has something to do at once. */
bool tcp_output_pending(const struct tcp_engine *e);

/* Runs timers that are due by now (hierarchical wheel, 16 us resolution). At most `budget` expiries. */
uint32_t tcp_timer_run(struct tcp_engine *e, tcp_time now, uint32_t budget);
/* The next time tcp_timer_run() may have work; may be early, never late. {0} when no timer is armed. */
tcp_time tcp_timer_next(const struct tcp_engine *e);

/* User calls. Those that take a connection return -EBADF for a record that is free. */

/* Listens on local address and port (all-zero address: any). Returns a listener index or
 * -EADDRINUSE, -ENOSPC. */
int64_t tcp_listen(struct tcp_engine *e, const uint8_t local[16], uint16_t port, uint16_t vlan,
		   const struct tcp_params *params);
/* Stops listening; half-open connections of the listener are dropped with RST, established ones stay. */
void tcp_unlisten(struct tcp_engine *e, tcp_time now, uint32_t listener);

/* Active open. Returns the connection index; -EADDRINUSE when the tuple exists, -ENOSPC without a free
 * record, -EHOSTUNREACH when ops.path() refuses or an
 * address is not a host's. The SYN goes out with the next tcp_output(). */
int64_t tcp_connect(struct tcp_engine *e, tcp_time now, const struct tcp_tuple *tuple,
		    const struct tcp_params *params);
/* True when no connection and no TIME_WAIT record has this tuple. */
bool tcp_tuple_is_free(struct tcp_engine *e, const struct tcp_tuple *tuple);

/* The user has taken an established passive connection: it leaves its listener's backlog. */
int tcp_accept(struct tcp_engine *e, uint32_t conn);

/* bytes more are there to be sent; they are read through emit's stream offsets. -EPIPE after shutdown or
 * close, -ENOTCONN before the connection is established (or, with TCP_PARAM_FAST_OPEN, opened), -ENOBUFS
 * beyond 2^31 bytes outstanding. */
int tcp_send(struct tcp_engine *e, tcp_time now, uint32_t conn, uint32_t bytes);

/* The receiver may hold bytes up to stream offset limit_off (the right edge of the window; it never moves
 * back: a smaller value is ignored). Sends a window update when RFC 9293 section 3.8.6.2.2 asks for one. */
int tcp_rx_limit(struct tcp_engine *e, tcp_time now, uint32_t conn, uint64_t limit_off);

/* FIN after what is queued; receiving goes on. */
int tcp_shutdown(struct tcp_engine *e, tcp_time now, uint32_t conn);
/* Orderly close: FIN after what is queued; data that arrives from now on is answered by RST (RFC 9293
 * section 3.6.1). unread says that received bytes were never taken by the user: RST at once (same place). */
int tcp_close(struct tcp_engine *e, tcp_time now, uint32_t conn, bool unread);
/* RST now, all is forgotten; on_dead(ABORTED) is called from within. */
int tcp_abort(struct tcp_engine *e, tcp_time now, uint32_t conn);

/* Changes flags, cc and user timeout of an open connection. -EINVAL names an unknown value. */
int tcp_set_params(struct tcp_engine *e, tcp_time now, uint32_t conn, const struct tcp_params *params);

/* A copy of what is interesting in a record. */
enum tcp_info_option {
	TCP_INFO_TIMESTAMPS = 1 << 0,
	TCP_INFO_SACK = 1 << 1,
	TCP_INFO_WSCALE = 1 << 2,
	TCP_INFO_ECN = 1 << 3,
	TCP_INFO_FAST_OPEN = 1 << 4, /* data went or came with the SYN */
	TCP_INFO_ACCECN = 1 << 5,    /* RFC 9768; TCP_INFO_ECN is set as well */
};
/* Congestion state: undisturbed, after an ECN signal (RFC 3168), fast recovery (RFC 6675), after a timeout
 * (RFC 6298). */
enum tcp_phase { TCP_PHASE_OPEN, TCP_PHASE_CWR, TCP_PHASE_RECOVERY, TCP_PHASE_LOSS, TCP_PHASE_COUNT };
struct tcp_info {
	struct tcp_tuple tuple;
	enum tcp_state state;
	enum tcp_cc cc;
	uint32_t options; /* enum tcp_info_option */
	uint8_t snd_wscale, rcv_wscale;
	enum tcp_phase phase;
	bool in_recovery; /* of that, fast or after a timeout */
	uint16_t mss;     /* bytes of payload per full segment */
	uint32_t cwnd_bytes, ssthresh_bytes;
	uint32_t snd_wnd_bytes, rcv_wnd_bytes;
	uint32_t unacked_bytes, unsent_bytes, ooo_bytes;
	uint32_t srtt_us, rttvar_us, rto_us, min_rtt_us;
	uint32_t retransmits;                 /* segments retransmitted over the life */
	uint32_t backoff;                     /* RTO doublings now in force */
	uint64_t acked_bytes, received_bytes; /* stream totals */
	uint64_t rx_limit_off;
	uint64_t delivery_rate_bytes_s; /* 0 when not known */
	uint32_t rack_reo_wnd_us;
	uint32_t lost_segments; /* marked lost over the life */
	uint64_t opened_at_ns;  /* engine time of the open */
};
int tcp_info(const struct tcp_engine *e, uint32_t conn, struct tcp_info *info);
/* The same from a read-only mapping of the surviving memory, in another process and while the owner goes on
 * writing: values may be a moment apart from each other, indexes are bounded. -EBADF when the record is free
 * or changed hands while being read. `surviving_size` bounds every access. */
int tcp_info_from_memory(const void *surviving, size_t surviving_size, uint32_t conn, struct tcp_info *info);
/* How many connection records the memory has; 0 when its header is not valid. */
uint32_t tcp_memory_conns(const void *surviving, size_t surviving_size);

const char *tcp_state_name(enum tcp_state state); /* "established"; static */
const char *tcp_cc_name(enum tcp_cc cc);          /* "cubic"; static */
const char *tcp_phase_name(enum tcp_phase phase); /* "recovery"; static */
int tcp_cc_by_name(const char *name);             /* enum tcp_cc or -EINVAL */
const char *tcp_reason_name(enum tcp_reason reason);

/* The Internet checksum (RFC 1071). sum is a running 32-bit-folded one's-complement sum in memory order;
 * start with 0, end with inet_checksum_fold(). Parts must start at even offsets of the whole. */
uint64_t inet_checksum_add(uint64_t sum, const void *data, size_t len);
uint64_t inet_checksum_copy(uint64_t sum, void *dst, const void *src, size_t len); /* copy and add at once */
uint16_t inet_checksum_fold(uint64_t sum); /* complemented, in network order as stored */
/* Sum of the pseudo header for len bytes of TCP between two 16-byte addresses (IPv4 when both are mapped). */
uint64_t inet_checksum_pseudo(const uint8_t src[16], const uint8_t dst[16], uint8_t protocol, uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
