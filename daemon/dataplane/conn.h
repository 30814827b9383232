/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam inside the dataplane between the packet side (loop, sockets, frames, Ethernet, IP, ICMP) and the
 * client side (channels, commands, events, connections' memory). The packet side calls only what is declared
 * here; the client side is called from the core's own thread only.
 */
#ifndef DAEMON_DATAPLANE_CONN_H
#define DAEMON_DATAPLANE_CONN_H

#include <sys/uio.h>

#include "daemon/dataplane/client_mapping.h"
#include "daemon/dataplane/core.h"

/* Start-up: allocates core->clients, takes over what the state memfd holds. Before tcp_engine_init().
 * 0 or negative errno. */
int client_side_init(struct core *core);
/* Frees what client_side_init() and channels allocated; after the end of the core thread, before the clients'
 * mappings are closed. */
void client_side_fini(struct core *core);
/* After tcp_engine_init(): in a restarted dataplane, reset each old connection (tcp_abort) so that `dead`
 * with IX_REASON_RESTART is owed to its client, and install the known listeners in the engine again. */
void client_side_recover(struct core *core);

/* The engine's callbacks that concern clients, for the ops table that core.c puts together:
 * everything but emit(). ctx is the struct core. */
bool conn_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path);
void conn_on_open(void *ctx, uint32_t conn, uint32_t listener);
void conn_on_established(void *ctx, uint32_t conn, uint32_t listener);
bool conn_rx_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len);
void conn_on_readable(void *ctx, uint32_t conn, uint64_t end_off);
void conn_on_acked(void *ctx, uint32_t conn, uint64_t acked_off);
void conn_on_eof(void *ctx, uint32_t conn);
void conn_on_urgent(void *ctx, uint32_t conn, uint64_t end_off);
void conn_on_soft_error(void *ctx, uint32_t conn, enum tcp_soft_error what);
bool conn_on_dead(void *ctx, uint32_t conn, enum tcp_reason reason);

/* Copies len bytes of the outgoing stream from stream offset off to dst and adds them to *sum when sum is not
 * NULL (the copy out with the checksum folded in). Reads client memory, which may change meanwhile: what is
 * copied is what is summed. False when the stream has no such bytes (never happens for offsets the engine was
 * told of; counted). */
bool conn_gather(struct core *core, uint32_t conn, uint64_t off, uint32_t len, uint8_t *dst, uint64_t *sum);

/* Fetches a connection's record, and its volatile companion, into the cache. */
void conn_prefetch(struct core *core, uint32_t conn);

/* The same bytes where they lie, for a system call that copies them: up to *count pieces. Returns how many of
 * len bytes the pieces cover, and in *count their number. The memory is the client's: it may change at any
 * time, and its pages may not be there. */
uint32_t conn_gather_pieces(struct core *core, uint32_t conn, uint64_t off, uint32_t len,
			    struct iovec *pieces, uint32_t *count);

/* The turn, in the loop's order. */
/* Posts what is owed and publishes event indices; rings doorbells of clients that sleep. */
void event_flush(struct core *core);
/* Connections have something to tell that event_flush() has not posted: a command was the cause, or there was
 * no room. */
bool event_is_owed(const struct core *core);
/* Takes commands of all clients, at most `budget` in all, in turn and fairly. COMMANDS_MORE: some may be
 * left. */
enum commands { COMMANDS_NONE, COMMANDS_ALL, COMMANDS_MORE };
enum commands command_drain(struct core *core, uint32_t budget);
/* Before sleeping: announces sleep in every channel and looks again; false: there is work after all.
 * The channels' doorbell fds are in core->epoll_fd, with data.ptr = the channel (its lowest bit is 0, which
 * tells it from the packet side's events, enum core_event). */
bool channels_prepare_sleep(struct core *core);
void channels_end_sleep(struct core *core);
/* A doorbell rang (epoll said so): drain its bytes; notice hang-up. */
void channel_doorbell(struct core *core, struct channel *channel);
/* The earliest time at which the client side has something to do on its own (linger of orphans); {0} never.
 */
tcp_time client_side_next_timer(const struct core *core);
void client_side_timer_run(struct core *core);

/* Mail of the main thread that concerns clients (core.c dispatches it; mailbox.h has what goes back). */
/* mapping->policy[core->id] and doorbell_fd[core->id] are this core's. After it returns, the main thread is
 * told that the client is ready here. */
void channel_add(struct core *core, struct client_mapping *mapping);
/* The client's socket is closed; core_tell_client_gone() when nothing refers to its memories any more. */
void channel_del(struct core *core, uint32_t client);
/* mapping->policy[core->id] has just changed. */
void client_policy_set(struct core *core, struct client_mapping *mapping);
/* 0, or the negative errno that becomes the outcome of the listen. */
int listener_install(struct core *core, const struct msg_listen *listen);
void listener_remove(struct core *core, const struct msg_listen *listen);
/* On the core whose channel asked: posts `listening`. */
void listener_announce(struct core *core, const struct msg_listen *listen);
/* core->config has just changed. */
void client_side_configure(struct core *core);

/* What the client side needs from the packet side. */
/* Finds the way to tuple->remote, fills record->iface, neigh, route_generation and *hop; asks the supervisor
 * for the link-layer address when it is not known. 0 or -ENETUNREACH. ip_output.c */
int route_resolve(struct core *core, const struct tcp_tuple *tuple, struct conn_record *record,
		  struct mirror_hop *hop);
/* The core to which packets of this tuple are steered. flow.c */
uint32_t flow_core(const struct dataplane *dp, const struct tcp_tuple *tuple);

#endif
