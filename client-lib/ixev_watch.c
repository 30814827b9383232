/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Foreign file descriptors of the event layer, polled together with the doorbells.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "client-lib/ixev_internal.h"

#define WATCHES_MIN 4u
#define ENDED       (-1) /* as a descriptor: poll() passes over it */
#define NS_PER_S    1000000000u

static struct pollfd *find(struct ixev_loop *loop, int fd)
{
	for (unsigned i = 0; i < loop->watch_count; i++)
		if (loop->poll_fds[i].fd == fd)
			return &loop->poll_fds[i];
	return NULL;
}

static int grow(struct ixev_loop *loop)
{
	unsigned places = loop->watch_places ? 2 * loop->watch_places : WATCHES_MIN;
	/* Behind the watches there is room for two descriptors per core. */
	struct pollfd *fds = realloc(loop->poll_fds, (places + 2 * IX_CORES_MAX) * sizeof(*fds));
	struct watch *watches;

	if (!fds)
		return -ENOMEM;
	loop->poll_fds = fds;
	watches = realloc(loop->watches, places * sizeof(*watches));
	if (!watches)
		return -ENOMEM;
	loop->watches = watches;
	loop->watch_places = places;
	return 0;
}

IX_EXPORT int ixev_watch(struct ixev_loop *loop, int fd, short events, void (*on_ready)(int, short, void *),
			 void *arg)
{
	struct pollfd *entry;

	if (fd < 0 || !on_ready)
		return -EINVAL;
	entry = find(loop, fd);
	if (!entry) {
		if (loop->watch_count == loop->watch_places && grow(loop))
			return -ENOMEM;
		entry = &loop->poll_fds[loop->watch_count++];
		entry->revents = 0;
	}
	entry->fd = fd;
	entry->events = events;
	/* A paused watch must not see POLLHUP either, which poll() reports unasked; see watches_poll(). */
	loop->watches[entry - loop->poll_fds] = (struct watch){on_ready, arg};
	return 0;
}

static void remove_ended(struct ixev_loop *loop)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < loop->watch_count; i++) {
		if (loop->poll_fds[i].fd == ENDED)
			continue;
		loop->poll_fds[kept] = loop->poll_fds[i];
		loop->watches[kept++] = loop->watches[i];
	}
	loop->watch_count = kept;
}

IX_EXPORT void ixev_unwatch(struct ixev_loop *loop, int fd)
{
	struct pollfd *entry = find(loop, fd);

	if (!entry)
		return;
	entry->fd = ENDED;
	/* While the watches are walked, places must not move. */
	if (!loop->is_walking_watches)
		remove_ended(loop);
}

static int run_handlers(struct ixev_loop *loop)
{
	int called = 0;

	loop->is_walking_watches = true;
	/* By index: a handler may add watches and so move the arrays. */
	for (unsigned i = 0; i < loop->watch_count; i++) {
		short found = loop->poll_fds[i].revents;

		loop->poll_fds[i].revents = 0;
		if (!found || loop->poll_fds[i].fd == ENDED || !loop->poll_fds[i].events)
			continue;
		loop->watches[i].on_ready(loop->poll_fds[i].fd, found, loop->watches[i].arg);
		called++;
	}
	loop->is_walking_watches = false;
	remove_ended(loop);
	return called;
}

/* Doorbells behind the watches. Returns how many descriptors there are in all. */
static nfds_t add_doorbells(struct ixev_loop *loop)
{
	struct pollfd *at = loop->poll_fds + loop->watch_count;

	for (unsigned i = 0; i < loop->core_count; i++)
		*at++ = (struct pollfd){.fd = ix_fd(loop->channels[i]), .events = POLLIN};
	*at++ = (struct pollfd){.fd = ix_client_fd(loop->client), .events = POLLIN};
	return (nfds_t)(at - loop->poll_fds);
}

static int poll_all(struct ixev_loop *loop, nfds_t count, uint64_t timeout_ns)
{
	struct timespec limit = {
	    .tv_sec = (time_t)(timeout_ns / NS_PER_S),
	    .tv_nsec = (long)(timeout_ns % NS_PER_S),
	};
	int ready;

	/* A watch with no events is left out altogether: poll() would report its hang-up again and again. */
	for (unsigned i = 0; i < loop->watch_count; i++)
		if (!loop->poll_fds[i].events && loop->poll_fds[i].fd >= 0)
			loop->poll_fds[i].fd = ~loop->poll_fds[i].fd;
	ready = ppoll(loop->poll_fds, count, timeout_ns == IX_WAIT_FOREVER ? NULL : &limit, NULL);
	for (unsigned i = 0; i < loop->watch_count; i++)
		if (!loop->poll_fds[i].events && loop->poll_fds[i].fd < ENDED)
			loop->poll_fds[i].fd = ~loop->poll_fds[i].fd;
	return ready < 0 ? -errno : ready;
}

int watches_poll(struct ixev_loop *loop, uint64_t timeout_ns)
{
	bool may_sleep = true;
	int ready;

	if (!timeout_ns) {
		ready = poll_all(loop, loop->watch_count, 0);
		return ready < 0 ? ready : run_handlers(loop);
	}
	for (unsigned i = 0; i < loop->core_count; i++)
		if (ix_prepare_wait(loop->channels[i]))
			may_sleep = false;
	ready = poll_all(loop, add_doorbells(loop), may_sleep ? timeout_ns : 0);
	for (unsigned i = 0; i < loop->core_count; i++)
		if (ix_finish_wait(loop->channels[i]) && ready >= 0)
			ready = -ECONNRESET;
	return ready < 0 ? ready : run_handlers(loop);
}
