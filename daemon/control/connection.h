/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One asker: its socket, what it has sent of a call, what it has not yet taken of an answer. Everything is
 * bounded: the bytes of a call, the time a call may take to arrive, the time an answer may wait to be taken,
 * and the time between calls. One call at a time; the next is not read before the last answer is gone.
 */
#ifndef DAEMON_CONTROL_CONNECTION_H
#define DAEMON_CONTROL_CONNECTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/control/sockets.h"
#include "daemon/control/varlink.h"

#define CONNECTION_CALL_BYTES_MAX 16384 /* one call, its zero byte included */
#define CONNECTION_CALL_NS                                                                                   \
	(10 * UINT64_C(1000000000)) /* for a call to arrive whole, an answer to be taken                     \
				     */
#define CONNECTION_IDLE_NS       (60 * UINT64_C(1000000000)) /* between calls */
#define CONNECTION_SUPERVISOR_NS (30 * UINT64_C(1000000000)) /* for the supervisor's answer */

enum connection_state {
	CONNECTION_FREE,
	CONNECTION_IDLE,      /* waits for a call */
	CONNECTION_STREAMING, /* `sockets` has more to say as soon as the last piece is taken */
	CONNECTION_WAITING,   /* for the supervisor's answer to request_id */
};

struct connection {
	enum connection_state state;
	int fd;
	uid_t uid;
	bool is_eof;                /* the peer sends nothing more; it may still take answers */
	bool is_closing;            /* close when the answer is taken */
	bool wants_more, is_oneway; /* of the present call */
	bool is_answered;           /* the present call by an error */
	uint32_t events;            /* epoll's interest, as last set */
	uint64_t deadline_ns;
	char *in; /* CONNECTION_CALL_BYTES_MAX bytes */
	size_t in_len;
	char *out; /* NULL: nothing is waiting */
	size_t out_len, out_sent;
	struct sockets_query sockets;
	uint32_t request_id;
	char *report; /* the supervisor's words so far */
	size_t report_len;
};

/* Takes over fd (non-blocking). 0 or -ENOMEM, then fd is the caller's. */
int connection_open(struct connection *c, int fd, uid_t uid, uint64_t now_ns);
void connection_close(struct connection *c);

/* Reads what has come and fits. 0, or negative errno: the connection is of no more use. */
int connection_read(struct connection *c, uint64_t now_ns);
/* Parses and removes the first call if it is there whole. 1 with *call, 0 not yet, -EBADMSG, or -EMSGSIZE
 * when it cannot ever be whole. */
int connection_take_call(struct connection *c, struct varlink_call *call, uint64_t now_ns);
/* Queues one message (takes over the reference; NULL: out of memory). The last one must have been taken, but
 * during a call several may be queued. 0 or -ENOMEM. */
int connection_send(struct connection *c, json_t *message, uint64_t now_ns);
/* Writes what the peer takes. 0 or negative errno: of no more use. */
int connection_write(struct connection *c, uint64_t now_ns);

/* Answers to the present call; nothing goes out for a one-way call. A failure marks the connection as
 * closing. Both take over the references. */
void connection_reply(struct connection *c, json_t *parameters, bool continues, uint64_t now_ns);
void connection_error(struct connection *c, const char *name, json_t *parameters, uint64_t now_ns);

/* What epoll should tell about this connection. */
uint32_t connection_events(const struct connection *c);

#endif
