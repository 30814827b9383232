/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events: taken in place from the channel's event ring, or waited for. Waiting spins first, then sleeps in
 * poll() on the doorbell, by the protocol of ring.h. This file alone reads the clock.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/internal.h"

#define NS_PER_US          1000u
#define NS_PER_S           1000000000u

/* While a command ring is full nobody rings when it has room again, so such a wait looks by itself. */
#define STARVED_RECHECK_NS 1000000u

/* Spinning looks at the clock only every so many turns, and whether ixd lives only every so often; it lets
 * others run from time to time, where nobody is known to need the CPU. */
#define SPINS_PER_YIELD    64u
#define SPINS_PER_CLOCK    32u
#define ALIVE_CHECK_NS     10000000u

/* Turns that ixd's thread is given before the clock is looked at at all. */
#define YIELDS_FIRST       2u

/* Events whose lines are asked for ahead: what an answer to a request brings, `sent` and `recv`. */
#define EVENTS_AHEAD       2u
#define LINE_BYTES         64u

/* A futex is quicker than a doorbell, but nothing ends this wait when ixd is gone: after so long the wait
 * goes on at the doorbell. */
#define FUTEX_WAIT_NS      20000000u

IX_EXPORT uint64_t ix_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Hints to the cache. The lines that ixd has written come from another CPU, each as slowly as the index:
 * asked for along with it, or as soon as their place is known, they come in the same time and not one after
 * the other. */
static void slots_prefetch(const struct ix_channel *channel)
{
	for (uint32_t i = 0; i < EVENTS_AHEAD; i++)
		__builtin_prefetch(&channel->events[(channel->evt_cons + i) & (channel->evt_slots - 1)]);
}

static void payload_prefetch(const struct ix_channel *channel, const struct ix_event *events, uint32_t count)
{
	for (uint32_t i = 0; i < count && i < EVENTS_AHEAD; i++) {
		const uint8_t *bytes;

		if (events[i].type != IX_EV_RECV)
			continue;
		bytes = channel->rx_memory + events[i].off;
		__builtin_prefetch(bytes);
		__builtin_prefetch(bytes + LINE_BYTES - 1);
	}
}

IX_EXPORT int ix_peek(struct ix_channel *channel, const struct ix_event **events)
{
	uint32_t slot = channel->evt_cons & (channel->evt_slots - 1);
	uint32_t used, run;

	/* gone is read before the ring: what ixd posted before it went is still delivered first. */
	bool is_gone = client_is_gone(channel->client);

	channel->evt_prod = ix_ring_load(&channel->daemon->evt_prod);
	used = ix_ring_used(channel->evt_prod, channel->evt_cons);
	if (!used)
		return is_gone ? -ECONNRESET : 0;
	if (used > channel->evt_slots)
		return -EPROTO;
	*events = &channel->events[slot];
	run = channel->evt_slots - slot;
	if (run > used)
		run = used;
	payload_prefetch(channel, *events, run);
	return (int)run;
}

IX_EXPORT void ix_release(struct ix_channel *channel, unsigned count)
{
	uint32_t used = ix_ring_used(channel->evt_prod, channel->evt_cons);

	if (!count)
		return;
	channel->evt_cons += count < used ? count : used;
	ix_ring_store(&channel->mine->evt_cons, channel->evt_cons);
	/* ixd owes events when the ring is nearly full, and may have gone to sleep on that. A ring that is
	 * less than half full keeps nobody waiting, so the barrier and the ring are for the other case only.
	 */
	if (used >= channel->evt_slots / 2 && ix_ring_peer_sleeps(&channel->daemon->is_sleeping))
		channel_ring(channel);
}

IX_EXPORT int ix_poll(struct ix_channel *channel, struct ix_event *events, unsigned count)
{
	unsigned taken = 0;

	/* Twice: the events may wrap around the ring's end. */
	for (int part = 0; part < 2 && taken < count; part++) {
		const struct ix_event *run;
		int length = ix_peek(channel, &run);

		if (length <= 0)
			return taken ? (int)taken : length;
		if ((unsigned)length > count - taken)
			length = (int)(count - taken);
		memcpy(events + taken, run, (size_t)length * sizeof(*events));
		ix_release(channel, (unsigned)length);
		taken += (unsigned)length;
	}
	return (int)taken;
}

