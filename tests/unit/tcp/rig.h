/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One engine on a bench: a virtual clock, segments put in by hand, everything that comes out recorded. Used
 * by the unit tests and by the script runner. Sequence numbers are relative on both sides: 0 is the SYN.
 */
#ifndef TESTS_UNIT_TCP_RIG_H
#define TESTS_UNIT_TCP_RIG_H

#include "tcp/tcp_engine.h"
#include "tcp/tcp_segment.h"
#include "tests/rig/bench.h"

#define RIG_SEGMENTS     512
#define RIG_EVENTS       512
#define RIG_STREAM_BYTES (1u << 20)
#define RIG_LOCAL_PORT   80
#define RIG_REMOTE_PORT  40000
#define RIG_PEER_ISN     0xfffffff0u /* the peer's numbers wrap early */

#define RIG_US           UINT64_C(1000)
#define RIG_MS           UINT64_C(1000000)
#define RIG_S            UINT64_C(1000000000)

/* A segment as it went out, or goes in. Fields that do not apply are 0; has_* say what is there. */
struct rig_segment {
	uint64_t at_ns;
	uint32_t seq, ack; /* relative, as far as known */
	uint32_t raw_seq, raw_ack;
	uint32_t len;
	uint64_t payload_off;
	uint16_t window;
	uint16_t flags;
	uint16_t urgent; /* in: the pointer */
	uint8_t ecn;
	uint16_t mss;   /* option; 0: none */
	uint8_t wscale; /* TCP_NO_WSCALE: none */
	bool sack_ok, has_ts;
	/* Accurate ECN option: counters in the order EE0B, ECEB, EE1B; in: kind 172 with so many. */
	uint8_t accecn_count;
	uint32_t accecn[3];
	bool has_fast_open; /* the option of RFC 7413 */
	uint8_t fast_open_len;
	uint8_t fast_open[TCP_FAST_OPEN_COOKIE_MAX];
	uint32_t ts_val, ts_ecr;
	uint8_t sack_count;
	struct tcp_range sacks[TCP_SACK_BLOCKS]; /* relative */
	const uint8_t *options;                  /* raw options to put in instead; NULL: from the fields */
	uint8_t options_len;
	bool has_more; /* in: the next segment is of the same batch */
};

enum rig_event_kind {
	RIG_OPEN,
	RIG_ESTABLISHED,
	RIG_READABLE,
	RIG_ACKED,
	RIG_EOF,
	RIG_DEAD,
};

struct rig_event {
	enum rig_event_kind kind;
	uint32_t conn;
	uint64_t value; /* offset or reason */
};

struct rig {
	union {
		struct bench bench;
		struct {
			BENCH_FIELDS
		};
	};
	struct tcp_path path;
	const uint8_t (*hosts)[16]; /* addresses, ours and the peer's */
	uint64_t now_ns;
	uint32_t conn; /* the connection of the test; TCP_NONE before it exists */
	uint32_t listener;
	uint32_t iss;        /* ours, from the latest SYN that went out */
	uint32_t iss_before; /* from the latest with another number */
	uint16_t remote_port;
	struct rig_segment out[RIG_SEGMENTS];
	unsigned out_count, out_seen;
	struct rig_event events[RIG_EVENTS];
	unsigned event_count, event_seen;
	uint64_t soft_errors[TCP_SOFT_COUNT]; /* how often each was told */
	uint64_t urgent_count, urgent_off;    /* how often, and the latest */
	uint8_t stored[RIG_STREAM_BYTES];     /* how often each byte was stored */
	bool refuse_store, refuse_path;
	bool holds_dead;    /* what on_dead() answers */
	bool is_forgetful;  /* records may be overwritten: only survival matters */
	int64_t emit_limit; /* payload bytes that emit takes; -EAGAIN: none; INT64_MAX: all */
};

/* Fills limits, config and path with defaults; change them before rig_start(). */
struct rig *rig_new(void);
void rig_start(struct rig *r);
void rig_free(struct rig *r);
/* Throws away volatile memory and starts the engine again from what survives. */
void rig_restart(struct rig *r);

/* Timers and output run at each due time on the way. */
void rig_advance(struct rig *r, uint64_t ns);
/* A segment from the peer now; then tcp_output(), unless its batch has more. */
void rig_input(struct rig *r, const struct rig_segment *s);
void rig_output(struct rig *r);
/* The invariants of the engine (tests/rig/invariants.h), else the test ends; asked after each of these. Not
 * when is_forgetful. */
void rig_check(struct rig *r);
/* The common case: no options but timestamps when the connection has them. */
void rig_in(struct rig *r, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
/* The next segment that went out and was not looked at; NULL when there is none. */
const struct rig_segment *rig_next_out(struct rig *r);
const struct rig_event *rig_next_event(struct rig *r);
/* Forgets what came out and what happened. */
void rig_clear(struct rig *r);

/* Handshakes; the peer offers mss 1460, SACK, timestamps and window scale as the config of the rig does. */
void rig_connect(struct rig *r);
void rig_accept(struct rig *r);
struct tcp_conn *rig_conn(struct rig *r);
/* The user sends bytes; then tcp_output(). */
void rig_send(struct rig *r, uint32_t bytes);

#endif
