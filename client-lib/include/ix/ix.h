/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The low-level client interface of ixd: batched commands that never block, results that come as events,
 * bytes received and sent without a copy in the library.
 *
 * A client has one *channel* per ixd core. Commands are appended to a channel and handed over by ix_flush();
 * events are taken with ix_peek() and ix_release() (in place) or ix_poll() (copied). A connection belongs to
 * the channel on which its knock or connected event came; all its commands go there.
 *
 * Threads: a channel is used by one thread at a time, and a thread may use several. ix_open() and ix_close()
 * concern the whole client. Nothing here takes a lock, and nothing but ix_open() and the wait functions
 * blocks.
 *
 * Errors are negative errno values; ix_strerror() puts them into words. ix(7) is the introduction.
 */
#ifndef IX_IX_H
#define IX_IX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ix/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ix_client;
struct ix_channel;

/* Wait without limit. */
#define IX_WAIT_FOREVER UINT64_MAX

/* What ix_open() asks for. Zero everywhere, or a null pointer, means the defaults of the instance's policy.
 */
struct ix_open_params {
	uint64_t rx_bytes;   /* memory for received bytes */
	uint64_t tx_bytes;   /* memory for bytes to send */
	uint32_t cmd_slots;  /* commands in flight per channel, a power of two */
	uint32_t evt_slots;  /* events in flight per channel, a power of two */
	uint32_t timeout_ms; /* how long ix_open() waits for ixd's answer; 0: ten seconds */
	uint32_t spin_us;    /* how long the wait functions spin before they sleep; see ix_set_spin() */
};

/* An address and a port, both in host form: the port in host byte order, IPv4 mapped into IPv6. Sixteen zero
 * bytes are any address. */
struct ix_addr {
	uint8_t ip[16];
	uint16_t port;
};

/* Options of a listener or a connection. Zero everywhere, or a null pointer, means the defaults. */
struct ix_options {
	uint16_t flags;           /* enum ix_flag */
	uint8_t cc;               /* enum ix_cc */
	uint32_t backlog;         /* listen: connections that may wait for ix_accept(); 0: default */
	uint32_t user_timeout_ms; /* give up on unacknowledged data after this long; 0: default */
};

/* ---- A client */

/*
 * Connects to an ixd instance and maps the memories it gives. `instance` is a name, or, when it has a '/',
 * the path of a runtime directory or of a client socket; NULL means $IXD_INSTANCE, else "default". Runtime
 * directories are looked for in $IXD_RUNDIR, else /run/ixd. On success *client is the caller's until
 * ix_close(). On failure *client is NULL and ix_open_reason() tells what to do about it. Blocks for
 * params->timeout_ms at the most. Errors: -ENOENT, -ECONNREFUSED no such instance runs; -EACCES, -EPERM
 * policy; -EPROTO, -EPROTONOSUPPORT another version; -ETIMEDOUT; -EINVAL; -ENOMEM; and what the instance
 * answers.
 */
int ix_open(const char *instance, const struct ix_open_params *params, struct ix_client **client);

/* Why the last ix_open() of this thread failed, in words. Valid until the thread's next ix_open(). */
const char *ix_open_reason(void);

/* Ends the client: ixd sends what ix_close_conn() left unsent and resets the client's other connections. All
 * channels and buffers are gone with it; no other thread may be using them. NULL is allowed. */
void ix_close(struct ix_client *client);

/* Number of channels, at least one. */
unsigned ix_cores(const struct ix_client *client);

/* The number by which ixctl names this client, and the name of its instance. */
uint32_t ix_client_id(const struct ix_client *client);
const char *ix_instance(const struct ix_client *client);

/* Becomes readable or hangs up when ixd has gone. For use beside ix_fd(); never read from it. */
int ix_client_fd(const struct ix_client *client);

/* Sets how long the wait functions spin before they sleep, in microseconds. Waking a sleeping process costs
 * more than most requests, so a service with a core of its own spins; on a shared core 0 is right. */
void ix_set_spin(struct ix_client *client, uint32_t spin_us);

/* The channel of a core, NULL when there is no such core. It lives as long as the client. */
struct ix_channel *ix_channel(struct ix_client *client, unsigned core);

/* The core of a channel. */
unsigned ix_channel_core(const struct ix_channel *channel);

