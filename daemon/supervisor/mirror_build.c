/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns rtnetlink messages into the tables of the mirror.
 */
#include "daemon/supervisor/mirror_build.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ATTRS_MAX 64
#define NO_IFACE  0xffu

/* Attributes of one level by type; those of a kind or size that is not expected are left out by the users. */
struct attrs {
	const struct nlattr *of[ATTRS_MAX];
};

static int attr_collect(const struct nlattr *attr, void *data)
{
	struct attrs *attrs = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ATTRS_MAX)
		attrs->of[type] = attr;
	return MNL_CB_OK;
}

static uint32_t attr_u32(const struct attrs *attrs, uint16_t type, uint32_t otherwise)
{
	const struct nlattr *attr = attrs->of[type];

	return attr != NULL && mnl_attr_get_payload_len(attr) >= 4 ? mnl_attr_get_u32(attr) : otherwise;
}

static bool attr_is_text(const struct nlattr *attr, const char *text)
{
	return attr != NULL && mnl_attr_get_payload_len(attr) >= strlen(text) + 1 &&
	       strcmp(mnl_attr_get_str(attr), text) == 0;
}

/* An IPv4 address of an attribute as IPv4-mapped; false when it is not there. */
static bool attr_addr(const struct nlattr *attr, uint8_t addr[16])
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != 4)
		return false;
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	memcpy(addr + 12, mnl_attr_get_payload(attr), 4);
	return true;
}

static const struct mirror_device *device_find(const struct mirror_build *build, uint32_t ifindex)
{
	for (uint32_t i = 0; i < build->devices_count; i++)
		if (build->devices[i].ifindex == ifindex)
			return &build->devices[i];
	return NULL;
}

uint32_t mirror_device_ifindex(const struct mirror_build *build, uint8_t iface, uint16_t vlan)
{
	for (uint32_t i = 0; i < build->devices_count; i++)
		if (build->devices[i].iface == iface && build->devices[i].vlan == vlan)
			return build->devices[i].ifindex;
	return 0;
}

static void device_add(struct mirror_build *build, uint32_t ifindex, uint8_t iface, uint16_t vlan)
{
	if (device_find(build, ifindex) != NULL)
		return;
	if (build->devices_count == MIRROR_DEVICES_MAX) {
		build->left_off++;
		return;
	}
	build->devices[build->devices_count++] =
	    (struct mirror_device){.ifindex = ifindex, .iface = iface, .vlan = vlan};
}

void mirror_build_begin(struct mirror_build *build, const struct mirror *mirror)
{
	memset(build, 0, sizeof(*build));
	build->ifaces_count = mirror->ifaces_count;
	memcpy(build->ifaces, mirror->ifaces, sizeof(build->ifaces));
	for (uint32_t i = 0; i < build->ifaces_count; i++) {
		build->ifaces[i].is_up = 0;
		device_add(build, build->ifaces[i].ifindex, (uint8_t)i, 0);
	}
}

/* Kind of device and, for a VLAN device, its tag (0: none). */
static uint16_t link_kind(const struct nlattr *info, bool *is_veth)
{
	struct attrs inner = {0}, data = {0};

	*is_veth = false;
	if (info == NULL || mnl_attr_parse_nested(info, attr_collect, &inner) < 0)
		return 0;
	*is_veth = attr_is_text(inner.of[IFLA_INFO_KIND], "veth");
	if (!attr_is_text(inner.of[IFLA_INFO_KIND], "vlan") || inner.of[IFLA_INFO_DATA] == NULL ||
	    mnl_attr_parse_nested(inner.of[IFLA_INFO_DATA], attr_collect, &data) < 0 ||
	    data.of[IFLA_VLAN_ID] == NULL || mnl_attr_get_payload_len(data.of[IFLA_VLAN_ID]) < 2)
		return 0;
	return mnl_attr_get_u16(data.of[IFLA_VLAN_ID]);
}

