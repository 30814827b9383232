/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers of the event layer: a binary heap by deadline, each timer knowing its place in it.
 */
#include <errno.h>
#include <stdlib.h>

#include "client-lib/ixev_internal.h"

#define NOT_SET         SIZE_MAX
#define HEAP_MIN_PLACES 16u

static void heap_put(struct ixev_loop *loop, size_t place, struct ixev_timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place;
}

static void heap_up(struct ixev_loop *loop, size_t place, struct ixev_timer *timer)
{
	while (place && loop->heap[(place - 1) / 2]->deadline_ns > timer->deadline_ns) {
		heap_put(loop, place, loop->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	heap_put(loop, place, timer);
}

static void heap_down(struct ixev_loop *loop, size_t place, struct ixev_timer *timer)
{
	for (;;) {
		size_t child = 2 * place + 1;

		if (child + 1 < loop->timer_count &&
		    loop->heap[child + 1]->deadline_ns < loop->heap[child]->deadline_ns)
			child++;
		if (child >= loop->timer_count || loop->heap[child]->deadline_ns >= timer->deadline_ns)
			break;
		heap_put(loop, place, loop->heap[child]);
		place = child;
	}
	heap_put(loop, place, timer);
}

IX_EXPORT int ixev_timer_new(struct ixev_loop *loop, void (*on_timer)(struct ixev_timer *timer, void *arg),
			     void *arg, struct ixev_timer **result)
{
	struct ixev_timer *timer;

	if (!on_timer)
		return -EINVAL;
	timer = malloc(sizeof(*timer));
	if (!timer)
		return -ENOMEM;
	*timer = (struct ixev_timer){.loop = loop, .on_timer = on_timer, .arg = arg, .place = NOT_SET};
	list_init(&timer->of_loop);
	list_append(&loop->timers, &timer->of_loop);
	*result = timer;
	return 0;
}

IX_EXPORT int ixev_timer_set(struct ixev_timer *timer, uint64_t delay_ns)
{
	struct ixev_loop *loop = timer->loop;
	uint64_t now_ns = ix_now_ns();

	ixev_timer_cancel(timer);
	if (loop->timer_count == loop->heap_places) {
		size_t places = loop->heap_places ? 2 * loop->heap_places : HEAP_MIN_PLACES;
		struct ixev_timer **heap = realloc(loop->heap, places * sizeof(struct ixev_timer *));

		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_places = places;
	}
	timer->deadline_ns = delay_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + delay_ns;
	heap_up(loop, loop->timer_count++, timer);
	return 0;
}

IX_EXPORT void ixev_timer_cancel(struct ixev_timer *timer)
{
	struct ixev_loop *loop = timer->loop;
	size_t place = timer->place;
	struct ixev_timer *last;

	if (place == NOT_SET)
		return;
	timer->place = NOT_SET;
	last = loop->heap[--loop->timer_count];
	if (last == timer)
		return;
	/* The last one takes the place; it may belong above it or below. */
	if (place && loop->heap[(place - 1) / 2]->deadline_ns > last->deadline_ns)
		heap_up(loop, place, last);
	else
		heap_down(loop, place, last);
}

IX_EXPORT void ixev_timer_free(struct ixev_timer *timer)
{
	if (!timer)
		return;
	ixev_timer_cancel(timer);
	list_remove(&timer->of_loop);
	free(timer);
}

bool timers_run(struct ixev_loop *loop)
{
	bool had_any = false;

	/* Against the turn's time, so that a handler that sets its timer to zero again cannot hold the loop.
	 */
	while (loop->timer_count && loop->heap[0]->deadline_ns <= loop->now_ns) {
		struct ixev_timer *timer = loop->heap[0];

		ixev_timer_cancel(timer);
		timer->on_timer(timer, timer->arg);
		had_any = true;
	}
	return had_any;
}

uint64_t timers_next_ns(const struct ixev_loop *loop)
{
	uint64_t now_ns;

	if (!loop->timer_count)
		return IX_WAIT_FOREVER;
	now_ns = ix_now_ns();
	return loop->heap[0]->deadline_ns > now_ns ? loop->heap[0]->deadline_ns - now_ns : 0;
}
