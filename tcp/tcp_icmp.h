/* SPDX-License-Identifier: BSD-2-Clause */
/* Path MTU: ICMP errors and black holes. */
#ifndef TCP_TCP_ICMP_H
#define TCP_TCP_ICMP_H

#include "tcp/tcp_conn.h"

/* Timeouts in a row although smaller segments might pass: halves the segment size, once (RFC 4821). */
void tcp_icmp_suspect_blackhole(struct tcp_engine *e, uint32_t conn);

#endif