void mirror_build_link(struct mirror_build *build, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	struct attrs attrs = {0};
	bool is_veth;

	if (mnl_attr_parse(message, sizeof(*link), attr_collect, &attrs) < 0)
		return;
	uint16_t vlan = link_kind(attrs.of[IFLA_LINKINFO], &is_veth);
	const struct mirror_device *below = device_find(build, attr_u32(&attrs, IFLA_LINK, 0));
	if (vlan != 0 && below != NULL && below->vlan == 0) {
		device_add(build, (uint32_t)link->ifi_index, below->iface, vlan);
		return;
	}
	const struct mirror_device *device = device_find(build, (uint32_t)link->ifi_index);
	if (device == NULL || device->vlan != 0)
		return;
	struct mirror_iface *iface = &build->ifaces[device->iface];
	uint32_t mtu = attr_u32(&attrs, IFLA_MTU, 1500);
	const struct nlattr *mac = attrs.of[IFLA_ADDRESS];
	/* A packet must fit into one frame. */
	iface->mtu = (uint16_t)(mtu > IXD_MTU_MAX ? IXD_MTU_MAX : mtu);
	iface->is_up = (link->ifi_flags & IFF_UP) && (link->ifi_flags & IFF_RUNNING);
	/* The other end of a veth is this machine's own TCP, which leaves sums to a NIC that is not there. */
	iface->rx_checksum = is_veth ? MIRROR_CHECKSUM_PARTIAL_OK : MIRROR_CHECKSUM_FULL;
	if (mac != NULL && mnl_attr_get_payload_len(mac) == 6)
		memcpy(iface->mac, mnl_attr_get_payload(mac), 6);
}

void mirror_build_addr(struct mirror_build *build, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	const struct mirror_device *device = device_find(build, header->ifa_index);
	struct mirror_addr *addr = &build->addrs[build->addrs_count];
	struct attrs attrs = {0};

	if (device == NULL || header->ifa_family != AF_INET || header->ifa_prefixlen > 32 ||
	    mnl_attr_parse(message, sizeof(*header), attr_collect, &attrs) < 0)
		return;
	if (build->addrs_count == MIRROR_ADDRS_MAX) {
		build->left_off++;
		return;
	}
	memset(addr, 0, sizeof(*addr));
	/* IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the peer's. */
	if (!attr_addr(attrs.of[IFA_LOCAL] ? attrs.of[IFA_LOCAL] : attrs.of[IFA_ADDRESS], addr->addr))
		return;
	addr->prefix_len = (uint8_t)(96 + header->ifa_prefixlen);
	addr->iface = device->iface;
	addr->vlan = device->vlan;
	build->addrs_count++;
}

/* The first next hop of a multipath route that leaves through one of ours. */
static bool multipath_pick(const struct mirror_build *build, const struct nlattr *attr, uint32_t *oif,
			   uint8_t gateway[16], bool *has_gateway)
{
	const char *at = mnl_attr_get_payload(attr);
	size_t left = mnl_attr_get_payload_len(attr);

	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop hop;
		memcpy(&hop, at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left)
			return false;
		struct attrs attrs = {0};
		mnl_attr_parse_payload(at + sizeof(hop), hop.rtnh_len - sizeof(hop), attr_collect, &attrs);
		if (device_find(build, (uint32_t)hop.rtnh_ifindex) != NULL &&
		    !(hop.rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))) {
			*oif = (uint32_t)hop.rtnh_ifindex;
			*has_gateway = attr_addr(attrs.of[RTA_GATEWAY], gateway);
			return true;
		}
		size_t step = RTNH_ALIGN(hop.rtnh_len);
		if (step > left)
			return false;
		at += step;
		left -= step;
	}
	return false;
}

static enum mirror_route_type route_type(uint8_t kernel_type)
{
	if (kernel_type == RTN_UNICAST)
		return MIRROR_ROUTE_UNICAST;
	return kernel_type == RTN_LOCAL ? MIRROR_ROUTE_LOCAL : MIRROR_ROUTE_REJECT;
}

static bool route_is_wanted(const struct rtmsg *header, const struct attrs *attrs)
{
	uint32_t table = attr_u32(attrs, RTA_TABLE, header->rtm_table);

	return header->rtm_family == AF_INET && header->rtm_dst_len <= 32 &&
	       !(header->rtm_flags & RTM_F_CLONED) &&
	       (table == RT_TABLE_MAIN || table == RT_TABLE_LOCAL || table == RT_TABLE_DEFAULT);
}

