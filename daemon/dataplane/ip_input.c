/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 in: every check below TCP, each with its counter, and the TCP checksum.
 */
#include "daemon/dataplane/ip.h"

enum ip4_option { IP4_OPTION_END = 0, IP4_OPTION_NOP = 1, IP4_OPTION_LSRR = 131, IP4_OPTION_SSRR = 137 };

/* RFC 791 section 3.1; RFC 1122 section 3.2.1.8. Source routes are refused because they let a peer choose
 * whose address it speaks from (RFC 7126 section 4); all other options have no meaning here. */
static bool options_are_harmless(struct core *core, const uint8_t *options, uint32_t len)
{
	uint32_t at = 0;

	while (at < len && options[at] != IP4_OPTION_END) {
		if (options[at] == IP4_OPTION_NOP) {
			at++;
			continue;
		}
		if (len - at < 2 || options[at + 1] < 2 || options[at + 1] > len - at) {
			core->stats->drop_ip_header++;
			return false;
		}
		if (options[at] == IP4_OPTION_LSRR || options[at] == IP4_OPTION_SSRR) {
			core->stats->drop_ip_options++;
			return false;
		}
		at += options[at + 1];
	}
	return true;
}

/* Addresses that no packet may come from (RFC 1122 section 3.2.1.3): this network, loopback, multicast, class
 * E with broadcast; and our own address, which only a forger uses on the wire. */
static bool source_is_possible(const uint8_t *ip)
{
	uint8_t first = ip[12];

	return first != 0 && first != 127 && first < 224 && memcmp(ip + 12, ip + 16, 4) != 0;
}

bool ip_addr_is_local(struct core *core, const uint8_t addr[16])
{
	struct ip_core *cache = core->ip;
	uint32_t generation = __atomic_load_n(&core->mirror->generation, __ATOMIC_ACQUIRE);
	uint32_t at = addr[15] % IP_LOCAL_CACHE;

	if (cache->local_generation != generation) {
		memset(cache->local_is_known, 0, sizeof(cache->local_is_known));
		cache->local_generation = generation;
	}
	if (cache->local_is_known[at] && memcmp(cache->local[at], addr, 16) == 0)
		return true;
	if (!mirror_addr_is_local(core->mirror, addr))
		return false;
	memcpy(cache->local[at], addr, 16);
	cache->local_is_known[at] = 1;
	return true;
}

/* RFC 9293 section 3.1. On links where the sender leaves the sum to hardware that does not exist (veth,
 * virtio) only the pseudo header's sum stands in the field; it is accepted where the interface's setting says
 * so. */
static bool tcp_checksum_is_good(struct core *core, uint8_t iface, const struct rx_segment *segment)
{
	const struct tcp_packet *tcp = &segment->tcp;
	uint64_t sum = inet_checksum_pseudo(segment->remote, segment->local, IP_PROTO_TCP, tcp->len);

	if (tcp->len >= TCP_HEADER_BYTES &&
	    core->ip->ifaces[iface].rx_checksum == MIRROR_CHECKSUM_PARTIAL_OK) {
		uint16_t partial = (uint16_t)~inet_checksum_fold(sum);

		if (memcmp(tcp->data + 16, &partial, sizeof(partial)) == 0) {
			core->stats->checksum_partial++;
			return true;
		}
	}
	return inet_checksum_fold(inet_checksum_add(sum, tcp->data, tcp->len)) == 0;
}

static void tcp_segment_add(struct core *core, struct rx_batch *batch, uint8_t iface, uint16_t vlan,
			    const uint8_t *ip, uint32_t header_bytes, uint32_t total_bytes)
{
	struct rx_segment *segment = &batch->segments[batch->segments_count];

	ip4_map(segment->remote, ip + 12);
	ip4_map(segment->local, ip + 16);
	segment->tcp = (struct tcp_packet){
	    .local = segment->local,
	    .remote = segment->remote,
	    .data = ip + header_bytes,
	    .len = total_bytes - header_bytes,
	    .vlan = vlan,
	    .ecn = ip[1] & 3,
	};
	if (!ip_addr_is_local(core, segment->local)) {
		core->stats->drop_not_local++;
		return;
	}
	if (!tcp_checksum_is_good(core, iface, segment)) {
		core->stats->drop_tcp_checksum++;
		return;
	}
	/* tcp_prefetch() reads the ports: shorter than that is not worth it, the engine refuses it anyway. */
	if (segment->tcp.len >= TCP_HEADER_BYTES)
		segment->place = tcp_prefetch(core->tcp, &segment->tcp);
	batch->segments_count++;
}

void ip_input(struct core *core, struct rx_batch *batch, uint8_t iface, uint16_t vlan, const uint8_t *ip,
	      uint32_t len)
{
	struct core_stats *stats = core->stats;
	uint32_t header_bytes, total_bytes;
	uint8_t local[16];

	if (len < IP4_HEADER_BYTES || ip[0] >> 4 != 4) {
		stats->drop_ip_header++;
		return;
	}
	header_bytes = (ip[0] & 15u) * 4;
	total_bytes = load_be16(ip + 2); /* shorter than len when Ethernet has padded the frame */
	if (header_bytes < IP4_HEADER_BYTES || total_bytes < header_bytes || total_bytes > len) {
		stats->drop_ip_header++;
		return;
	}
	if (inet_checksum_fold(inet_checksum_add(0, ip, header_bytes)) != 0) {
		stats->drop_ip_checksum++;
		return;
	}
	if ((load_be16(ip + 6) & IP4_FRAGMENT_MASK) != 0) {
		stats->drop_ip_fragment++;
		return;
	}
	if (!source_is_possible(ip)) {
		stats->drop_ip_header++;
		return;
	}
	if (header_bytes > IP4_HEADER_BYTES &&
	    !options_are_harmless(core, ip + IP4_HEADER_BYTES, header_bytes - IP4_HEADER_BYTES))
		return;
	if (ip[9] == IP_PROTO_TCP) {
		tcp_segment_add(core, batch, iface, vlan, ip, header_bytes, total_bytes);
		return;
	}
	ip4_map(local, ip + 16);
	if (ip[9] != IP_PROTO_ICMP)
		stats->drop_ip_header++;
	else if (!ip_addr_is_local(core, local))
		stats->drop_not_local++;
	else
		icmp_input(core, vlan, ip + header_bytes, total_bytes - header_bytes);
}
