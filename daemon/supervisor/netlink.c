/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the mirror true by rtnetlink.
 */
#include "daemon/supervisor/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/clock.h"

#define BUFFER_BYTES    32768
#define GATHER_NS       (5 * 1000000ull) /* a change of configuration makes a burst of news */
#define NEWS_BUFFER     (4 * 1024 * 1024)
#define NEWS_PER_WAKEUP 64

static bool managed_has(const struct netlink *netlink, const uint8_t addr[16], uint32_t ifindex)
{
	for (uint32_t i = 0; i < netlink->managed_count; i++)
		if (netlink->managed[i].ifindex == ifindex && memcmp(netlink->managed[i].addr, addr, 16) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct netlink *netlink, const struct mirror_neigh_news *news)
{
	return news->is_valid &&
	       (netlink->mirror->neighs_count < NETLINK_UNASKED_MAX ||
		managed_has(netlink, news->addr,
			    mirror_device_ifindex(netlink->build, news->iface, news->vlan)));
}

static void apply_neigh(struct netlink *netlink, const struct nlmsghdr *message)
{
	struct mirror_neigh_news news;

	if (!mirror_neigh_parse(netlink->build, message, &news))
		return;
	uint32_t slot = mirror_neigh_find(netlink->mirror, news.addr, news.iface, news.vlan);
	if (slot == MIRROR_NO_NEIGH && !is_wanted(netlink, &news))
		return;
	int error = mirror_neigh_set(netlink->mirror, news.addr, news.iface, news.vlan,
				     news.is_valid ? news.mac : NULL);
	if (error == -ENOSPC && !netlink->is_full_told) {
		netlink->is_full_told = true;
		log_warning("more than %d neighbours: ixd cannot reach new ones until it is restarted",
			    MIRROR_NEIGHS_MAX);
	}
	slot = mirror_neigh_find(netlink->mirror, news.addr, news.iface, news.vlan);
	if (slot != MIRROR_NO_NEIGH)
		netlink->neigh_seen[slot] = netlink->dumps;
}

static int on_dump(const struct nlmsghdr *message, void *arg)
{
	struct netlink *netlink = arg;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
		mirror_build_link(netlink->next, message);
		break;
	case RTM_NEWADDR:
		mirror_build_addr(netlink->next, message);
		break;
	case RTM_NEWROUTE:
		mirror_build_route(netlink->next, message);
		break;
	case RTM_NEWNEIGH:
		apply_neigh(netlink, message);
		break;
	}
	return MNL_CB_OK;
}

/* header_bytes: of the message's own header, whose first byte is the family. */
static int dump(struct netlink *netlink, uint16_t type, uint8_t family, size_t header_bytes)
{
	static char buffer[BUFFER_BYTES];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct rtgenmsg *general = mnl_nlmsg_put_extra_header(message, header_bytes);
	unsigned sequence = ++netlink->dumps;
	unsigned port = mnl_socket_get_portid(netlink->request);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = sequence;
	general->rtgen_family = family;
	if (mnl_socket_sendto(netlink->request, message, message->nlmsg_len) < 0)
		return -errno;
	for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
		ssize_t got = mnl_socket_recvfrom(netlink->request, buffer, sizeof(buffer));
		if (got < 0)
			return -errno;
		more = mnl_cb_run(buffer, (size_t)got, sequence, port, on_dump, netlink);
		if (more < 0)
			return -errno; /* EINTR: the tables changed meanwhile, the dump may be inconsistent */
	}
	return 0;
}

/* Link events in words, before the new tables are taken over. */
static void report_ifaces(const struct mirror_iface *old_iface, const struct mirror_iface *new_iface)
{
	if (old_iface->is_up != new_iface->is_up)
		log_notice("interface %s is %s", new_iface->name, new_iface->is_up ? "up" : "down");
	if (old_iface->mtu != new_iface->mtu && old_iface->mtu != 0)
		log_notice("interface %s has MTU %u now", new_iface->name, new_iface->mtu);
	if (old_iface->mtu != new_iface->mtu && new_iface->mtu == IXD_MTU_MAX)
		log_warning("interface %s has a larger MTU than a frame can hold; ixd sends at most %d bytes",
			    new_iface->name, IXD_MTU_MAX);
}

