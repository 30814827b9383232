/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet socket on a veth: what it sends arrives in segments; it receives nothing, whatever is done to
 * it.
 */
#include "daemon/supervisor/packet_socket.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/supervisor/netns_env.h"

#define VNET sizeof(struct virtio_net_hdr)

static void setup(void)
{
	netns_enter();
	netns_veth(1);
	netns_run("ethtool -K va0 tso off gso off >/dev/null");
}

TestSuite(packet_socket, .init = setup, .timeout = 30);

static int listen_on(const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_IP),
				      .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* An IPv4 packet with 2500 bytes of TCP payload, to be cut at 1000. */
static size_t large_make(uint8_t *at)
{
	struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				      .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				      .hdr_len = 54,
				      .gso_size = 1000,
				      .csum_start = 34,
				      .csum_offset = 16};
	uint8_t *eth = at + VNET, *ip = eth + 14, *tcp = ip + 20;

	memset(at, 0, VNET + 54 + 2500);
	memcpy(at, &vnet, VNET);
	memset(eth, 0xff, 6);
	eth[12] = 8;
	ip[0] = 0x45;
	ip[2] = (40 + 2500) >> 8;
	ip[3] = (40 + 2500) & 0xff;
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	tcp[12] = 5 << 4;
	return VNET + 54 + 2500;
}

Test(packet_socket, sends_in_segments)
{
	int fd = packet_socket_open(if_nametoindex("va0")), peer = listen_on("vb0");
	static uint8_t packet[4096];
	size_t bytes = large_make(packet);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, packet, bytes), (ssize_t)bytes);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(recv(peer, packet, sizeof(packet), 0), 54 + (i < 2 ? 1000 : 500));
	close(fd);
	close(peer);
}

Test(packet_socket, never_receives)
{
	struct sockaddr_ll any = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = packet_socket_open(if_nametoindex("va0")), peer = listen_on("vb0");
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint8_t packet[60] = {[12] = 8};

	cr_assert_geq(fd, 0);
	any.sll_ifindex = (int)if_nametoindex("va0");
	cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	memset(packet, 0xff, 6);
	cr_assert_eq(send(peer, packet, sizeof(packet), 0), (ssize_t)sizeof(packet));
	/* Delivery on a veth is done when send() returns. */
	cr_assert_eq(poll(&ready, 1, 0), 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int)), -1);
	cr_assert_eq(errno, EPERM);
	close(fd);
	close(peer);
}

Test(packet_socket, needs_a_capability)
{
	netns_capability_drop(CAP_NET_RAW);
	cr_assert_eq(packet_socket_open(if_nametoindex("va0")), -EPERM);
}
