/* SPDX-License-Identifier: BSD-2-Clause */
/* What is interesting in a record. */
#ifndef TCP_TCP_INFO_H
#define TCP_TCP_INFO_H

#include "tcp/tcp_conn.h"

/* Works on any content of *c. Without config (another process does not have it) the RTO is told without
 * the configured bounds. */
void tcp_info_fill(const struct tcp_conn *c, const struct tcp_config *config, struct tcp_info *info);

#endif
