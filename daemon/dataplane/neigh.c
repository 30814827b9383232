/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops whose link-layer address is not known: the supervisor is asked for it, and a few packets wait, so
 * that the first SYN to a new host does not cost a retransmission timeout.
 */
#include "daemon/dataplane/ip.h"

#include "daemon/dataplane/mailbox.h"
#include "daemon/dataplane/xsk.h"

#define SECOND_NS         1000000000u
#define ASKED_PER_SECOND  128u      /* a flood of forged on-link sources must not flood the supervisor */
#define PARKED_LOOK_NS    1000000u  /* how often parked packets look for their address */
#define PARKED_GIVE_UP_NS SECOND_NS /* TCP retransmits by then */

static uint32_t asked_slot(const uint8_t addr[16])
{
	uint32_t hash = 0;

	for (unsigned i = 12; i < 16; i++)
		hash = hash * 31 + addr[i];
	return hash % NEIGH_ASKED_MAX;
}

void neigh_ask(struct core *core, const uint8_t next_hop[16], uint8_t iface, uint16_t vlan)
{
	struct ip_core *ip = core->ip;
	uint32_t slot = asked_slot(next_hop);

	if (core->now.ns - ip->asked_since.ns >= SECOND_NS) {
		ip->asked_since = core->now;
		ip->asked_count = 0;
	}
	if (ip->asked_count >= ASKED_PER_SECOND)
		return;
	if (memcmp(ip->asked[slot].addr, next_hop, 16) == 0 &&
	    core->now.ns - ip->asked[slot].at.ns < SECOND_NS)
		return;
	if (!core_ask_neigh(core, next_hop, iface, vlan))
		return;
	memcpy(ip->asked[slot].addr, next_hop, 16);
	ip->asked[slot].at = core->now;
	ip->asked_count++;
	core->stats->neigh_requests++;
}

bool neigh_park(struct core *core, frame_index frame, uint32_t len, const struct ip_way *way)
{
	struct ip_core *ip = core->ip;

	if (ip->parked_count == NEIGH_PARKED_MAX)
		return false;
	if (ip->parked_count == 0)
		ip->parked_next = (tcp_time){core->now.ns + PARKED_LOOK_NS};
	ip->parked[ip->parked_count++] = (struct parked_packet){
	    .frame = frame, .len = len, .way = *way, .give_up = {core->now.ns + PARKED_GIVE_UP_NS}};
	return true;
}

/* True when the packet has left the list, one way or the other. */
static bool parked_try(struct core *core, struct parked_packet *packet)
{
	struct ip_way *way = &packet->way;
	uint32_t slot = mirror_neigh_find(core->mirror, way->next_hop, way->iface, way->vlan);

	if (slot != MIRROR_NO_NEIGH && mirror_neigh_mac(core->mirror, slot, way->mac)) {
		if (way->iface < core->ip->ifaces_count && xsk_tx_room(core, way->iface, 1) > 0) {
			eth_output(core->ip, way, core->dp->umem + frame_addr(packet->frame) + IP_TX_OFF);
			xsk_tx_put(core, way->iface, packet->frame, IP_TX_OFF, packet->len);
			return true;
		}
	}
	if (core->now.ns < packet->give_up.ns)
		return false;
	core->stats->drop_tx_no_neigh++;
	frame_release(core, packet->frame);
	return true;
}

void neigh_run(struct core *core)
{
	struct ip_core *ip = core->ip;
	uint32_t kept = 0;

	if (ip->parked_count == 0 || core->now.ns < ip->parked_next.ns)
		return;
	for (uint32_t i = 0; i < ip->parked_count; i++)
		if (!parked_try(core, &ip->parked[i]))
			ip->parked[kept++] = ip->parked[i];
	ip->parked_count = kept;
	ip->parked_next = (tcp_time){core->now.ns + PARKED_LOOK_NS};
}

tcp_time neigh_next_timer(const struct core *core)
{
	return core->ip->parked_count > 0 ? core->ip->parked_next : (tcp_time){0};
}
