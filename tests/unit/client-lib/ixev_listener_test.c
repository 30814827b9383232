/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners, and knocks that do not become connections.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/unit/client-lib/ixev_rig.h"

TestSuite(ixev_listener, .init = rig_setup, .fini = rig_teardown, .timeout = 30);

Test(ixev_listener, refused_knock_is_rejected_and_forgotten)
{
	uint64_t cookie;

	rig_listen(&cookie);
	rig.accept_answer = -1;
	rig_knock(0, cookie);
	cr_assert_eq(fake_expect(&rig.fake, 0, IX_OP_REJECT).handle, HANDLE);
	cr_assert_eq(rig.heard.deads, 0);
	cr_assert_eq(ixev_conn_count(rig.loop), 0);
}

Test(ixev_listener, knock_after_unlisten_is_rejected)
{
	uint64_t cookie;
	struct ixev_listener *listener = rig_listen(&cookie);

	ixev_unlisten(listener);
	rig_turn();
	cr_assert_eq(fake_expect(&rig.fake, 0, IX_OP_UNLISTEN).handle, 99);
	rig_knock(0, cookie);
	cr_assert_eq(rig.heard.accepts, 0);
	fake_expect(&rig.fake, 0, IX_OP_REJECT);
}

Test(ixev_listener, accept_that_came_too_late_is_dead)
{
	uint64_t cookie;
	struct ix_cmd cmd;

	rig_listen(&cookie);
	rig_knock(1, cookie);
	cmd = fake_expect(&rig.fake, 1, IX_OP_ACCEPT);
	fake_post(&rig.fake, 1,
		  &(struct ix_event){.type = IX_EV_ERROR,
				     .outcome = -ESTALE,
				     .cookie = cmd.accept.cookie,
				     .handle = HANDLE,
				     .error = {.seq = cmd.seq, .op = IX_OP_ACCEPT}});
	rig_turn();
	cr_assert(rig.heard.deads == 1 && rig.heard.error == -ESTALE);
	cr_assert_eq(ixev_conn_count(rig.loop), 0);
}

Test(ixev_listener, failed_listen_is_told_once_and_ends_the_run)
{
	struct ix_addr local = {.port = 80};
	uint64_t cookie;

	cr_assert_eq(ixev_listen(rig.loop, &local, NULL, &rig_listener_handlers, NULL, NULL), 0);
	rig_turn();
	cookie = fake_expect(&rig.fake, 0, IX_OP_LISTEN).cookie;
	fake_post(&rig.fake, 0,
		  &(struct ix_event){.type = IX_EV_LISTENING, .cookie = cookie, .outcome = -EACCES});
	cr_assert_eq(ixev_run(rig.loop), 0, "nothing is left, so the run ends");
	cr_assert_eq(rig.heard.outcome, -EACCES);
}

Test(ixev_listener, knock_that_dies_before_its_accept_is_dead_once)
{
	uint64_t cookie;
	struct ix_cmd cmd;

	rig_listen(&cookie);
	rig_knock(1, cookie);
	cmd = fake_expect(&rig.fake, 1, IX_OP_ACCEPT);
	/* ixd did not know the cookie yet. */
	rig_post_dead(0, IX_REASON_RESET);
	cr_assert_eq(rig.heard.deads, 0);
	fake_post(&rig.fake, 1,
		  &(struct ix_event){.type = IX_EV_ERROR,
				     .outcome = -ESTALE,
				     .cookie = cmd.accept.cookie,
				     .error = {.seq = cmd.seq, .op = IX_OP_ACCEPT}});
	rig_turn();
	cr_assert_eq(rig.heard.deads, 1);
}
