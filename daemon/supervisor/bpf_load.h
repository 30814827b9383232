/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program and its maps: load, pin, write, remove. The supervisor alone writes these maps; the
 * dataplane gets descriptors of `ephemeral` and `flow_groups`, the control process of `verdicts`.
 * One thread. All functions return 0 or a negative errno; those with a struct why say it in words.
 */
#ifndef DAEMON_SUPERVISOR_BPF_LOAD_H
#define DAEMON_SUPERVISOR_BPF_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/msg.h"
#include "daemon/supervisor/why.h"

struct bpf_set; /* the loaded program, its maps and links */

/* Loads the program with the constants of `fixed`, removes what a dead predecessor left in pin_dir (it holds
 * the instance's lock no more), makes pin_dir and pins the maps there. Errors: bpffs not mounted (says how),
 * missing capability (says which), verifier's last line. *set is the caller's to bpf_set_free(). */
int bpf_set_load(const struct static_config *fixed, const char *pin_dir, struct bpf_set **set,
		 struct why *why);
/* Detaches from every interface, removes pins and pin_dir, closes all. NULL is allowed. */
void bpf_set_free(struct bpf_set *set);

/* Descriptors stay the set's. */
int bpf_set_ephemeral_fd(const struct bpf_set *set);
int bpf_set_flow_groups_fd(const struct bpf_set *set);
int bpf_set_verdicts_fd(const struct bpf_set *set);
int bpf_set_program_fd(const struct bpf_set *set);

/* For xdp_attach(): pins a link as PIN_DIR/link_NAME (by number when the name has a dot) and takes the
 * descriptor over; on error it stays the caller's. */
int bpf_set_link_take(struct bpf_set *set, int link_fd, const char *iface_name, uint32_t ifindex,
		      struct why *why);
/* Detaches the program from an interface that has gone, be it to another namespace, and forgets the link with
 * its pin. */
void bpf_set_link_drop(struct bpf_set *set, uint32_t ifindex);
/* Whether the link is in force: whoever may can detach it (bpftool link detach), and it goes with its device.
 */
bool bpf_set_link_is_attached(const struct bpf_set *set, uint32_t ifindex);

/* Writing the maps. addr is IPv4 mapped; for owned, all zero is any address that is in local. Port and vlan
 * in host order. -ENOENT from _del: was not there; -E2BIG from _add: the map is full (IXD_OWNED_MAX,
 * IXD_LOCAL_ADDRS_MAX). */
int bpf_set_owned_add(struct bpf_set *set, const uint8_t addr[16], uint16_t port, uint16_t vlan,
		      uint32_t listener);
int bpf_set_owned_del(struct bpf_set *set, const uint8_t addr[16], uint16_t port, uint16_t vlan);
int bpf_set_local_add(struct bpf_set *set, const uint8_t addr[16], uint16_t vlan);
int bpf_set_local_del(struct bpf_set *set, const uint8_t addr[16], uint16_t vlan);
int bpf_set_iface_add(struct bpf_set *set, uint32_t ifindex, uint32_t queue_base, uint32_t queues,
		      bool is_diagonal);
int bpf_set_iface_del(struct bpf_set *set, uint32_t ifindex);
/* Spreads the flow groups over the cores: group % cores. */
int bpf_set_flow_groups_spread(struct bpf_set *set, uint32_t groups, uint32_t cores);
/* Says which core each group belongs to. */
int bpf_set_flow_groups(struct bpf_set *set, uint32_t groups, const uint32_t *core_of_group);
/* Packets of owned flows that found no socket, since the start. 0 or negative errno. */
int bpf_set_no_socket_count(const struct bpf_set *set, uint64_t *packets);
/* Puts a socket at queue (over all interfaces) × IXD_CORES_MAX + core. */
int bpf_set_xsk(struct bpf_set *set, uint32_t queue, uint32_t core, int xsk_fd);

#endif
