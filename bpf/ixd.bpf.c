// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Steering: packets of flows that ixd owns go to the AF_XDP socket of their queue and core, everything else
 * stays with the kernel.
 *
 *   Ethernet, one VLAN tag → IP → who is the flow? → owned? → flow group → core → socket of (queue, core)
 *
 * While no dataplane runs, packets of owned flows are dropped, never passed: the kernel knows nothing of
 * them and would answer with a RST. Addresses are 16 bytes wide in all keys, IPv4 mapped; another IP version
 * is another function that fills struct flow.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/ixd_bpf.h"
#include "bpf/parse.h"
#include "bpf/toeplitz.h"

#define ICMP_UNREACHABLE       3
#define ICMP_TIME_EXCEEDED     11
#define ICMP_PARAMETER_PROBLEM 12

const volatile struct ixd_bpf_config config = {};
const volatile struct ixd_toeplitz toeplitz = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, IXD_OWNED_MAX);
	__type(key, struct ixd_owned_key);
	__type(value, struct ixd_owned_value);
} owned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, IXD_LOCAL_ADDRS_MAX);
	__type(key, struct ixd_local_key);
	__type(value, __u32); /* interfaces that have the address */
} local_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ixd_ephemeral);
} ephemeral SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, IXD_FLOW_GROUPS);
	__type(key, __u32);
	__type(value, __u32);
} flow_groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, IXD_IFACES_MAX);
	__type(key, __u32);
	__type(value, struct ixd_iface_value);
} ifaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, IXD_QUEUES_MAX *IXD_CORES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ixd_verdicts);
} verdicts SEC(".maps");

/* The flow that a packet belongs to, seen from this host; ports in network order. */
struct flow {
	__u8 local[16];
	__u8 remote[16];
	__be16 local_port, remote_port;
	__u16 vlan;
	__u8 is_ipv4;
};

static __always_inline void addr_map_ipv4(__u8 *addr, __be32 ipv4)
{
	__builtin_memset(addr, 0, 10);
	addr[10] = 0xff;
	addr[11] = 0xff;
	__builtin_memcpy(addr + 12, &ipv4, 4);
}

static __always_inline void flow_fill_ipv4(struct flow *flow, __be32 local, __be32 remote, __be16 local_port,
					   __be16 remote_port)
{
	addr_map_ipv4(flow->local, local);
	addr_map_ipv4(flow->remote, remote);
	flow->local_port = local_port;
	flow->remote_port = remote_port;
	flow->is_ipv4 = 1;
}

_Static_assert((IXD_EPHEMERAL_SPAN_MAX & (IXD_EPHEMERAL_SPAN_MAX - 1)) == 0, "indices are masked");

static __always_inline int port_is_ephemeral_in_use(__be16 port)
{
	__u32 index = (__u32)bpf_ntohs(port) - config.ephemeral_base;
	__u32 zero = 0;

	/* Unsigned: a port below the base wraps and is out of range, too. */
	if (index >= config.ephemeral_span)
		return 0;
	struct ixd_ephemeral *marks = bpf_map_lookup_elem(&ephemeral, &zero);

	/* Bounded a second time in the very register that is used: the first bound is lost when the compiler
	 * saves the register before it compares. The span is checked before load. */
	index = compiler_forget(index) & (IXD_EPHEMERAL_SPAN_MAX - 1);
	/* Volatile: core threads change the word meanwhile; any value it had is a right one. */
	return marks && *(volatile __u16 *)&marks->users[index] != 0;
}

/* An entry with this very address decides alone. The wildcard and the ports of outgoing connections count
 * only for addresses that this host has: a router or bridge must not swallow what it forwards. The order is
 * that of the price: a port of an outgoing connection, which is an element of an array, saves two lookups. */
