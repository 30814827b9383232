/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer wheel: never late by more than a tick and a half, never early, over all its levels. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/tcp/rig.h"

#define TICK (UINT64_C(1) << TCP_WHEEL_SHIFT)

static struct rig *start(void)
{
	struct rig *r = rig_new();

	rig_start(r);
	return r;
}

Test(tcp_wheel, fires_once_within_a_tick)
{
	struct rig *r = start();
	uint64_t at = r->now_ns;

	for (uint64_t delay = 1; delay < 30 * 24 * 3600 * RIG_S; delay = delay * 3 + 1) {
		uint64_t due = at + delay;

		r->engine->now_ns = at;
		tcp_wheel_arm(r->engine, 3, due);
		for (;;) {
			uint64_t next = tcp_wheel_next_ns(r->engine);

			cr_assert_neq(next, 0);
			cr_assert_leq(next, due + 2 * TICK);
			r->engine->now_ns = next;
			if (tcp_wheel_pop(r->engine) == 3)
				break;
		}
		cr_assert_geq(r->engine->now_ns, due, "early at delay %lu", delay);
		cr_assert_leq(r->engine->now_ns, due + 2 * TICK, "late at delay %lu", delay);
		cr_assert_eq(tcp_wheel_next_ns(r->engine), 0);
		at = r->engine->now_ns;
	}
	rig_free(r);
}

Test(tcp_wheel, an_earlier_deadline_wins_a_later_one_waits)
{
	struct rig *r = start();
	uint64_t at = r->now_ns;

	tcp_wheel_arm(r->engine, 1, at + 10 * RIG_MS);
	tcp_wheel_arm(r->engine, 1, at + 20 * RIG_MS); /* left where it is: expiry arms again */
	tcp_wheel_arm(r->engine, 1, at + 5 * RIG_MS);
	r->engine->now_ns = at + 5 * RIG_MS + TICK;
	cr_assert_eq(tcp_wheel_pop(r->engine), 1);
	cr_assert_eq(tcp_wheel_pop(r->engine), TCP_NONE);
	rig_free(r);
}

Test(tcp_wheel, random_against_the_clock)
{
	struct rig *r = start();
	uint64_t due[16] = {0};

	srand(3);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t conn = (uint32_t)rand() % 16;

		r->engine->now_ns += (uint64_t)rand() % (1u << (rand() % 30));
		if (due[conn] == 0) {
			due[conn] = r->engine->now_ns + 1 + (uint64_t)rand() % (1u << (rand() % 31));
			tcp_wheel_arm(r->engine, conn, due[conn]);
		} else if (rand() % 4 == 0) {
			tcp_wheel_disarm(r->engine, conn);
			due[conn] = 0;
		}
		while ((conn = tcp_wheel_pop(r->engine)) != TCP_NONE) {
			cr_assert_neq(due[conn], 0);
			cr_assert_leq(due[conn], r->engine->now_ns);
			due[conn] = 0;
		}
		for (uint32_t i = 0; i < 16; i++)
			cr_assert(due[i] == 0 || due[i] + 2 * TICK > r->engine->now_ns, "late");
	}
	rig_free(r);
}
