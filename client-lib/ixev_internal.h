/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the event layer share: the loop, its connections and the lists on which they wait for the
 * end of the turn.
 *
 * Nothing is told to ixd while handlers run. A connection that has something to say stands on its core's list
 * `dirty`; at the end of the turn conn_flush() says it in the one order that is right, and leaves the
 * connection there when the command ring was full.
 */
#ifndef IX_CLIENT_IXEV_INTERNAL_H
#define IX_CLIENT_IXEV_INTERNAL_H

#include <poll.h>

#include <ix/ixev.h>

#include "client-lib/internal.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *list)
{
	list->prev = list->next = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

/* Takes a member off whatever list it is on; harmless when it is on none. */
static inline void list_remove(struct list *member)
{
	member->prev->next = member->next;
	member->next->prev = member->prev;
	list_init(member);
}

static inline void list_append(struct list *list, struct list *member)
{
	list_remove(member);
	member->prev = list->prev;
	member->next = list;
	list->prev->next = member;
	list->prev = member;
}

/* Moves all members of `from` to the empty list `to`. */
static inline void list_move(struct list *to, struct list *from)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->prev = to->prev->next = to;
	list_init(from);
}

#define container(member, type, field) ((type *)(void *)((char *)(member)-offsetof(type, field)))

/* A channel within a loop. */
struct ev_core {
	struct ix_channel *channel;
	struct list dirty;    /* by to_flush: something to say */
	struct list writable; /* by to_write: on_writable is due */
	struct list starved;  /* by to_write: a write found no TX memory */
	bool has_freed_tx;    /* TX memory came back since the starved were last looked at */
};

/* Received bytes in place, as IX_EV_RECV named them. */
struct rx_part {
	uint64_t off;
	uint32_t len;
};

/* A piece of TX memory in the stream of sent bytes: used from `start` on for `len` bytes. */
struct tx_chunk {
	uint8_t *memory;
	uint32_t size, len;
	uint64_t start;
	struct ixev_loan *loan; /* whose it is; NULL: ours */
};

/* A queue in an array of 2^n places that grows. */
struct queue {
	uint32_t head, count, places;
};

enum conn_state {
	CONN_CONNECTING, /* IX_OP_CONNECT not yet appended */
	CONN_CONNECT_SENT,
	CONN_KNOCKED,     /* IX_OP_ACCEPT not yet appended */
	CONN_ACCEPT_SENT, /* from here on ixd knows it by handle and cookie */
	CONN_OPEN,
	CONN_ENDED, /* dead to ixd; on_dead waits until what was received is read */
};

struct ixev_conn {
	struct ixev_loop *loop;
	struct ev_core *core;
	const struct ixev_handlers *handlers;
	void *arg;
	uint64_t cookie;
	uint64_t handle;
	uint32_t open_seq; /* of the connect or accept command, to know its error by */
	uint8_t state;     /* enum conn_state */

	/* What the application wants, and what has been said of it. */
	bool wants_shutdown, wants_close, wants_abort, wants_setopt, wants_reject;
	bool has_said_end;  /* close, abort or cancel: nothing may follow */
	bool has_shut_down; /* shutdown was said */
	bool is_eof;
	bool is_short; /* a write fell short: on_writable is owed */

	struct list to_flush, to_write;

	struct rx_part *rx_parts;
	const uint8_t *rx_base; /* what the parts' offsets count from */
	uint8_t *rx_legacy;     /* own copy of what was unread when the connection ended */
	struct queue rx;
	size_t rx_bytes;               /* readable */
	uint64_t rx_total, urgent_end; /* received, and urgent up to here, since the connection began */
	uint64_t rx_owed;              /* consumed and not yet told */

	struct tx_chunk *tx_chunks;
	struct queue tx;
	uint64_t tx_queued, tx_given, tx_acked; /* bytes since the connection began */
	uint64_t send_limit;
	size_t high_water;

	int error;
	struct ix_addr local, remote, from;
	bool has_from;
	struct ix_options options; /* of connect, then of setopt */
};

struct conn_slot {
	struct ixev_conn *conn;
	uint32_t generation;
	uint32_t next_free;
};

struct ixev_listener {
	struct leftover leftover; /* first: how the client frees it */
	struct ixev_loop *loop;
	struct ixev_listener *next;
	const struct ixev_listener_handlers *handlers;
	void *arg;
	struct ix_addr local;
	struct ix_options options;
	uint64_t handle;
	bool has_said_listen, has_handle, has_said_unlisten;
	bool is_over;
	_Atomic bool is_closed; /* read by the other loops that it brings connections to */
};