static bool addr_is_in(const struct mirror_addr *addr, const struct mirror_addr *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i].vlan == addr->vlan && memcmp(list[i].addr, addr->addr, 16) == 0)
			return true;
	return false;
}

/* The steering program learns of new addresses after, and of lost ones before, the dataplane: it never steers
 * to the dataplane what that would not take. */
static void bpf_addrs_update(struct netlink *netlink, const struct mirror_addr *from, uint32_t from_count,
			     const struct mirror_addr *to, uint32_t to_count, bool is_add)
{
	for (uint32_t i = 0; netlink->bpf != NULL && i < to_count; i++) {
		if (addr_is_in(&to[i], from, from_count))
			continue;
		int error = is_add ? bpf_set_local_add(netlink->bpf, to[i].addr, to[i].vlan)
				   : bpf_set_local_del(netlink->bpf, to[i].addr, to[i].vlan);
		if (error && error != -ENOENT)
			log_warning("map local_addrs: %s", strerror(-error));
	}
}

static void take_over(struct netlink *netlink)
{
	struct mirror *mirror = netlink->mirror;
	struct mirror_build *next = netlink->next;
	static struct mirror_addr old_addrs[MIRROR_ADDRS_MAX];
	uint32_t old_count = mirror->addrs_count;

	memcpy(old_addrs, mirror->addrs, sizeof(old_addrs));
	for (uint32_t i = 0; i < next->ifaces_count; i++)
		report_ifaces(&mirror->ifaces[i], &next->ifaces[i]);
	if (next->left_off > 0 && !netlink->is_truncated_told) {
		netlink->is_truncated_told = true;
		log_warning(
		    "%u addresses, routes or VLAN devices are more than ixd has room for and are left off",
		    next->left_off);
	}
	bpf_addrs_update(netlink, next->addrs, next->addrs_count, old_addrs, old_count, false);
	mirror_build_commit(next, mirror);
	bpf_addrs_update(netlink, old_addrs, old_count, next->addrs, next->addrs_count, true);
	netlink->next = netlink->build;
	netlink->build = next;
}

static int dump_tables(struct netlink *netlink)
{
	mirror_build_begin(netlink->next, netlink->mirror);
	/* Twice: a VLAN device may come before the interface below it. */
	int error = dump(netlink, RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg));
	if (!error)
		error = dump(netlink, RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg));
	if (!error)
		error = dump(netlink, RTM_GETADDR, AF_INET, sizeof(struct ifaddrmsg));
	if (!error)
		error = dump(netlink, RTM_GETROUTE, AF_INET, sizeof(struct rtmsg));
	if (!error)
		take_over(netlink);
	return error;
}

/* Neighbours that a whole dump did not show are gone. */
static int dump_neighs(struct netlink *netlink)
{
	int error = dump(netlink, RTM_GETNEIGH, AF_INET, sizeof(struct ndmsg));

	for (uint32_t slot = 0; slot < MIRROR_NEIGHS_MAX && !error; slot++) {
		const struct mirror_neigh *neigh = &netlink->mirror->neighs[slot];
		if (neigh->is_taken && netlink->neigh_seen[slot] != netlink->dumps)
			mirror_neigh_set(netlink->mirror, neigh->addr, neigh->iface, neigh->vlan, NULL);
	}
	return error;
}

void netlink_refresh(struct netlink *netlink)
{
	int error = dump_tables(netlink);

	if (!error)
		error = dump_neighs(netlink);
	if (error) {
		log_debug("netlink dump: %s; trying again", strerror(-error));
		loop_timer_set(netlink->loop, &netlink->resync, monotonic_ns() + 4 * GATHER_NS);
	}
}

static void on_resync(void *arg)
{
	struct netlink *netlink = arg;

	netlink_refresh(netlink);
	if (netlink->on_links != NULL)
		netlink->on_links(netlink->links_arg);
}

