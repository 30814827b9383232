/* SPDX-License-Identifier: BSD-2-Clause */
/* The surviving memory: a header that says what lies where, then the records. */
#ifndef TCP_TCP_LAYOUT_H
#define TCP_TCP_LAYOUT_H

#include "tcp/tcp_conn.h"

#define TCP_LAYOUT_MAGIC   UINT64_C(0x3130706374647869) /* "ixdtcp01" */
#define TCP_LAYOUT_VERSION 2

struct tcp_layout_header {
	uint64_t magic;
	uint32_t version;
	uint32_t conn_bytes, time_wait_bytes, listener_bytes;
	struct tcp_limits limits;
	uint8_t reserved[16];
};

_Static_assert(sizeof(struct tcp_layout_header) == 64, "records start on a line of their own");

struct tcp_layout {
	size_t conns_off, time_waits_off, listeners_off, size;
};

/* Computes offsets. False: limits out of range. */
bool tcp_layout_surviving(const struct tcp_limits *limits, struct tcp_layout *layout);
/* Checks the header of used memory, or writes it into fresh (zero) memory. False: another layout. */
bool tcp_layout_adopt(void *surviving, const struct tcp_limits *limits, const struct tcp_layout *layout);

#endif
