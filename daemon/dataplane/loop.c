/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run to completion: one thread carries a batch of packets all the way up to the clients and the answers all
 * the way down, and sleeps only when nothing is left.
 *
 *   NIC ─▶ xsk_rx_burst ─▶ eth_input ─▶ ip_input ─▶ tcp_input ─▶ conn_on_… ─▶ event_flush ─▶ client
 *                                                                                             │
 *   NIC ◀─ xsk_tx_burst ◀── eth_output ◀── ip_output ◀── tcp_output ◀── tcp_send ◀── command_drain
 */
#include "daemon/dataplane/loop.h"

#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/common/cpu_relax.h"
#include "daemon/common/time_units.h"
#include "daemon/dataplane/channel.h"
#include "daemon/dataplane/clock.h"
#include "daemon/dataplane/conn.h"
#include "daemon/dataplane/ip.h"
#include "daemon/dataplane/mailbox.h"
#include "daemon/dataplane/xsk.h"

#define TIMERS_PER_TURN     256
/* A packet that is answered costs an application two commands, one for the bytes and one for the answer. With
 * fewer than the batch needs, half of the answers would wait, and their ACKs would leave alone. */
#define COMMANDS_PER_PACKET 4
#define WAKEUPS_MAX         64
/* Output that is owed but finds no frame or no room in a TX ring is tried again after so long, if nothing
 * wakes the core before. */
#define OUTPUT_RETRY_NS     100000u
/* Shared core: a core thread that waits for packets lets the application, which may have work of its own, run
 * so often, if no turn has. More often would make a packet that arrives meanwhile wait for two needless
 * switches. */
#define IDLE_YIELD_NS       20000u
/* Short looks between two turns that found nothing: no longer than a turn, or timers and the clock would be
 * late. */
#define LOOKS_PER_TURN      6u
/* A core that has not slept for so long does without being woken by packets. To change that costs no more
 * than a thousandth of the time. */
#define AWAKE_LONG_NS       1000000u
/* At the end: connections reset per burst, and how long the bursts may take. */
#define RESETS_PER_BURST    64
#define FINISH_MAX_NS       500000000u

/* What a turn found to do. */
struct turn {
	bool has_traffic; /* packets, commands, mail, output: worth spinning for what follows */
	bool has_timers;  /* worth another turn, but not worth spinning */
	bool has_yielded; /* the application had the CPU */
};

static bool receive(struct core *core)
{
	uint32_t count;

	xsk_reap(core);
	xsk_refill(core);
	if (core->dp->cores > 1)
		icmp_take_passed(core);
	count = xsk_rx_burst(core, core->rx, batch_bound_get(&core->batch_bound, core->config.batch));
	batch_bound_note(&core->batch_bound, core->config.batch, count, core->stats->tx_xdp_calls);
	if (count == 0)
		return false;
	eth_input(core, core->rx);
	core->stats->batch_sum += count;
	core->stats->batch_count++;
	core->stats->loop_batch_full += count >= core->config.batch;
	return true;
}

static bool timers_run(struct core *core)
{
	tcp_time client = client_side_next_timer(core);
	bool has_run = tcp_timer_run(core->tcp, core->now, TIMERS_PER_TURN) > 0;

	if (client.ns != 0 && client.ns <= core->now.ns) {
		client_side_timer_run(core);
		has_run = true;
	}
	neigh_run(core);
	return has_run;
}

/* Shared core: lets the application run, unless it has done so already: a thread that was woken may take the
 * CPU at once, and to yield after its answer would only send it to sleep. */
static void hand_over(struct core *core)
{
	if (core->clients->idle_count > 0 || channels_have_untaken(core->clients))
		sched_yield();
}

/* Shared core: the application takes its turn as soon as it has been told something, so that its answers, and
 * our ACKs on them, leave with this batch. Both yield to each other, so both must have the same priority: a
 * favoured thread would not let go. */
