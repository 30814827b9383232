// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A TCP echo server without state. Each answer is made of the segment that it answers:
 *
 *   SYN             SYN-ACK with the same sequence number and the same options
 *   payload, FIN    the same payload, FIN for FIN, the same sequence number, an ACK up to the segment's end
 *   ACK, RST        nothing
 *
 * Since the server's first sequence number is the client's, the echo of a byte has the byte's own sequence
 * number, whatever was said before. Timestamps are echoed, and are the server's own, too. What this server
 * cannot know is what it did not receive: a lost segment is acknowledged by its successor. Window and scale
 * are the client's own words: as much as it would take itself.
 *
 * Checksums are updated, not computed: a client whose sums are left to hardware (a kernel on a veth) must
 * compute them (ethtool -K … tx off).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/respond/respond.h"

const volatile struct bench_respond config = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_respond_counts);
} counts SEC(".maps");

struct tcp_header {
	__be16 source, dest;
	__be32 seq, ack;
	__u8 offset, flags;
	__be16 window;
	__u16 check;
	__be16 urgent;
} __attribute__((packed));

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcp_header tcp;
} __attribute__((packed));

struct timestamps {
	__be32 value, echo;
} __attribute__((packed));

enum flag { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

#define OPTION_END        0
#define OPTION_NOP        1
#define OPTION_TIMESTAMPS 8
#define OPTIONS_MAX       20                    /* more than fit in 40 bytes, padding aside */
#define USUAL_OPTIONS     bpf_htonl(0x0101080a) /* how everybody begins who has timestamps */

/* One's-complement arithmetic on a sum in 64 bits (RFC 1624): out with the old word, in with the new one. */
static __always_inline __u64 sum_change(__u64 sum, __u32 old, __u32 new)
{
	return sum + (__u32)~old + new;
}

static __always_inline __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static __always_inline void ends_swap(struct headers *h)
{
	__u8 mac[ETH_ALEN];
	__be32 ip = h->ip.saddr;
	__be16 port = h->tcp.source;

	__builtin_memcpy(mac, h->eth.h_source, ETH_ALEN);
	__builtin_memcpy(h->eth.h_source, h->eth.h_dest, ETH_ALEN);
	__builtin_memcpy(h->eth.h_dest, mac, ETH_ALEN);
	h->ip.saddr = h->ip.daddr;
	h->ip.daddr = ip;
	h->tcp.source = h->tcp.dest;
	h->tcp.dest = port;
}

/* The client's timestamp goes back as ours and as the echo of it. */
static __always_inline __u64 timestamps_answer(struct timestamps *t, __u64 sum, int is_odd)
{
	__u64 change = (__u64)(__u32)~t->echo + t->value;

	t->echo = t->value;
	if (is_odd)
		change = __builtin_bswap16(sum_fold(change));
	return sum + change;
}

/* A SYN's options may stand in any order. */
static __always_inline __u64 syn_options_answer(void *option, void *end, __u32 options_bytes, __u64 sum)
{
	__u8 *at = option;
	__u32 off = 0;

	for (int i = 0; i < OPTIONS_MAX && off < options_bytes; i++) {
		at = (__u8 *)option + (off & 63);
		if ((void *)(at + 2) > end || at[0] == OPTION_END)
			break;
		if (at[0] == OPTION_NOP) {
			off++;
			continue;
		}
		if (at[0] == OPTION_TIMESTAMPS && (void *)(at + 10) <= end)
			return timestamps_answer((struct timestamps *)(at + 2), sum, off & 1);
		if (at[1] < 2)
			break;
		off += at[1];
	}
	return sum;
}

/* Turns the segment into its answer. ack_bytes: how much sequence space it took. */
static __always_inline int answer(struct xdp_md *ctx, struct headers *h, __u32 ack_bytes, __u8 flags)
{
	void *end = (void *)(long)ctx->data_end, *options = h + 1;
	__u32 options_bytes = (__u32)(h->tcp.offset >> 4) * 4 - sizeof(h->tcp);
	__u64 sum = (__u16)~h->tcp.check;
	__be32 ack = bpf_htonl(bpf_ntohl(h->tcp.seq) + ack_bytes);
	__u8 old_words[4] = {h->tcp.offset, h->tcp.flags}, new_words[4] = {h->tcp.offset, flags};
	__u32 old_word, new_word;

	__builtin_memcpy(&old_word, old_words, 4);
	__builtin_memcpy(&new_word, new_words, 4);
	sum = sum_change(sum, h->tcp.ack, ack);
	sum = sum_change(sum, old_word, new_word);
	h->tcp.ack = ack;
	h->tcp.flags = flags;
	if (flags & SYN) {
		sum = syn_options_answer(options, end, options_bytes, sum);
	} else if (options_bytes >= 12 && options + 12 <= end && *(__be32 *)options == USUAL_OPTIONS) {
		sum = timestamps_answer(options + 4, sum, 0);
	}
	h->tcp.check = (__u16)~sum_fold(sum);
	ends_swap(h);
	return XDP_TX;
}

static __always_inline int segment_judge(struct xdp_md *ctx, struct headers *h,
					 struct bench_respond_counts *count)
{
	__u32 total = bpf_ntohs(h->ip.tot_len), header = sizeof(h->ip) + (__u32)(h->tcp.offset >> 4) * 4;
	__u8 flags = h->tcp.flags;
	__u32 payload;

	if (header < sizeof(h->ip) + sizeof(h->tcp) || total < header) {
		count->strange++;
		return XDP_DROP;
	}
	payload = total - header;
	if (flags & RST) {
		count->resets++;
		return XDP_DROP;
	}
	if (flags & SYN) {
		count->syns++;
		return answer(ctx, h, 1, SYN | ACK);
	}
	if (payload == 0 && !(flags & FIN)) {
		count->acks++;
		return XDP_DROP;
	}
	count->echoes += payload > 0;
	count->fins += flags & FIN;
	return answer(ctx, h, payload + (flags & FIN), ACK | (flags & FIN) | (payload > 0 ? PSH : 0));
}

SEC("xdp")
int bench_respond(struct xdp_md *ctx)
{
	struct headers *h = (void *)(long)ctx->data;
	__u32 zero = 0;
	struct bench_respond_counts *count = bpf_map_lookup_elem(&counts, &zero);

	if (!count) /* cannot be: the map has this element; the verifier does not know it */
		return XDP_PASS;
	if ((void *)(h + 1) <= (void *)(long)ctx->data_end && h->eth.h_proto == bpf_htons(ETH_P_IP) &&
	    h->ip.ihl == 5 && h->ip.protocol == IPPROTO_TCP && h->ip.daddr == bpf_htonl(config.ip) &&
	    bpf_ntohs(h->tcp.dest) >= config.port_first && bpf_ntohs(h->tcp.dest) <= config.port_last)
		return segment_judge(ctx, h, count);
	count->passed++;
	return XDP_PASS;
}

/* For the other end of a veth: what is sent back reaches only an end that has a program, too. */
SEC("xdp")
int bench_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char dual_license[] SEC("license") = "Dual BSD/GPL";
