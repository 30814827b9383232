/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command index beyond the ring, forwards and backwards: ixd ends the client.
 */
#include "tests/hostile/raw.h"

static void try(uint32_t lie)
{
	struct raw r;

	raw_open(&r);
	raw_connect(&r, 1);
	ix_ring_store(&r.mine->cmd_prod, r.cmd_prod + lie);
	raw_ring(&r);
	if (!raw_is_thrown_out(&r, 5000))
		k_die("an index %u ahead was borne", lie);
	close(r.socket);
}

int main(void)
{
	struct raw r;

	k_limit_time(60);
	raw_open(&r);
	try(r.w.cmd_slots + 1);
	try(UINT32_MAX);
	try(UINT32_C(1) << 31);
	/* The one that did nothing wrong is still served. */
	raw_connect(&r, 2);
	return 0;
}
