/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every verdict of the XDP program on frames by hand: what is owned, what is malformed and where it is cut,
 * fragments, VLAN tags. Frames begin with a whole Ethernet header: the kernel runs no shorter ones.
 */
#include "tests/unit/bpf/steer_env.h"

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>

TestSuite(steer, .init = steer_setup, .fini = steer_teardown);

#define MORE_FRAGMENTS 0x2000

Test(steer, not_ip_passes)
{
	shape_expect(&(struct shape){.ethertype = ETH_P_ARP}, XDP_PASS, VERDICT(passed_not_ip), "ARP");
	shape_expect(&(struct shape){.ethertype = ETH_P_IPV6}, XDP_PASS, VERDICT(passed_not_ip), "IPv6");
	shape_expect(&(struct shape){.ethertype = ETH_P_8021AD}, XDP_PASS, VERDICT(passed_not_ip),
		     "service tag");
	shape_expect(&(struct shape){.is_tagged = true, .tci = 5, .ethertype = ETH_P_8021Q}, XDP_PASS,
		     VERDICT(passed_not_ip), "two tags");
}

Test(steer, not_tcp_passes)
{
	owned_add(NULL, 80, 0);
	shape_expect(&(struct shape){.protocol = IPPROTO_UDP}, XDP_PASS, VERDICT(passed_not_tcp), "UDP");
	shape_expect(&(struct shape){.protocol = IPPROTO_ICMP, .icmp_type = 8}, XDP_PASS,
		     VERDICT(passed_not_tcp), "ping");
}

Test(steer, owned_by_exact_address)
{
	owned_add("10.0.0.1", 80, 0);
	owned_add("10.0.0.9", 80, 0);
	shape_expect(&(struct shape){0}, XDP_REDIRECT, VERDICT(redirected), "owned");
	shape_expect(&(struct shape){.dport = 81}, XDP_PASS, VERDICT(passed_not_owned), "another port");
	shape_expect(&(struct shape){.dport = 80 << 8}, XDP_PASS, VERDICT(passed_not_owned),
		     "port in wrong order");
	shape_expect(&(struct shape){.dst = "10.0.0.5"}, XDP_PASS, VERDICT(passed_not_owned),
		     "another address");
	shape_expect(&(struct shape){.dst = "10.0.0.9"}, XDP_REDIRECT, VERDICT(redirected),
		     "an exact entry needs no local address");
}

Test(steer, wildcard_counts_for_local_addresses_only)
{
	owned_add(NULL, 80, 0);
	shape_expect(&(struct shape){0}, XDP_REDIRECT, VERDICT(redirected), "local");
	shape_expect(&(struct shape){.dst = "10.0.0.5"}, XDP_PASS, VERDICT(passed_not_owned), "forwarded");
	local_add("10.0.0.5", 0);
	shape_expect(&(struct shape){.dst = "10.0.0.5"}, XDP_REDIRECT, VERDICT(redirected), "address added");
}

Test(steer, ephemeral_ports_are_owned_while_marked_and_local)
{
	struct shape reply = {.sport = 80, .dport = EPHEMERAL_BASE};

	shape_expect(&reply, XDP_PASS, VERDICT(passed_not_owned), "not marked");
	ephemeral_mark(EPHEMERAL_BASE, 1);
	shape_expect(&reply, XDP_REDIRECT, VERDICT(redirected), "first of the range");
	reply.dst = "10.0.0.5";
	shape_expect(&reply, XDP_PASS, VERDICT(passed_not_owned), "not local");
	reply.dst = NULL;
	reply.dport = EPHEMERAL_BASE - 1;
	shape_expect(&reply, XDP_PASS, VERDICT(passed_not_owned), "before the range");
	ephemeral_mark(EPHEMERAL_BASE + EPHEMERAL_SPAN - 1, 65535);
	reply.dport = EPHEMERAL_BASE + EPHEMERAL_SPAN - 1;
	shape_expect(&reply, XDP_REDIRECT, VERDICT(redirected), "last of the range");
	ephemeral_mark(EPHEMERAL_BASE + EPHEMERAL_SPAN, 1);
	reply.dport = EPHEMERAL_BASE + EPHEMERAL_SPAN;
	shape_expect(&reply, XDP_PASS, VERDICT(passed_not_owned),
		     "behind the range, though the array goes on");
	ephemeral_mark(EPHEMERAL_BASE, 0);
	reply.dport = EPHEMERAL_BASE;
	shape_expect(&reply, XDP_PASS, VERDICT(passed_not_owned), "mark taken away");
}

