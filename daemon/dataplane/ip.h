/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet and IPv4 as they stand on the wire, and what a core remembers to send and to check packets
 * quickly.
 */
#ifndef DAEMON_DATAPLANE_IP_H
#define DAEMON_DATAPLANE_IP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "daemon/common/mirror.h"
#include "daemon/dataplane/big_endian.h"
#include "daemon/dataplane/core.h"
#include "daemon/dataplane/packet.h"

#define ETH_HEADER_BYTES  14u
#define ETH_VLAN_BYTES    4u
#define ETH_TYPE_IPV4     0x0800u
#define ETH_TYPE_VLAN     0x8100u
#define ETH_TYPE_VLAN_S   0x88a8u
#define IP4_HEADER_BYTES  20u
#define IP4_FLAG_DF       0x4000u
#define IP4_FRAGMENT_MASK 0x3fffu /* more fragments, or an offset */
#define IP_PROTO_ICMP     1u
#define IP_PROTO_TCP      6u
#define TCP_HEADER_BYTES  20u

/* ::ffff:a.b.c.d from the four bytes of a header. */
static inline void ip4_map(uint8_t addr[16], const uint8_t *ip4)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(addr, prefix, 12);
	memcpy(addr + 12, ip4, 4);
}

/* What Ethernet says about a packet. */
struct eth_info {
	uint16_t type; /* after the VLAN tag */
	uint16_t vlan; /* 0: untagged or priority-tagged */
	uint16_t header_bytes;
};

#define IP_LOCAL_CACHE   8
#define NEIGH_PARKED_MAX 64
#define NEIGH_ASKED_MAX  64

/* Where a packet leaves. */
struct ip_way {
	uint8_t iface;
	bool has_mac;
	uint16_t vlan;
	uint8_t mac[6];
	uint8_t next_hop[16]; /* valid without has_mac only */
};

/* A packet that waits for the link-layer address of its next hop. */
struct parked_packet {
	frame_index frame;
	uint32_t len;
	struct ip_way way;
	tcp_time give_up;
};

struct ip_core {
	uint32_t ifaces_seq; /* of the mirror, when ifaces was copied */
	uint32_t ifaces_count;
	uint32_t tx_frames_left; /* in this turn: bounds a turn however much there is to send */
	uint16_t next_id;
	struct mirror_iface ifaces[IXD_IFACES_MAX];

	/* Local addresses seen last, by their last byte. */
	uint32_t local_generation;
	uint8_t local_is_known[IP_LOCAL_CACHE];
	uint8_t local[IP_LOCAL_CACHE][16];

	/* neigh.c */
	uint32_t parked_count;
	tcp_time parked_next; /* when to look again */
	tcp_time asked_since;
	uint32_t asked_count;
	struct parked_packet parked[NEIGH_PARKED_MAX];
	struct {
		uint8_t addr[16];
		tcp_time at;
	} asked[NEIGH_ASKED_MAX];
};

struct ip_core *ip_core_new(void);
void ip_core_free(struct ip_core *ip);

/* Start of a turn: takes over changes of the interfaces, renews the turn's budget of frames to send. */
void ip_turn_begin(struct core *core);

/* eth.c: checks the Ethernet header. False: dropped and counted. */
bool eth_parse(struct core *core, const struct rx_packet *packet, struct eth_info *eth);
/* The whole batch, from Ethernet to tcp_input(). */
void eth_input(struct core *core, struct rx_batch *batch);
/* Writes a header; returns its bytes. */
uint32_t eth_output(const struct ip_core *ip, const struct ip_way *way, uint8_t *at);

/* ip_input.c: checks a packet down to the TCP checksum; a good TCP segment is added to the batch, an ICMP
 * error is handled. ip: the IP header; len: bytes from there on, Ethernet padding included. */
void ip_input(struct core *core, struct rx_batch *batch, uint8_t iface, uint16_t vlan, const uint8_t *ip,
	      uint32_t len);
/* True when the address is one of the instance's; remembers the answer until addresses change. */
bool ip_addr_is_local(struct core *core, const uint8_t addr[16]);

/* icmp.c: an ICMP message to a local address, its IP header checked. */
void icmp_input(struct core *core, uint16_t vlan, const uint8_t *icmp, uint32_t len);
/* Errors that came by another core's queue: takes them; whether there are any. */
void icmp_take_passed(struct core *core);
bool icmp_is_passed(const struct core *core);

/* ip_output.c: tcp_ops.emit; ctx is the struct core. */
int64_t ip_output(void *ctx, const struct tcp_emit *train);

/* neigh.c */
/* Asks the supervisor for a link-layer address, at most once a second for each and not too many in all. */
void neigh_ask(struct core *core, const uint8_t next_hop[16], uint8_t iface, uint16_t vlan);
/* Keeps a finished packet whose Ethernet destination is still open until the address is known, for a second
 * at the most. False: no room; the frame is still the caller's. */
bool neigh_park(struct core *core, frame_index frame, uint32_t len, const struct ip_way *way);
/* Sends, or gives up, parked packets. */
void neigh_run(struct core *core);
/* When neigh_run() wants to be called; {0}: nothing is parked. */
tcp_time neigh_next_timer(const struct core *core);

/* Packets to send lie at this offset in their frame: room for TX metadata before them, and an IP header that
 * is aligned to 16 bytes after an untagged Ethernet header. */
#define IP_TX_OFF 66u

#endif
