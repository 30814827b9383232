/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of clients. A descriptor is copied into private memory once, then validated; what is wrong with it
 * is answered by an error event with its sequence number and counted, and harms nobody but its sender.
 */
#ifndef DAEMON_DATAPLANE_COMMAND_H
#define DAEMON_DATAPLANE_COMMAND_H

#include "daemon/dataplane/channel.h"

/* A command being done. */
struct command {
	struct client_side *side;
	struct channel *channel;
	const struct ix_cmd *cmd; /* the private copy */
	uint32_t conn;            /* by the handle, when the operation has one and the handle is right */
};

/* Operations that open something. 0 or the negative errno of the error event; counts the refusal itself. */
int command_listen(struct command *c);
int command_unlisten(struct command *c);
int command_connect(struct command *c);
int command_cancel(struct command *c);

/* The client has gone: does what is left in its command ring to its connections, whatever the room for
 * events; it opens nothing any more. Core thread; the channel is still open. */
void command_drain_last(struct channel *channel);

/* Counts a refusal and returns the error. */
static inline int command_refuse(uint64_t *counter, int error)
{
	++*counter;
	return error;
}

/* Checks what listen, connect and setopt have in common: 0 or -EINVAL. */
int command_check_options(const struct command *c, uint8_t cc);

#endif
