/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core in plain memory for the packet side's tests: one interface, one socket whose rings nobody but the
 * test works on, a route, a neighbour. The engine and the client side are replaced at the seams that the
 * packet side calls (the linker's --wrap, see mk/unit_dataplane.mk), only while a fixture is in use.
 */
#ifndef TESTS_UNIT_DATAPLANE_PACKET_FIXTURE_H
#define TESTS_UNIT_DATAPLANE_PACKET_FIXTURE_H

#include <stdint.h>

#include "daemon/dataplane/ip.h"
#include "daemon/dataplane/xsk.h"

#define FIXTURE_FRAMES 512u
#define FIXTURE_SLOTS  256u

/* What the packet side has handed to the engine. */
struct fixture_seen {
	uint32_t segments;
	uint8_t last[2048]; /* the segment handed over last: TCP header and payload */
	uint32_t last_len;
	uint16_t last_vlan;
	uint8_t last_ecn;
	uint32_t icmp;
	struct tcp_tuple icmp_tuple;
	uint32_t icmp_seq;
	enum tcp_icmp icmp_kind;
	uint16_t icmp_mtu;
	bool stream_is_gone;       /* conn_gather() says that the bytes do not exist */
	uint32_t pieces_bytes_max; /* conn_gather_pieces() covers no more than this in one call */
};

struct fixture {
	struct dataplane dp;
	struct core *core;
	struct xsk_port *port;
	struct mirror *mirror;
	struct fixture_seen seen;
};

extern const uint8_t fixture_mac[6], fixture_peer_mac[6];
extern const uint8_t fixture_local[16], fixture_remote[16];

void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f);
/* Tells the mirror the peer's link-layer address. */
void fixture_neigh_learn(struct fixture *f);

/* The kernel's part. */
/* Takes the oldest packet that was submitted to the TX ring: its bytes, or NULL. */
const uint8_t *fixture_tx_take(struct fixture *f, uint32_t *len, uint64_t *addr);
/* Puts bytes into a frame from the FILL ring and the frame into the RX ring; false: FILL or RX ring is empty
 * or full. */
bool fixture_rx_put(struct fixture *f, const void *data, uint32_t len);
/* Completes a packet. */
void fixture_complete(struct fixture *f, uint64_t addr);
/* The byte of the outgoing stream at an offset. */
uint8_t fixture_stream_byte(uint64_t off);

/* Writes an Ethernet, IPv4 and TCP packet with good checksums from the peer to us; vlan 0: untagged;
 * options_len a multiple of 4. Returns its bytes. */
uint32_t fixture_packet(uint8_t *at, uint16_t vlan, const uint8_t *ip_options, uint32_t options_len,
			const void *payload, uint32_t payload_len);
/* Computes the IP header's checksum again. */
void fixture_ip_sum(uint8_t *ip);
/* Hands bytes to eth_input() in memory of exactly their size, so that the sanitizer sees each byte too many.
 */
void fixture_input(struct fixture *f, const void *data, uint32_t len);

#endif
