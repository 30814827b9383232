/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What holds of an engine between any two calls, whatever came from wire, user and clock. Looks into the
 * engine's private structures. Simulator, fuzzer and script runner ask after each step.
 */
#ifndef TESTS_RIG_INVARIANTS_H
#define TESTS_RIG_INVARIANTS_H

#include <stddef.h>

#include "tcp/tcp.h"

/* Each connection by itself, and the counts over all; costs a walk over what is in flight. Returns true, or
 * false with a sentence in `why`. */
bool invariants_hold(struct tcp_engine *e, char *why, size_t why_size);
/* Every record is in use or free, none both and none neither; costs a walk over all pools. */
bool invariants_pools_hold(struct tcp_engine *e, char *why, size_t why_size);
/* Nothing is in use any more but TIME_WAIT records: for the end of a run. */
bool invariants_is_idle(struct tcp_engine *e, char *why, size_t why_size);

#endif