/* Something to do: an event, or room for the command that found none. */
static bool is_ready(struct ix_channel *channel)
{
	slots_prefetch(channel);
	if (ix_ring_load(&channel->daemon->evt_prod) != channel->evt_cons)
		return true;
	if (!channel->is_starved)
		return false;
	channel->cmd_cons = ix_ring_load(&channel->daemon->cmd_cons);
	/* A quarter of the ring, not one slot: the caller has more to say. */
	return ix_ring_used(channel->cmd_prod, channel->cmd_cons) <= channel->cmd_slots / 4 * 3;
}

static int count_ready(struct ix_channel *const channels[], unsigned count)
{
	int ready = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!is_ready(channels[i]))
			continue;
		channels[i]->is_starved = false;
		ready++;
	}
	return ready;
}

static void drain(struct ix_channel *channel)
{
	char bytes[64];
	ssize_t got;

	do
		got = recv(channel->doorbell, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (got == (ssize_t)sizeof(bytes));
	if (!got || (got < 0 && errno != EAGAIN && errno != EINTR))
		client_set_gone(channel->client);
}

/* After the welcome ixd says nothing more on the client socket; what can happen to it is its end. */
static void check_socket(struct ix_client *client)
{
	char byte;
	ssize_t got = recv(client->sock, &byte, 1, MSG_DONTWAIT);

	if (!got || (got < 0 && errno != EAGAIN && errno != EINTR))
		client_set_gone(client);
}

IX_EXPORT int ix_fd(const struct ix_channel *channel)
{
	return channel->doorbell;
}

IX_EXPORT int ix_prepare_wait(struct ix_channel *channel)
{
	if (ix_flush(channel))
		return -ECONNRESET;
	/* Announce, barrier, look again: an event posted before the flag is seen here, one after it rings. */
	ix_ring_sleep_announce(&channel->mine->is_sleeping);
	return is_ready(channel);
}

IX_EXPORT int ix_finish_wait(struct ix_channel *channel)
{
	ix_ring_sleep_end(&channel->mine->is_sleeping);
	drain(channel);
	return client_is_gone(channel->client) ? -ECONNRESET : 0;
}

/* Sleeps until a doorbell rings, a socket hangs up, or limit_ns is over. 0 or -EINTR. */
static int sleep_on(struct ix_channel *const channels[], unsigned count, uint64_t limit_ns)
{
	struct pollfd fds[2 * IX_CORES_MAX];
	struct timespec limit = {
	    .tv_sec = (time_t)(limit_ns / NS_PER_S),
	    .tv_nsec = (long)(limit_ns % NS_PER_S),
	};
	int ready;

	for (unsigned i = 0; i < count; i++) {
		fds[2 * i] = (struct pollfd){.fd = channels[i]->doorbell, .events = POLLIN};
		fds[2 * i + 1] = (struct pollfd){.fd = channels[i]->client->sock, .events = POLLIN};
	}
	ready = ppoll(fds, 2 * count, limit_ns == IX_WAIT_FOREVER ? NULL : &limit, NULL);
	for (unsigned i = 0; ready > 0 && i < count; i++)
		if (fds[2 * i + 1].revents)
			check_socket(channels[i]->client);
	return ready < 0 ? -errno : 0;
}

/* A short sleep on one channel's events alone. The kernel compares the word itself, so an event that came
 * since the last look ends it at once. 0: events, or the time is over; -EINTR. */
static int sleep_briefly(struct ix_channel *channel, uint64_t limit_ns)
{
	struct timespec limit = {
	    .tv_nsec = (long)(limit_ns < FUTEX_WAIT_NS ? limit_ns : FUTEX_WAIT_NS),
	};
	uint32_t evt_prod = channel->evt_cons;
	long r;

	if (ix_flush(channel))
		return -ECONNRESET;
	__atomic_store_n(&channel->mine->is_sleeping, IX_SLEEP_FUTEX, __ATOMIC_RELAXED);
	/* Full barrier: the flag before the kernel's look at the index, as in ix_ring_sleep_announce(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r = syscall(SYS_futex, &channel->daemon->evt_prod, FUTEX_WAIT, evt_prod, &limit, NULL, 0);
	if (r < 0)
		r = errno == EINTR ? -EINTR : 0;
	ix_ring_sleep_end(&channel->mine->is_sleeping);
	return (int)r;
}

/* One sleep by the protocol of ring.h. Returns as ix_wait_any() does, 0 for "look at the clock again". */
static int sleep_once(struct ix_channel *const channels[], unsigned count, uint64_t limit_ns)
{
	bool must_sleep = true;
	int error = 0, ready;

	for (unsigned i = 0; i < count; i++) {
		if (ix_prepare_wait(channels[i]))
			must_sleep = false;
		if (channels[i]->is_starved && limit_ns > STARVED_RECHECK_NS)
			limit_ns = STARVED_RECHECK_NS;
	}
	if (must_sleep)
		error = sleep_on(channels, count, limit_ns);
	for (unsigned i = 0; i < count; i++) {
		int gone = ix_finish_wait(channels[i]);

		if (gone && !error)
			error = gone;
	}
	ready = count_ready(channels, count);
	return ready ? ready : error;
}

static bool shares_cpu(struct ix_channel *const channels[], unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (__atomic_load_n(&channels[i]->daemon->is_shared, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* Spins until something is ready or until_ns is reached. */
static int spin(struct ix_channel *const channels[], unsigned count, uint64_t until_ns)
{
	bool is_shared = shares_cpu(channels, count);
	uint64_t check_ns = ix_now_ns() + ALIVE_CHECK_NS;

	for (unsigned turn = 1;; turn++) {
		int ready = count_ready(channels, count);

		if (ready)
			return ready;
		/* Where ixd's core thread shares this CPU, nothing becomes ready unless it runs. */
		if (is_shared || turn % SPINS_PER_YIELD == 0)
			sched_yield();
		if (is_shared || turn % SPINS_PER_CLOCK == 0) {
			uint64_t now_ns = ix_now_ns();

			if (now_ns >= until_ns)
				return 0;
			if (now_ns >= check_ns) {
				check_ns = now_ns + ALIVE_CHECK_NS;
				check_socket(channels[0]->client);
				if (client_is_gone(channels[0]->client))
					return -ECONNRESET;
			}
		}
		if (is_shared)
			continue;
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("yield");
#endif
	}
}

IX_EXPORT int ix_wait_any(struct ix_channel *const channels[], unsigned count, uint64_t timeout_ns)
{
	uint64_t start_ns, end_ns, spin_end_ns;
	bool is_brief;
	int ready;

	if (!count || count > IX_CORES_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		ix_flush(channels[i]);
	ready = count_ready(channels, count);
	if (ready)
		return ready;
	if (!timeout_ns) {
		check_socket(channels[0]->client);
		return client_is_gone(channels[0]->client) ? -ECONNRESET : 0;
	}
	/* Also before a sleep: what was said leaves before this thread pays for going to sleep. */
	if (shares_cpu(channels, count))
		for (unsigned i = 0; i < (channels[0]->client->spin_us ? YIELDS_FIRST : 1); i++) {
			sched_yield();
			ready = count_ready(channels, count);
			if (ready)
				return ready;
		}
	start_ns = ix_now_ns();
	end_ns = timeout_ns > IX_WAIT_FOREVER - start_ns ? IX_WAIT_FOREVER : start_ns + timeout_ns;
	spin_end_ns = start_ns + (uint64_t)channels[0]->client->spin_us * NS_PER_US;
	if (spin_end_ns > start_ns)
		ready = spin(channels, count, spin_end_ns < end_ns ? spin_end_ns : end_ns);
	is_brief = count == 1 && !channels[0]->is_starved;
	while (!ready) {
		uint64_t now_ns = ix_now_ns();
		uint64_t limit_ns = end_ns == IX_WAIT_FOREVER ? IX_WAIT_FOREVER : end_ns - now_ns;

		if (now_ns >= end_ns)
			return client_is_gone(channels[0]->client) ? -ECONNRESET : 0;
		if (is_brief) {
			is_brief = false;
			ready = sleep_briefly(channels[0], limit_ns);
			if (!ready)
				ready = count_ready(channels, count);
		} else {
			ready = sleep_once(channels, count, limit_ns);
		}
	}
	return ready;
}

IX_EXPORT int ix_wait(struct ix_channel *channel, uint64_t timeout_ns)
{
	return ix_wait_any(&channel, 1, timeout_ns);
}
