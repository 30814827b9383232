/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors about our segments. The XDP program hands over only those that quote an owned flow; here the
 * quote is taken apart, and the engine judges by its sequence number whether to believe it (RFC 5927).
 *
 * Where RSS brings each flow to a queue of its core, an error still comes by the queue of its own hash. It is
 * then passed to the flow's core, as a few words through a ring.
 */
#include "daemon/dataplane/conn.h"
#include "daemon/dataplane/frame.h"
#include "daemon/dataplane/ip.h"

#define ICMP_HEADER_BYTES      8u
#define ICMP_QUOTED_TCP_BYTES  8u /* ports and sequence number: what RFC 792 promises */
#define ICMP_UNREACHABLE       3u
#define ICMP_TIME_EXCEEDED     11u
#define ICMP_PARAMETER_PROBLEM 12u
#define ICMP_CODE_PROTOCOL     2u
#define ICMP_CODE_PORT         3u
#define ICMP_CODE_FRAG_NEEDED  4u

#define ERRORS_PASSED_MAX      32u /* on their way from one core to another */

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

struct icmp_error {
	struct tcp_tuple tuple;
	uint32_t seq;
	uint16_t mtu;
	uint8_t kind;
};
#define ERROR_WORDS ((sizeof(struct icmp_error) + sizeof(uint64_t) - 1) / sizeof(uint64_t))

/* All words of an error are published together, so that the other core finds whole ones. A full ring, or
 * none, loses an error: the network does so, too. */
static void error_pass(struct core *core, uint32_t to, const struct icmp_error *error)
{
	struct handoff_ring **place = &core->dp->exchange->errors[core->id][to];
	uint64_t words[ERROR_WORDS] = {0};

	if (*place == NULL)
		exchange_ring_set(place, handoff_ring_new(ERRORS_PASSED_MAX * ERROR_WORDS));
	struct handoff_ring *ring = *place;

	if (ring == NULL || handoff_room(ring) < ERROR_WORDS)
		return;
	memcpy(words, error, sizeof(*error));
	for (unsigned i = 0; i < ERROR_WORDS; i++)
		handoff_put(ring, words[i]);
	handoff_publish(ring);
	core->stats->icmp_passed++;
	core_wake(core->dp->core[to]);
}

void icmp_take_passed(struct core *core)
{
	for (uint32_t from = 0; from < core->dp->cores; from++) {
		struct handoff_ring *ring = exchange_ring(&core->dp->exchange->errors[from][core->id]);
		uint64_t words[ERROR_WORDS];
		struct icmp_error error;

		while (ring != NULL && !handoff_is_empty(ring)) {
			for (unsigned i = 0; i < ERROR_WORDS; i++)
				handoff_take(ring, &words[i]);
			memcpy(&error, words, sizeof(error));
			tcp_icmp_input(core->tcp, core->now, &error.tuple, error.seq,
				       (enum tcp_icmp)error.kind, error.mtu);
		}
	}
}

bool icmp_is_passed(const struct core *core)
{
	for (uint32_t from = 0; from < core->dp->cores; from++) {
		const struct handoff_ring *ring = exchange_ring(&core->dp->exchange->errors[from][core->id]);

		if (ring != NULL && !handoff_is_empty(ring))
			return true;
	}
	return false;
}

void icmp_input(struct core *core, uint16_t vlan, const uint8_t *icmp, uint32_t len)
{
	struct icmp_error error = {0};
	enum tcp_icmp kind;

	if (len < ICMP_HEADER_BYTES || inet_checksum_fold(inet_checksum_add(0, icmp, len)) != 0 ||
	    (icmp[0] != ICMP_UNREACHABLE && icmp[0] != ICMP_TIME_EXCEEDED &&
	     icmp[0] != ICMP_PARAMETER_PROBLEM) ||
	    !quote_take(core, vlan, icmp + ICMP_HEADER_BYTES, len - ICMP_HEADER_BYTES, &error.tuple,
			&error.seq)) {
		core->stats->drop_icmp++;
		return;
	}
	kind = error_kind(icmp[0], icmp[1]);
	if (kind == TCP_ICMP_FRAG_NEEDED) {
		error.mtu = load_be16(icmp + 6);
		if (error.mtu == 0)
			error.mtu = plateau_below(load_be16(icmp + ICMP_HEADER_BYTES + 2));
	}
	core->stats->icmp_errors++;
	error.kind = (uint8_t)kind;
	uint32_t home = flow_core(core->dp, &error.tuple);
	if (home != core->id && home < core->dp->cores)
		error_pass(core, home, &error);
	else
		tcp_icmp_input(core->tcp, core->now, &error.tuple, error.seq, kind, error.mtu);
}
