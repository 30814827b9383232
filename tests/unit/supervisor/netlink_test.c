/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mirror follows a real kernel.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/clock.h"
#include "daemon/supervisor/netlink.h"
#include "tests/unit/supervisor/netns_env.h"

#define PATIENCE_NS 3000000000ull

static struct mirror *mirror;
static struct loop loop;
static struct netlink netlink;

static void start(void)
{
	struct why why;

	netns_enter();
	netns_veth(1);
	netns_run("ip addr add 10.5.0.1/24 dev va0");
	mirror = calloc(1, sizeof(*mirror));
	mirror->ifaces_count = 1;
	strcpy(mirror->ifaces[0].name, "va0");
	mirror->ifaces[0].ifindex = if_nametoindex("va0");
	int error = loop_init(&loop);
	if (error == -ENOSYS || error == -EPERM)
		cr_skip_test("io_uring is not available");
	cr_assert_eq(netlink_init(&netlink, &loop, mirror, NULL, &why), 0, "%s", why.text);
}

static void stop(void)
{
	netlink_fini(&netlink);
	loop_fini(&loop);
	free(mirror);
}

static const uint8_t *mapped(uint8_t last)
{
	static uint8_t addr[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 5};

	addr[15] = last;
	return addr;
}

/* Turns the loop until the condition holds or patience ends. */
#define WAIT_FOR(condition)                                                                                  \
	do {                                                                                                 \
		uint64_t end_ns = monotonic_ns() + PATIENCE_NS;                                              \
		while (!(condition) && monotonic_ns() < end_ns)                                              \
			loop_turn(&loop, 50000000);                                                          \
		cr_assert(condition);                                                                        \
	} while (0)

Test(netlink, first_dump_has_all)
{
	struct mirror_hop hop;

	start();
	cr_expect_eq(mirror->ifaces[0].is_up, 1);
	cr_expect_eq(mirror->ifaces[0].mtu, 1500);
	cr_expect(mirror_addr_is_local(mirror, mapped(1)));
	cr_expect_eq(mirror_route_lookup(mirror, mapped(9), &hop), 0);
	cr_expect_arr_eq(hop.source, mapped(1), 16);
	stop();
}

Test(netlink, changes_are_followed)
{
	struct mirror_hop hop;

	start();
	netns_run("ip addr add 10.5.0.77/24 dev va0");
	WAIT_FOR(mirror_addr_is_local(mirror, mapped(77)));
	netns_run("ip addr del 10.5.0.77/24 dev va0");
	WAIT_FOR(!mirror_addr_is_local(mirror, mapped(77)));
	netns_run("ip route add blackhole 10.5.0.200/32");
	WAIT_FOR(mirror_route_lookup(mirror, mapped(200), &hop) == -ENETUNREACH);
	netns_run("ip link set va0 mtu 1300");
	WAIT_FOR(mirror->ifaces[0].mtu == 1300);
	netns_run("ip link set vb0 down");
	WAIT_FOR(!mirror->ifaces[0].is_up);
	netns_run("ip link del va0");
	WAIT_FOR(mirror->addrs_count == 0);
	stop();
}

Test(netlink, neighbours_come_and_go)
{
	uint8_t mac[6];
	uint32_t slot;

	start();
	netns_run("ip neigh add 10.5.0.9 lladdr 02:00:00:00:00:09 dev va0");
	WAIT_FOR((slot = mirror_neigh_find(mirror, mapped(9), 0, 0)) != MIRROR_NO_NEIGH &&
		 mirror_neigh_mac(mirror, slot, mac));
	cr_expect_eq(mac[5], 9);
	netns_run("ip neigh replace 10.5.0.9 lladdr 02:00:00:00:00:0a dev va0");
	WAIT_FOR(mirror_neigh_mac(mirror, slot, mac) && mac[5] == 10);
	netns_run("ip neigh del 10.5.0.9 dev va0");
	WAIT_FOR(!mirror_neigh_mac(mirror, slot, mac));
	stop();
}

Test(netlink, asked_neighbour_is_kept_and_given_back)
{
	static const uint8_t v6[16] = {0x20, 1};

	start();
	cr_expect_eq(netlink_neigh_ask(&netlink, v6, 0, 0), -EINVAL);
	cr_expect_eq(netlink_neigh_ask(&netlink, mapped(9), 1, 0), -EINVAL);
	cr_expect_eq(netlink_neigh_ask(&netlink, mapped(9), 0, 5), -EINVAL, "no such VLAN device");
	cr_expect_eq(netlink_neigh_ask(&netlink, mapped(9), 0, 0), 0);
	cr_expect_eq(netlink_neigh_ask(&netlink, mapped(9), 0, 0), 0, "asking again is allowed");
	netns_run("ip neigh show 10.5.0.9 dev va0 | grep -q 10.5.0.9");
	stop();
	netns_run("! ip neigh show 10.5.0.9 dev va0 | grep -q 10.5.0.9");
}

/* News that the kernel had to drop are made up for by a whole dump. */
Test(netlink, lost_news_are_made_up_for)
{
	int bytes = 1;

	start();
	setsockopt(mnl_socket_get_fd(netlink.news), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	netns_run("for i in $(seq 100 199); do ip addr add 10.5.0.$i/24 dev va0; done; ip addr del "
		  "10.5.0.1/24 dev va0");
	WAIT_FOR(mirror_addr_is_local(mirror, mapped(199)) || mirror->addrs_count == 0);
	WAIT_FOR(!mirror_addr_is_local(mirror, mapped(1)));
	stop();
}
