/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many packets a turn may take. Where answers leave in one burst at the turn's end, a turn that takes all
 * that a peer has under way leaves the peer with nothing to do, and then has nothing to do itself until the
 * peer has answered all of it: both wait for each other, each half of the time. Two batches of half the size
 * keep both busy. So the bound is halved when the socket is empty right after such a turn, and grows again
 * when turns are full for long.
 */
#ifndef DAEMON_DATAPLANE_BATCH_BOUND_H
#define DAEMON_DATAPLANE_BATCH_BOUND_H

#include <stdint.h>

#define BATCH_BOUND_MIN  16u /* below, the price of a burst's call outweighs what is gained */
#define BATCH_GROW_AFTER 64u /* full turns one after the other */

/* All zero is a valid beginning: no bound but the configured one. One core's thread. */
struct batch_bound {
	uint32_t packets; /* the bound; 0: the configured one */
	uint32_t last;    /* packets of the last turn */
	uint32_t full_turns;
	uint64_t bursts; /* the counter, when it was last looked at */
};

/* The most that the next turn may take; `configured` >= 1. */
uint32_t batch_bound_get(const struct batch_bound *bound, uint32_t configured);

/* Once per turn, with the packets that it took, before they are answered. `bursts`: bursts sent so far. */
void batch_bound_note(struct batch_bound *bound, uint32_t configured, uint32_t count, uint64_t bursts);

#endif
