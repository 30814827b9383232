/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a core without work sleeps.
 */
#include "daemon/dataplane/spin_bound.h"

static uint64_t limit_ns(const struct spin_bound *bound, uint64_t configured_ns)
{
	bool is_probe = bound->sleeps % SPIN_PROBE_EVERY == SPIN_PROBE_EVERY - 1;

	if (configured_ns >= SPIN_BRIEF_NS || (bound->trust == 0 && !is_probe))
		return configured_ns;
	return SPIN_BRIEF_NS;
}

void spin_bound_note_traffic(struct spin_bound *bound)
{
	if (bound->has_looked && bound->trust < SPIN_TRUST_MAX)
		bound->trust++;
	bound->has_looked = false;
	bound->has_traffic = true;
}

bool spin_bound_is_over(struct spin_bound *bound, uint64_t idle_ns, uint64_t configured_ns)
{
	if (idle_ns < limit_ns(bound, configured_ns)) {
		bound->has_looked = true;
		return false;
	}
	if (bound->has_looked && bound->trust > 0)
		bound->trust--;
	bound->sleeps += bound->has_traffic;
	bound->has_looked = false;
	bound->has_traffic = false;
	return true;
}
