/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets in and out. Ethernet and IPv4 without options, no VLAN: the link of a test bed.
 */
#include <errno.h>
#include <string.h>

#include "daemon/dataplane/big_endian.h"
#include "tests/bench/load/load.h"

#define ETH_BYTES     14u
#define IP_BYTES      20u
#define TCP_BYTES     20u
#define IP_OFF        ETH_BYTES
#define TCP_OFF       (ETH_BYTES + IP_BYTES)
#define ARP_BYTES     28u
#define ANNOUNCED_MAX 1024u
#define IP_PROTO_TCP  6
#define TX_FRAMES_MIN 256u /* sent in a turn at the most; received packets wait meanwhile */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void header_make(struct load *load)
{
	uint8_t *ip = load->header + IP_OFF;

	bench_neighbour_mac(load->config.iface, load->config.target.ip, load->header);
	bench_iface_mac(load->config.iface, load->header + 6);
	store_be16(load->header + 12, 0x0800);
	ip[0] = 4 << 4 | IP_BYTES / 4;
	store_be16(ip + 6, 0x4000); /* don't fragment; the id may then be 0 (RFC 6864) */
	ip[8] = 64;
	ip[9] = IP_PROTO_TCP;
	store_be32(ip + 16, load->config.target.ip);
	load->header_sum = inet_checksum_add(0, ip, IP_BYTES);
}

/* Asks for the target once more in the name of each of our addresses: so it learns where they are before a
 * hundred SYNs at once have to wait for it to find out. The answers go to the kernel, which knows already. */
static void sources_announce(struct load *load)
{
	const struct load_config *config = &load->config;
	uint32_t count = config->sources.last - config->sources.first + 1;

	for (uint32_t i = 0; i < count && i < ANNOUNCED_MAX; i++) {
		static const uint8_t ethernet_ipv4_request[] = {0, 1, 8, 0, 6, 4, 0, 1};
		uint64_t addr;
		uint8_t *at;

		if (!bench_xsk_tx_get(&load->xsk, &addr))
			return;
		at = load->xsk.umem + addr;
		memset(at, 0, ETH_BYTES + ARP_BYTES);
		memset(at, 0xff, 6);
		memcpy(at + 6, load->header + 6, 6);
		store_be16(at + 12, 0x0806);
		memcpy(at + 14, ethernet_ipv4_request, sizeof(ethernet_ipv4_request));
		memcpy(at + 22, load->header + 6, 6);
		store_be32(at + 28, config->sources.first + i);
		store_be32(at + 38, config->target.ip);
		bench_xsk_tx_put(&load->xsk, addr, ETH_BYTES + ARP_BYTES);
		bench_xsk_kick(&load->xsk);
	}
}

void wire_init(struct load *load)
{
	const struct load_config *config = &load->config;
	struct bench_steer steer = {
	    .remote_ip = config->target.ip,
	    .remote_port = config->target.port,
	    .local_first = config->sources.first,
	    .local_last = config->sources.last,
	    .local_port_first = (uint16_t)config->ports.first,
	    .local_port_last = (uint16_t)config->ports.last,
	};

	load->mtu = bench_iface_mtu(config->iface);
	if (load->mtu > BENCH_FRAME_BYTES - 256 - ETH_BYTES)
		load->mtu = BENCH_FRAME_BYTES - 256 - ETH_BYTES;
	header_make(load);
	bench_xsk_open(&load->xsk, config->iface, (uint32_t)config->ring_slots, config->transmit, &steer);
	sources_announce(load);
}

/* A received segment's addresses in the engine's form. */
struct segment {
	struct tcp_packet tcp;
	uint8_t local[16], remote[16];
};

/* The XDP program has looked at addresses and protocol; lengths and checksums are claims still. On a veth the
 * peer leaves the sum to hardware that does not exist: then only the pseudo header's stands there. */
