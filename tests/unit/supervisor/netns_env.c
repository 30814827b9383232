/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Namespaces for tests.
 */
#include "tests/unit/supervisor/netns_env.h"

#include <cap-ng.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

char netns_bpffs[64];

void netns_run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

void netns_enter(void)
{
	char dir[] = "/tmp/ixd-unit-XXXXXX";

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		cr_skip_test("needs root for namespaces: %s", strerror(errno));
	/* A private /tmp: what is made below is gone with the namespace. */
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("tmpfs", "/tmp", "tmpfs", 0, NULL), 0);
	cr_assert_not_null(mkdtemp(dir));
	snprintf(netns_bpffs, sizeof(netns_bpffs), "%s/bpf", dir);
	cr_assert_eq(mkdir(netns_bpffs, 0700), 0);
	if (mount("bpf", netns_bpffs, "bpf", 0, NULL) < 0)
		cr_skip_test("no BPF file system can be mounted: %s", strerror(errno));
}

void netns_veth(unsigned queues)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "ip link add va0 numrxqueues %u numtxqueues %u type veth peer name vb0 numrxqueues %u "
		 "numtxqueues %u",
		 queues, queues, queues, queues);
	netns_run(command);
	netns_run("ip link set va0 up && ip link set vb0 up");
}

struct static_config netns_static_config(uint32_t cores)
{
	return (struct static_config){
	    .cores = cores,
	    .queues = 1,
	    .frames_per_core = 512,
	    .xsk_ring_slots = 64,
	    .flow_groups = IXD_FLOW_GROUPS,
	    .ephemeral_base = 61000,
	    .ephemeral_span = 100,
	    .toeplitz_key = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43,
			     0xa3},
	};
}

void netns_capability_drop(unsigned capability)
{
	cr_assert_eq(capng_get_caps_process(), 0);
	cr_assert_eq(capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capability), 0);
	cr_assert_eq(capng_apply(CAPNG_SELECT_CAPS), 0);
}
