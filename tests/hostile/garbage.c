/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of random bytes, half of them with a right handle, for two seconds: each is done or answered by an
 * error.
 */
#include "tests/hostile/raw.h"

int main(void)
{
	uint64_t seed = k_now_ns() | 1, handle, end_ns, errors = 0;
	struct ix_event event;
	struct raw r;

	k_limit_time(60);
	printf("seed=%llu\n", (unsigned long long)seed);
	raw_open(&r);
	handle = raw_connect(&r, 1);
	end_ns = k_now_ns() + UINT64_C(2000000000);
	while (k_now_ns() < end_ns) {
		struct ix_cmd cmd;
		uint64_t words[sizeof(cmd) / 8] = {0};

		for (unsigned i = 0; i < sizeof(words) / 8; i++)
			words[i] = raw_random(&seed);
		memcpy(&cmd, words, sizeof(cmd));
		if (words[0] & 1)
			cmd.op = (uint8_t)(words[1] % (IX_OP_COUNT + 1));
		if (words[0] & 2)
			cmd.handle = handle;
		if (words[0] & 4 && cmd.op == IX_OP_SENDV) {
			cmd.sg_count = (uint8_t)(words[2] % 5);
			cmd.sg[0] =
			    (struct ix_sg){.off = words[3] % r.w.tx_bytes, .len = (uint32_t)words[4] % 5000};
		}
		raw_cmd(&r, cmd);
		while (raw_event(&r, &event)) {
			errors += event.type == IX_EV_ERROR;
			if (event.type == IX_EV_CONNECTED && event.outcome == 0)
				handle = event.handle;
			if (event.type == IX_EV_DEAD && raw_random(&seed) & 1)
				raw_cmd(&r, raw_connect_cmd(1));
		}
	}
	printf("errors=%llu\n", (unsigned long long)errors);
	if (raw_is_thrown_out(&r, 0))
		k_die("garbage in commands is no reason to be ended");
	return errors > 100 ? 0 : 1;
}
