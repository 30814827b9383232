/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event layer of libixclient: a loop that takes events from channels and calls handlers of connections,
 * listeners, timers and file descriptors. Bytes written during a turn of the loop are handed to ixd together
 * at its end, so that small writes cost one command per connection and turn; a full ring or a closed window
 * is waited for here, not by the application.
 *
 * Threads: a loop and all that belongs to it is used by one thread. A loop drives one core's channel or
 * several; a listener, made on one loop, also brings connections to the loops of the other cores, in their
 * threads.
 *
 * Errors are negative errno values; see ix_strerror(). ixev(7) is the introduction.
 */
#ifndef IX_IXEV_H
#define IX_IXEV_H

#include <sys/uio.h>

#include <ix/ix.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ixev_loop;
struct ixev_conn;
struct ixev_listener;
struct ixev_timer;

/* What a connection's owner wants to hear; a null pointer is a handler that does nothing. `arg` is what
 * ixev_set_handlers() or ixev_connect() was given. A handler may use and close any connection of its loop. */
struct ixev_handlers {
	/* The connection is established and data may leave. Writing before is allowed. */
	void (*on_open)(struct ixev_conn *conn, void *arg);
	/* More bytes have come: ixev_peek(), ixev_read(), ixev_consume(). Called once for new bytes, not
	 * again for those that are left. */
	void (*on_readable)(struct ixev_conn *conn, void *arg);
	/* There is room again after a write that took less than it was given. */
	void (*on_writable)(struct ixev_conn *conn, void *arg);
	/* The peer has acknowledged more: ixev_acked(). */
	void (*on_sent)(struct ixev_conn *conn, void *arg);
	/* The peer sends nothing more. The other direction stays open until ixev_shutdown() or ixev_close().
	 */
	void (*on_eof)(struct ixev_conn *conn, void *arg);
	/* The last call: `conn` is gone when it returns. ixev_error() tells more about a failed connect. When
	 * both sides ended in order it waits until what was received is read. */
	void (*on_dead)(struct ixev_conn *conn, void *arg, enum ix_reason reason);
	/* Something is in the connection's way that may pass, and ends nothing: -EHOSTUNREACH, an ICMP error;
	 * -ETIMEDOUT, three retransmissions in vain. Who does not want to wait calls ixev_abort(). */
	void (*on_soft_error)(struct ixev_conn *conn, void *arg, int error);
	/* The peer calls bytes urgent that were not so before: ixev_urgent(). They are read like all others,
	 * in their place, and may not have come yet. Protocols of today have no use for this (RFC 6093). */
	void (*on_urgent)(struct ixev_conn *conn, void *arg);
};

struct ixev_listener_handlers {
	/* The listener works (0), or does not (negative errno). May be null. */
	void (*on_listening)(struct ixev_listener *listener, void *arg, int outcome);
	/* A connection has come. 0 takes it, after ixev_set_handlers(); anything else turns it away, and
	 * `conn` is gone. Called by the loop that drives the connection's core. */
	int (*on_accept)(struct ixev_listener *listener, struct ixev_conn *conn, void *arg);
};

/* ---- The loop */

/* Makes a loop over the channels of `count` cores, `first` on; count 0: all from `first` on. The client must
 * outlive it. 0, -EINVAL or -ENOMEM. */
int ixev_loop_new(struct ix_client *client, unsigned first, unsigned count, struct ixev_loop **loop);

/* Frees a loop with its listeners, timers and watches; its connections are reset, without a call. NULL is
 * allowed. */
void ixev_loop_free(struct ixev_loop *loop);

/* Runs turns until ixev_stop(), or until there is no connection, listener, timer or watch left: 0.
 * -ECONNRESET when ixd has gone; every connection's on_dead has then been called, with IX_REASON_RESTART. */
int ixev_run(struct ixev_loop *loop);

/* One turn: everything that is ready, or else waits for something up to timeout_ns and does that. 0, -EINTR
 * or -ECONNRESET. */
int ixev_turn(struct ixev_loop *loop, uint64_t timeout_ns);

/* Makes ixev_run() return after this turn. For handlers. */
void ixev_stop(struct ixev_loop *loop);

/* Connections that are not dead. */
size_t ixev_conn_count(const struct ixev_loop *loop);

/* The time at which this turn began (ix_now_ns()). */
uint64_t ixev_now_ns(const struct ixev_loop *loop);

/* ---- Listeners and connections */

/* Listens; on_listening tells the outcome. The listener belongs to the loop. 0, -EINVAL or -ENOMEM. */
int ixev_listen(struct ixev_loop *loop, const struct ix_addr *local, const struct ix_options *options,
		const struct ixev_listener_handlers *handlers, void *arg, struct ixev_listener **listener);

/* Ends a listener; knocks still on their way are turned away. Its connections live on. Its memory is freed
 * with the client, since other loops may still see it. */
void ixev_unlisten(struct ixev_listener *listener);

/* Opens a connection on core `core` of the loop (below its count of cores); on_open or on_dead follows, never
 * from inside this call. `from` and `options` as in ix_connect(). 0, -EINVAL or -ENOMEM. */
int ixev_connect(struct ixev_loop *loop, unsigned core, const struct ix_addr *remote,
		 const struct ix_addr *from, const struct ix_options *options,
		 const struct ixev_handlers *handlers, void *arg, struct ixev_conn **conn);

