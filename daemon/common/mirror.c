/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers and writer of the mirror of the kernel's routing state.
 *
 * Interfaces, addresses and routes are under a sequence count. A reader copies what it needs while the count
 * is even and takes the copy only if the count has not moved; until then every index it meets may be torn and
 * is bounded before use. Neighbours are outside of the count: a slot's key is written once, before its flag,
 * and the link-layer address is a single word.
 */
#include "daemon/common/mirror.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/cpu_relax.h"

/* A change takes the writer some microseconds; one that lasts longer than this many readings has been
 * interrupted, and the caller has better things to do. */
#define MIRROR_READ_TRIES       1024

/* Slots that may be taken: a quarter stays empty, so that a probe for what is not there ends soon. */
#define MIRROR_NEIGHS_TAKEN_MAX (MIRROR_NEIGHS_MAX / 4 * 3)

_Static_assert((MIRROR_NEIGHS_MAX & (MIRROR_NEIGHS_MAX - 1)) == 0, "slots are masked");

static const uint8_t addr_none[16];

/* False: the writer is inside a change. */
static bool read_begin(const struct mirror *m, uint32_t *seq)
{
	/* Acquire: the tables are read after the count. */
	*seq = __atomic_load_n(&m->seq, __ATOMIC_ACQUIRE);
	return (*seq & 1) == 0;
}

