/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local ports of outgoing connections. A port is chosen so that the packets that come back are steered to
 * this core; that it is in use is told to the XDP program through the users[] array.
 */
#ifndef DAEMON_DATAPLANE_EPHEMERAL_H
#define DAEMON_DATAPLANE_EPHEMERAL_H

#include "daemon/dataplane/conn.h"

struct client_side;

/* SipHash-2-4: a keyed hash whose collisions nobody can choose without the key. */
uint64_t keyed_hash(const uint8_t key[16], const void *data, size_t len);

/* Chooses tuple->local_port (RFC 6056, algorithm 4 with a random step), marks it as used. 0, or
 * -EADDRNOTAVAIL when no free port of this core was found. */
int ephemeral_get(struct client_side *side, struct tcp_tuple *tuple);
/* Gives a port back. With time_wait it stays marked while the engine may keep the tuple in TIME_WAIT: the
 * kernel would answer a late segment with RST. */
void ephemeral_put(struct client_side *side, uint16_t port, bool time_wait);

/* 0 or -ENOMEM. */
int ephemeral_init(struct client_side *side);
void ephemeral_fini(struct client_side *side);

#endif