static bool segment_parse(const struct bench_packet *packet, struct segment *segment)
{
	const uint8_t *ip = packet->data + IP_OFF, *tcp = packet->data + TCP_OFF;
	uint32_t total_bytes, tcp_bytes;
	uint16_t partial;
	uint64_t sum;

	if (packet->len < TCP_OFF + TCP_BYTES || ip[0] != (4 << 4 | IP_BYTES / 4))
		return false;
	total_bytes = load_be16(ip + 2);
	if (total_bytes < IP_BYTES + TCP_BYTES || total_bytes > packet->len - IP_OFF ||
	    (load_be16(ip + 6) & 0x3fff) != 0)
		return false;
	tcp_bytes = total_bytes - IP_BYTES;
	sum = inet_checksum_add(sum_of_be16(tcp_bytes) + sum_of_be16(IP_PROTO_TCP), ip + 12, 8);
	partial = (uint16_t)~inet_checksum_fold(sum);
	if (memcmp(tcp + 16, &partial, 2) != 0 &&
	    inet_checksum_fold(inet_checksum_add(sum, tcp, tcp_bytes)) != 0)
		return false;
	memcpy(segment->local, mapped_prefix, sizeof(mapped_prefix));
	memcpy(segment->local + 12, ip + 16, 4);
	memcpy(segment->remote, mapped_prefix, sizeof(mapped_prefix));
	memcpy(segment->remote + 12, ip + 12, 4);
	segment->tcp = (struct tcp_packet){.local = segment->local,
					   .remote = segment->remote,
					   .data = tcp,
					   .len = tcp_bytes,
					   .ecn = ip[1] & 3};
	return true;
}

void wire_input(struct load *load, const struct bench_packet *packets, uint32_t count)
{
	struct segment segments[BENCH_BATCH_MAX];
	uint32_t good = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!segment_parse(&packets[i], &segments[good])) {
			load->drop_packets++;
			continue;
		}
		tcp_prefetch(load->tcp, &segments[good].tcp);
		good++;
	}
	for (uint32_t i = 0; i < good; i++)
		tcp_input(load->tcp, load->now, &segments[i].tcp);
}

/* One segment of a train into one frame. */
static void segment_make(struct load *load, const struct tcp_emit *emit, uint32_t at, uint32_t len,
			 uint8_t *data)
{
	uint8_t *ip = data + IP_OFF, *tcp = data + TCP_OFF;
	uint32_t header_bytes = TCP_BYTES + emit->options_len, tcp_bytes = header_bytes + len;
	bool is_last = at + len == emit->payload_len;
	uint32_t local;
	uint64_t sum;
	uint16_t check;

	memcpy(data, load->header, sizeof(load->header));
	store_be16(ip + 2, IP_BYTES + tcp_bytes);
	ip[1] = emit->ecn & 3;
	memcpy(&local, emit->tuple->local + 12, 4);
	memcpy(ip + 12, &local, 4);
	check = inet_checksum_fold(load->header_sum + local + sum_of_be16(IP_BYTES + tcp_bytes) +
				   sum_of_be16(emit->ecn & 3));
	memcpy(ip + 10, &check, 2);
	memset(tcp + 16, 0, 4);
	store_be16(tcp, emit->tuple->local_port);
	store_be16(tcp + 2, emit->tuple->remote_port);
	store_be32(tcp + 4, emit->seq + at);
	store_be32(tcp + 8, emit->ack);
	tcp[12] = (uint8_t)(header_bytes / 4 << 4 | emit->flags >> 8);
	tcp[13] = (uint8_t)emit->flags;
	if (at != 0)
		tcp[13] &= (uint8_t)~emit->first_flags;
	if (!is_last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	store_be16(tcp + 14, emit->window);
	memcpy(tcp + TCP_BYTES, emit->options, emit->options_len);
	sum = inet_checksum_add(sum_of_be16(tcp_bytes) + sum_of_be16(IP_PROTO_TCP), ip + 12, 8);
	sum = inet_checksum_add(sum, tcp, header_bytes);
	if (len > 0)
		stream_gather(load, emit->conn, emit->payload_off + at, len, tcp + header_bytes, &sum);
	check = inet_checksum_fold(sum);
	memcpy(tcp + 16, &check, 2);
}

int64_t wire_emit(void *ctx, const struct tcp_emit *emit)
{
	struct load *load = ctx;
	uint32_t at = 0;

	do {
		uint32_t len = emit->payload_len - at < emit->mss ? emit->payload_len - at : emit->mss;
		uint64_t addr;

		if (load->tx_frames_left == 0 || !bench_xsk_tx_get(&load->xsk, &addr))
			return at == 0 ? -EAGAIN : (int64_t)at;
		load->tx_frames_left--;
		segment_make(load, emit, at, len, load->xsk.umem + addr);
		bench_xsk_tx_put(&load->xsk, addr, TCP_OFF + TCP_BYTES + emit->options_len + len);
		at += len;
	} while (at < emit->payload_len);
	return at;
}
