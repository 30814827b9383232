/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a veth takes redirected frames: the kernel says so while its other end has GRO.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>

#include "daemon/supervisor/genl_family.h"
#include "daemon/supervisor/netdev_features.h"
#include "tests/unit/supervisor/netns_env.h"

Test(netdev_features, drivers_that_are_believed)
{
	cr_expect(netdev_xmit_is_safe("veth"));
	cr_expect_not(netdev_xmit_is_safe("virtio_net"));
	cr_expect_not(netdev_xmit_is_safe("unknown"));
}

Test(netdev_features, of_a_veth)
{
	struct genl_family family;
	uint64_t features = 0;

	netns_enter();
	if (genl_family_find(NETDEV_FAMILY, NETDEV_GROUP, &family) == -ENOENT)
		cr_skip_test("needs Linux 6.3");
	netns_veth(1);
	uint32_t ifindex = if_nametoindex("va0");

	netns_run("ethtool -K vb0 gro off");
	cr_assert_eq(netdev_xdp_features(family.id, ifindex, &features), 0);
	cr_expect_eq(features & NETDEV_XDP_NDO_XMIT, 0);
	netns_run("ethtool -K vb0 gro on");
	cr_assert_eq(netdev_xdp_features(family.id, ifindex, &features), 0);
	cr_expect_neq(features & NETDEV_XDP_NDO_XMIT, 0);
	cr_expect_lt(netdev_xdp_features(family.id, UINT32_MAX / 2, &features), 0);
}