/* Changes whenever ixd's dataplane was restarted. Connections of the old epoch end with IX_REASON_RESTART. */
uint32_t ix_epoch(const struct ix_channel *channel);

/* ---- Commands. Each is appended to the channel and takes effect at ix_flush(). They return 0; -EAGAIN when
 * the command ring is full (flush, take events, try again: the caller keeps its own order); -EINVAL for
 * arguments that no ixd would take; -ECONNRESET when ixd has gone. What ixd refuses comes as IX_EV_ERROR with
 * the sequence number that ix_last_seq() gave. */

/* Listens on local->ip (all zero: every address of the instance's interfaces) and local->port. Sent once, on
 * any channel; one IX_EV_LISTENING with `cookie` and the listener's handle answers on the same channel.
 * Knocks then come on every channel. */
int ix_listen(struct ix_channel *channel, uint64_t cookie, const struct ix_addr *local,
	      const struct ix_options *options);

/* Ends a listener, by the handle that IX_EV_LISTENING gave. Its accepted connections live on. */
int ix_unlisten(struct ix_channel *channel, uint64_t listener);

/* Opens a connection; IX_EV_CONNECTED answers. `from` (NULL: chosen by route) gives the local address, with
 * port 0: ixd chooses a port whose flow belongs to this channel's core. */
int ix_connect(struct ix_channel *channel, uint64_t cookie, const struct ix_addr *remote,
	       const struct ix_addr *from, const struct ix_options *options);

/*
 * Sends before IX_EV_CONNECTED, on a connection that ix_connect() opened with IX_FAST_OPEN, by its cookie.
 * Where ixd knows a Fast Open cookie of the server, the SYN waits for these bytes (a second at the most) and
 * carries what fits into one segment; else they follow the handshake. Bytes and pieces are as with
 * ix_sendv(), and the send limit is the one that IX_EV_CONNECTED will tell; more than it is refused. Once the
 * connection is up, ix_sendv() goes on behind them. Append it before the ix_flush() of its connect: once that
 * is answered this is refused with -ESTALE.
 */
int ix_send_early(struct ix_channel *channel, uint64_t cookie, const struct ix_sg *sg, unsigned count);

/* Gives up a connect that has not been answered yet. */
int ix_cancel(struct ix_channel *channel, uint64_t cookie);

/* Takes the connection of a knock: its events carry `cookie` from here on. The first IX_EV_SENT brings the
 * send limit. */
int ix_accept(struct ix_channel *channel, uint64_t handle, uint64_t cookie);

/* Turns the connection of a knock away. */
int ix_reject(struct ix_channel *channel, uint64_t handle);

/*
 * Sends `count` pieces that lie in memory from ix_tx_alloc(). They stay the connection's, unchanged, until an
 * IX_EV_SENT covers them (acked_total counts from the connection's first byte) or IX_EV_DEAD ends it. More
 * bytes than send_limit allows are refused: whole per IX_SG_MAX pieces, into which longer lists are split.
 * All or nothing is appended. -EINVAL: an empty piece, or one outside the arena.
 */
int ix_sendv(struct ix_channel *channel, uint64_t handle, const struct ix_sg *sg, unsigned count);

/* Gives back the oldest `bytes` received bytes of a connection: their memory is ixd's again, and the peer may
 * send that much more. */
int ix_recv_done(struct ix_channel *channel, uint64_t handle, uint64_t bytes);

/* Ends the sending direction (FIN after everything sent so far); receiving goes on. */
int ix_shutdown(struct ix_channel *channel, uint64_t handle);

/* Ends a connection in order: what was sent still arrives, what comes in is dropped. IX_EV_DEAD follows. */
int ix_close_conn(struct ix_channel *channel, uint64_t handle);

/* Ends a connection at once, with a reset. IX_EV_DEAD follows. */
int ix_abort(struct ix_channel *channel, uint64_t handle);

/* Changes flags, congestion control and user timeout of a connection; backlog is not used. */
int ix_setopt(struct ix_channel *channel, uint64_t handle, const struct ix_options *options);

/* The sequence number of the last command appended; a split ix_sendv() counts one per command. */
uint32_t ix_last_seq(const struct ix_channel *channel);

/* So many commands can be appended for sure: all that the ring has room for, or at least half of it. */
uint32_t ix_cmd_space(struct ix_channel *channel);

