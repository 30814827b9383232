/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bound on a turn's packets that keeps two ends from waiting for each other.
 */
#include "daemon/dataplane/batch_bound.h"

#include <stdbool.h>

uint32_t batch_bound_get(const struct batch_bound *bound, uint32_t configured)
{
	return bound->packets != 0 && bound->packets < configured ? bound->packets : configured;
}

static void halve(struct batch_bound *bound)
{
	uint32_t half = bound->last / 2;

	bound->packets = half > BATCH_BOUND_MIN ? half : BATCH_BOUND_MIN;
	bound->full_turns = 0;
}

void batch_bound_note(struct batch_bound *bound, uint32_t configured, uint32_t count, uint64_t bursts)
{
	bool was_burst = bursts != bound->bursts;

	bound->bursts = bursts;
	if (count == 0) {
		if (was_burst && bound->last >= 2 * BATCH_BOUND_MIN)
			halve(bound);
		bound->last = 0;
		return;
	}
	bound->last = count;
	if (count < batch_bound_get(bound, configured)) {
		bound->full_turns = 0;
	} else if (++bound->full_turns >= BATCH_GROW_AFTER) {
		bound->packets = bound->packets * 2 < configured ? bound->packets * 2 : 0;
		bound->full_turns = 0;
	}
}
