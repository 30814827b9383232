/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Never takes an event: ixd keeps what it owes, stops taking this client's commands, and serves the others.
 */
#include "tests/hostile/raw.h"

int main(void)
{
	struct ix_event event;
	uint64_t handle, end_ns;
	uint32_t taken, seen = 0;
	struct raw r;

	k_limit_time(60);
	raw_open(&r);
	handle = raw_connect(&r, 1);
	end_ns = k_now_ns() + UINT64_C(2000000000);
	while (k_now_ns() < end_ns && r.cmd_prod - ix_ring_load(&r.theirs->cmd_cons) < r.w.cmd_slots) {
		raw_cmd(&r, raw_sendv_cmd(handle, 0, 10));
		raw_cmd(&r, (struct ix_cmd){.op = 99});
	}
	if (ix_ring_load(&r.theirs->evt_prod) - r.evt_cons > r.w.evt_slots)
		k_die("ixd overran the event ring");
	/* It is not lost, only late. */
	taken = ix_ring_load(&r.theirs->cmd_cons);
	end_ns = k_now_ns() + UINT64_C(5000000000);
	while (k_now_ns() < end_ns && ix_ring_load(&r.theirs->cmd_cons) != r.cmd_prod) {
		seen += raw_event(&r, &event);
		if (ix_ring_peer_sleeps(&r.theirs->is_sleeping))
			raw_ring(&r);
	}
	if (ix_ring_load(&r.theirs->cmd_cons) != r.cmd_prod)
		k_die("%u commands were never taken", r.cmd_prod - taken);
	printf("late_events=%u\n", seen);
	return 0;
}
