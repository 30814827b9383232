/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading and pinning the XDP program for real: pins come and go, a killed predecessor is cleaned up after,
 * refusals say what to do.
 */
#include "daemon/supervisor/bpf_load.h"

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/bpf_pins.h"
#include "daemon/supervisor/xdp_attach.h"
#include "tests/unit/supervisor/netns_env.h"

TestSuite(bpf_load, .init = netns_enter, .timeout = 30);

static char pin_dir[128];
static struct why why;

static const char *pin_path(const char *name)
{
	static char path[192];

	snprintf(path, sizeof(path), "%s/%s", pin_dir, name);
	return path;
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static struct bpf_set *load(uint32_t cores)
{
	struct static_config fixed = netns_static_config(cores);
	struct bpf_set *set = NULL;

	snprintf(pin_dir, sizeof(pin_dir), "%s/ixd/unit", netns_bpffs);
	cr_assert_eq(bpf_set_load(&fixed, pin_dir, &set, &why), 0, "%s", why.text);
	return set;
}

Test(bpf_load, pins_every_map_and_leaves_nothing)
{
	static const char *const names[] = {"owned",  "local_addrs", "ephemeral", "flow_groups",
					    "ifaces", "xsks",        "verdicts"};
	struct bpf_set *set = load(2);
	char parent[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect(exists(pin_path(names[i])), "%s", names[i]);
	cr_expect_geq(bpf_set_ephemeral_fd(set), 0);
	cr_expect_geq(bpf_set_flow_groups_fd(set), 0);
	cr_expect_geq(bpf_set_verdicts_fd(set), 0);
	cr_expect_geq(bpf_set_program_fd(set), 0);
	bpf_set_free(set);
	cr_expect_not(exists(pin_dir));
	snprintf(parent, sizeof(parent), "%s/ixd", netns_bpffs);
	cr_expect_not(exists(parent));
}

Test(bpf_load, another_instance_keeps_the_common_folder)
{
	struct bpf_set *set = load(1);
	char other[128];

	snprintf(other, sizeof(other), "%s/ixd/other", netns_bpffs);
	cr_assert_eq(mkdir(other, 0755), 0);
	bpf_set_free(set);
	cr_expect(exists(other));
	cr_expect_not(exists(pin_dir));
}

Test(bpf_load, place_without_a_bpf_file_system_is_refused)
{
	struct static_config fixed = netns_static_config(1);
	struct bpf_set *set;

	cr_expect_eq(bpf_set_load(&fixed, "/tmp/not/there/yet", &set, &why), -ENODEV);
	cr_expect_not_null(strstr(why.text, "mount -t bpf"), "%s", why.text);
	cr_expect_not(exists("/tmp/not"));
	cr_expect_eq(bpf_set_load(&fixed, "relative/path", &set, &why), -EINVAL);
	cr_expect_not_null(strstr(why.text, "absolute"), "%s", why.text);
}

Test(bpf_load, sizes_out_of_range_are_refused)
{
	struct static_config fixed = netns_static_config(0);
	struct bpf_set *set;

	cr_expect_eq(bpf_set_load(&fixed, netns_bpffs, &set, &why), -EINVAL);
	fixed = netns_static_config(IXD_CORES_MAX + 1);
	cr_expect_eq(bpf_set_load(&fixed, netns_bpffs, &set, &why), -EINVAL);
	fixed = netns_static_config(1);
	fixed.flow_groups = 100;
	cr_expect_eq(bpf_set_load(&fixed, netns_bpffs, &set, &why), -EINVAL);
	fixed = netns_static_config(1);
	fixed.ephemeral_base = 65500;
	cr_expect_eq(bpf_set_load(&fixed, netns_bpffs, &set, &why), -EINVAL);
	cr_expect_not_null(strstr(why.text, "65535"), "%s", why.text);
}

static void expect_refused_without(unsigned capability, const char *name)
{
	struct static_config fixed = netns_static_config(1);
	struct bpf_set *set;

	snprintf(pin_dir, sizeof(pin_dir), "%s/ixd/unit", netns_bpffs);
	/* SYS_ADMIN includes what BPF and PERFMON were cut out of. */
	netns_capability_drop(CAP_SYS_ADMIN);
	netns_capability_drop(capability);
	cr_assert_eq(bpf_set_load(&fixed, pin_dir, &set, &why), -EPERM, "%s", why.text);
	cr_expect_not_null(strstr(why.text, name), "%s", why.text);
	cr_expect_not(exists(pin_dir), "nothing is left behind");
}

Test(bpf_load, says_that_it_lacks_bpf)
{
	expect_refused_without(CAP_BPF, "CAP_BPF");
}

Test(bpf_load, says_that_it_lacks_net_admin)
{
	expect_refused_without(CAP_NET_ADMIN, "CAP_NET_ADMIN");
}

Test(bpf_load, says_that_it_lacks_perfmon)
{
	expect_refused_without(CAP_PERFMON, "CAP_PERFMON");
}

Test(bpf_load, needs_no_sys_admin)
{
	netns_capability_drop(CAP_SYS_ADMIN);
	netns_capability_drop(CAP_SYS_RESOURCE);
	bpf_set_free(load(IXD_CORES_MAX));
}

Test(bpf_load, maps_take_what_is_in_range)
{
	static const uint8_t any[16], one[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
	struct bpf_set *set = load(2);

	cr_expect_eq(bpf_set_owned_add(set, any, 80, 0, 3), 0);
	cr_expect_eq(bpf_set_owned_add(set, one, 80, 5, 4), 0);
	cr_expect_eq(bpf_set_owned_del(set, one, 80, 0), -ENOENT);
	cr_expect_eq(bpf_set_owned_del(set, one, 80, 5), 0);
	cr_expect_eq(bpf_set_owned_del(set, one, 80, 5), -ENOENT);
	cr_expect_eq(bpf_set_local_add(set, one, 0), 0);
	cr_expect_eq(bpf_set_local_add(set, one, 0), 0, "again is the same");
	cr_expect_eq(bpf_set_local_del(set, one, 0), 0);
	cr_expect_eq(bpf_set_local_del(set, one, 0), -ENOENT);
	cr_expect_eq(bpf_set_iface_add(set, 7, 0, IXD_QUEUES_MAX, false), 0);
	cr_expect_eq(bpf_set_iface_add(set, 7, 1, IXD_QUEUES_MAX, true), -ERANGE);
	cr_expect_eq(bpf_set_iface_add(set, 7, 0, IXD_QUEUES_MAX + 1, false), -ERANGE);
	cr_expect_eq(bpf_set_iface_del(set, 7), 0);
	cr_expect_eq(bpf_set_iface_del(set, 7), -ENOENT);
	cr_expect_eq(bpf_set_xsk(set, IXD_QUEUES_MAX, 0, 0), -ERANGE);
	cr_expect_eq(bpf_set_xsk(set, 0, IXD_CORES_MAX, 0), -ERANGE);
	cr_expect_eq(bpf_set_flow_groups_spread(set, IXD_FLOW_GROUPS + 1, 1), -ERANGE);
	cr_expect_eq(bpf_set_flow_groups_spread(set, IXD_FLOW_GROUPS, 0), -ERANGE);
	for (uint32_t group = 0; group < IXD_FLOW_GROUPS; group++) {
		uint32_t core = UINT32_MAX;

		cr_assert_eq(bpf_map_lookup_elem(bpf_set_flow_groups_fd(set), &group, &core), 0);
		cr_expect_eq(core, group % 2);
	}
	bpf_set_free(set);
}

Test(bpf_load, full_map_says_so)
{
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};
	struct bpf_set *set = load(1);

	for (uint32_t i = 0; i < IXD_LOCAL_ADDRS_MAX; i++) {
		memcpy(addr + 12, &i, 4);
		cr_assert_eq(bpf_set_local_add(set, addr, 0), 0);
	}
	memset(addr + 12, 0xff, 4);
	cr_expect_eq(bpf_set_local_add(set, addr, 0), -E2BIG);
	bpf_set_free(set);
}

Test(bpf_load, what_a_killed_predecessor_left_is_replaced)
{
	struct xdp_attached got;
	int status;

	netns_veth(1);
	pid_t child = fork();

	cr_assert_geq(child, 0);
	if (child == 0) {
		struct bpf_set *set = load(1);
		int err = xdp_attach(set, "va0", if_nametoindex("va0"), XDP_MODE_AUTO, &got, &why);

		if (err == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status));
	snprintf(pin_dir, sizeof(pin_dir), "%s/ixd/unit", netns_bpffs);
	cr_expect(exists(pin_path("link_va0")), "the pin outlives its maker");

	struct bpf_set *set = load(2);

	cr_expect_not(exists(pin_path("link_va0")));
	cr_assert_eq(xdp_attach(set, "va0", if_nametoindex("va0"), XDP_MODE_AUTO, &got, &why), 0, "%s",
		     why.text);
	bpf_set_free(set);
	cr_expect_not(exists(pin_dir));
}
