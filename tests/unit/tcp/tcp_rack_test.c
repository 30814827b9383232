/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 8985 where it takes many recoveries to see it. */
#include <criterion/criterion.h>

#include "tests/unit/tcp/rig.h"

#define PERSIST 16 /* section 6.2 step 4 */

/* A widened reordering window stays for 16 recoveries without a D-SACK; those by timeout count, too. */
Test(tcp_rack, rfc8985_6_2_window_narrows_after_16_recoveries)
{
	struct rig *r = rig_new();
	uint32_t end = 1;
	struct tcp_conn *c;

	r->is_forgetful = true;
	r->config.timestamps = false;
	rig_start(r);
	rig_accept(r);
	c = rig_conn(r);
	c->reo_wnd_mult = 2;
	c->reo_wnd_persist = PERSIST;
	for (unsigned i = 0; i < PERSIST; i++) {
		cr_assert_eq(c->reo_wnd_mult, 2, "after %u recoveries", i);
		rig_send(r, 100);
		end += 100;
		/* The probe, then the timeout, which stays backed off since nothing is ever measured. */
		for (unsigned ms = 0; c->phase != TCP_PHASE_LOSS && ms < 70000; ms += 100)
			rig_advance(r, 100 * RIG_MS);
		cr_assert_eq(c->phase, TCP_PHASE_LOSS);
		rig_in(r, TCP_ACK, 1, end, 0);
		cr_assert_eq(c->phase, TCP_PHASE_OPEN);
	}
	cr_assert_eq(c->reo_wnd_mult, 1);
	rig_free(r);
}