void netlink_watch_links(struct netlink *netlink, void (*on_links)(void *arg), void *arg)
{
	netlink->on_links = on_links;
	netlink->links_arg = arg;
}

static int on_news(const struct nlmsghdr *message, void *arg)
{
	struct netlink *netlink = arg;

	if (message->nlmsg_type == RTM_NEWNEIGH || message->nlmsg_type == RTM_DELNEIGH)
		apply_neigh(netlink, message);
	else if (netlink->resync.at_ns == 0 || netlink->must_hurry)
		loop_timer_set(netlink->loop, &netlink->resync,
			       monotonic_ns() + (netlink->must_hurry ? 0 : GATHER_NS));
	return MNL_CB_OK;
}

static void on_readable(void *arg)
{
	static char buffer[BUFFER_BYTES];
	struct netlink *netlink = arg;

	for (unsigned i = 0; i < NEWS_PER_WAKEUP; i++) {
		ssize_t got = recv(mnl_socket_get_fd(netlink->news), buffer, sizeof(buffer), MSG_DONTWAIT);
		if (got < 0 && errno == ENOBUFS) {
			/* The kernel dropped news: only a whole dump tells the truth now. */
			log_info("netlink: too many changes at once, reading all again");
			loop_timer_set(netlink->loop, &netlink->resync, monotonic_ns() + GATHER_NS);
			continue;
		}
		if (got <= 0)
			return;
		mnl_cb_run(buffer, (size_t)got, 0, 0, on_news, netlink);
	}
}

