/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program under BPF_PROG_TEST_RUN, in a network namespace of its own: loading, frames by hand, and
 * running one frame while looking at what the counters do.
 */
#ifndef TESTS_UNIT_BPF_STEER_ENV_H
#define TESTS_UNIT_BPF_STEER_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/skeleton.h"

#define LOOPBACK_IFINDEX 1 /* in every network namespace; one queue */

#define EPHEMERAL_BASE   61000
#define EPHEMERAL_SPAN   100

/* Index of a counter, by name. */
#define VERDICT(name)    (offsetof(struct ixd_verdicts, name) / sizeof(__u64))

/* The loaded program of the running test. */
extern struct ixd_bpf *steer;
extern struct ixd_toeplitz steer_toeplitz;

struct frame {
	uint8_t bytes[600];
	uint32_t len;
};

/* What a test may want to be special about a frame; zero means the plain thing. */
struct shape {
	const char *src, *dst; /* default 10.0.0.2 → 10.0.0.1 */
	uint16_t sport, dport; /* default 40000 → 80 */
	bool is_tagged;
	uint16_t tci;
	uint16_t ethertype;   /* after the tag; default IPv4 */
	uint8_t version, ihl; /* default 4, 5 */
	uint8_t protocol;     /* default TCP */
	uint16_t fragment;    /* the field as in the header, host order */
	uint16_t payload;     /* bytes after the TCP header */
	int total_len;        /* claimed; 0: the truth, < 0: zero */
	/* ICMP error (protocol 1): type; the quote is what dst has sent to `icmp_to`. */
	uint8_t icmp_type;
	uint8_t quoted_ihl, quoted_protocol;
	uint16_t quoted_fragment;
	const char *quoted_src; /* default: dst */
};

/* Skips the test where BPF cannot be used; loads with this number of cores. Slots are empty, no interface. */
void steer_load(uint32_t cores);
/* The usual: one core, loopback with one queue and a socket in its slot, 10.0.0.1 local. */
void steer_setup(void);
void steer_teardown(void);

void frame_make(struct frame *f, const struct shape *shape);
/* Runs the program once on an interface and queue; the action, and by how much each counter went up. */
uint32_t frame_run(const struct frame *f, uint32_t ifindex, uint32_t queue, struct ixd_verdicts *delta);
/* Runs on loopback and checks the action and that this counter alone went up by one. */
void frame_expect(const struct frame *f, uint32_t action, size_t verdict, const char *what);
void shape_expect(const struct shape *shape, uint32_t action, size_t verdict, const char *what);

void addr_mapped(const char *text, uint8_t addr[16]);
void owned_add(const char *addr, uint16_t port, uint16_t vlan); /* NULL: any address */
void local_add(const char *addr, uint16_t vlan);
void iface_add(uint32_t ifindex, uint32_t queue_base, uint32_t queues);
void ephemeral_mark(uint16_t port, uint16_t users);
void group_set(uint32_t group, uint32_t core);
/* Fills or empties the slot of (queue over all, core). */
void slot_fill(uint32_t queue, uint32_t core);
void slot_empty(uint32_t queue, uint32_t core);

#endif
