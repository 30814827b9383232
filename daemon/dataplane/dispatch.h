/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main thread at work: between the supervisor's socket and the cores' mailboxes.
 */
#ifndef DAEMON_DATAPLANE_DISPATCH_H
#define DAEMON_DATAPLANE_DISPATCH_H

#include "daemon/dataplane/core.h"

/* Waits until every core has said MAIL_STARTED. 0, or the first core's negative errno. */
int dispatch_wait_started(struct dataplane *dp);

/* Runs until MSG_DP_STOP was passed on to all cores (true), or the supervisor has gone (false). */
bool dispatch_run(struct dataplane *dp);

#endif
