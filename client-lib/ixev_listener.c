/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners of the event layer. A listener's address is its cookie, so that any loop of the process can find
 * it; what other loops read of it never changes, but for is_closed, and it is freed with the client only.
 */
#include <errno.h>
#include <stdlib.h>

#include "client-lib/ixev_internal.h"

IX_EXPORT int ixev_listen(struct ixev_loop *loop, const struct ix_addr *local,
			  const struct ix_options *options, const struct ixev_listener_handlers *handlers,
			  void *arg, struct ixev_listener **result)
{
	struct ixev_listener *listener;

	if (!local || !handlers || !handlers->on_accept ||
	    (options && (!ix_flags_are_valid(options->flags) || options->cc >= IX_CC_COUNT)))
		return -EINVAL;
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	listener->loop = loop;
	listener->handlers = handlers;
	listener->arg = arg;
	listener->local = *local;
	if (options)
		listener->options = *options;
	listener->leftover.next = atomic_load(&loop->client->leftovers);
	while (!atomic_compare_exchange_weak(&loop->client->leftovers, &listener->leftover.next,
					     &listener->leftover))
		;
	listener->next = loop->listeners;
	loop->listeners = listener;
	loop->listener_count++;
	loop->has_listener_news = true;
	if (result)
		*result = listener;
	return 0;
}

static void listener_over(struct ixev_listener *listener)
{
	if (listener->is_over)
		return;
	listener->is_over = true;
	atomic_store(&listener->is_closed, true);
	listener->loop->listener_count--;
}

IX_EXPORT void ixev_unlisten(struct ixev_listener *listener)
{
	atomic_store(&listener->is_closed, true);
	listener->loop->has_listener_news = true;
}

/* False: the command ring is full. */
static bool listener_flush(struct ixev_listener *listener)
{
	struct ix_channel *channel = listener->loop->channels[0];
	bool is_closed = atomic_load(&listener->is_closed);

	if (listener->is_over)
		return true;
	if (!listener->has_said_listen) {
		if (is_closed) {
			listener_over(listener);
			return true;
		}
		if (ix_listen(channel, (uintptr_t)listener | LISTENER_COOKIE, &listener->local,
			      &listener->options))
			return false;
		listener->has_said_listen = true;
	}
	/* Without the handle, the unlisten waits for the listening event. */
	if (!is_closed || !listener->has_handle)
		return true;
	if (ix_unlisten(channel, listener->handle))
		return false;
	listener_over(listener);
	return true;
}

bool listeners_flush(struct ixev_loop *loop)
{
	if (!loop->has_listener_news)
		return true;
	for (struct ixev_listener *listener = loop->listeners; listener; listener = listener->next)
		if (!listener_flush(listener))
			return false;
	loop->has_listener_news = false;
	return true;
}

void listeners_end(struct ixev_loop *loop)
{
	for (struct ixev_listener *listener = loop->listeners; listener; listener = listener->next)
		ixev_unlisten(listener);
	listeners_flush(loop);
	/* Those whose unlisten had no room end with the client; events for them find them over. */
	for (struct ixev_listener *listener = loop->listeners; listener; listener = listener->next)
		listener_over(listener);
}

static void on_listening(struct ixev_listener *listener, const struct ix_event *event)
{
	/* A restarted dataplane may announce a listener again; it is told to the application once. */
	bool is_first = !listener->has_handle;

	if (listener->is_over)
		return;
	if (event->outcome)
		listener_over(listener);
	else
		listener->has_handle = true;
	listener->handle = event->handle;
	listener->loop->has_listener_news = true;
	if (is_first && listener->handlers->on_listening)
		listener->handlers->on_listening(listener, listener->arg, event->outcome);
}

static void on_knock(struct ixev_loop *loop, struct ev_core *core, struct ixev_listener *listener,
		     const struct ix_event *event)
{
	struct ixev_conn *conn = conn_new(loop, core);

	if (!conn) {
		/* The loop takes no more events than there is room for one command each, so this one fits. */
		ix_reject(core->channel, event->handle);
		return;
	}
	conn->state = CONN_KNOCKED;
	conn->handle = event->handle;
	ix_event_local(event, &conn->local);
	ix_event_remote(event, &conn->remote);
	if (atomic_load(&listener->is_closed) || listener->handlers->on_accept(listener, conn, listener->arg))
		conn->wants_reject = true;
	conn_mark(conn);
}

void listener_event(struct ixev_loop *loop, struct ev_core *core, const struct ix_event *event)
{
	struct ixev_listener *listener =
	    (struct ixev_listener *)(uintptr_t)(event->cookie & ~LISTENER_COOKIE);

	switch (event->type) {
	case IX_EV_LISTENING:
		on_listening(listener, event);
		return;
	case IX_EV_KNOCK:
		on_knock(loop, core, listener, event);
		return;
	case IX_EV_ERROR:
		if (event->error.op != IX_OP_LISTEN || listener->has_handle || listener->is_over)
			return;
		listener_over(listener);
		if (listener->handlers->on_listening)
			listener->handlers->on_listening(listener, listener->arg, event->outcome);
		return;
	default:
		return;
	}
}
