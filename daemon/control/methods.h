/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The methods of the interface io.ixd and of org.varlink.service, as one table.
 */
#ifndef DAEMON_CONTROL_METHODS_H
#define DAEMON_CONTROL_METHODS_H

#include "daemon/control/server.h"

/* Finds the method, checks the parameters against its row, and runs it. The connection has an answer, an
 * error, or a state other than idle afterwards. */
void method_run(struct server *server, struct connection *c, const struct varlink_call *call);
/* The next step of a streamed answer whose last piece was taken. */
void method_continue(struct server *server, struct connection *c);
/* The supervisor has answered: c->report holds its words. */
void method_finish_request(struct server *server, struct connection *c, int outcome);

/* What a method makes: a new object with the reply's parameters, NULL when out of memory, or NULL after it
 * has answered by an error itself. Each in the file of its subject. */
typedef json_t *method_make(struct server *server, struct connection *c, const json_t *parameters);
method_make service_get_info, service_get_interface; /* service.c */
method_make status_get, version_get;                 /* status.c */
method_make stats_get, cores_get, flows_get;         /* counters.c */
method_make clients_get, listeners_get;              /* tables.c */

#endif
