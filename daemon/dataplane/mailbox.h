/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Typed messages between the dataplane's main thread and a core thread: two single-producer single-consumer
 * rings per core, one each way, and an eventfd per receiver that wakes it (inside the process only; nobody
 * else has the descriptor). For control, never for packets.
 *
 * Back pressure: the main thread stops reading the supervisor's socket while an inbox is full, and always
 * goes on draining outboxes; so a core may wait for room in its outbox, the main thread never waits for a
 * core.
 */
#ifndef DAEMON_DATAPLANE_MAILBOX_H
#define DAEMON_DATAPLANE_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/dataplane/client_mapping.h"
#include "daemon/dataplane/core.h"

enum mail_type {
	MAIL_NONE,
	/* main → core */
	MAIL_CONFIG,          /* `config` */
	MAIL_CLIENT_ADD,      /* `mapping` */
	MAIL_CLIENT_DEL,      /* `client` */
	MAIL_CLIENT_POLICY,   /* `policy`, the core frees the one it replaces */
	MAIL_LISTEN,          /* `listen`: install; answered by MAIL_LISTEN_READY */
	MAIL_LISTEN_ANNOUNCE, /* `listen`: to the core whose channel asked */
	MAIL_UNLISTEN,        /* `listen` */
	MAIL_STOP,
	MAIL_IFACE_DETACH,  /* `iface`: no more packets through its sockets */
	MAIL_IFACE_RELEASE, /* `iface`: all cores have detached; close them */
	MAIL_IFACE_CONNECT, /* `iface`: takes new sockets, and back the frames that the old ones had */
	/* core → main */
	MAIL_STARTED,      /* `outcome`: the core runs, or why not */
	MAIL_CLIENT_READY, /* `client` */
	MAIL_CLIENT_GONE,  /* `client`: nothing in this core refers to its memories any more */
	MAIL_CLIENT_FAULT, /* `client`, `reason` */
	MAIL_LISTEN_READY, /* `listen`, `outcome` */
	MAIL_ASK_LISTEN,   /* `listen` */
	MAIL_ASK_UNLISTEN, /* `listen` */
	MAIL_ASK_NEIGH,    /* `neigh` */
	MAIL_IFACE_DONE,   /* `iface`, `outcome`: what was asked for is done */
};

struct mail {
	uint32_t type; /* enum mail_type */
	uint32_t client;
	int32_t outcome;
	uint32_t reserved;
	union {
		struct runtime_config config;
		struct client_mapping *mapping;
		struct {
			struct client_mapping *mapping;
			struct client_policy *policy; /* this core's own copy, from malloc() */
		} policy;
		struct msg_listen listen;
		struct {
			uint8_t iface;
			uint32_t tx_cores;
			uint64_t queues;
			struct xsk_arrivals *arrivals; /* the core frees them */
		} iface;
		struct {
			uint8_t addr[16];
			uint32_t iface;
			uint32_t vlan;
		} neigh;
		const char *reason; /* static text */
	};
};

/* slots: a power of two. wake_fd: the receiver's eventfd, kept by the caller. NULL without memory. */
struct mailbox *mailbox_new(uint32_t slots, int wake_fd);
void mailbox_free(struct mailbox *box);

/* Producer only. Copies the mail in and wakes the receiver; false when the ring is full. */
bool mailbox_post(struct mailbox *box, const struct mail *mail);
/* Producer only: slots that are free now. */
uint32_t mailbox_room(struct mailbox *box);
/* Consumer only: takes the oldest mail; false when there is none. */
bool mailbox_take(struct mailbox *box, struct mail *mail);
/* Consumer only: the cheap question of every turn. */
bool mailbox_is_empty(const struct mailbox *box);

/* Makes an eventfd readable; any thread. */
void eventfd_ring(int fd);

/* What a core's code says to the main thread. All are for the core's own thread. */

/* For what must not be lost. Waits for room if need be: the main thread drains outboxes whatever else it
 * does. */
void core_tell(struct core *core, const struct mail *mail);
/* A client asks to listen (client, core, cookie, addr, port, vlan, flags, backlog, user_timeout_ms, cc filled
 * in) or to stop (client, listener). False: the mailbox is busy, try again later or refuse. */
bool core_ask_listen(struct core *core, const struct msg_listen *listen);
bool core_ask_unlisten(struct core *core, const struct msg_listen *listen);
/* Nothing in this core refers to the client's memories any more; exactly once per channel_add(). */
void core_tell_client_gone(struct core *core, uint32_t client);
/* The client broke the ring protocol. reason is static text. Once per client is enough; the channel must be
 * left alone from here on until channel_del() comes. */
void core_tell_client_fault(struct core *core, uint32_t client, const char *reason);
/* A link-layer address is needed; false: not now. */
bool core_ask_neigh(struct core *core, const uint8_t addr[16], uint8_t iface, uint16_t vlan);

#endif
