/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a flow to its socket: the hash is the one that user space computes, the group's core is the table's,
 * the slot is the one of the queue that the packet came in by. Which slot was used shows by filling one
 * alone.
 */
#include "tests/unit/bpf/steer_env.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/toeplitz.h"

#define CORES  5
#define QUEUES 3

TestSuite(steer_flow, .fini = steer_teardown);

static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

/* An interface with several queues, all flow groups on cores in a pattern that is not the default one. */
static uint32_t queues_setup(void)
{
	steer_load(CORES);
	run("ip link add ixd0 numrxqueues 3 numtxqueues 3 type veth peer name ixd1 numrxqueues 3 numtxqueues "
	    "3");
	uint32_t ifindex = if_nametoindex("ixd0");

	iface_add(ifindex, 4, QUEUES);
	owned_add(NULL, 80, 0);
	local_add("10.0.0.1", 0);
	for (uint32_t group = 0; group < IXD_FLOW_GROUPS; group++)
		group_set(group, (group * 7 + 3) % CORES);
	return ifindex;
}

/* The core that user space finds for the flow of a shape. */
static uint32_t core_expected(const struct shape *s)
{
	uint8_t remote[16], local[16];

	addr_mapped(s->src, remote);
	addr_mapped(s->dst ? s->dst : "10.0.0.1", local);
	uint32_t hash =
	    ixd_toeplitz_tuple(&steer_toeplitz, remote, local, s->sport, s->dport ? s->dport : 80);

	return ((hash & (IXD_FLOW_GROUPS - 1)) * 7 + 3) % CORES;
}

static void expect_slot(const struct frame *f, uint32_t ifindex, uint32_t queue, uint32_t core,
			const char *what)
{
	struct ixd_verdicts delta;

	slot_fill(4 + queue, core);
	cr_expect_eq(frame_run(f, ifindex, queue, &delta), XDP_REDIRECT, "%s: queue %u core %u", what, queue,
		     core);
	cr_expect_eq(delta.redirected, 1);
	slot_empty(4 + queue, core);
	/* All slots but this one. */
	for (uint32_t q = 0; q < IXD_QUEUES_MAX; q++)
		for (uint32_t c = 0; c < CORES; c++)
			if (q != 4 + queue || c != core)
				slot_fill(q, c);
	cr_expect_eq(frame_run(f, ifindex, queue, &delta), XDP_DROP, "%s: another slot was used", what);
	cr_expect_eq(delta.dropped_no_socket, 1);
	for (uint32_t q = 0; q < IXD_QUEUES_MAX; q++)
		for (uint32_t c = 0; c < CORES; c++)
			slot_empty(q, c);
}

Test(steer_flow, group_core_and_queue_decide_the_socket, .timeout = 60)
{
	uint32_t ifindex = queues_setup();
	unsigned seen[CORES] = {0};
	char src[32];

	srand(42);
	for (unsigned i = 0; i < 60; i++) {
		struct shape s = {.src = src, .sport = (uint16_t)(1024 + rand() % 60000)};
		struct frame f;

		snprintf(src, sizeof(src), "%d.%d.%d.%d", 1 + rand() % 223, rand() % 256, rand() % 256,
			 rand() % 256);
		frame_make(&f, &s);
		seen[core_expected(&s)]++;
		expect_slot(&f, ifindex, i % QUEUES, core_expected(&s), src);
	}
	for (unsigned core = 0; core < CORES; core++)
		cr_expect_gt(seen[core], 0);
}

Test(steer_flow, icmp_errors_go_where_their_flow_goes, .timeout = 60)
{
	uint32_t ifindex = queues_setup();

	for (unsigned i = 0; i < 20; i++) {
		struct shape s = {.src = "192.0.2.77", .sport = (uint16_t)(2000 + i * 131)};
		uint32_t core = core_expected(&s);
		struct frame f;

		s.protocol = IPPROTO_ICMP;
		s.icmp_type = 3;
		frame_make(&f, &s);
		expect_slot(&f, ifindex, i % QUEUES, core, "ICMP");
	}
}

Test(steer_flow, a_group_can_move)
{
	uint32_t ifindex = queues_setup();
	struct shape s = {.src = "192.0.2.77", .sport = 1234};
	struct frame f;

	frame_make(&f, &s);
	for (uint32_t core = 0; core < CORES; core++) {
		for (uint32_t group = 0; group < IXD_FLOW_GROUPS; group++)
			group_set(group, core);
		expect_slot(&f, ifindex, 1, core, "moved");
	}
}

Test(steer_flow, a_core_that_cannot_be_is_dropped)
{
	uint32_t ifindex = queues_setup();
	struct shape s = {.src = "192.0.2.77", .sport = 1234};
	struct ixd_verdicts delta;
	struct frame f;

	/* Core 32 of a queue would be core 0 of the next. */
	for (uint32_t queue = 0; queue < IXD_QUEUES_MAX; queue++)
		slot_fill(queue, 0);
	for (uint32_t group = 0; group < IXD_FLOW_GROUPS; group++)
		group_set(group, IXD_CORES_MAX);
	frame_make(&f, &s);
	cr_expect_eq(frame_run(&f, ifindex, 0, &delta), XDP_DROP);
	cr_expect_eq(delta.dropped_no_socket, 1);
	for (uint32_t group = 0; group < IXD_FLOW_GROUPS; group++)
		group_set(group, UINT32_MAX);
	cr_expect_eq(frame_run(&f, ifindex, 0, &delta), XDP_DROP);
	cr_expect_eq(delta.dropped_no_socket, 1);
}

Test(steer_flow, queues_beyond_ours_are_dropped)
{
	uint32_t ifindex = queues_setup();
	struct shape s = {.src = "192.0.2.77", .sport = 1234};
	struct ixd_verdicts delta;
	struct frame f;

	iface_add(ifindex, 4, 2);
	for (uint32_t core = 0; core < CORES; core++)
		slot_fill(6, core); /* what would be queue 2 */
	frame_make(&f, &s);
	cr_expect_eq(frame_run(&f, ifindex, 2, &delta), XDP_DROP);
	cr_expect_eq(delta.dropped_no_socket, 1);
}

Test(steer_flow, the_verifier_takes_every_number_of_cores_and_maps_have_types)
{
	steer_load(IXD_CORES_MAX);
	struct bpf_map *map;

	bpf_object__for_each_map(map, steer->obj)
	{
		struct bpf_map_info info = {0};
		__u32 len = sizeof(info);

		/* The kernel keeps no types for socket maps, and the constants are one section. */
		if (bpf_map__type(map) == BPF_MAP_TYPE_XSKMAP)
			continue;
		cr_assert_eq(bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &len), 0);
		cr_expect_neq(info.btf_value_type_id, 0, "%s", bpf_map__name(map));
	}
}
