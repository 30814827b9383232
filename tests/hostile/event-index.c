/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An event index that was never reached, or goes back: ixd ends the client when it looks.
 */
#include "tests/hostile/raw.h"

static void try(uint32_t lie)
{
	struct raw r;

	raw_open(&r);
	raw_connect(&r, 1);
	/* Sleeping, so that posting an event makes ixd look at the index. */
	__atomic_store_n(&r.mine->is_sleeping, 1, __ATOMIC_SEQ_CST);
	/* Counted from what ixd has published: whatever it saw before, this cannot be. */
	ix_ring_store(&r.mine->evt_cons, ix_ring_load(&r.theirs->evt_prod) + lie);
	for (unsigned i = 0; i < 100 && !raw_is_thrown_out(&r, 0); i++)
		raw_cmd(&r, (struct ix_cmd){.op = 99});
	if (!raw_is_thrown_out(&r, 5000))
		k_die("an index %u ahead was borne", lie);
	close(r.socket);
}

int main(void)
{
	k_limit_time(60);
	try(1000);
	try(UINT32_C(1) << 20);
	try(UINT32_C(1) << 31);
	try(UINT32_MAX - (UINT32_C(1) << 20));
	return 0;
}
