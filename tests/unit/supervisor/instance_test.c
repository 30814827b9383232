/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names, paths and locks of instances.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/instance.h"

Test(instance, names)
{
	static const char *const good[] = {"default", "a", "web-1", "x_y.z"};
	static const char *const bad[] = {
	    "", ".", "..", "a/b", "a b", "ä", "12345678901234567890123456789012"};
	struct why why;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect_eq(instance_name_check(good[i], &why), 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(instance_name_check(bad[i], &why), -EINVAL, "%s", bad[i]);
}

Test(instance, paths_follow_environment_and_configuration)
{
	static struct config config;
	struct instance instance;
	struct why why;

	unsetenv("IXD_RUNDIR");
	cr_assert_eq(instance_init(&instance, "web", &config, &why), 0);
	cr_expect_str_eq(instance.client_socket, "/run/ixd/web/client.sock");
	cr_expect_str_eq(instance.pin_dir, "/sys/fs/bpf/ixd/web");
	setenv("IXD_RUNDIR", "/tmp/somewhere", 1);
	cr_assert_eq(instance_init(&instance, "web", &config, &why), 0);
	cr_expect_str_eq(instance.control_socket, "/tmp/somewhere/web/control.sock");
	snprintf(config.runtime_dir, sizeof(config.runtime_dir), "/tmp/other");
	cr_assert_eq(instance_init(&instance, "web", &config, &why), 0);
	cr_expect_str_eq(instance.client_socket, "/tmp/other/client.sock");
	setenv("IXD_RUNDIR",
	       "/12345678901234567890123456789012345678901234567890123456789012345678901234567890123", 1);
	config.runtime_dir[0] = '\0';
	cr_expect_eq(instance_init(&instance, "long-name-of-an-instance", &config, &why), -ENAMETOOLONG);
}

Test(instance, runs_once_and_leaves_nothing)
{
	static struct config config;
	struct instance first, second;
	char dir[] = "/tmp/ixd-instance-XXXXXX", path[128];
	struct why why;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(config.runtime_dir, sizeof(config.runtime_dir), "%s/deep/run", dir);
	cr_assert_eq(instance_init(&first, "a", &config, &why), 0);
	cr_assert_eq(instance_init(&second, "a", &config, &why), 0);
	cr_assert_eq(instance_lock(&first, &why), 0, "%s", why.text);
	cr_expect_eq(instance_lock(&second, &why), -EBUSY);
	char pid[32];
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	cr_expect_not_null(strstr(why.text, pid), "%s", why.text);
	instance_unlock(&second);
	instance_unlock(&first);
	cr_expect_eq(instance_lock(&second, &why), 0, "the lock goes with its holder");
	instance_unlock(&second);
	snprintf(path, sizeof(path), "%s/deep", dir);
	cr_expect_eq(rmdir(path), 0, "nothing is left in it");
	rmdir(dir);
}
