/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mirror's readers: longest prefix as sorted by the writer, next hops and sources, neighbours, and what
 * they do while the writer stands inside a change or the tables hold nonsense.
 */
#include "daemon/common/mirror.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

static struct mirror mirror;

static void addr_set(uint8_t addr[16], const char *text)
{
	memset(addr, 0, 16);
	addr[10] = addr[11] = 0xff;
	cr_assert_eq(inet_pton(AF_INET, text, addr + 12), 1);
}

static bool addr_is(const uint8_t addr[16], const char *text)
{
	uint8_t want[16];

	addr_set(want, text);
	return memcmp(addr, want, 16) == 0;
}

static void addr_add(const char *text, uint8_t prefix_len, uint8_t iface)
{
	struct mirror_addr *a = &mirror.addrs[mirror.addrs_count++];

	addr_set(a->addr, text);
	a->prefix_len = prefix_len;
	a->iface = iface;
}

static struct mirror_route *route_add(const char *dst, uint8_t prefix_len, const char *gateway, uint8_t iface)
{
	struct mirror_route *r = &mirror.routes[mirror.routes_count++];

	addr_set(r->dst, dst);
	r->prefix_len = prefix_len;
	r->iface = iface;
	if (gateway != NULL) {
		addr_set(r->gateway, gateway);
		r->has_gateway = 1;
	}
	return r;
}

/* Two interfaces; what the kernel would have for 10.0.0.1/24, 10.0.1.1/24 and 192.168.0.1/16. */
static void mirror_fill(void)
{
	mirror = (struct mirror){.magic = MIRROR_MAGIC, .ifaces_count = 2};
	mirror.ifaces[0].mtu = 1500;
	mirror.ifaces[1].mtu = 9000;
	mirror_write_begin(&mirror);
	addr_add("10.0.0.1", 120, 0);
	addr_add("10.0.1.1", 120, 0);
	addr_add("192.168.0.1", 112, 1);
	route_add("10.0.0.1", 128, NULL, 0)->type = MIRROR_ROUTE_LOCAL;
	route_add("10.9.9.9", 128, NULL, 0)->type = MIRROR_ROUTE_REJECT;
	route_add("10.0.0.0", 120, NULL, 0);
	route_add("10.0.1.0", 120, NULL, 0);
	addr_set(route_add("10.7.0.0", 112, "10.0.1.254", 0)->prefsrc, "10.0.0.1");
	route_add("192.168.0.0", 112, NULL, 1)->mtu = 1400;
	route_add("172.16.0.0", 108, NULL, 0xff);
	route_add("0.0.0.0", 96, "10.0.1.254", 0);
	mirror_write_end(&mirror);
}

static int lookup(const char *dst, struct mirror_hop *hop)
{
	uint8_t addr[16];

	addr_set(addr, dst);
	return mirror_route_lookup(&mirror, addr, hop);
}

Test(mirror, route_on_link, .init = mirror_fill)
{
	struct mirror_hop hop;

	cr_assert_eq(lookup("10.0.0.77", &hop), 0);
	cr_expect(addr_is(hop.next_hop, "10.0.0.77"));
	cr_expect(addr_is(hop.source, "10.0.0.1"));
	cr_expect_eq(hop.iface, 0);
	cr_expect_eq(hop.mtu, 1500);
	cr_expect_eq(hop.generation, 1);
}

Test(mirror, route_by_gateway_takes_the_source_of_the_gateways_link, .init = mirror_fill)
{
	struct mirror_hop hop;

	cr_assert_eq(lookup("8.8.8.8", &hop), 0);
	cr_expect(addr_is(hop.next_hop, "10.0.1.254"));
	cr_expect(addr_is(hop.source, "10.0.1.1"));
}

Test(mirror, route_names_its_source_and_mtu, .init = mirror_fill)
{
	struct mirror_hop hop;

	cr_assert_eq(lookup("10.7.1.1", &hop), 0);
	cr_expect(addr_is(hop.source, "10.0.0.1"));
	cr_assert_eq(lookup("192.168.3.3", &hop), 0);
	cr_expect_eq(hop.iface, 1);
	cr_expect_eq(hop.mtu, 1400);
	cr_expect(addr_is(hop.source, "192.168.0.1"));
}

Test(mirror, no_route_for_local_rejected_and_foreign, .init = mirror_fill)
{
	struct mirror_hop hop;

	cr_expect_eq(lookup("10.0.0.1", &hop), -ENETUNREACH);
	cr_expect_eq(lookup("10.9.9.9", &hop), -ENETUNREACH);
	cr_expect_eq(lookup("172.16.5.5", &hop), -ENETUNREACH);
	mirror.routes_count--;
	cr_expect_eq(lookup("8.8.8.8", &hop), -ENETUNREACH);
}

Test(mirror, reader_gives_up_inside_a_change, .init = mirror_fill)
{
	struct mirror_hop hop;
	uint8_t addr[16];

	mirror_write_begin(&mirror);
	cr_expect_eq(lookup("10.0.0.77", &hop), -EAGAIN);
	addr_set(addr, "10.0.1.1");
	cr_expect(mirror_addr_is_local(&mirror, addr));
	mirror_write_end(&mirror);
	cr_expect_eq(lookup("10.0.0.77", &hop), 0);
	cr_expect_eq(hop.generation, 2);
}

Test(mirror, nonsense_stays_inside_the_tables, .init = mirror_fill)
{
	struct mirror_hop hop;
	uint8_t addr[16];

	mirror.routes_count = mirror.addrs_count = mirror.ifaces_count = UINT32_MAX;
	for (unsigned i = 0; i < MIRROR_ROUTES_MAX; i++) {
		mirror.routes[i].prefix_len = 255;
		mirror.routes[i].iface = 200;
	}
	cr_expect_eq(lookup("8.8.8.8", &hop), -ENETUNREACH);
	addr_set(addr, "9.9.9.9");
	cr_expect_not(mirror_addr_is_local(&mirror, addr));
}

