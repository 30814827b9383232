/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine in memory of its own, and callbacks that do nothing: what every bench of the engine begins with.
 */
#ifndef TESTS_RIG_BENCH_H
#define TESTS_RIG_BENCH_H

#include "tcp/tcp.h"

/* A bench of more than this may have the same names as its own: union { struct bench bench; struct {
 * BENCH_FIELDS }; }. */
#define BENCH_FIELDS                                                                                         \
	struct tcp_engine *engine; /* NULL before bench_start() */                                           \
	struct tcp_limits limits;                                                                            \
	struct tcp_config config;                                                                            \
	struct tcp_keys keys;                                                                                \
	struct tcp_stats stats;                                                                              \
	const struct tcp_ops *ops;                                                                           \
	void *ctx;                                                                                           \
	void *surviving, *volatile_mem; /* owned */

struct bench {
	BENCH_FIELDS
};

/* Callbacks that accept all: emit takes everything, nothing is remembered. A path of 1500 bytes and windows
 * of 4 MiB. For copying and replacing what a bench wants to see. */
extern const struct tcp_ops bench_ops;

/* Makes the engine from limits, config, keys, ops and ctx, which the caller has filled in. A bench that was
 * started before keeps its memory, cleared. Aborts when limits are out of range. */
void bench_start(struct bench *b, tcp_time now);
/* The process dies and another takes over: only what survives is kept. */
void bench_restart(struct bench *b, tcp_time now);
void bench_free(struct bench *b);

#endif
