/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Never gives received bytes back: the window closes and stays within the client's own memory; the bytes that
 * are there stay what they are.
 */
#include "tests/hostile/raw.h"

#define CONNS 8
#define PART  4096u

int main(void)
{
	uint64_t handles[CONNS], given[CONNS] = {0}, got = 0, end_ns;
	struct ix_event event;
	struct raw r;

	k_limit_time(60);
	raw_open(&r);
	for (unsigned i = 0; i < CONNS; i++)
		handles[i] = raw_connect(&r, i);
	memset(r.tx, 'h', PART);
	end_ns = k_now_ns() + UINT64_C(2000000000);
	while (k_now_ns() < end_ns) {
		for (unsigned i = 0; i < CONNS; i++, given[i % CONNS] += PART)
			raw_cmd(&r, raw_sendv_cmd(handles[i], 0, PART));
		while (raw_event(&r, &event)) {
			if (event.type != IX_EV_RECV)
				continue;
			got += event.recv.len;
			if (event.off + event.recv.len > r.w.rx_bytes)
				k_die("bytes outside the arena");
			for (uint32_t i = 0; i < event.recv.len; i++)
				if (r.rx[event.off + i] != 'h')
					k_die("a byte changed that was never given back");
		}
	}
	printf("got=%llu\n", (unsigned long long)got);
	if (got > r.w.rx_bytes)
		k_die("more than there is memory for");
	return got ? 0 : 1;
}