static enum commands clients_run(struct core *core, struct turn *turn, uint64_t events_before)
{
	event_flush(core);
	if (core->config.is_shared_core != 0 && core->stats->events != events_before) {
		hand_over(core);
		turn->has_yielded = true;
	}
	return command_drain(core, core->config.batch * COMMANDS_PER_PACKET);
}

static struct turn turn_run(struct core *core)
{
	uint64_t events_before = core->stats->events;
	struct turn turn = {0};
	bool is_shared = core->config.is_shared_core != 0;
	enum commands commands;
	bool has_output;

	ip_turn_begin(core);
	turn.has_traffic = receive(core);
	commands = clients_run(core, &turn, events_before);
	turn.has_traffic |= commands != COMMANDS_NONE;
	/* What came with the end of a handshake is told once the connection has been accepted: now, so that
	 * the answer leaves with this batch, and with it the ACK, which would go alone else. */
	if (is_shared && commands == COMMANDS_ALL && event_is_owed(core))
		commands = clients_run(core, &turn, core->stats->events);
	/* Once the application has said all that it had to say, an ACK that did not find an answer to ride on
	 * need not wait for one. */
	has_output =
	    tcp_output(core->tcp, core->now, core->config.batch, is_shared && commands == COMMANDS_ALL) > 0;
	turn.has_traffic |= has_output;
	turn.has_timers = timers_run(core);
	xsk_tx_burst(core);
	/* Not before: the pool gives first what came last. So FILL gets these, and the next turn's answers
	 * lie in the frames of this one's, which are in the cache, and not in each frame in turn. */
	xsk_rx_return(core, core->rx);
	turn.has_traffic |= core_take_mail(core);
	core->stats->loop_turns++;
	return turn;
}

static void earliest(uint64_t *ns, tcp_time t)
{
	if (t.ns != 0 && t.ns < *ns)
		*ns = t.ns;
}

/* When the core must be awake again by itself; UINT64_MAX never. */
static uint64_t next_timer_ns(const struct core *core)
{
	uint64_t ns = UINT64_MAX;

	earliest(&ns, tcp_timer_next(core->tcp));
	earliest(&ns, client_side_next_timer(core));
	earliest(&ns, neigh_next_timer(core));
	earliest(&ns, xsk_next_timer(core));
	if (tcp_output_pending(core->tcp))
		earliest(&ns, (tcp_time){core->now.ns + OUTPUT_RETRY_NS});
	return ns;
}

static void wake_drain(const struct core *core)
{
	uint64_t count;
	/* Non-blocking; what it was rung for is found by the next turn, whatever the count. */
	ssize_t bytes = read(core->wake_fd, &count, sizeof(count));

	(void)bytes;
}

/* Timers move on with each packet, and to set the clock's hardware costs as much as the packet. So what is
 * set stays, if it comes soon enough: the core wakes too early once, and sets what is due by then. */
