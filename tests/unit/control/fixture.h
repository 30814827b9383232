/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A control server over memories that the test writes itself, with a listener in a temporary folder and the
 * supervisor's end of the socketpair in the test's hand. Everything runs in one thread: the server turns only
 * when the test lets it.
 */
#ifndef TESTS_UNIT_CONTROL_FIXTURE_H
#define TESTS_UNIT_CONTROL_FIXTURE_H

#include "daemon/control/server.h"

struct fixture {
	struct server *server;
	struct sources sources;
	struct view *view; /* writable mappings of what the server reads */
	struct stats *stats;
	struct mirror *mirror;
	uint8_t *state;
	int supervisor_fd;
	char path[128];
};

#define FIXTURE_CORES 2
#define FIXTURE_CONNS 64

void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f);

/* A new connection to the server; -1 when connect fails. Reads time out after some seconds. */
int fixture_connect(struct fixture *f);
/* Lets the server turn until it has nothing more to do at once. */
void fixture_turn(struct fixture *f);
/* Sends a message with its zero byte. */
void fixture_send(int fd, const char *text);
/* Lets the server turn and receives one message; NULL at the end of the connection. */
json_t *fixture_receive(struct fixture *f, int fd);
/* A call and its answer. */
json_t *fixture_call(struct fixture *f, int fd, const char *text);
/* The answer's error name, "" for a reply, "closed" for none. The reference is taken over. */
const char *fixture_error(json_t *answer);

#endif
