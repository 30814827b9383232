/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of a core thread.
 */
#ifndef DAEMON_DATAPLANE_LOOP_H
#define DAEMON_DATAPLANE_LOOP_H

#include "daemon/dataplane/core.h"

/* Runs until MAIL_STOP, then resets all connections and returns. The core's own thread, after core_start().
 */
void loop_run(struct core *core);

#endif
