/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of the engine: one row gives the field, the name that users see, and its documentation. All are
 * written by the owning core alone and may be read by anybody.
 */
#ifndef TCP_TCP_STATS_H
#define TCP_TCP_STATS_H

#include <stdint.h>

#define TCP_STATS(X)                                                                                         \
	X(segments_in, "segments received for a connection, listener or nobody")                             \
	X(segments_out, "segments emitted, retransmissions included")                                        \
	X(bytes_in, "payload bytes received in order")                                                       \
	X(bytes_out, "payload bytes emitted for the first time")                                             \
	X(active_opens, "connections opened by us")                                                          \
	X(passive_opens, "connections opened by a peer and established")                                     \
	X(retransmits, "segments retransmitted")                                                             \
	X(rto_expiries, "retransmission timeouts")                                                           \
	X(fast_recoveries, "loss recoveries entered without a timeout")                                      \
	X(sack_recoveries, "of these, driven by SACK")                                                       \
	X(tlp_probes, "tail loss probes sent (RFC 8985)")                                                    \
	X(spurious_recoveries, "recoveries undone because nothing was lost")                                 \
	X(frto_probes, "timeouts after which new data went first, to see (RFC 5682 F-RTO)")                  \
	X(frto_spurious, "timeouts found needless by F-RTO")                                                 \
	X(dsack_in, "duplicate SACKs received (RFC 2883)")                                                   \
	X(dup_acks_in, "duplicate acknowledgements received")                                                \
	X(ooo_segments_in, "segments received out of order")                                                 \
	X(urgent_in, "segments received that point to urgent data")                                          \
	X(zero_window_probes, "probes of a closed window sent")                                              \
	X(zero_windows_in, "times a peer closed its window")                                                 \
	X(keepalive_probes, "keepalive probes sent")                                                         \
	X(delayed_acks, "acknowledgements sent by the delay timer")                                          \
	X(resets_in, "acceptable RSTs received")                                                             \
	X(resets_out, "RSTs sent")                                                                           \
	X(challenge_acks, "challenge ACKs sent (RFC 5961)")                                                  \
	X(challenge_acks_limited_conn, "challenge ACKs withheld by the limit of one connection")             \
	X(challenge_acks_limited, "challenge ACKs withheld by the limit of the core")                        \
	X(syn_cookies_out, "SYN cookies sent")                                                               \
	X(syn_cookies_in, "connections opened from a valid SYN cookie")                                      \
	X(fast_open_in, "connections opened by a peer whose data in the SYN was taken (RFC 7413)")           \
	X(fast_open_out, "SYNs sent with data")                                                              \
	X(fast_open_cookies_out, "Fast Open cookies given to clients")                                       \
	X(fast_open_bad_cookies, "Fast Open cookies received that are not valid")                            \
	X(fast_open_limited, "Fast Opens made ordinary: too many are not confirmed yet")                     \
	X(fast_open_fallbacks, "Fast Opens that became ordinary: data not taken, or SYN lost")               \
	X(accecn_opens, "connections that use Accurate ECN (RFC 9768)")                                      \
	X(accecn_ce_in, "segments received with a congestion mark, on these")                                \
	X(accecn_marks_in, "congestion marks that peers told us of, on these")                               \
	X(accecn_mangled, "times feedback showed that the path changes ECN fields")                          \
	X(time_waits, "connections that entered TIME_WAIT")                                                  \
	X(time_waits_recycled, "TIME_WAIT records taken early because the table was full")                   \
	X(drop_malformed, "dropped: TCP header or options not well-formed")                                  \
	X(drop_no_listener, "dropped: nobody listens and no connection matches")                             \
	X(drop_paws, "dropped: timestamp too old (RFC 7323 PAWS)")                                           \
	X(drop_out_of_window, "dropped: sequence number outside the window")                                 \
	X(drop_bad_ack, "dropped: acknowledges data never sent, or far too old")                             \
	X(drop_no_ack, "dropped: no ACK flag in a synchronised state")                                       \
	X(drop_no_memory, "dropped: the user had no room for the bytes")                                     \
	X(drop_no_record, "dropped: no free connection or range record")                                     \
	X(drop_backlog, "dropped: backlog full")                                                             \
	X(drop_no_path, "dropped: the layer below refused a SYN")                                            \
	X(drop_bad_cookie, "dropped: ACK to a listener with an invalid SYN cookie")                          \
	X(drop_address, "dropped: from or to an address that is not a host's")                               \
	X(drop_duplicate, "dropped: every byte was received before")                                         \
	X(path_mtu_shrinks, "ICMP errors that lowered a path's MTU (RFC 1191)")                              \
	X(black_holes, "segments made small because large ones do not seem to pass (RFC 4821)")              \
	X(soft_errors, "told to the user, may pass: ICMP errors, retransmissions in vain")                   \
	X(icmp_ignored, "ICMP errors ignored: quoted sequence number not in flight")                         \
	X(timeouts, "connections ended by a timeout")                                                        \
	X(records_inconsistent, "records freed at start because they made no sense")

struct tcp_stats {
#define TCP_STATS_FIELD(name, doc) uint64_t name;
	TCP_STATS(TCP_STATS_FIELD)
#undef TCP_STATS_FIELD
};

#endif
