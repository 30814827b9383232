/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop itself: timers, watches, its end, and what it refuses.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/client-lib/ixev_rig.h"

TestSuite(ixev_loop, .init = rig_setup, .fini = rig_teardown, .timeout = 30);

static unsigned fired[3];

static void on_timer(struct ixev_timer *timer, void *arg)
{
	unsigned *slot = arg;

	*slot = ++fired[2] * 10;
	if (*slot >= 20)
		ixev_timer_free(timer);
}

Test(ixev_loop, timers_fire_in_order_and_end_the_run)
{
	struct ixev_timer *first, *second, *never;
	uint64_t start_ns = ix_now_ns();

	cr_assert_eq(ixev_timer_new(rig.loop, on_timer, &fired[0], &first), 0);
	cr_assert_eq(ixev_timer_new(rig.loop, on_timer, &fired[1], &second), 0);
	cr_assert_eq(ixev_timer_new(rig.loop, on_timer, NULL, &never), 0);
	ixev_timer_set(never, 1000);
	ixev_timer_set(second, 8000000);
	ixev_timer_set(first, 90000000);
	ixev_timer_set(first, 4000000);
	ixev_timer_cancel(never);
	cr_assert_eq(ixev_run(rig.loop), 0);
	cr_assert_geq(ix_now_ns() - start_ns, 8000000);
	cr_assert(fired[0] == 10 && fired[1] == 20);
}

static void on_tick(struct ixev_timer *timer, void *arg)
{
	unsigned *ticks = arg;

	(void)timer;
	++*ticks;
}

Test(ixev_loop, many_timers_keep_the_heap_in_order)
{
	static struct ixev_timer *timers[500];
	unsigned ticks = 0, cancelled = 0;

	srandom(5);
	for (unsigned i = 0; i < 500; i++) {
		cr_assert_eq(ixev_timer_new(rig.loop, on_tick, &ticks, &timers[i]), 0);
		ixev_timer_set(timers[i], (uint64_t)random() % 5000000);
	}
	for (unsigned i = 0; i < 500; i += 3, cancelled++)
		ixev_timer_cancel(timers[i]);
	cr_assert_eq(ixev_run(rig.loop), 0);
	cr_assert_eq(ticks, 500 - cancelled);
}

static void on_pipe(int fd, short events, void *arg)
{
	char byte;

	(void)events;
	(void)arg;
	cr_assert_eq(read(fd, &byte, 1), 1);
	if (byte == 'q')
		ixev_unwatch(rig.loop, fd);
}

Test(ixev_loop, watches_are_called_until_ended)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "abq", 3), 3);
	cr_assert_eq(ixev_watch(rig.loop, ends[0], POLLIN, on_pipe, NULL), 0);
	cr_assert_eq(ixev_watch(rig.loop, -1, POLLIN, on_pipe, NULL), -EINVAL);
	cr_assert_eq(ixev_run(rig.loop), 0);
	close(ends[0]);
	close(ends[1]);
}

Test(ixev_loop, events_are_served_beside_a_watch)
{
	uint64_t cookie = rig_accepted(10);
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(ixev_watch(rig.loop, ends[0], POLLIN, on_pipe, NULL), 0);
	fake_post_recv(&rig.fake, 1, cookie, 0, "x", 1);
	cr_assert_eq(ixev_turn(rig.loop, IX_WAIT_FOREVER), 0);
	cr_assert_eq(rig.heard.readables, 1);
	close(ends[0]);
	close(ends[1]);
}

Test(ixev_loop, when_ixd_goes_every_connection_hears_it)
{
	rig_accepted(10);
	fake_hang_up(&rig.fake);
	cr_assert_eq(ixev_run(rig.loop), -ECONNRESET);
	cr_assert(rig.heard.deads == 1 && rig.heard.reason == IX_REASON_RESTART);
}

Test(ixev_loop, freeing_a_loop_resets_its_connections)
{
	rig_accepted(10);
	ixev_loop_free(rig.loop);
	rig.loop = NULL;
	fake_expect(&rig.fake, 1, IX_OP_ABORT);
	fake_expect(&rig.fake, 0, IX_OP_UNLISTEN);
	cr_assert_eq(rig.heard.deads, 0);
}

Test(ixev_loop, refuses_wrong_arguments)
{
	struct ix_addr addr = {.port = 1};
	struct ix_options bad = {.flags = 0x8000};
	struct ixev_loop *other;

	cr_assert_eq(ixev_loop_new(rig.client, 2, 1, &other), -EINVAL);
	cr_assert_eq(ixev_loop_new(rig.client, 1, 2, &other), -EINVAL);
	cr_assert_eq(ixev_listen(rig.loop, NULL, NULL, &rig_listener_handlers, NULL, NULL), -EINVAL);
	cr_assert_eq(ixev_listen(rig.loop, &addr, &bad, &rig_listener_handlers, NULL, NULL), -EINVAL);
	cr_assert_eq(ixev_connect(rig.loop, 2, &addr, NULL, NULL, &rig_handlers, NULL, NULL), -EINVAL);
	cr_assert_eq(ixev_connect(rig.loop, 0, &addr, &addr, NULL, &rig_handlers, NULL, NULL), -EINVAL);
}
