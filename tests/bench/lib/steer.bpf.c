// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * TCP between the configured ends goes to the AF_XDP socket of queue 0; ARP, ping and everybody else's
 * traffic stays with the kernel, which therefore never sees, and never resets, what is ours.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/lib/steer.h"

const volatile struct bench_steer config = {};
struct bench_steer_counts counts = {};

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	__be16 source, dest;
} __attribute__((packed));

static __always_inline int is_ours(const struct headers *h)
{
	__u32 local = bpf_ntohl(h->ip.daddr);
	__u16 local_port = bpf_ntohs(h->dest);

	return h->eth.h_proto == bpf_htons(ETH_P_IP) && h->ip.ihl == 5 && h->ip.protocol == IPPROTO_TCP &&
	       local >= config.local_first && local <= config.local_last &&
	       local_port >= config.local_port_first && local_port <= config.local_port_last &&
	       (config.remote_ip == 0 || bpf_ntohl(h->ip.saddr) == config.remote_ip) &&
	       (config.remote_port == 0 || bpf_ntohs(h->source) == config.remote_port);
}

SEC("xdp")
int bench_steer(struct xdp_md *ctx)
{
	const struct headers *h = (const void *)(long)ctx->data;

	if ((const void *)(h + 1) <= (const void *)(long)ctx->data_end && is_ours(h)) {
		counts.redirected++;
		return bpf_redirect_map(&xsks, 0, XDP_DROP);
	}
	counts.passed++;
	return XDP_PASS;
}

char dual_license[] SEC("license") = "Dual BSD/GPL";
