/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces and ports that instances of one network namespace take and give back.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/supervisor/claims.h"
#include "tests/unit/supervisor/netns_env.h"

#define RESERVED "/proc/sys/net/ipv4/ip_local_reserved_ports"

static char base[64];

static void place_make(void)
{
	netns_enter();
	strcpy(base, "/tmp/ixd-claims-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	setenv("IXD_RUNDIR", base, 1);
}

static void instance_make(struct instance *instance, const char *name)
{
	static struct config config;
	struct why why;

	cr_assert_eq(instance_init(instance, name, &config, &why), 0);
}

static const char *reserved(void)
{
	static char text[256];
	FILE *file = fopen(RESERVED, "re");

	cr_assert_not_null(file);
	if (fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

Test(claims, interface_has_one_owner)
{
	struct instance one, two;
	struct claims first, second;
	struct why why;

	place_make();
	instance_make(&one, "one");
	instance_make(&two, "two");
	cr_assert_eq(claims_init(&first, &one, &why), 0, "%s", why.text);
	cr_assert_eq(claims_init(&second, &two, &why), 0);
	cr_assert_eq(claims_iface(&first, "eth1", &why), 0);
	cr_expect_eq(claims_iface(&second, "eth1", &why), -EBUSY);
	cr_expect_not_null(strstr(why.text, "\"one\""), "%s", why.text);
	cr_expect_eq(claims_iface(&second, "eth2", &why), 0);
	claims_release(&first);
	cr_expect_eq(claims_iface(&second, "eth1", &why), 0);
	claims_release(&second);
	cr_expect_neq(access(base, F_OK), 0, "the last takes the directory with it");
}

Test(claims, another_that_leaves_takes_no_directory_away)
{
	struct instance one, two;
	struct claims first, second;
	struct why why;

	place_make();
	instance_make(&one, "one");
	instance_make(&two, "two");
	cr_assert_eq(claims_init(&first, &one, &why), 0, "%s", why.text);
	cr_assert_eq(claims_iface(&first, "eth1", &why), 0, "%s", why.text);
	cr_assert_eq(claims_init(&second, &two, &why), 0, "%s", why.text);
	claims_release(&first);
	cr_expect_eq(claims_iface(&second, "eth1", &why), 0, "%s", why.text);
	claims_release(&second);
}

Test(claims, only_the_own_part_of_the_ports_is_given_back)
{
	struct instance one, two;
	struct claims first, second;
	struct why why;

	place_make();
	netns_run("echo 22,61005 > " RESERVED);
	instance_make(&one, "one");
	instance_make(&two, "two");
	cr_assert_eq(claims_init(&first, &one, &why), 0);
	cr_assert_eq(claims_init(&second, &two, &why), 0);
	cr_assert_eq(claims_ports(&first, 61000, 61010, &why), 0, "%s", why.text);
	cr_expect_str_eq(reserved(), "22,61000-61010");
	cr_assert_eq(claims_ports(&second, 61008, 61020, &why), 0);
	cr_expect_str_eq(reserved(), "22,61000-61020");
	claims_release(&first);
	cr_expect_str_eq(reserved(), "22,61005,61008-61020", "the other's stay, and what was there before");
	claims_release(&second);
	cr_expect_str_eq(reserved(), "22,61005");
}

/* A killed predecessor leaves its claim and its ports; its locks are gone with it. */
Test(claims, ports_of_the_dead_are_given_back_by_the_living)
{
	struct instance one, two;
	struct claims first, second;
	struct why why;

	place_make();
	instance_make(&one, "one");
	instance_make(&two, "two");
	cr_assert_eq(claims_init(&first, &one, &why), 0);
	cr_assert_eq(claims_ports(&first, 61000, 61010, &why), 0);
	close(first.ports_fd);
	cr_assert_eq(claims_init(&second, &two, &why), 0);
	cr_assert_eq(claims_ports(&second, 62000, 62001, &why), 0);
	cr_expect_str_eq(reserved(), "61000-61010,62000-62001");
	claims_release(&second);
	cr_expect_str_eq(reserved(), "");
}

Test(claims, port_that_the_kernel_uses_is_named)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(61003)};
	struct instance one;
	struct claims claims;
	struct why why;

	place_make();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	instance_make(&one, "one");
	cr_assert_eq(claims_init(&claims, &one, &why), 0);
	cr_expect_eq(claims_ports(&claims, 61000, 61010, &why), -EADDRINUSE);
	cr_expect_not_null(strstr(why.text, "61003"), "%s", why.text);
	cr_expect_eq(claims_ports(&claims, 61004, 61010, &why), 0);
	close(fd);
	claims_release(&claims);
}
