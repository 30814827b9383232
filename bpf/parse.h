/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Cursor parsers of the XDP program. A cursor stands at the first byte not yet taken; a parser that succeeds
 * moves it behind what it took. Every parser compares with the end of the packet before it reads: the
 * verifier asks for it, and it is the only truth about a packet's length; lengths inside the packet are
 * claims.
 */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VLAN_ID_MASK       0x0fff
#define IPV4_MORE_FRAGMENT 0x2000
#define IPV4_OFFSET_MASK   0x1fff

struct cursor {
	const void *pos;
	const void *end;
};

struct vlan_header {
	__be16 tci;
	__be16 type;
};

struct tcp_ports {
	__be16 source;
	__be16 dest;
};

/* What an ICMP error quotes of TCP: RFC 792 promises eight bytes. */
struct tcp_quote {
	struct tcp_ports ports;
	__be32 seq;
};

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 rest;
};

/* Header of TCP without options. */
#define TCP_HEADER_BYTES 20

/* The value, of which the compiler knows nothing any more: a mask that follows stays in the program, where
 * Linux 6.1's verifier needs it, which derives less about a number than the compiler does. */
static __always_inline __u32 compiler_forget(__u32 value)
{
	asm volatile("" : "+r"(value));
	return value;
}

/* A pointer to the next `bytes` bytes, which it takes, or NULL when the packet ends before. */
static __always_inline const void *cursor_take(struct cursor *c, __u32 bytes)
{
	const void *taken = c->pos;

	if (taken + bytes > c->end)
		return NULL;
	c->pos = taken + bytes;
	return taken;
}

/* Ethernet and at most one VLAN tag. Returns the type in network order and *vlan, the id (a tag with id 0
 * only carries a priority and counts as none); 0 when truncated. A second tag shows as the type it is. */
static __always_inline __be16 parse_ethernet(struct cursor *c, __u16 *vlan)
{
	const struct ethhdr *eth = cursor_take(c, sizeof(*eth));

	*vlan = 0;
	if (!eth)
		return 0;
	if (eth->h_proto != bpf_htons(ETH_P_8021Q))
		return eth->h_proto;

	const struct vlan_header *tag = cursor_take(c, sizeof(*tag));

	if (!tag)
		return 0;
	*vlan = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
	return tag->type;
}

/* IPv4 with options. NULL when truncated or not a header. */
static __always_inline const struct iphdr *parse_ipv4(struct cursor *c)
{
	const struct iphdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return NULL;
	if (!cursor_take(c, (__u32)ip->ihl * 4 - sizeof(*ip)))
		return NULL;
	return ip;
}

static __always_inline int ipv4_is_fragment(const struct iphdr *ip)
{
	return (ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENT | IPV4_OFFSET_MASK)) != 0;
}

static __always_inline int ipv4_is_later_fragment(const struct iphdr *ip)
{
	return (ip->frag_off & bpf_htons(IPV4_OFFSET_MASK)) != 0;
}

/* The datagram's length as it claims. */
static __always_inline __u32 ipv4_total_bytes(const struct iphdr *ip)
{
	return compiler_forget(bpf_ntohs(ip->tot_len)) & 0xffff;
}

/* Whether the datagram claims, and the packet has, `bytes` bytes behind the IP header. */
static __always_inline int ipv4_has_payload(const struct cursor *c, const struct iphdr *ip, __u32 bytes)
{
	__u32 total_bytes = ipv4_total_bytes(ip);

	return total_bytes >= (__u32)ip->ihl * 4 + bytes && (const void *)ip + total_bytes <= c->end;
}

#endif
