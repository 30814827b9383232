/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching to real interfaces: modes, fallbacks, and programs of others.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/xdp_attach.h"
#include "tests/unit/supervisor/netns_env.h"

static struct bpf_set *set;
static struct xdp_attached got;
static struct why why;

static void setup(void)
{
	struct static_config fixed = netns_static_config(1);
	char pin_dir[128];

	netns_enter();
	netns_veth(1);
	snprintf(pin_dir, sizeof(pin_dir), "%s/ixd/unit", netns_bpffs);
	cr_assert_eq(bpf_set_load(&fixed, pin_dir, &set, &why), 0, "%s", why.text);
}

static void teardown(void)
{
	bpf_set_free(set);
}

TestSuite(xdp_attach, .init = setup, .fini = teardown, .timeout = 30);

static uint8_t attached_mode(const char *iface_name, uint32_t *id)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, found);

	cr_assert_eq(bpf_xdp_query((int)if_nametoindex(iface_name), 0, &found), 0);
	*id = found.prog_id;
	return found.attach_mode;
}

static int attach(const char *iface_name, enum xdp_mode mode)
{
	return xdp_attach(set, iface_name, if_nametoindex(iface_name), mode, &got, &why);
}

Test(xdp_attach, auto_takes_native)
{
	uint32_t id;

	cr_assert_eq(attach("va0", XDP_MODE_AUTO), 0, "%s", why.text);
	cr_expect(got.is_native);
	cr_expect_str_empty(got.mode_why);
	cr_expect_eq(attached_mode("va0", &id), XDP_ATTACHED_DRV);
	bpf_set_free(set);
	set = NULL;
	cr_expect_eq(attached_mode("va0", &id), XDP_ATTACHED_NONE, "detached at once");
}

Test(xdp_attach, generic_on_request)
{
	uint32_t id;

	cr_assert_eq(attach("va0", XDP_MODE_GENERIC), 0, "%s", why.text);
	cr_expect_not(got.is_native);
	cr_expect_not_null(strstr(got.mode_why, "as asked for; large packets"), "%s", got.mode_why);
	cr_expect_eq(attached_mode("va0", &id), XDP_ATTACHED_SKB);
}

Test(xdp_attach, queues_of_a_veth_are_named)
{
	netns_run("ip link add vc0 numrxqueues 1 numtxqueues 1 type veth peer name vd0 numrxqueues 2 "
		  "numtxqueues 2 && ip link set vc0 up && ip link set vd0 up");
	cr_assert_eq(attach("vc0", XDP_MODE_AUTO), 0, "%s", why.text);
	cr_expect_not(got.is_native);
	cr_expect_not_null(strstr(got.mode_why, "fewer receive queues"), "%s", got.mode_why);
	cr_expect_not_null(strstr(got.mode_why, "crawls, until tso and gso are off there (ethtool -K)"), "%s",
			   got.mode_why);
}

Test(xdp_attach, auto_falls_back_and_says_why)
{
	uint32_t id;

	cr_assert_eq(attach("lo", XDP_MODE_AUTO), 0, "%s", why.text);
	cr_expect_not(got.is_native);
	cr_expect_not_null(strstr(got.mode_why, "driver has no native XDP"), "%s", got.mode_why);
	cr_expect_eq(attached_mode("lo", &id), XDP_ATTACHED_SKB);
}

Test(xdp_attach, native_is_native_or_nothing)
{
	cr_expect_eq(attach("lo", XDP_MODE_NATIVE), -EOPNOTSUPP);
	cr_expect_not_null(strstr(why.text, "lo"), "%s", why.text);
	cr_expect_not_null(strstr(why.text, "auto"), "%s", why.text);
	netns_run("ip link set vb0 mtu 9000");
	cr_expect_lt(attach("va0", XDP_MODE_NATIVE), 0);
	cr_expect_not_null(strstr(why.text, "MTU"), "%s", why.text);
	cr_expect_eq(attach("va0", XDP_MODE_AUTO), 0, "%s", why.text);
	cr_expect_not(got.is_native);
	cr_expect_not_null(strstr(got.mode_why, "MTU"), "%s", got.mode_why);
}

static void expect_busy(const char *what)
{
	static const enum xdp_mode modes[] = {XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_GENERIC};
	char text[32];
	uint32_t id;

	attached_mode("va0", &id);
	snprintf(text, sizeof(text), "id %u", id);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		cr_expect_eq(attach("va0", modes[i]), -EBUSY, "%s", what);
		cr_expect_not_null(strstr(why.text, "another XDP program is attached"), "%s: %s", what,
				   why.text);
		cr_expect_not_null(strstr(why.text, text), "%s: %s", what, why.text);
	}
}

Test(xdp_attach, another_program_is_left_alone)
{
	/* "Pass everything", as any other tool might have attached. */
	const struct bpf_insn pass[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
					{.code = BPF_JMP | BPF_EXIT}};
	int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", pass, 2, NULL);
	int ifindex = (int)if_nametoindex("va0");

	cr_assert_geq(program, 0);
	cr_assert_eq(bpf_xdp_attach(ifindex, program, XDP_FLAGS_DRV_MODE, NULL), 0);
	expect_busy("native, by netlink");
	cr_assert_eq(bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL), 0);
	cr_assert_eq(bpf_xdp_attach(ifindex, program, XDP_FLAGS_SKB_MODE, NULL), 0);
	expect_busy("generic, by netlink");
	cr_assert_eq(bpf_xdp_detach(ifindex, XDP_FLAGS_SKB_MODE, NULL), 0);
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int link = bpf_link_create(program, ifindex, BPF_XDP, &opts);

	cr_assert_geq(link, 0);
	expect_busy("by link");
	close(link);
	close(program);
	cr_expect_eq(attach("va0", XDP_MODE_AUTO), 0, "%s", why.text);
}

Test(xdp_attach, interface_that_is_gone)
{
	uint32_t ifindex = if_nametoindex("va0");

	netns_run("ip link del va0");
	cr_expect_eq(xdp_attach(set, "va0", ifindex, XDP_MODE_AUTO, &got, &why), -ENODEV);
	cr_expect_not_null(strstr(why.text, "va0"), "%s", why.text);
}

Test(xdp_attach, name_with_a_dot_is_pinned)
{
	char path[192];

	netns_run("ip link set va0 down && ip link set va0 name va.5 && ip link set va.5 up");
	cr_assert_eq(attach("va.5", XDP_MODE_AUTO), 0, "%s", why.text);
	snprintf(path, sizeof(path), "%s/ixd/unit/link_%u", netns_bpffs, if_nametoindex("va.5"));
	cr_expect_eq(access(path, F_OK), 0);
}