static bool read_is_valid(const struct mirror *m, uint32_t seq)
{
	/* The second look at the count comes after the last look at the tables. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&m->seq, __ATOMIC_RELAXED) == seq;
}

static uint32_t count_bounded(const uint32_t *count, uint32_t max)
{
	uint32_t value = __atomic_load_n(count, __ATOMIC_RELAXED);

	return value < max ? value : max;
}

static bool prefix_matches(const uint8_t *prefix, unsigned prefix_len, const uint8_t *addr)
{
	if (prefix_len > 128)
		return false;
	unsigned bytes = prefix_len / 8, bits = prefix_len % 8;

	if (memcmp(prefix, addr, bytes) != 0)
		return false;
	return bits == 0 || ((prefix[bytes] ^ addr[bytes]) >> (8 - bits)) == 0;
}

static bool addr_is_mapped(const uint8_t *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

/* The address of the interface that shares a prefix with the next hop, else its first of the same family:
 * what the kernel does when a route names no source. */
static void source_choose(const struct mirror *m, const struct mirror_hop *hop, uint8_t source[16])
{
	uint32_t count = count_bounded(&m->addrs_count, MIRROR_ADDRS_MAX);
	bool is_found = false;

	memcpy(source, addr_none, 16);
	for (uint32_t i = 0; i < count; i++) {
		const struct mirror_addr *a = &m->addrs[i];

		if (a->iface != hop->iface || a->vlan != hop->vlan ||
		    addr_is_mapped(a->addr) != addr_is_mapped(hop->next_hop))
			continue;
		bool is_on_link = prefix_matches(a->addr, a->prefix_len, hop->next_hop);

		if (is_found && !is_on_link)
			continue;
		memcpy(source, a->addr, 16);
		is_found = true;
		if (is_on_link)
			return;
	}
}

static int hop_from_route(const struct mirror *m, const struct mirror_route *route, const uint8_t *dst,
			  struct mirror_hop *hop)
{
	if (route->type != MIRROR_ROUTE_UNICAST ||
	    route->iface >= count_bounded(&m->ifaces_count, IXD_IFACES_MAX))
		return -ENETUNREACH;
	uint16_t iface_mtu = m->ifaces[route->iface].mtu;

	hop->iface = route->iface;
	hop->vlan = route->vlan;
	hop->mtu = route->mtu != 0 && route->mtu < iface_mtu ? route->mtu : iface_mtu;
	memcpy(hop->next_hop, route->has_gateway ? route->gateway : dst, 16);
	if (memcmp(route->prefsrc, addr_none, 16) != 0)
		memcpy(hop->source, route->prefsrc, 16);
	else
		source_choose(m, hop, hop->source);
	hop->generation = __atomic_load_n(&m->generation, __ATOMIC_RELAXED);
	return 0;
}

static int route_scan(const struct mirror *m, const uint8_t *dst, struct mirror_hop *hop)
{
	uint32_t count = count_bounded(&m->routes_count, MIRROR_ROUTES_MAX);

	for (uint32_t i = 0; i < count; i++)
		if (prefix_matches(m->routes[i].dst, m->routes[i].prefix_len, dst)) {
			/* A copy: the checks and the uses must see the same bytes. */
			struct mirror_route route = m->routes[i];

			return hop_from_route(m, &route, dst, hop);
		}
	return -ENETUNREACH;
}

int mirror_route_lookup(const struct mirror *m, const uint8_t dst[16], struct mirror_hop *hop)
{
	uint32_t seq;

	for (unsigned try = 0; try < MIRROR_READ_TRIES; try++) {
		if (!read_begin(m, &seq)) {
			cpu_relax();
			continue;
		}
		int outcome = route_scan(m, dst, hop);

		if (read_is_valid(m, seq))
			return outcome;
	}
	return -EAGAIN;
}

bool mirror_addr_is_local(const struct mirror *m, const uint8_t addr[16])
{
	bool is_local = false;
	uint32_t seq;

	/* When the writer stands still the last reading is the answer: steering has let the packet through by
	 * the kernel's own list already, and a wrong answer costs at most one packet. */
	for (unsigned try = 0; try < MIRROR_READ_TRIES; try++) {
		bool is_even = read_begin(m, &seq);
		uint32_t count = count_bounded(&m->addrs_count, MIRROR_ADDRS_MAX);

		is_local = false;
		for (uint32_t i = 0; i < count && !is_local; i++)
			is_local = memcmp(m->addrs[i].addr, addr, 16) == 0;
		if (is_even && read_is_valid(m, seq))
			break;
		cpu_relax();
	}
	return is_local;
}

static uint32_t neigh_slot_first(const uint8_t *addr, uint8_t iface, uint16_t vlan)
{
	uint64_t high, low;

	memcpy(&high, addr, 8);
	memcpy(&low, addr + 8, 8);
	uint64_t mix = (high ^ ((uint64_t)vlan << 16 | iface)) * 0x9e3779b97f4a7c15u;

	mix = (mix ^ mix >> 29 ^ low) * 0xbf58476d1ce4e5b9u;
	return (uint32_t)(mix >> 40) & (MIRROR_NEIGHS_MAX - 1);
}

static bool neigh_is_taken(const struct mirror_neigh *n)
{
	/* Acquire: the key is read after the flag that says it is there. */
	return __atomic_load_n(&n->is_taken, __ATOMIC_ACQUIRE) != 0;
}

/* The slot that holds the key, or the empty one where it would go, or MIRROR_NO_NEIGH. */
static uint32_t neigh_probe(const struct mirror *m, const uint8_t *addr, uint8_t iface, uint16_t vlan)
{
	uint32_t slot = neigh_slot_first(addr, iface, vlan);

	for (uint32_t step = 0; step < MIRROR_NEIGHS_MAX; step++) {
		const struct mirror_neigh *n = &m->neighs[slot];

		if (!neigh_is_taken(n))
			return slot;
		if (n->iface == iface && n->vlan == vlan && memcmp(n->addr, addr, 16) == 0)
			return slot;
		slot = (slot + 1) & (MIRROR_NEIGHS_MAX - 1);
	}
	return MIRROR_NO_NEIGH;
}

uint32_t mirror_neigh_find(const struct mirror *m, const uint8_t addr[16], uint8_t iface, uint16_t vlan)
{
	uint32_t slot = neigh_probe(m, addr, iface, vlan);

	return slot != MIRROR_NO_NEIGH && neigh_is_taken(&m->neighs[slot]) ? slot : MIRROR_NO_NEIGH;
}

void mirror_write_begin(struct mirror *m)
{
	__atomic_store_n(&m->seq, m->seq + 1, __ATOMIC_RELAXED);
	/* No store to the tables may be seen before the odd count. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void mirror_write_end(struct mirror *m)
{
	__atomic_store_n(&m->generation, m->generation + 1, __ATOMIC_RELAXED);
	/* Release: all of the change is seen before the even count. */
	__atomic_store_n(&m->seq, m->seq + 1, __ATOMIC_RELEASE);
}

int mirror_neigh_set(struct mirror *m, const uint8_t addr[16], uint8_t iface, uint16_t vlan,
		     const uint8_t *mac)
{
	uint32_t slot = neigh_probe(m, addr, iface, vlan);

	if (slot == MIRROR_NO_NEIGH)
		return -ENOSPC;
	struct mirror_neigh *n = &m->neighs[slot];
	uint64_t word = 0;

	if (mac != NULL) {
		uint16_t valid = MIRROR_NEIGH_VALID;

		memcpy(&word, mac, 6);
		memcpy((uint8_t *)&word + 6, &valid, sizeof(valid));
	}
	if (!neigh_is_taken(n)) {
		if (m->neighs_count >= MIRROR_NEIGHS_TAKEN_MAX)
			return -ENOSPC;
		memcpy(n->addr, addr, 16);
		n->iface = iface;
		n->vlan = vlan;
		__atomic_store_n(&n->lladdr, word, __ATOMIC_RELAXED);
		__atomic_store_n(&m->neighs_count, m->neighs_count + 1, __ATOMIC_RELAXED);
		/* Release: who sees the flag sees the key. */
		__atomic_store_n(&n->is_taken, 1, __ATOMIC_RELEASE);
		return 0;
	}
	/* Relaxed: the word depends on nothing else. */
	__atomic_store_n(&n->lladdr, word, __ATOMIC_RELAXED);
	return 0;
}
