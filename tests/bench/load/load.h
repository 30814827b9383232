/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-load: one thread, one AF_XDP socket, one TCP engine, and clients that know no mercy.
 *
 *   bench_xsk_receive ─▶ wire_input ─▶ tcp_input ─▶ conn_on_… ─▶ conn_turn ─▶ tcp_send
 *                                                                                │
 *   bench_xsk_kick ◀──────────────── wire_emit ◀──────────── tcp_output ◀────────┘
 *
 * wire.c     packets: parsing, making, the neighbour
 * conn.c     connections: opening, closing, bytes in
 * stream.c   bytes out: what was written by the workload and is not acknowledged yet
 * schedule.c who says something when: closed loop, open loop, think times, active connections
 * run.c      the turn and the phases; slices.c the measurement in pieces; report.c the results
 */
#ifndef TESTS_BENCH_LOAD_LOAD_H
#define TESTS_BENCH_LOAD_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tcp/tcp.h"
#include "tests/bench/lib/distribution.h"
#include "tests/bench/lib/histogram.h"
#include "tests/bench/lib/net.h"
#include "tests/bench/lib/random.h"
#include "tests/bench/lib/xsk.h"
#include "tests/bench/load/workload.h"

#define LOAD_DEPTH_MAX  1024u
#define LOAD_SLICES_MAX 1000u

/* What the command line asks for. */
struct load_config {
	const char *iface;
	struct bench_endpoint target;
	struct bench_range sources, ports;
	uint64_t connections, depth, active, round_trips;
	double rate;         /* messages per second, 0: closed loop */
	double connect_rate; /* per second, 0: as fast as they are answered */
	struct bench_distribution arrival, think_us;
	bool is_random, is_staying; /* which connection is next: any, the same; else in turn */
	double duration_s, warmup_s;
	uint64_t window_bytes, ack_delay_us, ring_slots, batch, time_waits, cwnd_segments;
	uint64_t slices; /* of the measurement */
	bool is_checked;
	enum bench_transmit_mode transmit;
	struct load_settings settings;
	const struct load_workload *workload;
};

/* A piece of the outgoing stream that is not pattern. */
struct load_piece {
	struct load_piece *next;
	uint64_t off; /* in the stream */
	uint32_t bytes;
	uint8_t size_class;
	uint8_t data[];
};

enum load_conn_flag {
	CONN_OPEN = 1 << 0,    /* established, and we have not closed it */
	CONN_DIRTY = 1 << 1,   /* has something to be looked at after the batch */
	CONN_CLOSING = 1 << 2, /* our FIN was given to the engine */
	CONN_WRONG = 1 << 3,   /* bytes that no server may send */
	CONN_EOF = 1 << 4,     /* the server has closed */
	CONN_NEW = 1 << 5,     /* established in this batch */
	CONN_COUNTED = 1 << 6, /* its end was counted already */
};

/* What ix-load knows about a connection, by the engine's index. With depth 1 and a small state it is one
 * cache line. Behind it lie times[depth], when the requests under way should have been sent, and the
 * workload's state. While the connection opens, times[0] is when that began. */
struct load_conn {
	uint64_t rx_off;           /* bytes understood so far */
	uint64_t tx_off;           /* bytes given to the engine so far */
	struct load_piece *pieces; /* oldest first; what lies between is pattern */
	uint32_t consumed;         /* bytes since the window was last opened */
	uint32_t generation;       /* of the record, for tokens */
	uint32_t trips;            /* responses so far */
	uint16_t pattern_base;
	uint16_t outstanding; /* requests without a response */
	uint16_t first;       /* the oldest in times */
	uint16_t completed;   /* responses of this batch */
	uint32_t flags;       /* enum load_conn_flag */
	uint64_t times[];
};

/* The right to send one request on a connection; outlives the connection, hence the generation. */
struct load_token {
	uint32_t conn, generation;
};

struct load_errors {
	uint64_t refused, reset, timed_out, unreachable, closed_by_peer, wrong_bytes, other;
	uint64_t no_port; /* turns in which no source address and port was free */
};

/* What is measured; the whole is cleared when the measurement begins. */
struct load_result {
	uint64_t messages, misses;
	uint64_t connected, closed; /* connections established; ended in order by both sides */
	uint64_t late;              /* open loop: requests that were due and not sent at the end */
	struct load_errors errors;
	struct bench_histogram latency, connect;
};

/* What is counted all the time. */
struct load_counters {
	struct tcp_stats tcp;
	uint64_t rx_drops, tx_ring_full, kicks, frames, frame_calls, busy_ns;
};

enum load_phase { LOAD_OPENING, LOAD_PREPARING, LOAD_WARMING, LOAD_MEASURING, LOAD_CLOSING };