struct ixev_timer {
	struct list of_loop;
	struct ixev_loop *loop;
	void (*on_timer)(struct ixev_timer *timer, void *arg);
	void *arg;
	uint64_t deadline_ns;
	size_t place; /* in the heap; SIZE_MAX when not set */
};

struct watch {
	void (*on_ready)(int fd, short events, void *arg);
	void *arg;
};

struct ixev_loop {
	struct ix_client *client;
	uint64_t now_ns;
	bool is_stopped;

	struct conn_slot *slots;
	uint32_t slot_count, free_slot;
	size_t conn_count;

	struct ixev_listener *listeners;
	size_t listener_count;  /* that are not over */
	bool has_listener_news; /* a listener has something to say */

	struct list timers;       /* all, by of_loop */
	struct ixev_timer **heap; /* those that are set */
	size_t timer_count, heap_places;

	/* poll_fds: the watches first, then two per core; rebuilt behind the watches when they change. */
	struct pollfd *poll_fds;
	struct watch *watches;
	unsigned watch_count, watch_places;
	bool is_walking_watches;
	unsigned turns_unwatched;

	unsigned core_count;
	struct ix_channel *channels[IX_CORES_MAX];
	struct ev_core cores[IX_CORES_MAX];
};

/* Room for one more element: returns the array, or a larger one that has taken its place, or NULL without
 * memory, and then the old one is still right. ixev_conn.c */
void *queue_grow(struct queue *queue, void *array, size_t element_size);

static inline uint32_t queue_place(const struct queue *queue, uint32_t i)
{
	return (queue->head + i) & (queue->places - 1);
}

/* A connection in a slot of its own, with its cookie. NULL: no memory. Not yet counted as said to ixd. */
struct ixev_conn *conn_new(struct ixev_loop *loop, struct ev_core *core);
/* Calls on_dead and frees. */
void conn_dead(struct ixev_conn *conn, enum ix_reason reason);
/* Frees without a call. */
void conn_free(struct ixev_conn *conn);
/* The connection of a cookie, NULL when it is gone. */
struct ixev_conn *conn_find(const struct ixev_loop *loop, uint64_t cookie);
/* Puts it on the list of those that have something to say. */
void conn_mark(struct ixev_conn *conn);
/* Says what there is to say; the connection may be gone afterwards. False: the command ring is full. */
bool conn_flush(struct ixev_conn *conn);
/* One event of a connection. */
void conn_event(struct ev_core *core, struct ixev_conn *conn, const struct ix_event *event);
/* IX_EV_ERROR. */
void conn_error(struct ixev_loop *loop, struct ev_core *core, const struct ix_event *event);

/* Cookies of listeners are their addresses with the top bit set; user addresses never have it. */
#define LISTENER_COOKIE ((uint64_t)1 << 63)
void listener_event(struct ixev_loop *loop, struct ev_core *core, const struct ix_event *event);
/* False: the command ring is full. */
bool listeners_flush(struct ixev_loop *loop);
/* Ends all; their memory is the client's to free. */
void listeners_end(struct ixev_loop *loop);

/* IX_EV_RECV; false: no memory to remember it. */
bool rx_add(struct ixev_conn *conn, uint64_t off, uint32_t len);

/* Copies what is unread out of ixd's memory, which is others' after the dead event. False: no memory. */
bool rx_inherit(struct ixev_conn *conn);

/* IX_EV_SENT: frees what is covered. */
void tx_acked(struct ixev_conn *conn, uint64_t acked_total);
/* Gives as much to ixd as the send limit allows. False: the command ring is full. */
bool tx_flush(struct ixev_conn *conn);
/* Gives the first bytes along with a connect by Fast Open. */
void tx_flush_early(struct ixev_conn *conn);
/* Puts the connection on the list of those whose on_writable is due, if it is. */
void tx_check_writable(struct ixev_conn *conn);
/* Drops everything. */
void tx_drop(struct ixev_conn *conn);
/* Calls on_writable of those that are due; true when there was one. */
bool tx_run_writable(struct ev_core *core);

/* Runs the timers that are due; true when there was one. */
bool timers_run(struct ixev_loop *loop);
/* Nanoseconds until the next timer, IX_WAIT_FOREVER without one. */
uint64_t timers_next_ns(const struct ixev_loop *loop);

/* Looks at the watched descriptors and sleeps up to timeout_ns when no channel has work; calls handlers.
 * Number of handlers called, or negative errno. */
int watches_poll(struct ixev_loop *loop, uint64_t timeout_ns);

#endif
