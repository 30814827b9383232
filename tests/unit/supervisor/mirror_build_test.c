/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rtnetlink messages become the tables of the mirror.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/mirror_build.h"

#define IFINDEX 7

static struct mirror *mirror;
static struct mirror_build *build;
static char buffer[4096];

static void setup(void)
{
	mirror = calloc(1, sizeof(*mirror));
	build = calloc(1, sizeof(*build));
	mirror->ifaces_count = 1;
	strcpy(mirror->ifaces[0].name, "eth1");
	mirror->ifaces[0].ifindex = IFINDEX;
	mirror->ifaces[0].queues = 2;
	mirror_build_begin(build, mirror);
}

static void teardown(void)
{
	free(mirror);
	free(build);
}

TestSuite(mirror_build, .init = setup, .fini = teardown);

static uint32_t v4(const char *text)
{
	struct in_addr addr;

	cr_assert_eq(inet_pton(AF_INET, text, &addr), 1);
	return addr.s_addr;
}

static const uint8_t *mapped(const char *text)
{
	static uint8_t addr[4][16];
	static unsigned next;
	uint8_t *to = addr[next++ % 4];
	uint32_t four = v4(text);

	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, &four, 4);
	return to;
}

static struct nlmsghdr *message_new(uint16_t type)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	return message;
}

static struct nlmsghdr *link_message(unsigned ifindex, unsigned flags, uint32_t mtu)
{
	struct nlmsghdr *message = message_new(RTM_NEWLINK);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));

	link->ifi_index = (int)ifindex;
	link->ifi_flags = flags;
	mnl_attr_put_u32(message, IFLA_MTU, mtu);
	mnl_attr_put(message, IFLA_ADDRESS, 6, "\x02\x00\x00\x00\x00\x07");
	return message;
}

static void kind_put(struct nlmsghdr *message, const char *kind, uint16_t vlan)
{
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);

	mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
	if (vlan != 0) {
		struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
		mnl_attr_put_u16(message, IFLA_VLAN_ID, vlan);
		mnl_attr_nest_end(message, data);
	}
	mnl_attr_nest_end(message, info);
}

static void add_addr(unsigned ifindex, const char *text, uint8_t length)
{
	struct nlmsghdr *message = message_new(RTM_NEWADDR);
	struct ifaddrmsg *addr = mnl_nlmsg_put_extra_header(message, sizeof(*addr));

	addr->ifa_family = AF_INET;
	addr->ifa_prefixlen = length;
	addr->ifa_index = ifindex;
	mnl_attr_put_u32(message, IFA_LOCAL, v4(text));
	mirror_build_addr(build, message);
}

struct route_text {
	const char *dst, *gateway;
	uint8_t length, type;
	uint32_t metric, table;
	unsigned ifindex;
};

static void add_route(struct route_text text)
{
	struct nlmsghdr *message = message_new(RTM_NEWROUTE);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));

	route->rtm_family = AF_INET;
	route->rtm_dst_len = text.length;
	route->rtm_type = text.type ? text.type : RTN_UNICAST;
	mnl_attr_put_u32(message, RTA_TABLE, text.table ? text.table : RT_TABLE_MAIN);
	if (text.dst)
		mnl_attr_put_u32(message, RTA_DST, v4(text.dst));
	if (text.gateway)
		mnl_attr_put_u32(message, RTA_GATEWAY, v4(text.gateway));
	if (text.metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, text.metric);
	mnl_attr_put_u32(message, RTA_OIF, text.ifindex ? text.ifindex : IFINDEX);
	mirror_build_route(build, message);
}

