/* SPDX-License-Identifier: BSD-2-Clause */
/* Path MTU: ICMP errors and black holes. */
#ifndef TCP_TCP_ICMP_H
#define TCP_TCP_ICMP_H

#include "tcp/tcp_conn.h"

/* Timeouts in a row: perhaps only smaller segments pass (RFC 4821). Lowers the segment size; if that was not
 * it, restores it. */
void tcp_icmp_suspect_blackhole(struct tcp_engine *e, uint32_t conn);
/* An ACK has made progress with lowered segments: after some minutes tries the full size again. */
void tcp_icmp_probe_up(struct tcp_engine *e, uint32_t conn);

#endif
