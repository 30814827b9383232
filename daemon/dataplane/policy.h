/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client may connect to.
 */
#ifndef DAEMON_DATAPLANE_POLICY_H
#define DAEMON_DATAPLANE_POLICY_H

#include "daemon/dataplane/client_mapping.h"

/* The first rule that matches decides; no match: refused. */
bool policy_may_connect(const struct client_policy *policy, const uint8_t remote[16], uint16_t port);

#endif