Test(mirror_build, link_gives_state_mtu_and_address)
{
	struct nlmsghdr *message = link_message(IFINDEX, IFF_UP | IFF_RUNNING, 1400);

	kind_put(message, "veth", 0);
	mirror_build_link(build, message);
	cr_expect(mirror_build_commit(build, mirror));
	cr_expect_eq(mirror->ifaces[0].is_up, 1);
	cr_expect_eq(mirror->ifaces[0].mtu, 1400);
	cr_expect_eq(mirror->ifaces[0].mac[5], 7);
	cr_expect_eq(mirror->ifaces[0].rx_checksum, MIRROR_CHECKSUM_PARTIAL_OK);
	cr_expect_eq(mirror->ifaces[0].queues, 2, "what the supervisor put there stays");
	cr_expect_eq(mirror->seq % 2, 0);
}

Test(mirror_build, packet_must_fit_into_a_frame)
{
	mirror_build_link(build, link_message(IFINDEX, IFF_UP, 9000));
	cr_expect_eq(build->ifaces[0].mtu, IXD_MTU_MAX);
	cr_expect_eq(build->ifaces[0].is_up, 0, "up, but without carrier");
	cr_expect_eq(build->ifaces[0].rx_checksum, MIRROR_CHECKSUM_FULL);
}

Test(mirror_build, other_links_are_left_alone)
{
	mirror_build_link(build, link_message(IFINDEX + 1, IFF_UP | IFF_RUNNING, 1400));
	add_addr(IFINDEX + 1, "10.0.0.1", 24);
	cr_expect_eq(build->ifaces[0].is_up, 0);
	cr_expect_eq(build->addrs_count, 0);
}

Test(mirror_build, vlan_device_lies_on_its_interface)
{
	struct nlmsghdr *message = link_message(20, IFF_UP, 1500);

	mnl_attr_put_u32(message, IFLA_LINK, IFINDEX);
	kind_put(message, "vlan", 30);
	mirror_build_link(build, message);
	add_addr(20, "10.3.0.1", 24);
	cr_assert_eq(build->addrs_count, 1);
	cr_expect_eq(build->addrs[0].vlan, 30);
	cr_expect_eq(mirror_device_ifindex(build, 0, 30), 20);
	cr_expect_eq(mirror_device_ifindex(build, 0, 31), 0);
}

Test(mirror_build, routes_are_sorted_and_found)
{
	struct mirror_hop hop;

	mirror_build_link(build, link_message(IFINDEX, IFF_UP | IFF_RUNNING, 1500));
	add_addr(IFINDEX, "10.0.0.1", 24);
	add_route((struct route_text){.gateway = "10.0.0.254", .metric = 100});
	add_route((struct route_text){.gateway = "10.0.0.253", .metric = 50});
	add_route((struct route_text){.dst = "10.0.0.0", .length = 24});
	add_route((struct route_text){.dst = "10.9.0.0", .length = 16, .type = RTN_UNREACHABLE});
	add_route(
	    (struct route_text){.dst = "10.0.0.1", .length = 32, .type = RTN_LOCAL, .table = RT_TABLE_LOCAL});
	add_route((struct route_text){.dst = "10.8.0.0", .length = 16, .table = 77, .gateway = "10.0.0.9"});
	cr_assert_eq(build->routes_count, 5, "other tables need rules that ixd does not read");
	cr_assert(mirror_build_commit(build, mirror));
	cr_expect_eq(mirror->routes[0].prefix_len, 128);
	cr_expect_eq(mirror_route_lookup(mirror, mapped("10.0.0.9"), &hop), 0);
	cr_expect_arr_eq(hop.next_hop, mapped("10.0.0.9"), 16);
	cr_expect_eq(mirror_route_lookup(mirror, mapped("192.0.2.1"), &hop), 0);
	cr_expect_arr_eq(hop.next_hop, mapped("10.0.0.253"), 16, "the lower metric");
	cr_expect_eq(mirror_route_lookup(mirror, mapped("10.9.1.1"), &hop), -ENETUNREACH);
	cr_expect(mirror_addr_is_local(mirror, mapped("10.0.0.1")));
}

