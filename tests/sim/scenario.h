/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a run is made of. A seed chooses one; a file may hold one as `name value` lines, so that a case that
 * once failed keeps its meaning when the choice is made another way. One row gives the field, its name in
 * files, and what it means. Chances are per 10000.
 */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Grows whenever a seed means another scenario than before. */
#define SIM_GENERATOR 4

#define SIM_SCENARIO(X)                                                                                      \
	X(run, "randomness of the run: what is lost, sizes, pauses")                                         \
	X(conns, "connections, 1 to 8")                                                                      \
	X(loss, "packets lost")                                                                              \
	X(burst, "packets that begin a burst of losses")                                                     \
	X(reorder, "packets held back by reorder_ns")                                                        \
	X(duplicate, "packets that arrive twice")                                                            \
	X(corrupt, "packets whose checksum is wrong")                                                        \
	X(remark, "packets made ECN-capable or marked on the way, whatever they were")                       \
	X(mark, "ECN-capable packets marked")                                                                \
	X(delay_ns, "one way")                                                                               \
	X(jitter_ns, "added to it, up to")                                                                   \
	X(reorder_ns, "see reorder")                                                                         \
	X(byte_ns, "time of a byte on the bottleneck; 0: none")                                              \
	X(queue_bytes, "of the bottleneck")                                                                  \
	X(path_mtu, "larger packets are dropped; 0: none are")                                               \
	X(has_icmp, "and the sender is told")                                                                \
	X(cut_after_bytes, "the network falls silent once so many bytes were delivered; 0: never")           \
	X(cut_ms, "and comes back after so long")                                                            \
	X(forge, "steps in which an attacker puts in a packet")                                              \
	X(refuse, "trains that the layer below refuses, whole or in part")                                   \
	X(restart, "steps after which a host starts anew")                                                   \
	X(timestamps, "RFC 7323")                                                                            \
	X(sack, "RFC 2018")                                                                                  \
	X(window_scaling, "RFC 7323")                                                                        \
	X(ecn, "RFC 3168")                                                                                   \
	X(accurate_ecn, "RFC 9768; 2: on the client's side alone, 3: the server's")                          \
	X(fast_open, "RFC 7413; all but the first connection begin once that has opened")                    \
	X(fast_open_pending, "unconfirmed ones that the server takes")                                       \
	X(rto_min_ns, "RFC 6298")                                                                            \
	X(rto_initial_ns, "RFC 6298")                                                                        \
	X(give_up_ns, "without progress, ends a connection")                                                 \
	X(keepalive_ns, "idle time before the first probe; 0: no keepalive")                                 \
	X(challenge_acks_per_s, "RFC 5961")                                                                  \
	X(client_cc, "enum tcp_cc")                                                                          \
	X(server_cc, "enum tcp_cc")                                                                          \
	X(nagle, "clients have it on")                                                                       \
	X(wide, "clients' windows are chosen like the server's, large enough to be scaled")                  \
	X(stall, "turns of an application after which both ends stop reading")                               \
	X(stall_ms, "for so long")                                                                           \
	X(abort_one_in, "connections whose client aborts; 0: none")                                          \
	X(close_one_in, "connections whose client closes without waiting for the server's end; 0: none")     \
	X(syn_backlog, "of the server")                                                                      \
	X(listen_backlog, "of the listener")                                                                 \
	X(time_waits, "records of each host")                                                                \
	X(client_sent_records, "")                                                                           \
	X(server_sent_records, "")                                                                           \
	X(client_ooo_records, "")                                                                            \
	X(server_ooo_records, "")

struct sim_scenario {
#define SIM_SCENARIO_FIELD(name, doc) uint64_t name;
	SIM_SCENARIO(SIM_SCENARIO_FIELD)
#undef SIM_SCENARIO_FIELD
};

struct tcp_config;
struct tcp_limits;

void sim_scenario_choose(struct sim_scenario *scenario, uint64_t seed);
/* Lines `name value`; `#` begins a comment. A field that the file leaves out is what no scenario sees: the
 * value of a clean network. -EINVAL, told on stderr, when it says something else. */
int sim_scenario_read(struct sim_scenario *scenario, const char *path);
void sim_scenario_print(const struct sim_scenario *scenario, FILE *out);

/* What the engine of a host is given. */
void sim_scenario_config(const struct sim_scenario *scenario, struct tcp_config *config);
void sim_scenario_limits(const struct sim_scenario *scenario, unsigned host, struct tcp_limits *limits);

#endif
