/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings without end, never reads what is rung back, then shuts the doorbell and goes on with its rings.
 */
#include "tests/hostile/raw.h"

int main(void)
{
	static const char bytes[65536];
	struct ix_event event;
	uint64_t end_ns, rung = 0;
	struct raw r;

	k_limit_time(60);
	raw_open(&r);
	__atomic_store_n(&r.mine->is_sleeping, 1, __ATOMIC_SEQ_CST);
	end_ns = k_now_ns() + UINT64_C(2000000000);
	while (k_now_ns() < end_ns) {
		ssize_t sent = send(r.doorbell, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);

		rung += sent > 0 ? (uint64_t)sent : 0;
		if (rung % 7 == 0)
			raw_cmd(&r, (struct ix_cmd){.op = 99});
		raw_event(&r, &event);
	}
	shutdown(r.doorbell, SHUT_RDWR);
	close(r.doorbell);
	r.doorbell = -1;
	/* Nobody wakes the core for it now, so it may take until others do; what matters is that nothing else
	 * waits. */
	raw_cmd(&r, (struct ix_cmd){.op = 99});
	raw_wait(&r, IX_EV_ERROR, 300, &event);
	printf("rung=%llu\n", (unsigned long long)rung);
	return rung ? 0 : 1;
}
