/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a core without work sleeps. To sleep and to be woken costs more than to look on for some microseconds:
 * where the next packet mostly comes that soon, looking on is cheaper for everybody, whatever has been
 * configured; where it does not, it is a waste. Which of the two it is, the last times tell.
 */
#ifndef DAEMON_DATAPLANE_SPIN_BOUND_H
#define DAEMON_DATAPLANE_SPIN_BOUND_H

#include <stdbool.h>
#include <stdint.h>

#define SPIN_BRIEF_NS    5000u /* about what a sleep costs: two changes of task and a wake-up */
#define SPIN_TRUST_MAX   8u    /* so many failures in a row end it, after however many successes */
#define SPIN_PROBE_EVERY 16u   /* sleeps until it is tried once more */

/* All zero is a valid beginning. One core's thread. */
struct spin_bound {
	uint32_t trust;   /* successes beyond failures, within bounds */
	uint32_t sleeps;  /* each after traffic */
	bool has_traffic; /* since the last sleep */
	bool has_looked;  /* on, since the last traffic */
};

/* A turn had traffic. */
void spin_bound_note_traffic(struct spin_bound *bound);

/* A turn had none, and the last one that had was over `idle_ns` ago: whether to sleep, rather than to look
 * on. Never before `configured_ns` are over. */
bool spin_bound_is_over(struct spin_bound *bound, uint64_t idle_ns, uint64_t configured_ns);

#endif
