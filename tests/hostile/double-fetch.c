/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second thread keeps changing the length and place of a sendv while ixd takes it, and the bytes while ixd
 * sends them. What is sent lies in the arena, whatever it is.
 */
#include <pthread.h>

#include "tests/hostile/raw.h"

static struct raw r;
static bool must_stop;

static void *change(void *arg)
{
	uint64_t seed = k_now_ns() | 1;

	(void)arg;
	while (!__atomic_load_n(&must_stop, __ATOMIC_RELAXED)) {
		uint64_t random = raw_random(&seed);
		struct ix_cmd *cmd = &r.cmds[random % r.w.cmd_slots];

		__atomic_store_n(&cmd->sg[0].len, random & 1 ? 64u : UINT32_MAX, __ATOMIC_RELAXED);
		__atomic_store_n(&cmd->sg[0].off, random & 2 ? 0u : UINT64_MAX - 63, __ATOMIC_RELAXED);
		__atomic_store_n(&r.tx[random >> 32 & 63], (uint8_t)random, __ATOMIC_RELAXED);
	}
	return NULL;
}

int main(void)
{
	uint64_t end_ns, handle, recvs = 0;
	struct ix_event event;
	pthread_t thread;

	k_limit_time(60);
	raw_open(&r);
	handle = raw_connect(&r, 1);
	if (pthread_create(&thread, NULL, change, NULL) != 0)
		k_die("no thread");
	end_ns = k_now_ns() + UINT64_C(2000000000);
	while (k_now_ns() < end_ns) {
		raw_cmd(&r, raw_sendv_cmd(handle, 0, 64));
		while (raw_event(&r, &event)) {
			if (event.type == IX_EV_RECV) {
				recvs++;
				raw_cmd(&r, (struct ix_cmd){.op = IX_OP_RECV_DONE,
							    .handle = handle,
							    .recv_done = {.bytes = event.recv.len}});
			}
		}
	}
	__atomic_store_n(&must_stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("recvs=%llu\n", (unsigned long long)recvs);
	return recvs ? 0 : 1;
}
