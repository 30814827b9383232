// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Frames out without an skb: see transmit.h. Whatever the caller does, a frame leaves through a device of
 * `tx_ports` or is dropped; none is ever passed to the kernel's own stack.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/ixd_bpf.h"
#include "bpf/transmit.h"

#define FRAME_MIN 14 /* an Ethernet header */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, IXD_TX_SLOTS); /* times the cores, set before load */
	__type(key, __u32);
	__type(value, struct ixd_tx_slot);
} tx_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, IXD_CORES_MAX);
	__type(key, __u32);
	__type(value, struct ixd_tx_cursor);
} tx_cursors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, IXD_IFACES_MAX);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} tx_ports SEC(".maps");

static __always_inline struct ixd_tx_slot *slot_next(__u32 core)
{
	struct ixd_tx_cursor *cursor = bpf_map_lookup_elem(&tx_cursors, &core);
	__u32 at;

	if (!cursor)
		return NULL;
	/* One thread has the core: no other call counts here. */
	at = cursor->next++;
	at = core * IXD_TX_SLOTS + (at & (IXD_TX_SLOTS - 1));
	return bpf_map_lookup_elem(&tx_slots, &at);
}

SEC("xdp")
int ixd_transmit(struct xdp_md *ctx)
{
	const struct ixd_tx_call *call = (const void *)(long)ctx->data;
	struct ixd_tx_slot *slot;
	__u32 len;

	if ((const void *)(call + 1) > (const void *)(long)ctx->data_end || call->not_a_frame != 0)
		return XDP_DROP;
	slot = slot_next(call->core);
	if (!slot)
		return XDP_DROP;
	len = slot->len; /* once: the slot is shared memory */
	if (len < FRAME_MIN || len > IXD_TX_DATA_BYTES)
		return XDP_DROP;
	if (bpf_xdp_adjust_tail(ctx, (int)len - (int)sizeof(struct ixd_tx_call)) != 0 ||
	    bpf_xdp_store_bytes(ctx, 0, slot->data, len) != 0)
		return XDP_DROP;
	return (int)bpf_redirect_map(&tx_ports, slot->port, XDP_DROP);
}

char dual_license[] SEC("license") = "Dual BSD/GPL";
