/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events: taking them over the ring's end, waiting, and the protocol of sleeping and waking, under stress.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "tests/unit/client-lib/fake_ixd.h"

#define MS UINT64_C(1000000)

static struct fake_ixd fake;
static struct ix_client *client;
static struct ix_channel *channel;

static void setup(void)
{
	fake.cores = 2;
	client = fake_open(&fake);
	channel = ix_channel(client, 0);
}

static void teardown(void)
{
	ix_close(client);
	fake_stop(&fake);
}

TestSuite(event, .init = setup, .fini = teardown, .timeout = 30);

static void post(uint64_t cookie)
{
	fake_post(&fake, 0, &(struct ix_event){.type = IX_EV_EOF, .cookie = cookie});
}

Test(event, poll_keeps_order_over_many_wraps)
{
	struct ix_event events[16];
	uint64_t posted = 0, taken = 0;

	for (unsigned round = 0; round < 1000; round++) {
		int got;

		for (unsigned i = 0; i < 1 + round % 16; i++)
			post(posted++);
		got = ix_poll(channel, events, 16);
		cr_assert_eq(got, (int)(1 + round % 16));
		for (int i = 0; i < got; i++)
			cr_assert_eq(events[i].cookie, taken++);
	}
	cr_assert_eq(ix_poll(channel, events, 16), 0);
}

Test(event, peek_shows_a_run_and_release_gives_back_part_of_it)
{
	const struct ix_event *events;

	for (unsigned i = 0; i < 5; i++)
		post(i);
	cr_assert_eq(ix_peek(channel, &events), 5);
	ix_release(channel, 2);
	cr_assert_eq(ix_ring_load(&fake.core[0].client->evt_cons), 2);
	cr_assert_eq(ix_peek(channel, &events), 3);
	cr_assert_eq(events[0].cookie, 2);
	ix_release(channel, 3);
	cr_assert_eq(ix_peek(channel, &events), 0);
}

Test(event, releasing_a_crowded_ring_wakes_ixd)
{
	const struct ix_event *events;

	ix_ring_sleep_announce(&fake.core[0].daemon->is_sleeping);
	post(0);
	cr_assert_eq(ix_peek(channel, &events), 1);
	ix_release(channel, 1);
	cr_assert_eq(fake_drain_doorbell(&fake, 0), 0);
	for (unsigned i = 0; i < 16; i++)
		post(i);
	cr_assert_eq(ix_peek(channel, &events), 15);
	ix_release(channel, 15);
	cr_assert_eq(fake_drain_doorbell(&fake, 0), 1);
}

Test(event, a_corrupt_ring_is_an_error)
{
	const struct ix_event *events;

	ix_ring_store(&fake.core[0].daemon->evt_prod, 1000);
	cr_assert_eq(ix_peek(channel, &events), -EPROTO);
}

Test(event, wait_looks_waits_and_times_out)
{
	uint64_t start_ns = ix_now_ns();

	cr_assert_eq(ix_wait(channel, 0), 0);
	cr_assert_eq(ix_wait(channel, 20 * MS), 0);
	cr_assert_geq(ix_now_ns() - start_ns, 20 * MS);
	ix_set_spin(client, 1000000);
	cr_assert_eq(ix_wait(channel, 5 * MS), 0, "the spin outlasted the timeout");
	post(1);
	cr_assert_eq(ix_wait(channel, IX_WAIT_FOREVER), 1);
	cr_assert_eq(ix_ring_load(&fake.core[0].client->is_sleeping), 0);
}

Test(event, wait_flushes_first)
{
	ix_abort(channel, 1);
	ix_wait(channel, 0);
	fake_expect(&fake, 0, IX_OP_ABORT);
}

Test(event, wait_any_takes_several_channels)
{
	struct ix_channel *channels[2] = {channel, ix_channel(client, 1)};

	cr_assert_eq(ix_wait_any(channels, 2, MS), 0);
	fake_post(&fake, 1, &(struct ix_event){.type = IX_EV_EOF});
	cr_assert_eq(ix_wait_any(channels, 2, IX_WAIT_FOREVER), 1);
	post(0);
	cr_assert_eq(ix_wait_any(channels, 2, IX_WAIT_FOREVER), 2);
	cr_assert_eq(ix_wait_any(channels, 0, 0), -EINVAL);
}

static void *post_when_asleep(void *how)
{
	while (ix_ring_load(&fake.core[0].client->is_sleeping) != *(enum ix_sleep *)how)
		;
	post(1);
	return NULL;
}

Test(event, both_kinds_of_sleep_are_woken)
{
	enum ix_sleep kinds[] = {IX_SLEEP_FUTEX, IX_SLEEP_DOORBELL};

	ix_set_spin(client, 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct ix_event *events;
		pthread_t thread;

		pthread_create(&thread, NULL, post_when_asleep, &kinds[i]);
		cr_assert_eq(ix_wait(channel, IX_WAIT_FOREVER), 1);
		pthread_join(thread, NULL);
		cr_assert_eq(ix_ring_load(&fake.core[0].client->is_sleeping), IX_AWAKE);
		cr_assert_eq(ix_peek(channel, &events), 1);
		ix_release(channel, 1);
	}
}

