/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's event loop on io_uring.
 */
#include "daemon/supervisor/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/time_units.h"
#include "daemon/supervisor/clock.h"

#define RING_ENTRIES 256
#define IDLE_NS      (3600 * NS_PER_S)

struct loop_watch {
	struct loop_watch *next, **link; /* in loop->watches */
	int fd;
	bool is_armed; /* io_uring holds a reference */
	bool is_removed;
	void (*on_readable)(void *arg);
	void *arg;
};

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	return io_uring_queue_init(RING_ENTRIES, &loop->ring, 0);
}

static void watch_free(struct loop_watch *watch)
{
	*watch->link = watch->next;
	if (watch->next != NULL)
		watch->next->link = watch->link;
	free(watch);
}

void loop_fini(struct loop *loop)
{
	io_uring_queue_exit(&loop->ring);
	/* After it nothing refers to those that were being removed. */
	for (struct loop_watch *watch = loop->watches, *next; watch != NULL; watch = next) {
		next = watch->next;
		free(watch);
	}
}

/* A full submission queue is emptied by submitting it. */
static struct io_uring_sqe *entry_get(struct loop *loop)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&loop->ring);

	if (entry == NULL && io_uring_submit(&loop->ring) >= 0)
		entry = io_uring_get_sqe(&loop->ring);
	return entry;
}

static bool watch_arm(struct loop *loop, struct loop_watch *watch)
{
	struct io_uring_sqe *entry = entry_get(loop);

	if (entry == NULL)
		return false;
	io_uring_prep_poll_add(entry, watch->fd, POLLIN | POLLRDHUP);
	io_uring_sqe_set_data(entry, watch);
	watch->is_armed = true;
	return true;
}

struct loop_watch *loop_watch_add(struct loop *loop, int fd, void (*on_readable)(void *arg), void *arg)
{
	struct loop_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	watch->fd = fd;
	watch->on_readable = on_readable;
	watch->arg = arg;
	watch->next = loop->watches;
	watch->link = &loop->watches;
	if (watch->next != NULL)
		watch->next->link = &watch->next;
	loop->watches = watch;
	if (!watch_arm(loop, watch)) {
		watch_free(watch);
		return NULL;
	}
	return watch;
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
	if (watch == NULL)
		return;
	watch->is_removed = true;
	if (!watch->is_armed) {
		/* Its handler is running: loop_turn() frees it. */
		return;
	}
	/* Freed when the poll's own completion, cancelled or not, has come. The descriptor is about to be
	 * closed: the request must reach the kernel before. */
	struct io_uring_sqe *entry = entry_get(loop);
	if (entry != NULL) {
		io_uring_prep_poll_remove(entry, (uint64_t)(uintptr_t)watch);
		io_uring_sqe_set_data(entry, NULL);
		io_uring_submit(&loop->ring);
	}
}

static void watch_complete(struct loop *loop, struct loop_watch *watch)
{
	watch->is_armed = false;
	if (!watch->is_removed)
		watch->on_readable(watch->arg);
	if (watch->is_removed)
		watch_free(watch);
	else if (!watch_arm(loop, watch))
		loop->error = -EBUSY;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ns)
{
	timer->at_ns = at_ns;
	if (timer->is_listed)
		return;
	timer->is_listed = true;
	timer->next = loop->timers;
	loop->timers = timer;
}

void loop_timer_clear(struct loop_timer *timer)
{
	timer->at_ns = 0; /* stays listed: there are few, and they are set again */
}

static uint64_t timers_run(struct loop *loop, uint64_t now_ns)
{
	uint64_t next_ns = now_ns + IDLE_NS;

	for (struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
		if (timer->at_ns != 0 && timer->at_ns <= now_ns) {
			timer->at_ns = 0;
			timer->on_time(timer->arg);
		}
	/* A second walk, because handlers set timers. */
	for (struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
		if (timer->at_ns != 0 && timer->at_ns < next_ns)
			next_ns = timer->at_ns;
	return next_ns > now_ns ? next_ns - now_ns : 0;
}

int loop_turn(struct loop *loop, uint64_t timeout_ns)
{
	uint64_t wait_ns = timers_run(loop, monotonic_ns());
	struct io_uring_cqe *completion;

	if (loop->must_stop)
		return 0;
	if (wait_ns > timeout_ns)
		wait_ns = timeout_ns;
	struct __kernel_timespec wait = {.tv_sec = (long long)(wait_ns / NS_PER_S),
					 .tv_nsec = (long long)(wait_ns % NS_PER_S)};
	int result = io_uring_submit_and_wait_timeout(&loop->ring, &completion, 1, &wait, NULL);
	if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN)
		return result;
	while (!loop->must_stop && io_uring_peek_cqe(&loop->ring, &completion) == 0) {
		struct loop_watch *watch = io_uring_cqe_get_data(completion);
		io_uring_cqe_seen(&loop->ring, completion);
		if (watch != NULL)
			watch_complete(loop, watch);
	}
	return loop->error;
}

int loop_run(struct loop *loop)
{
	int error = 0;

	while (!loop->must_stop && !error)
		error = loop_turn(loop, IDLE_NS);
	return error;
}
