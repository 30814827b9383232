/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the XDP program and user space share: map keys and values, verdict counters, the flow hash, and the
 * constants set before load. Included by C for the BPF target and for the host; uses __u8 … __u64 only.
 */
#ifndef BPF_IXD_BPF_H
#define BPF_IXD_BPF_H

#include <linux/types.h>

#define IXD_FLOW_GROUPS        256 /* default and maximum number of flow groups; a power of two */
#define IXD_EPHEMERAL_SPAN_MAX 8192
#define IXD_OWNED_MAX          4096
#define IXD_LOCAL_ADDRS_MAX    1024
#define IXD_IFACES_MAX         8
#define IXD_QUEUES_MAX         64 /* over all interfaces of an instance */
#define IXD_CORES_MAX          32
#define IXD_TOEPLITZ_KEY_BYTES 40

/* Map `owned`: hash, written by the supervisor alone. addr is IPv4 mapped or IPv6; all zero: any address in
 * map `local_addrs`. port is in network order, vlan in host order (0: untagged). */
struct ixd_owned_key {
	__u8 addr[16];
	__be16 port;
	__u16 vlan;
	__u8 proto; /* IPPROTO_TCP */
	__u8 pad[3];
};
struct ixd_owned_value {
	__u32 listener; /* supervisor's listener id, for people who read the map */
};

/* Map `local_addrs`: hash, written by the supervisor alone: addresses of the instance's interfaces. A packet
 * to another address is never owned through a wildcard or ephemeral entry. */
struct ixd_local_key {
	__u8 addr[16];
	__u16 vlan;
	__u8 pad[2];
};

/* Map `ephemeral`: one element, mmapable: users[port - base] counts connections of the dataplane that use
 * this local port; not zero means owned. Incremented and decremented atomically by core threads, once per
 * connection; recounted after a restart. */
struct ixd_ephemeral {
	__u16 users[IXD_EPHEMERAL_SPAN_MAX];
};

/* Map `flow_groups`: mmapable array [IXD_FLOW_GROUPS] of __u32: the core that owns a group. */

/* Map `ifaces`: hash by ifindex. */
struct ixd_iface_value {
	__u32 queue_base; /* index of this interface's queue 0 among all queues of the instance */
	__u32 queues;
	/* RSS leads each flow to a queue of its core: a queue has a socket of the core that owns it, number %
	 * cores, and no other. */
	__u32 is_diagonal;
	__u32 pad;
};

/* Map `xsks`: XSKMAP, index = (queue_base + queue) * cores_max + core. */

/* Set in rodata before load. */
struct ixd_bpf_config {
	__u32 cores;          /* cores in use: 1 makes the flow hash dead code */
	__u32 cores_max;      /* stride of xsks */
	__u32 group_mask;     /* flow groups - 1 */
	__u16 ephemeral_base; /* first local port of outgoing connections, host order */
	__u16 ephemeral_span; /* number of ports */
};

/* Map `verdicts`: per-CPU array with one element. One row: field, documentation. */
#define IXD_VERDICTS(X)                                                                                      \
	X(redirected, "packets given to an AF_XDP socket")                                                   \
	X(redirected_icmp, "of these, ICMP errors that quote an owned flow")                                 \
	X(passed_not_ip, "passed to the kernel: not IP (ARP and others)")                                    \
	X(passed_not_tcp, "passed to the kernel: IP, but neither TCP nor an ICMP error about an owned flow") \
	X(passed_not_owned, "passed to the kernel: TCP to a port that ixd does not own")                     \
	X(passed_malformed, "passed to the kernel: truncated or malformed below TCP; the kernel judges")     \
	X(passed_fragment, "passed to the kernel: a fragment that is not for an owned port")                 \
	X(dropped_fragment, "dropped: first fragment for an owned port; the kernel would answer RST")        \
	X(dropped_malformed, "dropped: malformed, for an owned port")                                        \
	X(dropped_no_socket, "dropped: owned, but no AF_XDP socket in its slot (dataplane not ready)")

struct ixd_verdicts {
#define IXD_VERDICT_FIELD(name, doc) __u64 name;
	IXD_VERDICTS(IXD_VERDICT_FIELD)
#undef IXD_VERDICT_FIELD
};

/* Toeplitz hash by table: toeplitz[i][b] is the contribution of byte value b at input position i, where the
 * input is source address, destination address (4 or 16 bytes each), source port, destination port, as RSS
 * on NICs does it, seen from the packet that arrives at ixd (source = remote). The table is derived from the
 * key by ixd_toeplitz_table() in user space and put into rodata. */
#define IXD_TOEPLITZ_INPUT_MAX 36
struct ixd_toeplitz {
	__u32 table[IXD_TOEPLITZ_INPUT_MAX][256];
};

#endif