static void *take_half_of_the_commands(void *arg)
{
	struct ix_cmd cmd;

	(void)arg;
	while (!ix_ring_load(&fake.core[0].client->is_sleeping))
		;
	for (unsigned i = 0; i < 8; i++)
		fake_take(&fake, 0, &cmd);
	return NULL;
}

Test(event, wait_ends_when_a_full_command_ring_has_room)
{
	pthread_t thread;

	while (!ix_abort(channel, 1))
		;
	pthread_create(&thread, NULL, take_half_of_the_commands, NULL);
	cr_assert_eq(ix_wait(channel, IX_WAIT_FOREVER), 1);
	cr_assert_eq(ix_abort(channel, 1), 0);
	pthread_join(thread, NULL);
}

static void on_alarm(int number)
{
	(void)number;
}

Test(event, wait_returns_for_a_signal)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	cr_assert_eq(ix_wait(channel, IX_WAIT_FOREVER), -EINTR);
}

Test(event, what_was_posted_before_ixd_went_is_delivered)
{
	const struct ix_event *events;

	post(1);
	fake_hang_up(&fake);
	cr_assert_eq(ix_wait(channel, IX_WAIT_FOREVER), 1);
	cr_assert_eq(ix_peek(channel, &events), 1);
	ix_release(channel, 1);
	cr_assert_eq(ix_wait(channel, IX_WAIT_FOREVER), -ECONNRESET);
	cr_assert_eq(ix_peek(channel, &events), -ECONNRESET);
}

Test(event, a_spinning_wait_notices_that_ixd_has_gone)
{
	ix_set_spin(client, UINT32_MAX);
	fake_hang_up(&fake);
	cr_assert_eq(ix_wait(channel, IX_WAIT_FOREVER), -ECONNRESET);
}

Test(event, foreign_loop_protocol)
{
	struct pollfd fd = {.fd = ix_fd(channel), .events = POLLIN};

	cr_assert_eq(ix_prepare_wait(channel), 0);
	cr_assert_eq(poll(&fd, 1, 0), 0);
	post(1);
	cr_assert_eq(poll(&fd, 1, -1), 1);
	cr_assert_eq(ix_finish_wait(channel), 0);
	cr_assert_eq(poll(&fd, 1, 0), 0, "the doorbell was not drained");
	cr_assert_eq(ix_prepare_wait(channel), 1, "slept on an event");
	ix_finish_wait(channel);
}

Test(event, epoch_shows_a_restart)
{
	uint32_t before = ix_epoch(channel);

	__atomic_store_n(&fake.core[0].daemon->epoch, before + 1, __ATOMIC_RELAXED);
	cr_assert_neq(ix_epoch(channel), before);
}

#define STRESS_ROUNDS 60000u

/* ixd as it sleeps: for each command an event, and no spin on either side, so that every round is a chance to
 * lose a wakeup. A lost one ends the test by its timeout. */
static void *sleepy_ixd(void *arg)
{
	struct fake_core *core = &fake.core[0];
	struct pollfd fd = {.fd = core->doorbell, .events = POLLIN};
	unsigned heard = 0;

	(void)arg;
	while (heard < STRESS_ROUNDS) {
		struct ix_cmd cmd;

		while (fake_take(&fake, 0, &cmd)) {
			post(cmd.handle);
			heard++;
		}
		ix_ring_sleep_announce(&core->daemon->is_sleeping);
		if (ix_ring_load(&core->client->cmd_prod) == core->cmd_cons && heard < STRESS_ROUNDS)
			poll(&fd, 1, -1);
		ix_ring_sleep_end(&core->daemon->is_sleeping);
		fake_drain_doorbell(&fake, 0);
	}
	return NULL;
}

Test(event, no_wakeup_is_lost)
{
	pthread_t thread;
	uint64_t said = 0, heard = 0;

	pthread_create(&thread, NULL, sleepy_ixd, NULL);
	while (heard < STRESS_ROUNDS) {
		struct ix_event events[16];
		int got;

		/* Bursts of one to four, and a spin now and then, to meet the other side in every phase. */
		for (unsigned i = 0; i <= said % 4 && said < STRESS_ROUNDS && said - heard < 8; i++)
			if (!ix_abort(channel, said))
				said++;
		ix_set_spin(client, said % 3 ? 0 : 5);
		cr_assert_gt(ix_wait(channel, IX_WAIT_FOREVER), 0);
		got = ix_poll(channel, events, 16);
		cr_assert_geq(got, 0);
		for (int i = 0; i < got; i++)
			cr_assert_eq(events[i].cookie, heard++);
	}
	pthread_join(thread, NULL);
}
