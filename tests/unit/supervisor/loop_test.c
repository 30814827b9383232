/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's event loop.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/supervisor/clock.h"
#include "daemon/supervisor/loop.h"

struct probe {
	struct loop loop;
	struct loop_watch *watch;
	int fds[2];
	unsigned calls;
	bool must_remove, must_read;
};

static void probe_open(struct probe *probe)
{
	int error = loop_init(&probe->loop);

	if (error == -ENOSYS || error == -EPERM)
		cr_skip_test("io_uring is not available");
	cr_assert_eq(error, 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, probe->fds), 0);
}

static void probe_close(struct probe *probe)
{
	close(probe->fds[0]);
	close(probe->fds[1]);
	loop_fini(&probe->loop);
}

static void on_readable(void *arg)
{
	struct probe *probe = arg;
	char byte;

	probe->calls++;
	if (probe->must_read)
		cr_assert_eq(read(probe->fds[0], &byte, 1), 1);
	if (probe->must_remove)
		loop_watch_remove(&probe->loop, probe->watch);
}

Test(loop, calls_as_long_as_there_is_something_to_read)
{
	struct probe probe = {.must_read = true};

	probe_open(&probe);
	probe.watch = loop_watch_add(&probe.loop, probe.fds[0], on_readable, &probe);
	cr_assert_eq(write(probe.fds[1], "abc", 3), 3);
	for (unsigned i = 0; i < 20 && probe.calls < 3; i++)
		loop_turn(&probe.loop, 1000000);
	cr_expect_eq(probe.calls, 3, "one byte each time, and no byte is forgotten");
	loop_turn(&probe.loop, 1000000);
	cr_expect_eq(probe.calls, 3, "nothing left to read");
	loop_watch_remove(&probe.loop, probe.watch);
	loop_turn(&probe.loop, 1000000);
	probe_close(&probe);
}

Test(loop, removed_watch_is_not_called)
{
	struct probe probe = {.must_remove = true};

	probe_open(&probe);
	probe.watch = loop_watch_add(&probe.loop, probe.fds[0], on_readable, &probe);
	cr_assert_eq(write(probe.fds[1], "abc", 3), 3);
	for (unsigned i = 0; i < 5; i++)
		loop_turn(&probe.loop, 1000000);
	cr_expect_eq(probe.calls, 1, "it removed itself in its first call");
	probe.watch = loop_watch_add(&probe.loop, probe.fds[0], on_readable, &probe);
	loop_watch_remove(&probe.loop, probe.watch);
	for (unsigned i = 0; i < 5; i++)
		loop_turn(&probe.loop, 1000000);
	cr_expect_eq(probe.calls, 1);
	probe_close(&probe);
}

static void on_time(void *arg)
{
	(*(unsigned *)arg)++;
}

Test(loop, timers_fire_once_and_not_before_their_time)
{
	struct probe probe = {0};
	unsigned fired = 0;
	struct loop_timer timer = {.on_time = on_time, .arg = &fired};

	probe_open(&probe);
	uint64_t at_ns = monotonic_ns() + 20000000;
	loop_timer_set(&probe.loop, &timer, at_ns);
	while (fired == 0) {
		cr_assert_eq(loop_turn(&probe.loop, 1000000000), 0);
		cr_assert(fired == 0 || monotonic_ns() >= at_ns);
	}
	loop_turn(&probe.loop, 1000000);
	cr_expect_eq(fired, 1);
	loop_timer_set(&probe.loop, &timer, monotonic_ns());
	loop_timer_clear(&timer);
	loop_turn(&probe.loop, 1000000);
	cr_expect_eq(fired, 1);
	probe_close(&probe);
}