static __always_inline int flow_is_owned(const struct flow *flow)
{
	struct ixd_owned_key key = {.port = flow->local_port, .vlan = flow->vlan, .proto = IPPROTO_TCP};
	struct ixd_local_key local = {.vlan = flow->vlan};
	int is_outgoing = port_is_ephemeral_in_use(flow->local_port);

	__builtin_memcpy(key.addr, flow->local, sizeof(key.addr));
	if (!is_outgoing && bpf_map_lookup_elem(&owned, &key))
		return 1;
	__builtin_memcpy(local.addr, flow->local, sizeof(local.addr));
	if (bpf_map_lookup_elem(&local_addrs, &local)) {
		if (is_outgoing)
			return 1;
		__builtin_memset(key.addr, 0, sizeof(key.addr));
		return bpf_map_lookup_elem(&owned, &key) != NULL;
	}
	/* Not an address of ours, whatever the port: only an entry with this very address is left. */
	return is_outgoing && bpf_map_lookup_elem(&owned, &key) != NULL;
}

static __always_inline __u32 flow_hash(const struct flow *flow)
{
	__u8 input[IXD_TOEPLITZ_INPUT_V6];

	if (flow->is_ipv4) {
		__builtin_memcpy(input, flow->remote + 12, 4);
		__builtin_memcpy(input + 4, flow->local + 12, 4);
		__builtin_memcpy(input + 8, &flow->remote_port, 2);
		__builtin_memcpy(input + 10, &flow->local_port, 2);
		return ixd_toeplitz_bytes(&toeplitz, input, IXD_TOEPLITZ_INPUT_V4);
	}
	__builtin_memcpy(input, flow->remote, 16);
	__builtin_memcpy(input + 16, flow->local, 16);
	__builtin_memcpy(input + 32, &flow->remote_port, 2);
	__builtin_memcpy(input + 34, &flow->local_port, 2);
	return ixd_toeplitz_bytes(&toeplitz, input, IXD_TOEPLITZ_INPUT_V6);
}

/* The core of the flow's group, or cores_max when there is none. */
static __always_inline __u32 flow_core(const struct flow *flow)
{
	if (config.cores == 1)
		return 0;
	__u32 group = flow_hash(flow) & config.group_mask;
	__u32 *core = bpf_map_lookup_elem(&flow_groups, &group);

	/* Volatile: groups move between cores while packets come in. */
	return core ? *(volatile __u32 *)core : config.cores_max;
}

/* Gives the packet to the socket of its queue and core. The kernel loses without a word what is redirected to
 * a socket of another device or queue, hence the index begins with the queue it came in by. An ICMP error
 * comes by a queue of its own hash: where that has one socket only, its core passes the error on. */
static __always_inline int flow_redirect(struct xdp_md *ctx, const struct flow *flow, int is_icmp,
					 struct ixd_verdicts *count)
{
	__u32 ifindex = ctx->ingress_ifindex, queue = ctx->rx_queue_index;
	struct ixd_iface_value *iface = bpf_map_lookup_elem(&ifaces, &ifindex);

	if (iface && queue < iface->queues) {
		__u32 number = iface->queue_base + queue;
		__u32 core =
		    is_icmp && iface->is_diagonal && config.cores ? number % config.cores : flow_core(flow);
		__u32 index = number * config.cores_max + core;

		/* An empty slot gives back the action in the flags. */
		if (core < config.cores_max && bpf_redirect_map(&xsks, index, XDP_DROP) == XDP_REDIRECT) {
			count->redirected++;
			return XDP_REDIRECT;
		}
	}
	count->dropped_no_socket++;
	return XDP_DROP;
}

static __always_inline int steer_tcp_ipv4(struct xdp_md *ctx, struct cursor *c, const struct iphdr *ip,
					  struct flow *flow, struct ixd_verdicts *count)
{
	/* Without its first fragment a datagram is never put together, so the later ones do no harm. */
	if (ipv4_is_later_fragment(ip)) {
		count->passed_fragment++;
		return XDP_PASS;
	}
	struct cursor payload = *c;
	const struct tcp_ports *ports = cursor_take(&payload, sizeof(*ports));

