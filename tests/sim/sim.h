/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator: two engines, a network between them that misbehaves, and applications that do as well, all
 * from one seed. Everything is checked after every step; a seed that fails fails again.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdio.h>

#include "tcp/tcp.h"

#define SIM_CONNS       8
#define SIM_BYTES_MIN   49152u     /* client to server */
#define SIM_BYTES_MAX   (1u << 17) /* per direction and connection */
#define SIM_SERVER_PORT 80

struct sim_random {
	uint64_t state;
};
uint64_t sim_random_next(struct sim_random *r);
/* Uniform in [0, below). */
uint32_t sim_random_below(struct sim_random *r, uint32_t below);
/* True so many times in 10000. */
bool sim_random_chance(struct sim_random *r, uint32_t per_10000);

/* How the network treats packets; chosen by the seed. */
struct sim_weather {
	uint32_t loss, burst, reorder, duplicate, corrupt, mark; /* per 10000 */
	uint64_t delay_ns, jitter_ns, reorder_ns;
	uint64_t byte_ns;     /* 0: no rate limit */
	uint32_t queue_bytes; /* of the bottleneck */
};

struct sim_packet {
	uint64_t due_ns;
	uint64_t order; /* keeps packets of the same time in order */
	uint32_t len;
	uint8_t to; /* host */
	uint8_t ecn;
	uint8_t data[1600];
};

/* What the application of one side knows about one connection. */
struct sim_app {
	bool is_used, is_open, is_accepted, is_client, has_eof, is_dead, is_closed, is_shut;
	bool will_abort, never_reads_while_busy;
	enum tcp_reason reason;
	uint16_t port;            /* the client's: identifies the connection on both sides */
	uint32_t to_send, queued; /* bytes of our stream */
	uint64_t acked, readable, consumed, limit;
	uint32_t window;
	uint64_t wake_ns;
	uint8_t *stored;     /* a flag for each byte that was ever stored */
	uint32_t peer_total; /* what the other side will send if nobody aborts */
};

struct sim_host {
	struct tcp_engine *engine;
	struct tcp_stats stats;
	struct tcp_limits limits;
	struct tcp_config config;
	struct tcp_keys keys;
	void *surviving, *volatile_mem;
	struct sim_app apps[SIM_CONNS * 2];
	uint8_t index;
	struct sim *sim;
};

struct sim {
	uint64_t seed;
	uint64_t now_ns;
	struct sim_random random;
	struct sim_weather weather;
	struct sim_host hosts[2];
	struct sim_packet **queue; /* heap by due time */
	uint32_t queue_count, queue_size;
	uint64_t order;
	uint64_t link_free_ns[2];
	uint32_t burst_left[2];
	uint32_t conns, connected; /* how many there will be, and have been begun */
	uint32_t refuse;           /* emit refuses so many times in 10000 */
	bool is_tracing;
	FILE *pcap;
	bool has_failed;
	char why[200];
	uint32_t restart; /* a host starts anew so many times in 10000 steps */
	uint64_t steps, packets, bytes, restarts;
};

/* The byte at an offset of a stream: direction 0 is client to server. */
uint8_t sim_pattern(const struct sim *s, uint16_t port, unsigned direction, uint64_t off);
void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* network.c */
void sim_network_send(struct sim *s, unsigned from, const uint8_t *data, uint32_t len, uint8_t ecn);
/* Takes the next packet that is due; NULL when there is none. The caller frees it. */
struct sim_packet *sim_network_take(struct sim *s);
uint64_t sim_network_next_ns(const struct sim *s);
void sim_network_fini(struct sim *s);

/* trace.c */
void sim_trace_segment(struct sim *s, unsigned from, const uint8_t *data, uint32_t len, const char *fate);
void sim_trace_open(struct sim *s, const char *path);

/* host.c */
void sim_host_init(struct sim *s, unsigned index, const struct tcp_config *config);
void sim_host_restart(struct sim_host *h);
void sim_host_fini(struct sim_host *h);
void sim_host_connect(struct sim_host *h, uint16_t port, uint32_t to_send, uint32_t peer_total);
/* The first connection is open, or over already. */
bool sim_host_has_opened(const struct sim_host *h);
void sim_host_run_apps(struct sim_host *h);
uint64_t sim_host_next_ns(const struct sim_host *h);

/* check.c */
void sim_check_step(struct sim *s);
void sim_check_end(struct sim *s);

#endif
