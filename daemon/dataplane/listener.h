/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners of this core: which clients share one, and whose turn the next connection is.
 */
#ifndef DAEMON_DATAPLANE_LISTENER_H
#define DAEMON_DATAPLANE_LISTENER_H

#include "daemon/dataplane/channel.h"

/* The client whose turn it is, of those that can take a connection: NULL when none can. A client whose event
 * ring is full is passed over while another can. With `take` the turn moves on. */
struct channel *listener_choose(struct client_side *side, uint32_t listener, bool take);

/* A client of it is still to come: a new dataplane has its listeners from the start, and hears of their
 * clients a moment later. */
bool listener_awaits_client(const struct client_side *side, uint32_t listener);
/* The client takes part in no listener of this core any more. */
void listener_forget_client(struct client_side *side, uint32_t client);
/* The client's cookie for the listener, 0 when it has left it. */
uint64_t listener_cookie(const struct client_side *side, uint32_t listener, uint32_t client);
/* Listeners that the client takes part in. */
uint32_t listener_count(const struct client_side *side, uint32_t client);
/* Index of the listener that the client's handle names, STATE_NONE when there is none. */
uint32_t listener_by_handle(const struct client_side *side, uint32_t client, uint64_t handle);
/* After a restart: the engine listens again where the records say. */
void listener_recover(struct client_side *side);

#endif
