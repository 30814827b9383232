/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers of generic netlink families, asked of the kernel. One family is always there, with a number that
 * never changes: that of families.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/genetlink.h>

#include "daemon/supervisor/genl_family.h"

Test(genl_family, one_that_is_there)
{
	struct genl_family family;

	cr_assert_eq(genl_family_find("nlctrl", "notify", &family), 0);
	cr_expect_eq(family.id, GENL_ID_CTRL);
	cr_expect_neq(family.group_id, 0);
}

Test(genl_family, none_of_that_name)
{
	struct genl_family family;

	cr_expect_eq(genl_family_find("ixd-unknown", "notify", &family), -ENOENT);
	cr_expect_eq(genl_family_find("nlctrl", "ixd-unknown", &family), -ENOENT);
}
