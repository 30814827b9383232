/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control server: one thread that waits for askers and for the supervisor. It holds nothing that is not
 * bounded, and nothing an asker does makes another wait for longer than one bounded step.
 */
#ifndef DAEMON_CONTROL_SERVER_H
#define DAEMON_CONTROL_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/control/connection.h"
#include "daemon/control/sources.h"

#define SERVER_CONNECTIONS_MAX     64
#define SERVER_CONNECTIONS_PER_UID 16    /* root is only under the whole limit */
#define SERVER_REPORT_BYTES_MAX    65536 /* of the supervisor's answer to one request */

struct server {
	struct sources *sources;
	int epoll_fd, supervisor_fd, listener_fd;
	uint32_t last_request;
	bool must_stop;
	uint64_t now_ns; /* when this turn began */
	struct connection connections[SERVER_CONNECTIONS_MAX];
	struct view view; /* copies to work on; filled by the method that needs them */
	struct sources_net net;
};

/* Takes over listener_fd and supervisor_fd as they are, made non-blocking here. 0 or negative errno. */
int server_init(struct server *server, struct sources *sources, int supervisor_fd, int listener_fd);
/* Serves until the supervisor says stop or is gone. 0 or negative errno. */
int server_run(struct server *server);
/* One turn: waits at most timeout_ms for something to happen (-1: as long as the server's own deadlines
 * allow) and does it. 0 or negative errno. */
int server_turn(struct server *server, int timeout_ms);
void server_fini(struct server *server);

/* Asks the supervisor in the name of a connection, which then waits for the answer. The connection's
 * descriptor goes along, so that the supervisor itself looks who asks. 0 or negative errno. */
int server_ask_supervisor(struct server *server, struct connection *c, enum request_kind kind);

#endif