void mirror_build_route(struct mirror_build *build, const struct nlmsghdr *message)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct mirror_route *route = &build->routes[build->routes_count];
	struct attrs attrs = {0}, metrics = {0};

	if (mnl_attr_parse(message, sizeof(*header), attr_collect, &attrs) < 0 ||
	    !route_is_wanted(header, &attrs))
		return;
	if (build->routes_count == MIRROR_ROUTES_MAX) {
		build->left_off++;
		return;
	}
	uint32_t oif = attr_u32(&attrs, RTA_OIF, 0);
	memset(route, 0, sizeof(*route));
	bool has_gateway = attr_addr(attrs.of[RTA_GATEWAY], route->gateway);
	if (attrs.of[RTA_MULTIPATH] != NULL)
		multipath_pick(build, attrs.of[RTA_MULTIPATH], &oif, route->gateway, &has_gateway);
	else if (header->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return;
	const struct mirror_device *device = device_find(build, oif);
	memset(route->dst + 10, 0xff, 2);
	attr_addr(attrs.of[RTA_DST], route->dst);
	attr_addr(attrs.of[RTA_PREFSRC], route->prefsrc);
	if (attrs.of[RTA_METRICS] != NULL &&
	    mnl_attr_parse_nested(attrs.of[RTA_METRICS], attr_collect, &metrics) >= 0) {
		uint32_t mtu = attr_u32(&metrics, RTAX_MTU, 0);
		route->mtu = (uint16_t)(mtu > IXD_MTU_MAX ? IXD_MTU_MAX : mtu);
	}
	route->metric = attr_u32(&attrs, RTA_PRIORITY, 0);
	route->prefix_len = (uint8_t)(96 + header->rtm_dst_len);
	route->type = (uint8_t)route_type(header->rtm_type);
	route->has_gateway = has_gateway;
	route->iface = device ? device->iface : NO_IFACE;
	route->vlan = device ? device->vlan : 0;
	build->routes_count++;
}

static int route_compare(const void *left, const void *right)
{
	const struct mirror_route *a = left, *b = right;

	if (a->prefix_len != b->prefix_len)
		return a->prefix_len > b->prefix_len ? -1 : 1;
	if (a->metric != b->metric)
		return a->metric < b->metric ? -1 : 1;
	return memcmp(a, b, sizeof(*a));
}

bool mirror_build_commit(struct mirror_build *build, struct mirror *mirror)
{
	qsort(build->routes, build->routes_count, sizeof(build->routes[0]), route_compare);
	if (build->addrs_count == mirror->addrs_count && build->routes_count == mirror->routes_count &&
	    memcmp(build->ifaces, mirror->ifaces, sizeof(build->ifaces)) == 0 &&
	    memcmp(build->addrs, mirror->addrs, build->addrs_count * sizeof(build->addrs[0])) == 0 &&
	    memcmp(build->routes, mirror->routes, build->routes_count * sizeof(build->routes[0])) == 0)
		return false;
	mirror_write_begin(mirror);
	memcpy(mirror->ifaces, build->ifaces, sizeof(mirror->ifaces));
	memcpy(mirror->addrs, build->addrs, build->addrs_count * sizeof(mirror->addrs[0]));
	memcpy(mirror->routes, build->routes, build->routes_count * sizeof(mirror->routes[0]));
	mirror->addrs_count = build->addrs_count;
	mirror->routes_count = build->routes_count;
	mirror_write_end(mirror);
	return true;
}

bool mirror_neigh_parse(const struct mirror_build *build, const struct nlmsghdr *message,
			struct mirror_neigh_news *news)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	const struct mirror_device *device;
	struct attrs attrs = {0};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || header->ndm_family != AF_INET ||
	    (device = device_find(build, (uint32_t)header->ndm_ifindex)) == NULL ||
	    mnl_attr_parse(message, sizeof(*header), attr_collect, &attrs) < 0)
		return false;
	memset(news, 0, sizeof(*news));
	if (!attr_addr(attrs.of[NDA_DST], news->addr))
		return false;
	const struct nlattr *mac = attrs.of[NDA_LLADDR];
	const uint16_t valid = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
	news->iface = device->iface;
	news->vlan = device->vlan;
	news->is_valid = message->nlmsg_type == RTM_NEWNEIGH && (header->ndm_state & valid) != 0 &&
			 mac != NULL && mnl_attr_get_payload_len(mac) == 6;
	if (news->is_valid)
		memcpy(news->mac, mnl_attr_get_payload(mac), 6);
	return true;
}