/* Hands the appended commands over, and wakes the core if it sleeps: once per batch. 0 or -ECONNRESET. */
int ix_flush(struct ix_channel *channel);

/* ---- Events */

/* Points *events at the oldest events, in place, and returns how many follow each other there: 0 when there
 * is none, -ECONNRESET when there is none and ixd has gone, -EPROTO when the ring is corrupt. They stay until
 * ix_release(). */
int ix_peek(struct ix_channel *channel, const struct ix_event **events);

/* Gives back the oldest `count` events, which the last ix_peek() returned. */
void ix_release(struct ix_channel *channel, unsigned count);

/* Copies and releases up to `count` events. Returns as ix_peek() does. */
int ix_poll(struct ix_channel *channel, struct ix_event *events, unsigned count);

/* Flushes, then waits until the channel has events, or room for commands after an -EAGAIN. Returns 1, 0 after
 * timeout_ns, -EINTR after a signal, -ECONNRESET when ixd has gone. Timeout 0 looks without waiting. */
int ix_wait(struct ix_channel *channel, uint64_t timeout_ns);

/* The same for several channels (IX_CORES_MAX at the most) used by one thread. Returns how many are ready. */
int ix_wait_any(struct ix_channel *const channels[], unsigned count, uint64_t timeout_ns);

/* For a foreign event loop: readable when a sleeping client has been woken, hung up when ixd has gone. To
 * sleep: ix_prepare_wait() on each channel; when one returns 1, there is work and no sleep; else wait for
 * POLLIN; in both cases ix_finish_wait(), then take the events. Never read from the descriptor. */
int ix_fd(const struct ix_channel *channel);

/* Flushes, and announces that this client is about to sleep. 1: do not sleep, there is work; 0: sleep now;
 * -ECONNRESET: ixd has gone (events that are left can still be taken). */
int ix_prepare_wait(struct ix_channel *channel);

/* Ends the announced sleep. 0 or -ECONNRESET. */
int ix_finish_wait(struct ix_channel *channel);

/* ---- Memory */

/* Allocates `len` bytes that ix_sendv() can send, aligned to 64 bytes, from the channel's part of the TX
 * memory. NULL when there is no room or len is 0. Free it on the same channel. */
void *ix_tx_alloc(struct ix_channel *channel, size_t len);

/* Frees memory of ix_tx_alloc(), by the pointer that it returned. NULL is allowed. -EINVAL for anything else.
 */
int ix_tx_free(struct ix_channel *channel, void *memory);

/* Bytes that an allocation really has; at least what was asked for. 0 for a pointer that is none. */
size_t ix_tx_size(const struct ix_channel *channel, const void *memory);

/* Bytes of TX memory of this channel: all, and not allocated. */
size_t ix_tx_total(const struct ix_channel *channel);
size_t ix_tx_avail(const struct ix_channel *channel);

/* The offset, for struct ix_sg, of a byte in an allocation. */
uint64_t ix_tx_off(const struct ix_channel *channel, const void *byte);

/* The received bytes of an IX_EV_RECV, by its `off`; read-only, valid until ix_recv_done() covers them. */
const void *ix_rx_ptr(const struct ix_channel *channel, uint64_t off);

/* ---- Words, addresses and time */

/* A negative errno of this library, or an event's outcome, in words. Static memory; never NULL. */
const char *ix_strerror(int error);

/* An enum ix_reason in words. Static memory; never NULL. */
const char *ix_reason_name(unsigned reason);

/* Room for any address as text, with its zero byte. */
#define IX_ADDR_STRLEN 56

/* Reads "192.0.2.1:80", "[2001:db8::1]:80", "*:80" or ":80". 0 or -EINVAL. Never asks a name server. */
int ix_addr_parse(const char *text, struct ix_addr *addr);

/* Writes an address as ix_addr_parse() reads it; returns buf. */
char *ix_addr_format(const struct ix_addr *addr, char buf[IX_ADDR_STRLEN]);

/* The two ends that IX_EV_KNOCK and IX_EV_CONNECTED carry. */
void ix_event_local(const struct ix_event *event, struct ix_addr *addr);
void ix_event_remote(const struct ix_event *event, struct ix_addr *addr);

/* The monotonic clock in nanoseconds. */
uint64_t ix_now_ns(void);

#ifdef __cplusplus
}
#endif
#endif
