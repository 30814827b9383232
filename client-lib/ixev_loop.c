/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of the event layer. A turn: take events and call handlers, run timers, tell who may write again,
 * look at foreign descriptors; then say everything that the handlers want said, and flush each channel once.
 */
#include <errno.h>
#include <stdlib.h>

#include "client-lib/ixev_internal.h"

/* Events taken per channel and turn: bounds how long an answer waits for the flush. */
#define EVENTS_PER_TURN      128u

/* Turns between looks at foreign descriptors while the channels keep the loop busy. */
#define BUSY_TURNS_PER_WATCH 16u

/* While a command ring is full, nobody rings when it has room again. */
#define FULL_RING_RECHECK_NS 100000u

#define NO_SLOT              UINT32_MAX

IX_EXPORT int ixev_loop_new(struct ix_client *client, unsigned first, unsigned count,
			    struct ixev_loop **result)
{
	unsigned cores = ix_cores(client);
	struct ixev_loop *loop;

	if (first >= cores || count > cores - first)
		return -EINVAL;
	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->client = client;
	loop->core_count = count ? count : cores - first;
	loop->free_slot = NO_SLOT;
	list_init(&loop->timers);
	loop->now_ns = ix_now_ns();
	for (unsigned i = 0; i < loop->core_count; i++) {
		loop->channels[i] = loop->cores[i].channel = ix_channel(client, first + i);
		list_init(&loop->cores[i].dirty);
		list_init(&loop->cores[i].writable);
		list_init(&loop->cores[i].starved);
	}
	*result = loop;
	return 0;
}

/* Says the end of a connection whose loop ends: best effort, ixd does the same when the client ends. */
static void conn_forget(struct ixev_conn *conn)
{
	struct ix_channel *channel = conn->core->channel;

	if (!conn->has_said_end && (conn->state == CONN_ACCEPT_SENT || conn->state == CONN_OPEN))
		ix_abort(channel, conn->handle);
	else if (conn->state == CONN_CONNECT_SENT)
		ix_cancel(channel, conn->cookie);
	else if (conn->state == CONN_KNOCKED)
		ix_reject(channel, conn->handle);
	conn_free(conn);
}

IX_EXPORT void ixev_loop_free(struct ixev_loop *loop)
{
	if (!loop)
		return;
	for (uint32_t i = 0; i < loop->slot_count; i++)
		if (loop->slots[i].conn)
			conn_forget(loop->slots[i].conn);
	listeners_end(loop);
	for (unsigned i = 0; i < loop->core_count; i++)
		ix_flush(loop->channels[i]);
	while (!list_is_empty(&loop->timers))
		ixev_timer_free(container(loop->timers.next, struct ixev_timer, of_loop));
	free(loop->heap);
	free(loop->poll_fds);
	free(loop->watches);
	free(loop->slots);
	free(loop);
}

IX_EXPORT void ixev_stop(struct ixev_loop *loop)
{
	loop->is_stopped = true;
}

IX_EXPORT size_t ixev_conn_count(const struct ixev_loop *loop)
{
	return loop->conn_count;
}

IX_EXPORT uint64_t ixev_now_ns(const struct ixev_loop *loop)
{
	return loop->now_ns;
}

static void dispatch_event(struct ixev_loop *loop, struct ev_core *core, const struct ix_event *event)
{
	struct ixev_conn *conn;

	if (event->cookie & LISTENER_COOKIE) {
		listener_event(loop, core, event);
		return;
	}
	if (event->type == IX_EV_ERROR) {
		conn_error(loop, core, event);
		return;
	}
	conn = conn_find(loop, event->cookie);
	if (conn)
		conn_event(core, conn, event);
}

/* A batch of events of one channel. Number of events, or negative errno. */
static int dispatch_core(struct ixev_loop *loop, struct ev_core *core)
{
	const struct ix_event *events;
	int count = ix_peek(core->channel, &events);
	uint32_t room;

	if (count <= 0)
		return count;
	room = ix_cmd_space(core->channel);
	if (room > EVENTS_PER_TURN)
		room = EVENTS_PER_TURN;
	if ((uint32_t)count > room)
		count = (int)room;
	for (int i = 0; i < count; i++)
		dispatch_event(loop, core, &events[i]);
	ix_release(core->channel, (unsigned)count);
	return count;
}

/* False when a command ring was too full for everything. */
static bool flush_core(struct ev_core *core)
{
	struct list due;
	bool is_all_said = true;

	list_move(&due, &core->dirty);
	while (!list_is_empty(&due)) {
		struct ixev_conn *conn = container(due.next, struct ixev_conn, to_flush);

		list_remove(&conn->to_flush);
		if (conn_flush(conn))
			continue;
		/* First come, first served: this one and those behind it keep their order for the next turn.
		 */
		list_append(&core->dirty, &conn->to_flush);
		while (!list_is_empty(&due))
			list_append(&core->dirty, due.next);
		is_all_said = false;
	}
	ix_flush(core->channel);
	return is_all_said;
}

