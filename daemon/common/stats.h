/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of the dataplane in a memfd: one struct core_stats per core, written by that core alone with plain
 * stores, read by anybody. One row gives the field, the name users see, and its documentation.
 */
#ifndef DAEMON_COMMON_STATS_H
#define DAEMON_COMMON_STATS_H

#include <stdint.h>

#include "daemon/common/limits.h"
#include "tcp/tcp.h"

#define STATS_MAGIC 0x69787331u

#define CORE_STATS(X)                                                                                        \
	X(loop_turns, "turns of the loop")                                                                   \
	X(loop_sleeps, "times the core went to sleep")                                                       \
	X(loop_batch_full, "turns that took the full batch bound")                                           \
	X(busy_ns, "time in turns that found work, nanoseconds")                                             \
	X(rx_packets, "packets received from AF_XDP sockets")                                                \
	X(rx_bytes, "bytes received, Ethernet header included")                                              \
	X(tx_packets, "packets given to AF_XDP sockets")                                                     \
	X(tx_bytes, "bytes sent, Ethernet header included")                                                  \
	X(tx_kicks, "system calls that start transmission")                                                  \
	X(tx_large, "large sends: many packets of one connection by one system call")                        \
	X(tx_large_failed, "large sends that the kernel refused, sent packet by packet instead")             \
	X(tx_xdp, "packets sent by the XDP transmit program")                                                \
	X(tx_xdp_calls, "bursts given to the XDP transmit program")                                          \
	X(tx_xdp_failed, "of these, bursts that the kernel took in part or not at all")                      \
	X(tx_passed, "packets passed to the core that owns the queue")                                       \
	X(frames_pool, "packet frames in the pools of the cores when they last went to sleep")               \
	X(fill_low, "times a FILL ring was found below a quarter")                                           \
	X(drop_eth, "dropped: malformed Ethernet or VLAN header, or not for our link-layer address")         \
	X(drop_ip_header, "dropped: malformed IP header or length")                                          \
	X(drop_ip_checksum, "dropped: wrong IP header checksum")                                             \
	X(drop_ip_options, "dropped: IP source route option")                                                \
	X(drop_ip_fragment, "dropped: fragment")                                                             \
	X(drop_not_local, "dropped: destination is no local address")                                        \
	X(drop_tcp_checksum, "dropped: wrong TCP checksum")                                                  \
	X(drop_icmp, "dropped: malformed ICMP error")                                                        \
	X(icmp_errors, "ICMP errors about owned flows taken")                                                \
	X(icmp_passed, "of these, passed to the core of their flow")                                         \
	X(checksum_partial, "TCP segments accepted with a pseudo-header sum only")                           \
	X(drop_tx_no_frame, "trains held back: no free frame or no room in a TX ring")                       \
	X(drop_tx_no_route, "segments not sent: no route")                                                   \
	X(drop_tx_no_neigh, "segments not sent: link-layer address not known yet")                           \
	X(drop_rx_closed, "dropped: in a ring of a socket that was closed")                                  \
	X(frame_faults, "packet frames touched by somebody else than their owner (check_frames)")            \
	X(drop_rx_invalid, "dropped: descriptor outside the UMEM")                                           \
	X(neigh_requests, "link-layer addresses asked for")                                                  \
	X(commands, "commands taken from clients")                                                           \
	X(commands_refused, "commands answered by an error event")                                           \
	X(events, "events posted to clients")                                                                \
	X(doorbells_rung, "sleeping clients woken")                                                          \
	X(client_paused, "times a client's commands waited for room in its event ring")                      \
	X(client_faults, "clients ended because they broke the ring protocol")                               \
	X(rx_no_memory, "segments not taken: the client's RX memory is full")                                \
	X(refused_stale_handle, "commands with a handle that does not exist")                                \
	X(refused_bad_op, "commands with an unknown code")                                                   \
	X(refused_bad_sg, "sendv outside the TX arena or of length zero")                                    \
	X(refused_send_limit, "sendv beyond send_limit")                                                     \
	X(refused_state, "commands that do not fit the connection's state")                                  \
	X(refused_policy, "commands that the policy does not allow")                                         \
	X(refused_limit, "commands beyond a limit of the client")

struct core_stats {
#define CORE_STATS_FIELD(name, doc) uint64_t name;
	CORE_STATS(CORE_STATS_FIELD)
#undef CORE_STATS_FIELD
	struct tcp_stats tcp;
	uint64_t conns_open;                       /* gauge */
	uint64_t batch_sum, batch_count;           /* for the mean batch */
	uint64_t queue_rx_packets[IXD_QUEUES_MAX]; /* received from each queue of the instance */
} __attribute__((aligned(64)));

struct stats {
	uint32_t magic;
	uint32_t cores;
	uint64_t pad[7];
	struct core_stats core[IXD_CORES_MAX];
};

#endif
