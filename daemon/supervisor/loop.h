/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's event loop on io_uring: descriptors that become readable, and timers. One thread.
 *
 * Every watch is a one-shot poll, armed again after its handler has run: io_uring looks at the present state
 * when it arms, so a handler need not drain its descriptor, and nothing is lost.
 */
#ifndef DAEMON_SUPERVISOR_LOOP_H
#define DAEMON_SUPERVISOR_LOOP_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

struct loop_watch;

struct loop_timer {
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0: not set */
	void (*on_time)(void *arg);
	void *arg;
	struct loop_timer *next; /* unordered list: there are few */
	bool is_listed;
};

struct loop {
	struct io_uring ring;
	struct loop_watch *watches; /* all that are not freed yet */
	struct loop_timer *timers;
	bool must_stop;
	int error; /* a watch could not be armed again: the loop is no good any more */
};

/* 0 or negative errno. */
int loop_init(struct loop *loop);
/* Frees all watches, too. */
void loop_fini(struct loop *loop);
/* Calls on_readable(arg) whenever fd is readable or hung up. NULL without memory. The descriptor stays the
 * caller's, who removes the watch before closing it. */
struct loop_watch *loop_watch_add(struct loop *loop, int fd, void (*on_readable)(void *arg), void *arg);
/* Its handler is not called any more; allowed inside the handler. NULL is allowed. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);
/* Calls timer->on_time once, not before at_ns; setting again moves it. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ns);
void loop_timer_clear(struct loop_timer *timer);
/* Until must_stop: 0, or negative errno of io_uring. */
int loop_run(struct loop *loop);
/* Runs what is ready, waiting for at most timeout_ns. */
int loop_turn(struct loop *loop, uint64_t timeout_ns);

#endif