static void timer_set(struct core *core, uint64_t until_ns)
{
	struct itimerspec at = {
	    .it_value = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)}};

	if (until_ns == UINT64_MAX || (core->timer_ns > core->now.ns && core->timer_ns <= until_ns))
		return;
	core->timer_ns = until_ns;
	timerfd_settime(core->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void wait(struct core *core)
{
	struct epoll_event events[WAKEUPS_MAX];
	uint64_t until_ns;
	int count;

	core->now = clock_now();
	until_ns = next_timer_ns(core);
	if (until_ns <= core->now.ns)
		return;
	timer_set(core, until_ns);
	core->stats->loop_sleeps++;
	count = epoll_wait(core->epoll_fd, events, WAKEUPS_MAX, -1);
	for (int i = 0; i < count; i++) {
		if (events[i].data.u64 == CORE_EVENT_WAKE)
			wake_drain(core);
		else if ((events[i].data.u64 & 1) == 0)
			channel_doorbell(core, events[i].data.ptr);
	}
}

/* First the flags that make others ring, then a last look everywhere, then sleep: what arrives after the look
 * rings. Sockets need no flag, epoll looks at them itself. */
static void sleep_until_work(struct core *core)
{
	bool is_idle;

	if (!xsk_watch(core))
		return; /* the kernel has no memory; who cannot be woken stays awake */
	__atomic_store_n(&core->is_sleeping, 1, __ATOMIC_RELAXED);
	/* Full barrier; the other half of it is in core_wake(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	frame_collect(core);
	core->stats->frames_pool = core->frames->count;
	xsk_prepare_sleep(core);
	is_idle = channels_prepare_sleep(core) && mailbox_is_empty(core->inbox) && !xsk_has_work(core) &&
		  !icmp_is_passed(core);
	if (is_idle)
		wait(core);
	__atomic_store_n(&core->is_sleeping, 0, __ATOMIC_RELAXED);
	channels_end_sleep(core);
	core->now = clock_now();
	core->woke_at = core->now;
}

/* RST for every connection, in bursts that the TX rings can take. */
static void finish(struct core *core)
{
	uint32_t conns = core->dp->init->fixed.conns_per_core;
	uint64_t give_up_ns = clock_now().ns + FINISH_MAX_NS;
	uint32_t next = 0;

	do {
		uint32_t resets = 0;

		core->now = clock_now();
		ip_turn_begin(core);
		xsk_reap(core);
		for (; next < conns && resets < RESETS_PER_BURST; next++)
			resets += tcp_abort(core->tcp, core->now, next) == 0;
		tcp_output(core->tcp, core->now, RESETS_PER_BURST, true);
		event_flush(core);
		xsk_tx_burst(core);
	} while ((next < conns || tcp_output_pending(core->tcp) || core->xsk->stalled_count > 0) &&
		 core->now.ns < give_up_ns);
}

/* A whole turn takes far longer than to see that it would find nothing, and what comes meanwhile waits for
 * its end. So between two of them there are short looks at what brings traffic. */
static void watch(struct core *core)
{
	for (unsigned i = 0; i < LOOKS_PER_TURN; i++) {
		if (channels_have_commands(core->clients) || xsk_has_work(core) ||
		    !mailbox_is_empty(core->inbox))
			return;
		cpu_relax();
	}
}

/* Whether the application should have the CPU while the core waits for packets. The scheduler may have chosen
 * the core's thread once more when it yielded, since by its accounts the application had more than its share;
 * each yield gives up the rest of a slice, so another one soon has its effect. Not before nothing else is to
 * do: under load more packets come first, and more events for the application at once. */
static bool must_yield(const struct core *core, tcp_time yielded_at)
{
	return core->config.is_shared_core != 0 &&
	       (core->now.ns - yielded_at.ns >= IDLE_YIELD_NS || channels_have_untaken(core->clients));
}

static void spin(struct core *core, tcp_time *yielded_at)
{
	watch(core);
	if (!must_yield(core, *yielded_at))
		return;
	sched_yield();
	*yielded_at = clock_now();
}

void loop_run(struct core *core)
{
	tcp_time busy_at, yielded_at = {0};

	core->now = clock_now();
	busy_at = core->now;
	while (!core->must_stop) {
		tcp_time began = core->now;
		struct turn turn = turn_run(core);

		core->now = clock_now();
		if (core->xsk->watched_count > 0 && core->now.ns - core->woke_at.ns >= AWAKE_LONG_NS)
			xsk_unwatch(core);
		if (turn.has_traffic || turn.has_timers)
			core->stats->busy_ns += core->now.ns - began.ns;
		if (turn.has_yielded)
			yielded_at = core->now;
		if (turn.has_traffic) {
			spin_bound_note_traffic(&core->spin_bound);
			busy_at = core->now;
		} else if (turn.has_timers) {
			continue;
		} else if (spin_bound_is_over(&core->spin_bound, core->now.ns - busy_at.ns,
					      (uint64_t)core->config.spin_us * 1000)) {
			sleep_until_work(core);
		} else {
			spin(core, &yielded_at);
		}
	}
	finish(core);
}
