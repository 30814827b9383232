/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet in and out, and the batch's way up: two passes, so that the second finds in the cache what the
 * first has asked for.
 */
#include "daemon/dataplane/conn.h"
#include "daemon/dataplane/ip.h"

/* Packets whose bytes are on their way to the cache while one is worked on: more than can be under way at a
 * time would be forgotten again. */
#define PREFETCH_AHEAD 6u
/* The same for connections, whose records are many lines. */
#define RECORDS_AHEAD  2u

bool eth_parse(struct core *core, const struct rx_packet *packet, struct eth_info *eth)
{
	const uint8_t *at = packet->data;

	if (packet->iface >= core->ip->ifaces_count || packet->len < ETH_HEADER_BYTES)
		return false;
	/* A segment in a broadcast or multicast frame, or in one that a switch has flooded, is not for us
	 * (RFC 1122 section 3.3.6). */
	if (memcmp(at, core->ip->ifaces[packet->iface].mac, 6) != 0)
		return false;
	eth->type = load_be16(at + 12);
	eth->vlan = 0;
	eth->header_bytes = ETH_HEADER_BYTES;
	if (eth->type != ETH_TYPE_VLAN && eth->type != ETH_TYPE_VLAN_S)
		return true;
	if (packet->len < ETH_HEADER_BYTES + ETH_VLAN_BYTES)
		return false;
	eth->vlan = load_be16(at + 14) & 0x0fff;
	eth->type = load_be16(at + 16);
	eth->header_bytes = ETH_HEADER_BYTES + ETH_VLAN_BYTES;
	return true;
}

/* A small packet with its headers lies on three lines, which the sender's CPU wrote last. */
static void packet_prefetch(const struct rx_packet *packet)
{
	__builtin_prefetch(packet->data);
	__builtin_prefetch(packet->data + 64);
	__builtin_prefetch(packet->data + 128);
}

static void record_prefetch(struct core *core, const struct rx_segment *segment)
{
	uint32_t conn = tcp_prefetch_record(core->tcp, segment->place);

	if (conn != TCP_NONE)
		conn_prefetch(core, conn);
}

void eth_input(struct core *core, struct rx_batch *batch)
{
	struct eth_info eth;

	batch->segments_count = 0;
	for (uint32_t i = 0; i < batch->count && i < PREFETCH_AHEAD; i++)
		packet_prefetch(&batch->packets[i]);
	for (uint32_t i = 0; i < batch->count; i++) {
		const struct rx_packet *packet = &batch->packets[i];

		if (i + PREFETCH_AHEAD < batch->count)
			packet_prefetch(&batch->packets[i + PREFETCH_AHEAD]);

		if (!eth_parse(core, packet, &eth) || eth.type != ETH_TYPE_IPV4) {
			core->stats->drop_eth++;
			continue;
		}
		ip_input(core, batch, packet->iface, eth.vlan, packet->data + eth.header_bytes,
			 packet->len - eth.header_bytes);
	}
	for (uint32_t i = 0; i < batch->segments_count && i < RECORDS_AHEAD; i++)
		record_prefetch(core, &batch->segments[i]);
	for (uint32_t i = 0; i < batch->segments_count; i++) {
		if (i + RECORDS_AHEAD < batch->segments_count)
			record_prefetch(core, &batch->segments[i + RECORDS_AHEAD]);
		tcp_input(core->tcp, core->now, &batch->segments[i].tcp);
	}
}

uint32_t eth_output(const struct ip_core *ip, const struct ip_way *way, uint8_t *at)
{
	uint32_t bytes = ETH_HEADER_BYTES;

	memcpy(at, way->mac, 6);
	memcpy(at + 6, ip->ifaces[way->iface].mac, 6);
	if (way->vlan != 0) {
		store_be16(at + 12, ETH_TYPE_VLAN);
		store_be16(at + 14, way->vlan);
		bytes += ETH_VLAN_BYTES;
	}
	store_be16(at + bytes - 2, ETH_TYPE_IPV4);
	return bytes;
}
