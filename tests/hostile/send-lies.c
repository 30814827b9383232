/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendv of what is not in the arena, of nothing, of too much; recv_done of what never came; handles of
 * others. Each is an error, and the connection goes on as if nothing had been.
 */
#include "tests/hostile/raw.h"

static void expect_error(struct raw *r, struct ix_cmd cmd, const char *what)
{
	struct ix_event event;

	raw_cmd(r, cmd);
	if (!raw_wait(r, IX_EV_ERROR, 5000, &event) || event.error.seq != r->seq || event.outcome >= 0)
		k_die("%s: no error", what);
}

int main(void)
{
	struct ix_event event;
	uint64_t handle, got = 0;
	struct raw r;

	k_limit_time(60);
	raw_open(&r);
	handle = raw_connect(&r, 1);
	expect_error(&r, raw_sendv_cmd(handle, 0, 0), "no byte");
	expect_error(&r, raw_sendv_cmd(handle, r.w.tx_bytes, 1), "behind the arena");
	expect_error(&r, raw_sendv_cmd(handle, r.w.tx_bytes - 1, 2), "over the arena's end");
	expect_error(&r, raw_sendv_cmd(handle, UINT64_MAX, 1), "before the arena");
	expect_error(&r, raw_sendv_cmd(handle, UINT64_MAX - 1, UINT32_MAX), "overflow");
	expect_error(&r, (struct ix_cmd){.op = IX_OP_SENDV, .sg_count = 255, .handle = handle}, "255 pieces");
	expect_error(
	    &r, (struct ix_cmd){.op = IX_OP_RECV_DONE, .handle = handle, .recv_done = {.bytes = UINT64_MAX}},
	    "recv_done of everything");
	for (uint64_t other = 0; other < 64; other++)
		if (other != (handle & 63))
			expect_error(
			    &r,
			    (struct ix_cmd){.op = IX_OP_ABORT, .handle = other | (handle & ~UINT64_C(63))},
			    "another handle");
	memset(r.tx, 'x', 1000);
	raw_cmd(&r, raw_sendv_cmd(handle, 0, 1000));
	while (got < 1000) {
		if (!raw_wait(&r, IX_EV_RECV, 5000, &event))
			k_die("the echo of honest bytes did not come");
		got += event.recv.len;
	}
	return 0;
}