static bool flush_all(struct ixev_loop *loop)
{
	bool is_all_said = true;

	for (unsigned i = 0; i < loop->core_count; i++)
		if (!flush_core(&loop->cores[i]))
			is_all_said = false;
	/* After the accepts: an unlisten ends the knocks that nobody has taken. */
	if (loop->has_listener_news) {
		is_all_said &= listeners_flush(loop);
		ix_flush(loop->channels[0]);
	}
	return is_all_said;
}

/* What one turn found. */
struct turn {
	bool has_worked;  /* handlers were called: look again before sleeping */
	bool is_all_said; /* no command waits for room in a ring */
};

/* Handlers called by the flush itself may have wanted more said. */
static bool has_news(const struct ixev_loop *loop)
{
	for (unsigned i = 0; i < loop->core_count; i++)
		if (!list_is_empty(&loop->cores[i].dirty))
			return true;
	return loop->has_listener_news;
}

/* Everything that is ready now. 0 or negative errno. */
static int turn_once(struct ixev_loop *loop, struct turn *turn)
{
	int error = 0;

	turn->has_worked = false;
	loop->now_ns = ix_now_ns();
	for (unsigned i = 0; i < loop->core_count; i++) {
		int taken = dispatch_core(loop, &loop->cores[i]);

		if (taken < 0)
			error = taken;
		turn->has_worked |= taken > 0;
	}
	turn->has_worked |= timers_run(loop);
	turn->is_all_said = flush_all(loop);
	/* After the flush, which finds out who may write again; what they write is flushed at once, too. */
	for (unsigned i = 0; i < loop->core_count; i++)
		if (tx_run_writable(&loop->cores[i])) {
			turn->has_worked = true;
			turn->is_all_said &= flush_core(&loop->cores[i]);
		}
	turn->has_worked |= turn->is_all_said && has_news(loop);
	return error;
}

/* True while a connection is due that the next turn can serve without any event. */
static bool has_own_work(const struct ixev_loop *loop)
{
	for (unsigned i = 0; i < loop->core_count; i++) {
		const struct ev_core *core = &loop->cores[i];

		if (!list_is_empty(&core->writable) || (core->has_freed_tx && !list_is_empty(&core->starved)))
			return true;
	}
	return false;
}

/* Waits for something, after a turn that found nothing. 0 or negative errno. */
static int wait_for_work(struct ixev_loop *loop, bool is_all_said, uint64_t timeout_ns)
{
	uint64_t timer_ns = timers_next_ns(loop);
	uint64_t spin_ns = (uint64_t)loop->client->spin_us * 1000;
	int result;

	if (timer_ns < timeout_ns)
		timeout_ns = timer_ns;
	if (!is_all_said && timeout_ns > FULL_RING_RECHECK_NS)
		timeout_ns = FULL_RING_RECHECK_NS;
	if (!loop->watch_count) {
		result = ix_wait_any(loop->channels, loop->core_count, timeout_ns);
		return result < 0 ? result : 0;
	}
	/* With foreign descriptors: the spin is for the channels alone, the sleep for all. */
	if (spin_ns && timeout_ns) {
		result = ix_wait_any(loop->channels, loop->core_count,
				     spin_ns < timeout_ns ? spin_ns : timeout_ns);
		if (result)
			return result < 0 ? result : 0;
	}
	result = watches_poll(loop, timeout_ns);
	if (result > 0)
		flush_all(loop);
	return result < 0 ? result : 0;
}

IX_EXPORT int ixev_turn(struct ixev_loop *loop, uint64_t timeout_ns)
{
	struct turn turn;
	int error = turn_once(loop, &turn);

	if (error)
		return error;
	if (turn.has_worked || has_own_work(loop) || !timeout_ns || loop->is_stopped) {
		/* Busy channels must not keep the foreign descriptors waiting for ever. */
		if (!loop->watch_count || ++loop->turns_unwatched < BUSY_TURNS_PER_WATCH)
			return 0;
		timeout_ns = 0;
	}
	loop->turns_unwatched = 0;
	error = wait_for_work(loop, turn.is_all_said, timeout_ns);
	if (error)
		return error;
	return timeout_ns ? turn_once(loop, &turn) : 0;
}

/* ixd has gone, and its connections with it. */
static void bury_all(struct ixev_loop *loop)
{
	for (uint32_t i = 0; i < loop->slot_count; i++)
		if (loop->slots[i].conn)
			conn_dead(loop->slots[i].conn, IX_REASON_RESTART);
}

static bool has_anything(const struct ixev_loop *loop)
{
	return loop->conn_count || loop->listener_count || loop->timer_count || loop->watch_count;
}

IX_EXPORT int ixev_run(struct ixev_loop *loop)
{
	loop->is_stopped = false;
	while (!loop->is_stopped && has_anything(loop)) {
		int error = ixev_turn(loop, IX_WAIT_FOREVER);

		/* A signal that has a handler of its own does not concern the loop. */
		if (!error || error == -EINTR)
			continue;
		bury_all(loop);
		return error;
	}
	/* What the last handlers wanted said. */
	flush_all(loop);
	return 0;
}
