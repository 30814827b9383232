/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator: two engines, a network between them that misbehaves, an attacker, and applications that
 * misbehave as well, all from one seed. Everything is checked after every step; a seed that fails fails
 * again. Host 0 is the client of all connections, host 1 the server.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdio.h>

#include "tcp/tcp.h"
#include "tests/rig/bench.h"
#include "tests/rig/wire.h"
#include "tests/sim/scenario.h"

#define SIM_CONNS       8
#define SIM_FLOWS       (2 * SIM_CONNS) /* with those that are tried again */
#define SIM_RECORDS     (2 * SIM_CONNS) /* of each engine: strangers take some */
#define SIM_BYTES_LEAST 65536u          /* that every run delivers */
#define SIM_BYTES_MAX   (1u << 17)      /* per direction and connection */
#define SIM_SERVER_PORT 80
#define SIM_FIRST_PORT  40000 /* of the clients; the number of a connection is its distance */

struct sim_random {
	uint64_t state;
};
uint64_t sim_random_next(struct sim_random *r);
/* Uniform in [0, below). */
uint32_t sim_random_below(struct sim_random *r, uint32_t below);
/* True so many times in 10000. */
bool sim_random_chance(struct sim_random *r, uint64_t per_10000);

enum sim_packet_kind {
	SIM_PACKET_TCP,
	SIM_PACKET_ICMP,     /* data quotes a segment that was too large for the path */
	SIM_PACKET_MULTICAST /* from an address that is not a host's */
};

struct sim_packet {
	uint64_t due_ns;
	uint64_t order; /* keeps packets of the same time in order */
	uint32_t len;
	uint8_t to; /* host */
	uint8_t ecn;
	uint8_t kind; /* enum sim_packet_kind */
	uint8_t data[1600];
};

/* What the application of one side knows about one connection. */
struct sim_app {
	bool is_used, is_open, is_accepted, is_client, has_eof, is_dead, is_closed, is_shut;
	bool will_abort, will_close;
	enum tcp_reason reason;
	uint16_t port;            /* the client's: identifies the connection on both sides */
	uint32_t to_send, queued; /* bytes of our stream */
	uint64_t acked, readable, consumed, limit;
	uint32_t window;
	uint64_t wake_ns;   /* UINT64_MAX: something has to happen first */
	uint64_t orphan_ns; /* when the other side was gone and we may notice; 0: it is there */
	uint8_t *stored;    /* a flag for each byte that was ever stored */
};

struct sim_host {
	struct bench bench;
	struct sim_app apps[SIM_RECORDS];
	uint8_t index;
	struct sim *sim;
};

/* What both sides of a connection have said on the wire: the windows. */
struct sim_flow_side {
	bool has_scale, has_edge, has_offer, has_fin;
	uint8_t scale;
	uint32_t edge;          /* highest right edge that ever reached this side: it may send up to there */
	uint32_t offer;         /* highest right edge that this side ever sent */
	uint32_t fin;           /* where its FIN is */
	uint32_t iss, sent_end; /* what it has sent */
	/* its SYN before that had another number (a cookie), and was as good as this one */
	bool has_before, before_has_scale;
	uint8_t before_scale;
	uint32_t before_iss;
};
struct sim_flow {
	struct sim_flow_side side[2];
	struct sim_app ended[2]; /* how each side ended; a record may be used again */
	uint64_t stall_until_ns; /* neither end reads before */
};

struct sim {
	struct sim_scenario scenario;
	uint64_t first_conns; /* scenario.conns grows by those that are tried again */
	unsigned connected;   /* connections that were begun */
	uint64_t now_ns;
	struct sim_random random;
	struct sim_host hosts[2];
	struct sim_flow flows[SIM_FLOWS];
	struct sim_packet **queue; /* heap by due time */
	uint32_t queue_count, queue_size;
	uint64_t order;
	uint64_t link_free_ns[2];
	uint32_t burst_left[2];
	uint64_t cut_until_ns;
	bool is_cut, was_cut;
	bool is_tracing;
	FILE *pcap;
	bool has_failed;
	char why[240];
	uint64_t steps, bytes;
};

/* One run; `why` tells what went wrong. Counters of both engines are added to *total, if not NULL. */
struct sim_verdict {
	bool is_ok;
	uint64_t bytes, steps, now_ns;
	char why[240];
};
void sim_run(const struct sim_scenario *scenario, bool is_tracing, const char *pcap, struct tcp_stats *total,
	     struct sim_verdict *verdict);

void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* counters.c: tells of counters that stayed 0 although they should not have; returns how many. */
unsigned sim_counters_missing(const struct tcp_stats *total);

/* network.c */
void sim_network_send(struct sim *s, unsigned from, const uint8_t *data, uint32_t len, uint8_t ecn);
/* Takes the next packet that is due; NULL when there is none. The caller frees it. */
struct sim_packet *sim_network_take(struct sim *s);
uint64_t sim_network_next_ns(const struct sim *s);
void sim_network_fini(struct sim *s);

/* forge.c: an attacker who knows ports, and perhaps windows, but reads nothing. */
void sim_forge(struct sim *s);

/* trace.c */
void sim_trace_segment(struct sim *s, unsigned from, const uint8_t *data, uint32_t len, const char *fate);
void sim_trace_open(struct sim *s, const char *path);

/* host.c */
void sim_host_init(struct sim *s, unsigned index);
void sim_host_restart(struct sim_host *h);
void sim_host_fini(struct sim_host *h);
void sim_host_input(struct sim_host *h, const struct sim_packet *p);

/* app.c */
struct sim_app *sim_app_open(struct sim_host *h, uint32_t conn);
void sim_app_connect(struct sim_host *h, unsigned number);
/* Something has happened that the application may wait for. */
void sim_app_wake(struct sim_host *h, struct sim_app *a);
void sim_app_end(struct sim_host *h, struct sim_app *a, enum tcp_reason reason);
void sim_app_run_all(struct sim_host *h);
uint64_t sim_app_next_ns(const struct sim_host *h);
/* Bytes of a stream: direction 0 is client to server. */
void sim_app_pattern(const struct sim *s, uint16_t port, unsigned direction, uint64_t off, uint8_t *out,
		     uint32_t len);

/* check.c */
void sim_check_step(struct sim *s);
void sim_check_end(struct sim *s);
/* A segment leaves a host, or has reached it. */
void sim_check_sent(struct sim *s, unsigned from, const uint8_t *data, uint32_t len);
void sim_check_delivered(struct sim *s, unsigned to, const uint8_t *data, uint32_t len);

#endif