/* Sets who hears of a connection. `handlers` must stay. */
void ixev_set_handlers(struct ixev_conn *conn, const struct ixev_handlers *handlers, void *arg);

/* Ends the sending direction after everything that was written. */
void ixev_shutdown(struct ixev_conn *conn);

/* Ends the connection after everything that was written. Of the handlers only on_dead is called any more. */
void ixev_close(struct ixev_conn *conn);

/* Ends the connection at once with a reset, unsent data is dropped. on_dead follows, never from inside. */
void ixev_abort(struct ixev_conn *conn);

/* Changes a connection's options; the last change of a turn counts. -EINVAL for options that do not exist. */
int ixev_setopt(struct ixev_conn *conn, const struct ix_options *options);

/* The loop, the ends, and the reason of a failed connect (negative errno, or 0) of a connection. */
struct ixev_loop *ixev_conn_loop(const struct ixev_conn *conn);
void ixev_local(const struct ixev_conn *conn, struct ix_addr *addr);
void ixev_remote(const struct ixev_conn *conn, struct ix_addr *addr);
int ixev_error(const struct ixev_conn *conn);

/* ---- Receiving. What is not consumed stays, and closes the window by and by. */

/* Whether the peer sends nothing more: what can be read now is all there is. */
bool ixev_is_eof(const struct ixev_conn *conn);

/* Bytes that can be read. */
size_t ixev_readable(const struct ixev_conn *conn);

/* So many of the bytes to be read next, some of which may be yet to come, are urgent; 0: none (RFC 9293
 * MUST-33). */
uint64_t ixev_urgent(const struct ixev_conn *conn);

/* Points *data at the oldest bytes, in place, and returns how many follow each other there; 0 when none.
 * Valid until consumed, or dead. */
size_t ixev_peek(const struct ixev_conn *conn, const void **data);

/* The same for up to `count` parts. Returns how many were filled in. */
unsigned ixev_peekv(const struct ixev_conn *conn, struct iovec *parts, unsigned count);

/* Gives back the oldest `bytes`; no more than there are. */
void ixev_consume(struct ixev_conn *conn, size_t bytes);

/* Copies up to `bytes` and consumes them. Returns how many. */
size_t ixev_read(struct ixev_conn *conn, void *data, size_t bytes);

/* ---- Sending */

/* Takes bytes to send, by copy into TX memory; they leave at the end of the turn. Returns how many were
 * taken; when less than `bytes`, on_writable tells when to go on. 0 after ixev_shutdown() or ixev_close(). */
size_t ixev_write(struct ixev_conn *conn, const void *data, size_t bytes);

/* Room in TX memory to write into without a copy: *room bytes, `want` at the most, maybe less although there
 * is more; NULL when there is none, and then on_writable tells when there is. Valid until the next call for
 * this connection. */
void *ixev_reserve(struct ixev_conn *conn, size_t want, size_t *room);

/* Sends the first `bytes` of the room that ixev_reserve() gave. */
void ixev_commit(struct ixev_conn *conn, size_t bytes);

/* Who lends bytes; a part of whatever the application knows them by. */
struct ixev_loan {
	/* The bytes of one ixev_lend() are not needed any more. From any call of this layer, and before
	 * on_dead of the connection. */
	void (*on_returned)(struct ixev_loan *loan);
};

/* Sends bytes where they lie: in TX memory of this client, which the application has from ix_tx_alloc(). They
 * may be lent to any number of connections at once, and must stay as they are until each has given them back.
 * Returns how many were taken, 1 GiB at the most whatever the high-water mark; 0 when none, and then
 * on_returned will not be called: after ixev_shutdown() or ixev_close(), or without memory to note them. */
size_t ixev_lend(struct ixev_conn *conn, const void *memory, size_t bytes, struct ixev_loan *loan);

/* Bytes written and not yet acknowledged, and bytes acknowledged since the connection began. */
size_t ixev_pending(const struct ixev_conn *conn);
uint64_t ixev_acked(const struct ixev_conn *conn);

/* Sets how many written bytes may wait for the send window before writes fall short (default 262144). */
void ixev_set_high_water(struct ixev_conn *conn, size_t bytes);

/* ---- Timers and file descriptors */

/* Makes a timer, not yet set; `on_timer` is called once per ixev_timer_set(). 0 or -ENOMEM. */
int ixev_timer_new(struct ixev_loop *loop, void (*on_timer)(struct ixev_timer *timer, void *arg), void *arg,
		   struct ixev_timer **timer);

/* Lets a timer go off in delay_ns, instead of when it was set for before. 0 or -ENOMEM. */
int ixev_timer_set(struct ixev_timer *timer, uint64_t delay_ns);

/* Stops a timer. */
void ixev_timer_cancel(struct ixev_timer *timer);

/* Stops and frees a timer, also from its own handler. NULL is allowed. */
void ixev_timer_free(struct ixev_timer *timer);

/* Watches a foreign descriptor: `on_ready` is called with what poll(2) found, for as long as it is true.
 * Events 0 pauses; watching again replaces. For the few descriptors that a network service has besides. 0,
 * -EINVAL or -ENOMEM. */
int ixev_watch(struct ixev_loop *loop, int fd, short events,
	       void (*on_ready)(int fd, short events, void *arg), void *arg);

/* Ends a watch, also from its own handler. */
void ixev_unwatch(struct ixev_loop *loop, int fd);

#ifdef __cplusplus
}
#endif
#endif
