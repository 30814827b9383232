/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A workload of ix-load: what is said on a connection, and how the answer is understood. When something is
 * said (closed loop, open loop, think times, depth), how it is sent and how long it took is ix-load's
 * business.
 *
 * A workload is one file with one `const struct load_workload`, named in the table of workloads.c. There is
 * one in a process and one thread, so what it knows beside its connections may be static in its file. Its
 * functions run for each message: no allocation, no system call in request() and response().
 */
#ifndef TESTS_BENCH_LOAD_WORKLOAD_H
#define TESTS_BENCH_LOAD_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/lib/random.h"

/* Bytes that request() may write. What is longer is given as pattern_bytes. */
#define LOAD_REQUEST_MAX 9216u

/* What the command line says about messages. */
struct load_settings {
	uint64_t message_bytes;     /* --size */
	uint32_t connections;       /* --connections */
	uint64_t seed;              /* --seed */
	const char *path;           /* --path; never NULL */
	const char *host;           /* the target's address as text */
	bool is_checked;            /* verify what comes back, unless --no-check */
	const char *const *options; /* each --option NAME=VALUE as written, in order; ends with NULL */
};

/* A request: `bytes` that request() wrote, then `pattern_bytes` of the connection's pattern (pattern.h). */
struct load_request {
	uint32_t bytes;
	uint64_t pattern_bytes;
};

/* What response() found in a piece of the stream. */
struct load_progress {
	uint32_t completed; /* responses that ended in this piece: each ends the oldest request */
	uint32_t misses;    /* of these, answers that are right but empty (a key that is not there) */
	bool is_wrong;      /* bytes that no server may send: counted, and the connection is reset */
};

struct load_workload {
	const char *name;
	const char *help;   /* one line */
	size_t state_bytes; /* of a connection; zeroed when it opens, aligned to 8 */
	/* Requests and answers of the bulk kind: goodput counts what is sent (true) or received (false). */
	bool is_sending_bulk;

	/* Once, before the first connection. False: a setting is wrong; says so on standard error. */
	bool (*init)(const struct load_settings *settings);

	/* Requests that must be answered before the measurement begins, like filling a store; on any
	 * connection, one at a time on each. bytes == 0: no more are needed. NULL: nothing to prepare. */
	struct load_request (*prepare)(void *state, uint8_t out[LOAD_REQUEST_MAX]);

	/* The next request of a connection; bytes + pattern_bytes > 0. Called in the order in which requests
	 * are sent, several times before a response when there is depth. stream_off is the offset, in the
	 * connection's outgoing stream, of the request's first byte. NULL: message_bytes of the pattern. */
	struct load_request (*request)(void *state, struct bench_random *random, uint64_t stream_off,
				       uint8_t out[LOAD_REQUEST_MAX]);

	/* The next `len` bytes of the answers, in order, cut anywhere; pattern_base and stream_off are for
	 * bench_pattern_check(). */
	struct load_progress (*response)(void *state, uint64_t pattern_base, uint64_t stream_off,
					 const uint8_t *data, uint32_t len);
};

/* The one called `name`, NULL when there is none. */
const struct load_workload *load_workload_find(const char *name);
/* Names and help of all, for --help. */
void load_workload_list(void);

#endif
