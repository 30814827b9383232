/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor sends before the dataplane runs: memories, then sockets.
 */
#ifndef DAEMON_DATAPLANE_SETUP_H
#define DAEMON_DATAPLANE_SETUP_H

#include "daemon/dataplane/core.h"

/* Receives MSG_DP_INIT, each MSG_DP_XSK and MSG_DP_START on dp->supervisor_fd; maps everything, makes the
 * cores and their sockets. fatal() when something does not fit: the supervisor sees the exit and the message.
 */
void setup_receive(struct dataplane *dp);

#endif
