/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packets of one turn on their way up: as they come from the rings, and as TCP segments after the checks.
 */
#ifndef DAEMON_DATAPLANE_PACKET_H
#define DAEMON_DATAPLANE_PACKET_H

#include <stdint.h>

#include "daemon/dataplane/core.h"

#define RX_BATCH_MAX 1024 /* the largest batch bound that the configuration allows */

struct rx_packet {
	uint8_t *data; /* Ethernet header, in the UMEM */
	uint32_t len;
	frame_index frame;
	uint8_t iface; /* index in the mirror */
};

/* A segment that passed every check below TCP. */
struct rx_segment {
	struct tcp_packet tcp; /* local and remote point to the two fields below */
	uint8_t local[16];
	uint8_t remote[16];
	uint32_t place; /* of tcp_prefetch() */
};

struct rx_batch {
	uint32_t count;
	uint32_t segments_count;
	struct rx_packet packets[RX_BATCH_MAX];
	struct rx_segment segments[RX_BATCH_MAX];
};

#endif