Test(steer, vlan_is_part_of_the_key)
{
	struct shape tagged = {.is_tagged = true, .tci = 7};

	owned_add("10.0.0.1", 80, 0);
	shape_expect(&tagged, XDP_PASS, VERDICT(passed_not_owned), "owned untagged, came tagged");
	owned_add("10.0.0.1", 80, 7);
	shape_expect(&tagged, XDP_REDIRECT, VERDICT(redirected), "owned in VLAN 7");
	tagged.tci = 0xe007;
	shape_expect(&tagged, XDP_REDIRECT, VERDICT(redirected), "priority bits do not count");
	tagged.tci = 8;
	shape_expect(&tagged, XDP_PASS, VERDICT(passed_not_owned), "VLAN 8");
	tagged.tci = 0xe000;
	shape_expect(&tagged, XDP_REDIRECT, VERDICT(redirected), "a priority tag is no VLAN");
}

Test(steer, wildcard_in_a_vlan_needs_the_address_in_that_vlan)
{
	struct shape tagged = {.is_tagged = true, .tci = 7};

	owned_add(NULL, 80, 7);
	shape_expect(&tagged, XDP_PASS, VERDICT(passed_not_owned), "address is local untagged only");
	local_add("10.0.0.1", 7);
	shape_expect(&tagged, XDP_REDIRECT, VERDICT(redirected), "address in VLAN 7");
}

Test(steer, ip_options_are_tolerated)
{
	owned_add("10.0.0.1", 80, 0);
	for (uint8_t ihl = 5; ihl <= 15; ihl++)
		shape_expect(&(struct shape){.ihl = ihl, .payload = 3}, XDP_REDIRECT, VERDICT(redirected),
			     "options");
	for (uint8_t ihl = 5; ihl <= 15; ihl++)
		shape_expect(&(struct shape){.ihl = ihl, .dport = 81}, XDP_PASS, VERDICT(passed_not_owned),
			     "options");
}

Test(steer, malformed_ip_is_the_kernels)
{
	owned_add("10.0.0.1", 80, 0);
	for (uint8_t ihl = 1; ihl < 5; ihl++)
		shape_expect(&(struct shape){.ihl = ihl}, XDP_PASS, VERDICT(passed_malformed),
			     "short header");
	shape_expect(&(struct shape){.version = 5}, XDP_PASS, VERDICT(passed_malformed), "version 5");
	shape_expect(&(struct shape){.version = 6}, XDP_PASS, VERDICT(passed_malformed), "version 6");
	shape_expect(&(struct shape){.total_len = -1}, XDP_PASS, VERDICT(passed_malformed), "length 0");
	shape_expect(&(struct shape){.total_len = 23}, XDP_PASS, VERDICT(passed_malformed),
		     "length without ports");
}

Test(steer, malformed_for_an_owned_port_is_dropped)
{
	owned_add("10.0.0.1", 80, 0);
	shape_expect(&(struct shape){.total_len = 24}, XDP_DROP, VERDICT(dropped_malformed), "ports only");
	shape_expect(&(struct shape){.total_len = 39}, XDP_DROP, VERDICT(dropped_malformed),
		     "header cut by length");
	shape_expect(&(struct shape){.total_len = 40, .payload = 6}, XDP_REDIRECT, VERDICT(redirected),
		     "Ethernet padding behind");
	shape_expect(&(struct shape){.total_len = 41}, XDP_DROP, VERDICT(dropped_malformed),
		     "claims more than came");
	shape_expect(&(struct shape){.total_len = 65535}, XDP_DROP, VERDICT(dropped_malformed), "claims all");
	shape_expect(&(struct shape){.total_len = 65535, .dport = 81}, XDP_PASS, VERDICT(passed_not_owned),
		     "not ours: the kernel judges");
}

