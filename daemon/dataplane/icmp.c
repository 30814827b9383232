/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors about our segments. The XDP program hands over only those that quote an owned flow; here the
 * quote is taken apart, and the engine judges by its sequence number whether to believe it (RFC 5927).
 */
#include "daemon/dataplane/ip.h"

#define ICMP_HEADER_BYTES      8u
#define ICMP_QUOTED_TCP_BYTES  8u /* ports and sequence number: what RFC 792 promises */
#define ICMP_UNREACHABLE       3u
#define ICMP_TIME_EXCEEDED     11u
#define ICMP_PARAMETER_PROBLEM 12u
#define ICMP_CODE_PROTOCOL     2u
#define ICMP_CODE_PORT         3u
#define ICMP_CODE_FRAG_NEEDED  4u

/* RFC 1122 section 4.2.3.9: protocol and port unreachable are hard, the others may pass. */
static enum tcp_icmp error_kind(uint8_t type, uint8_t code)
{
	if (type != ICMP_UNREACHABLE)
		return TCP_ICMP_SOFT;
	if (code == ICMP_CODE_FRAG_NEEDED)
		return TCP_ICMP_FRAG_NEEDED;
	return code == ICMP_CODE_PROTOCOL || code == ICMP_CODE_PORT ? TCP_ICMP_HARD : TCP_ICMP_SOFT;
}

/* Routers before RFC 1191 leave the field zero; its section 7.1 gives the values to try instead. */
static uint16_t plateau_below(uint16_t bytes)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

	for (unsigned i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < bytes)
			return plateaus[i];
	return 68; /* the least that IPv4 allows */
}

/* The quoted header is what we sent: from us, to the peer. */
static bool quote_take(struct core *core, uint16_t vlan, const uint8_t *ip, uint32_t len,
		       struct tcp_tuple *tuple, uint32_t *seq)
{
	uint32_t header_bytes;
	const uint8_t *tcp;

	if (len < IP4_HEADER_BYTES || ip[0] >> 4 != 4 || ip[9] != IP_PROTO_TCP)
		return false;
	header_bytes = (ip[0] & 15u) * 4;
	if (header_bytes < IP4_HEADER_BYTES || len < header_bytes + ICMP_QUOTED_TCP_BYTES)
		return false;
	tcp = ip + header_bytes;
	*tuple =
	    (struct tcp_tuple){.local_port = load_be16(tcp), .remote_port = load_be16(tcp + 2), .vlan = vlan};
	ip4_map(tuple->local, ip + 12);
	ip4_map(tuple->remote, ip + 16);
	*seq = load_be32(tcp + 4);
	return ip_addr_is_local(core, tuple->local);
}

void icmp_input(struct core *core, uint16_t vlan, const uint8_t *icmp, uint32_t len)
{
	struct tcp_tuple tuple;
	enum tcp_icmp kind;
	uint16_t mtu = 0;
	uint32_t seq;

	if (len < ICMP_HEADER_BYTES || inet_checksum_fold(inet_checksum_add(0, icmp, len)) != 0 ||
	    (icmp[0] != ICMP_UNREACHABLE && icmp[0] != ICMP_TIME_EXCEEDED &&
	     icmp[0] != ICMP_PARAMETER_PROBLEM) ||
	    !quote_take(core, vlan, icmp + ICMP_HEADER_BYTES, len - ICMP_HEADER_BYTES, &tuple, &seq)) {
		core->stats->drop_icmp++;
		return;
	}
	kind = error_kind(icmp[0], icmp[1]);
	if (kind == TCP_ICMP_FRAG_NEEDED) {
		mtu = load_be16(icmp + 6);
		if (mtu == 0)
			mtu = plateau_below(load_be16(icmp + ICMP_HEADER_BYTES + 2));
	}
	core->stats->icmp_errors++;
	tcp_icmp_input(core->tcp, core->now, &tuple, seq, kind, mtu);
}
