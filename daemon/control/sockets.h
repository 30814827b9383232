/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to Sockets: a walk over all connection records, in steps of bounded work, so that a listing of
 * very many connections holds up nobody and needs no memory for all of them at once.
 */
#ifndef DAEMON_CONTROL_SOCKETS_H
#define DAEMON_CONTROL_SOCKETS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/control/sources.h"

#define SOCKETS_STEP_RECORDS 4096 /* records looked at in one step */
#define SOCKETS_PIECE        64   /* connections in one piece of a streamed answer */
#define SOCKETS_SINGLE_MAX   1024 /* connections in an answer of one piece */

/* -1: any. */
struct sockets_filter {
	int state; /* enum tcp_state */
	int64_t local_port, remote_port, client, core;
};

struct sockets_query {
	struct sockets_filter filter;
	uint32_t limit;       /* connections in the piece being made */
	uint32_t core, index; /* the next record to look at */
	json_t *piece;        /* array under construction; NULL outside a query */
};

/* Fills *filter from the call's parameters (NULL: none), which were checked against the method's table. 0, or
 * -EINVAL for a state that has no such name. */
int sockets_filter_parse(struct sockets_filter *filter, const json_t *parameters);

/* Begins a query; ends one that is still going on. 0 or -ENOMEM. */
int sockets_query_init(struct sockets_query *q, const struct sockets_filter *filter, uint32_t limit);
void sockets_query_fini(struct sockets_query *q);

enum sockets_progress {
	SOCKETS_AGAIN,    /* call again: nothing to send yet */
	SOCKETS_FULL,     /* the piece is full, and there may be more */
	SOCKETS_FINISHED, /* all records were seen */
};
/* Looks at the next SOCKETS_STEP_RECORDS records. view tells the clients' process ids. Negative errno when
 * out of memory. */
int sockets_query_step(struct sockets_query *q, const struct sources *s, const struct view *view,
		       uint64_t now_ns);
/* Takes the piece out and begins the next; NULL when out of memory. */
json_t *sockets_query_take(struct sockets_query *q);

#endif