Test(mirror, local_addresses, .init = mirror_fill)
{
	uint8_t addr[16];

	addr_set(addr, "192.168.0.1");
	cr_expect(mirror_addr_is_local(&mirror, addr));
	addr_set(addr, "192.168.0.2");
	cr_expect_not(mirror_addr_is_local(&mirror, addr));
}

Test(mirror, neighbour_keeps_its_slot, .init = mirror_fill)
{
	static const uint8_t first[6] = {2, 0, 0, 0, 0, 1}, second[6] = {2, 0, 0, 0, 0, 2};
	uint8_t addr[16], mac[6];

	addr_set(addr, "10.0.0.77");
	cr_expect_eq(mirror_neigh_find(&mirror, addr, 0, 0), MIRROR_NO_NEIGH);
	cr_assert_eq(mirror_neigh_set(&mirror, addr, 0, 0, NULL), 0);
	uint32_t slot = mirror_neigh_find(&mirror, addr, 0, 0);

	cr_assert_neq(slot, MIRROR_NO_NEIGH);
	cr_expect_not(mirror_neigh_mac(&mirror, slot, mac));
	cr_assert_eq(mirror_neigh_set(&mirror, addr, 0, 0, first), 0);
	cr_expect(mirror_neigh_mac(&mirror, slot, mac));
	cr_expect_arr_eq(mac, first, 6);
	cr_assert_eq(mirror_neigh_set(&mirror, addr, 0, 0, second), 0);
	cr_expect_eq(mirror_neigh_find(&mirror, addr, 0, 0), slot);
	cr_expect(mirror_neigh_mac(&mirror, slot, mac));
	cr_expect_arr_eq(mac, second, 6);
	cr_assert_eq(mirror_neigh_set(&mirror, addr, 0, 0, NULL), 0);
	cr_expect_not(mirror_neigh_mac(&mirror, slot, mac));
	cr_expect_eq(mirror_neigh_find(&mirror, addr, 1, 0), MIRROR_NO_NEIGH, "another interface");
	cr_expect_eq(mirror_neigh_find(&mirror, addr, 0, 5), MIRROR_NO_NEIGH, "another VLAN");
	cr_expect_eq(mirror.neighs_count, 1);
}

Test(mirror, neighbour_table_fills_to_its_limit_and_finds_all, .init = mirror_fill)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	uint8_t addr[16];
	uint32_t stored = 0;

	addr_set(addr, "10.0.0.0");
	for (uint32_t i = 0; i < MIRROR_NEIGHS_MAX; i++) {
		memcpy(addr + 12, &i, 4);
		int outcome = mirror_neigh_set(&mirror, addr, 0, 0, mac);

		if (outcome == -ENOSPC)
			break;
		cr_assert_eq(outcome, 0);
		stored++;
	}
	cr_expect_eq(stored, MIRROR_NEIGHS_MAX / 4 * 3);
	for (uint32_t i = 0; i < stored; i++) {
		memcpy(addr + 12, &i, 4);
		cr_assert_neq(mirror_neigh_find(&mirror, addr, 0, 0), MIRROR_NO_NEIGH);
	}
	uint32_t missing = UINT32_MAX;

	memcpy(addr + 12, &missing, 4);
	cr_expect_eq(mirror_neigh_find(&mirror, addr, 0, 0), MIRROR_NO_NEIGH);
	uint32_t known = 7;

	memcpy(addr + 12, &known, 4);
	cr_expect_eq(mirror_neigh_set(&mirror, addr, 0, 0, NULL), 0, "an update needs no room");
}

static bool is_enough;
static uint32_t answers; /* that the reader has got, -EAGAIN among them */

/* A writer that swaps gateway and source together; readers must never see one without the other. */
static void *gateway_flip(void *arg)
{
	struct mirror_route *route = arg;

	for (unsigned i = 0; !__atomic_load_n(&is_enough, __ATOMIC_RELAXED); i++) {
		mirror_write_begin(&mirror);
		addr_set(route->gateway, i & 1 ? "10.0.1.254" : "10.0.0.254");
		addr_set(route->prefsrc, i & 1 ? "10.0.1.1" : "10.0.0.1");
		uint32_t before = __atomic_load_n(&answers, __ATOMIC_RELAXED);

		mirror_write_end(&mirror);
		/* A writer that never rests leaves a reader no time at all. */
		while (__atomic_load_n(&answers, __ATOMIC_RELAXED) == before &&
		       !__atomic_load_n(&is_enough, __ATOMIC_RELAXED))
			sched_yield();
	}
	return NULL;
}

Test(mirror, reader_never_sees_half_a_change, .init = mirror_fill, .timeout = 30)
{
	struct mirror_route *route = &mirror.routes[mirror.routes_count - 1];
	uint32_t generation = mirror.generation, changes = 0;
	pthread_t writer;

	addr_set(route->gateway, "10.0.0.254");
	addr_set(route->prefsrc, "10.0.0.1");
	cr_assert_eq(pthread_create(&writer, NULL, gateway_flip, route), 0);
	/* Until so many answers have come from different generations. */
	while (changes < 2000) {
		struct mirror_hop hop;
		int outcome = lookup("8.8.8.8", &hop);

		__atomic_fetch_add(&answers, 1, __ATOMIC_RELAXED);
		if (outcome == -EAGAIN)
			continue;
		cr_assert_eq(outcome, 0);
		cr_assert_eq(hop.next_hop[14], hop.source[14]);
		changes += hop.generation != generation;
		generation = hop.generation;
	}
	__atomic_store_n(&is_enough, true, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
}