/* Ring of tokens that may be taken, see schedule.c. */
struct load_tokens {
	struct load_token *slots;
	uint32_t mask, head, tail;
};

struct load_sleeper {
	uint64_t due_ns;
	struct load_token token;
};

/* Tokens of connections that think, as a heap. */
struct load_thinkers {
	struct load_sleeper *heap;
	uint32_t count, room;
};

struct load {
	struct load_config config;
	struct bench_xsk xsk;
	struct tcp_engine *tcp;
	struct tcp_stats stats;
	tcp_time now;
	enum load_phase phase;

	/* wire.c */
	uint8_t header[14 + 20]; /* Ethernet and IP, the same in all packets but for address and length */
	uint64_t header_sum;
	uint32_t tx_frames_left; /* of this turn */
	uint32_t mtu;
	uint64_t drop_packets; /* that are not TCP for us, or broken */

	/* conn.c */
	uint8_t *conns;
	size_t conn_stride, state_off;
	uint32_t conns_max;
	uint8_t **hoards; /* bytes out of order, by connection: a ring of window_bytes */
	uint32_t *dirty;
	uint32_t dirty_count;
	uint32_t alive, opening, established; /* of alive: before the handshake's end, after it */
	uint32_t closing, close_at;
	uint64_t next_source; /* counts addresses × ports round and round */
	double connect_credit;
	uint64_t connect_credited_ns;

	/* schedule.c */
	struct load_tokens tokens;
	struct load_thinkers thinkers;
	uint64_t in_flight;
	double next_arrival_ns;
	bool is_prepared;
	struct bench_random random;

	struct load_piece *free_pieces[2];

	/* run.c */
	uint64_t measure_began_ns, measure_ended_ns;
	uint64_t busy_ns;                   /* in turns that had something to do */
	struct load_counters before, after; /* at both ends of the measurement */
	struct load_result result;          /* of the present phase */
	struct load_result measured;
};

/* ---- wire.c */
/* Finds the way to the target and opens the socket. */
void wire_init(struct load *load);
/* A received batch into the engine. */
void wire_input(struct load *load, const struct bench_packet *packets, uint32_t count);
/* tcp_ops.emit */
int64_t wire_emit(void *ctx, const struct tcp_emit *emit);

/* ---- conn.c */
void conn_init(struct load *load);
/* Opens connections that are missing, as fast as permitted. */
void conn_open_missing(struct load *load);
/* After tcp_input() of a batch: whoever received something. */
void conn_turn(struct load *load);
/* FIN; nothing more is said on it. */
void conn_close(struct load *load, uint32_t index);
/* Ends some connections: FIN to those that are idle, or RST to all. False: none is left. */
bool conn_close_some(struct load *load, bool is_reset);

static inline struct load_conn *conn_at(const struct load *load, uint32_t index)
{
	return (struct load_conn *)(void *)(load->conns + index * load->conn_stride);
}

static inline void *conn_state(const struct load *load, struct load_conn *conn)
{
	return (uint8_t *)conn + load->state_off;
}

/* ---- stream.c */
/* Appends a request to a connection's stream and gives it to the engine. Returns its length; 0: the workload
 * has nothing more to prepare. */
uint64_t stream_request(struct load *load, uint32_t index, bool is_preparation);
/* Copies bytes of the outgoing stream to dst and adds them to a checksum at an even offset. */
void stream_gather(const struct load *load, uint32_t index, uint64_t off, uint32_t len, uint8_t *dst,
		   uint64_t *sum);
/* Bytes before `off` are acknowledged. */
void stream_release(struct load *load, struct load_conn *conn, uint64_t off);

/* ---- schedule.c */
void schedule_init(struct load *load);
/* A connection may say something: as many tokens as it has depth. */
void schedule_join(struct load *load, uint32_t index);
/* A response came: now or later, the next one. */
void schedule_next(struct load *load, uint32_t index);
/* Whatever is due. */
void schedule_turn(struct load *load);
/* The open loop begins now. */
void schedule_begin(struct load *load);

/* ---- run.c */
/* All phases. False: the connections could not be opened. */
bool run_all(struct load *load, bool has_progress);

/* ---- slices.c */
/* The measurement is looked at in slices of the same length, to tell what is usual in it: a pause of the
 * machine is in some of them, and in the 99th percentile of the whole. When it begins; after each turn of it.
 */
void slices_begin(const struct load *load);
void slices_turn(const struct load *load);
/* {"count":…,"messages_per_s":…,"p50":…,"p99":…}: medians over the slices, times in microseconds. */
void slices_json(FILE *out);

/* ---- report.c */
void report_text(const struct load *load);
void report_json(const struct load *load, FILE *out);
/* The errors of the present phase, as one line of JSON. */
void report_errors(const struct load *load, FILE *out);

#endif