/* Cuts a frame behind every byte from the Ethernet header on. */
static void cut_everywhere(const struct shape *shape, bool is_owned)
{
	struct frame whole, cut;
	uint32_t ip_off = shape->is_tagged ? 18 : 14;
	uint32_t tcp_off = ip_off + (shape->ihl ? shape->ihl : 5) * 4u;
	char what[64];

	frame_make(&whole, shape);
	for (uint32_t len = ETH_HLEN; len <= whole.len; len++) {
		snprintf(what, sizeof(what), "%u of %u bytes", len, whole.len);
		cut = whole;
		cut.len = len;
		if (len < tcp_off + 4)
			frame_expect(&cut, XDP_PASS, VERDICT(passed_malformed), what);
		else if (!is_owned)
			frame_expect(&cut, XDP_PASS, VERDICT(passed_not_owned), what);
		else if (len < whole.len)
			frame_expect(&cut, XDP_DROP, VERDICT(dropped_malformed), what);
		else
			frame_expect(&cut, XDP_REDIRECT, VERDICT(redirected), what);
	}
}

Test(steer, cut_at_every_byte)
{
	owned_add("10.0.0.1", 80, 0);
	owned_add("10.0.0.1", 80, 7);
	cut_everywhere(&(struct shape){.payload = 5}, true);
	cut_everywhere(&(struct shape){.payload = 5, .ihl = 15}, true);
	cut_everywhere(&(struct shape){.payload = 5, .is_tagged = true, .tci = 7}, true);
	cut_everywhere(&(struct shape){.payload = 5, .ihl = 9, .is_tagged = true, .tci = 7}, true);
	cut_everywhere(&(struct shape){.payload = 5, .dport = 81}, false);
}

Test(steer, fragments)
{
	owned_add("10.0.0.1", 80, 0);
	shape_expect(&(struct shape){.fragment = MORE_FRAGMENTS}, XDP_DROP, VERDICT(dropped_fragment),
		     "first, owned");
	shape_expect(&(struct shape){.fragment = MORE_FRAGMENTS, .ihl = 12}, XDP_DROP,
		     VERDICT(dropped_fragment), "first, owned, options");
	shape_expect(&(struct shape){.fragment = MORE_FRAGMENTS, .dport = 81}, XDP_PASS,
		     VERDICT(passed_fragment), "first, not owned");
	shape_expect(&(struct shape){.fragment = MORE_FRAGMENTS | 1}, XDP_PASS, VERDICT(passed_fragment),
		     "middle");
	shape_expect(&(struct shape){.fragment = 185}, XDP_PASS, VERDICT(passed_fragment), "last");
	shape_expect(&(struct shape){.fragment = MORE_FRAGMENTS, .total_len = 23}, XDP_PASS,
		     VERDICT(passed_malformed), "first, without ports");
	shape_expect(&(struct shape){.fragment = 0x4000}, XDP_REDIRECT, VERDICT(redirected),
		     "do not fragment");
	ephemeral_mark(EPHEMERAL_BASE + 1, 1);
	shape_expect(&(struct shape){.fragment = MORE_FRAGMENTS, .dport = EPHEMERAL_BASE + 1}, XDP_DROP,
		     VERDICT(dropped_fragment), "first, for an outgoing connection");
}

Test(steer, without_a_socket_owned_packets_are_dropped)
{
	owned_add("10.0.0.1", 80, 0);
	slot_empty(0, 0);
	shape_expect(&(struct shape){0}, XDP_DROP, VERDICT(dropped_no_socket), "empty slot");
	shape_expect(&(struct shape){.dport = 81}, XDP_PASS, VERDICT(passed_not_owned), "the kernel's go on");
	slot_fill(0, 0);
	iface_add(LOOPBACK_IFINDEX, 0, 0);
	shape_expect(&(struct shape){0}, XDP_DROP, VERDICT(dropped_no_socket), "queue that is not ours");
	iface_add(LOOPBACK_IFINDEX, 1, 1);
	shape_expect(&(struct shape){0}, XDP_DROP, VERDICT(dropped_no_socket),
		     "another queue's slot is filled");
	iface_add(LOOPBACK_IFINDEX, UINT32_MAX / 2, 1);
	shape_expect(&(struct shape){0}, XDP_DROP, VERDICT(dropped_no_socket), "slot outside the map");
}