Test(mirror_build, same_tables_are_no_change)
{
	uint32_t generation;

	for (unsigned round = 0; round < 2; round++) {
		mirror_build_begin(build, mirror);
		mirror_build_link(build, link_message(IFINDEX, IFF_UP | IFF_RUNNING, 1500));
		add_addr(IFINDEX, "10.0.0.1", 24);
		add_route((struct route_text){.dst = "10.0.0.0", .length = 24});
		generation = mirror->generation;
		cr_expect_eq(mirror_build_commit(build, mirror), round == 0);
	}
	cr_expect_eq(mirror->generation, generation);
}

Test(mirror_build, multipath_takes_the_first_of_ours)
{
	struct nlmsghdr *message = message_new(RTM_NEWROUTE);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	struct {
		struct rtnexthop hop;
		struct nlattr attr;
		uint32_t gateway;
	} hops[2] = {0};

	route->rtm_family = AF_INET;
	route->rtm_type = RTN_UNICAST;
	route->rtm_table = RT_TABLE_MAIN;
	for (unsigned i = 0; i < 2; i++) {
		hops[i].hop.rtnh_len = sizeof(hops[i]);
		hops[i].hop.rtnh_ifindex = i == 0 ? IFINDEX + 5 : IFINDEX;
		hops[i].attr.nla_type = RTA_GATEWAY;
		hops[i].attr.nla_len = 8;
		hops[i].gateway = v4(i == 0 ? "10.0.0.2" : "10.0.0.3");
	}
	mnl_attr_put(message, RTA_MULTIPATH, sizeof(hops), hops);
	mirror_build_route(build, message);
	cr_assert_eq(build->routes_count, 1);
	cr_expect_eq(build->routes[0].iface, 0);
	cr_expect_arr_eq(build->routes[0].gateway, mapped("10.0.0.3"), 16);
	/* A length that lies ends the walk. */
	hops[0].hop.rtnh_len = 3;
	message = message_new(RTM_NEWROUTE);
	route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = AF_INET;
	route->rtm_table = RT_TABLE_MAIN;
	mnl_attr_put(message, RTA_MULTIPATH, sizeof(hops), hops);
	mirror_build_route(build, message);
	cr_expect_eq(build->routes[1].iface, 0xff);
}

static bool neigh(uint16_t type, unsigned ifindex, uint16_t state, bool has_mac,
		  struct mirror_neigh_news *news)
{
	struct nlmsghdr *message = message_new(type);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ndm_family = AF_INET;
	header->ndm_ifindex = (int)ifindex;
	header->ndm_state = state;
	mnl_attr_put_u32(message, NDA_DST, v4("10.0.0.2"));
	if (has_mac)
		mnl_attr_put(message, NDA_LLADDR, 6, "\x02\x00\x00\x00\x00\x09");
	return mirror_neigh_parse(build, message, news);
}

Test(mirror_build, neighbours_are_valid_only_with_an_address)
{
	struct mirror_neigh_news news;

	cr_expect(neigh(RTM_NEWNEIGH, IFINDEX, NUD_REACHABLE, true, &news));
	cr_expect(news.is_valid);
	cr_expect_eq(news.mac[5], 9);
	cr_expect(neigh(RTM_NEWNEIGH, IFINDEX, NUD_FAILED, true, &news));
	cr_expect_not(news.is_valid);
	cr_expect(neigh(RTM_NEWNEIGH, IFINDEX, NUD_REACHABLE, false, &news));
	cr_expect_not(news.is_valid);
	cr_expect(neigh(RTM_DELNEIGH, IFINDEX, NUD_REACHABLE, true, &news));
	cr_expect_not(news.is_valid);
	cr_expect_not(neigh(RTM_NEWNEIGH, IFINDEX + 1, NUD_REACHABLE, true, &news));
}

Test(mirror_build, more_than_there_is_room_for_is_counted)
{
	for (unsigned i = 0; i < MIRROR_ADDRS_MAX + 3; i++)
		add_addr(IFINDEX, "10.0.0.1", 24);
	cr_expect_eq(build->addrs_count, MIRROR_ADDRS_MAX);
	cr_expect_eq(build->left_off, 3);
}