static int sockets_open(struct netlink *netlink)
{
	unsigned groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE;
	int bytes = NEWS_BUFFER;

	netlink->news = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	netlink->request = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (netlink->news == NULL || netlink->request == NULL ||
	    mnl_socket_bind(netlink->news, groups, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_bind(netlink->request, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	setsockopt(mnl_socket_get_fd(netlink->news), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return 0;
}

int netlink_init(struct netlink *netlink, struct loop *loop, struct mirror *mirror, struct bpf_set *bpf,
		 struct why *why)
{
	memset(netlink, 0, sizeof(*netlink));
	netlink->loop = loop;
	netlink->mirror = mirror;
	netlink->bpf = bpf;
	netlink->resync.on_time = on_resync;
	netlink->resync.arg = netlink;
	netlink->build = calloc(1, sizeof(*netlink->build));
	netlink->next = calloc(1, sizeof(*netlink->next));
	netlink->neigh_seen = calloc(MIRROR_NEIGHS_MAX, sizeof(*netlink->neigh_seen));
	netlink->managed = calloc(NETLINK_MANAGED_MAX, sizeof(*netlink->managed));
	int error = netlink->build && netlink->next && netlink->neigh_seen && netlink->managed ? 0 : -ENOMEM;
	if (!error)
		error = sockets_open(netlink);
	/* News are subscribed to before the first dump: nothing falls between. */
	for (unsigned tries = 0; !error && tries < 8; tries++) {
		error = dump_tables(netlink);
		if (!error)
			error = dump_neighs(netlink);
		if (error != -EINTR)
			break;
		error = tries < 7 ? 0 : error;
	}
	if (!error)
		netlink->watch = loop_watch_add(loop, mnl_socket_get_fd(netlink->news), on_readable, netlink);
	if (!error && netlink->watch == NULL)
		error = -ENOMEM;
	return error ? why_set(why, error, "rtnetlink: %s", strerror(-error)) : 0;
}

static int neigh_send(struct netlink *netlink, uint16_t type, const uint8_t addr[16], uint32_t ifindex,
		      bool is_managed)
{
	char buffer[512];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ndmsg *neigh = mnl_nlmsg_put_extra_header(message, sizeof(*neigh));
	unsigned sequence = ++netlink->dumps;

	message->nlmsg_type = type;
	message->nlmsg_flags =
	    (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWNEIGH ? NLM_F_CREATE | NLM_F_REPLACE : 0));
	message->nlmsg_seq = sequence;
	neigh->ndm_family = AF_INET;
	neigh->ndm_ifindex = (int)ifindex;
	neigh->ndm_state = NUD_NONE;
	neigh->ndm_flags = type == RTM_NEWNEIGH && !is_managed ? NTF_USE : 0;
	mnl_attr_put(message, NDA_DST, 4, addr + 12);
	if (is_managed)
		mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	if (mnl_socket_sendto(netlink->request, message, message->nlmsg_len) < 0)
		return -errno;
	/* The kernel has answered before sendto() returns. */
	ssize_t got = mnl_socket_recvfrom(netlink->request, buffer, sizeof(buffer));
	if (got < 0)
		return -errno;
	return mnl_cb_run(buffer, (size_t)got, sequence, mnl_socket_get_portid(netlink->request), NULL,
			  NULL) < 0
		   ? -errno
		   : 0;
}

static void managed_add(struct netlink *netlink, const uint8_t addr[16], uint32_t ifindex)
{
	struct netlink_managed *managed;

	if (netlink->managed_count < NETLINK_MANAGED_MAX) {
		managed = &netlink->managed[netlink->managed_count++];
	} else {
		/* One that is still in use is asked for again. */
		managed = &netlink->managed[netlink->managed_oldest++ % NETLINK_MANAGED_MAX];
		(void)neigh_send(netlink, RTM_DELNEIGH, managed->addr, managed->ifindex, false);
	}
	memcpy(managed->addr, addr, 16);
	managed->ifindex = ifindex;
}

int netlink_neigh_ask(struct netlink *netlink, const uint8_t addr[16], uint32_t iface, uint32_t vlan)
{
	static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
	int error = -EOPNOTSUPP;

	if (iface >= netlink->mirror->ifaces_count || vlan > 4094 || memcmp(addr, v4_prefix, 12) != 0)
		return -EINVAL;
	uint32_t ifindex = mirror_device_ifindex(netlink->build, (uint8_t)iface, (uint16_t)vlan);
	if (ifindex == 0)
		return -EINVAL;
	bool is_known = managed_has(netlink, addr, ifindex);
	if (!netlink->has_no_managed)
		error = neigh_send(netlink, RTM_NEWNEIGH, addr, ifindex, true);
	if (error == -EOPNOTSUPP || error == -EINVAL) {
		/* Linux before 5.16: the kernel finds it, but does not keep it fresh. */
		error = neigh_send(netlink, RTM_NEWNEIGH, addr, ifindex, false);
		netlink->has_no_managed |= error == 0;
	}
	/* Noted in either case: it was asked for. */
	if (!error && !is_known)
		managed_add(netlink, addr, ifindex);
	/* The kernel may have known it before, when it was not wanted yet, and have no news of it. */
	if (!error && netlink->mirror->neighs_count >= NETLINK_UNASKED_MAX && netlink->resync.at_ns == 0)
		loop_timer_set(netlink->loop, &netlink->resync, monotonic_ns() + GATHER_NS);
	return error;
}

void netlink_fini(struct netlink *netlink)
{
	for (uint32_t i = 0; i < netlink->managed_count; i++)
		neigh_send(netlink, RTM_DELNEIGH, netlink->managed[i].addr, netlink->managed[i].ifindex,
			   false);
	loop_watch_remove(netlink->loop, netlink->watch);
	loop_timer_clear(&netlink->resync);
	if (netlink->news != NULL)
		mnl_socket_close(netlink->news);
	if (netlink->request != NULL)
		mnl_socket_close(netlink->request);
	free(netlink->build);
	free(netlink->next);
	free(netlink->neigh_seen);
	free(netlink->managed);
	memset(netlink, 0, sizeof(*netlink));
}

int netlink_iface_find(const char *name, uint32_t *ifindex, bool *is_up)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? -errno : 0;

	*ifindex = if_nametoindex(name);
	if (*ifindex == 0)
		error = -ENODEV;
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (!error && ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		error = -errno;
	*is_up = !error && (request.ifr_flags & IFF_UP) != 0;
	if (fd >= 0)
		close(fd);
	return error;
}