	/* Without ports it is nobody's; the kernel drops it without an answer. */
	if (!ports || ipv4_total_bytes(ip) < (__u32)ip->ihl * 4 + sizeof(*ports)) {
		count->passed_malformed++;
		return XDP_PASS;
	}
	flow_fill_ipv4(flow, ip->daddr, ip->saddr, ports->dest, ports->source);
	int is_owned = flow_is_owned(flow);

	if (ipv4_is_fragment(ip)) {
		if (is_owned) {
			count->dropped_fragment++;
			return XDP_DROP;
		}
		count->passed_fragment++;
		return XDP_PASS;
	}
	if (!is_owned) {
		count->passed_not_owned++;
		return XDP_PASS;
	}
	/* What has a whole header goes on: options and checksums are the dataplane's to judge and to count.
	 */
	if (!ipv4_has_payload(c, ip, TCP_HEADER_BYTES)) {
		count->dropped_malformed++;
		return XDP_DROP;
	}
	return flow_redirect(ctx, flow, 0, count);
}

static __always_inline int icmp_is_error(__u8 type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

/* Whether an ICMP error quotes a TCP segment that an owned flow has sent; then fills *flow with that flow.
 * What cannot be read is not about an owned flow. */
static __always_inline int icmp_ipv4_quotes_owned(struct cursor *c, const struct iphdr *ip, struct flow *flow)
{
	const struct icmp_header *icmp = cursor_take(c, sizeof(*icmp));

	if (!icmp || !icmp_is_error(icmp->type))
		return 0;
	const struct iphdr *quoted = parse_ipv4(c);

	/* The error comes to the address that the quoted segment was sent from, or it is not for us. */
	if (!quoted || quoted->protocol != IPPROTO_TCP || ipv4_is_later_fragment(quoted) ||
	    quoted->saddr != ip->daddr)
		return 0;
	const struct tcp_quote *tcp = cursor_take(c, sizeof(*tcp));

	if (!tcp || (const void *)ip + ipv4_total_bytes(ip) < (const void *)(tcp + 1))
		return 0;
	flow_fill_ipv4(flow, quoted->saddr, quoted->daddr, tcp->ports.source, tcp->ports.dest);
	return flow_is_owned(flow);
}

static __always_inline int steer_ipv4(struct xdp_md *ctx, struct cursor *c, struct flow *flow,
				      struct ixd_verdicts *count)
{
	const struct iphdr *ip = parse_ipv4(c);

	if (!ip) {
		count->passed_malformed++;
		return XDP_PASS;
	}
	if (ip->protocol == IPPROTO_TCP)
		return steer_tcp_ipv4(ctx, c, ip, flow, count);
	if (ip->protocol == IPPROTO_ICMP && !ipv4_is_fragment(ip) && icmp_ipv4_quotes_owned(c, ip, flow)) {
		int action = flow_redirect(ctx, flow, 1, count);

		if (action == XDP_REDIRECT)
			count->redirected_icmp++;
		return action;
	}
	count->passed_not_tcp++;
	return XDP_PASS;
}

SEC("xdp")
int ixd_steer(struct xdp_md *ctx)
{
	struct cursor c = {.pos = (const void *)(long)ctx->data, .end = (const void *)(long)ctx->data_end};
	struct flow flow = {};
	__u32 zero = 0;
	struct ixd_verdicts *count = bpf_map_lookup_elem(&verdicts, &zero);

	if (!count) /* cannot be: the map has this element; the verifier does not know it */
		return XDP_PASS;
	switch (parse_ethernet(&c, &flow.vlan)) {
	case bpf_htons(ETH_P_IP):
		return steer_ipv4(ctx, &c, &flow, count);
	case 0:
		count->passed_malformed++;
		return XDP_PASS;
	default:
		count->passed_not_ip++;
		return XDP_PASS;
	}
}

char dual_license[] SEC("license") = "Dual BSD/GPL";
