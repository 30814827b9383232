/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix_open(): finding the instance, the handshake, and every way in which it can go wrong: the right errno,
 * words that help, and no descriptor left behind.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/client-lib/fake_ixd.h"

Test(open, succeeds_by_socket_path)
{
	struct fake_ixd fake = {.cores = 2};
	struct ix_client *client = fake_open(&fake);

	cr_assert_eq(ix_cores(client), 2);
	cr_assert_eq(ix_client_id(client), 7);
	cr_assert_str_eq(ix_instance(client), "fake");
	cr_assert_not_null(ix_channel(client, 1));
	cr_assert_null(ix_channel(client, 2));
	cr_assert_eq(ix_channel_core(ix_channel(client, 1)), 1);
	cr_assert_eq(fake.hello.magic, IX_ABI_MAGIC);
	cr_assert_eq(fake.hello.version, IX_ABI_VERSION);
	ix_close(client);
	fake_stop(&fake);
}

Test(open, succeeds_by_directory_with_parameters)
{
	struct fake_ixd fake = {0};
	struct ix_open_params params = {
	    .rx_bytes = 1 << 20, .tx_bytes = 2 << 20, .cmd_slots = 64, .evt_slots = 128};
	struct ix_client *client;

	fake_start(&fake);
	cr_assert_eq(ix_open(fake.dir, &params, &client), 0);
	fake_join(&fake);
	cr_assert_eq(fake.hello.rx_bytes, 1 << 20);
	cr_assert_eq(fake.hello.tx_bytes, 2 << 20);
	cr_assert_eq(fake.hello.cmd_slots, 64);
	cr_assert_eq(fake.hello.evt_slots, 128);
	ix_close(client);
	fake_stop(&fake);
}

Test(open, finds_the_instance_by_environment)
{
	struct fake_ixd fake = {0};
	struct ix_client *client;

	fake_start(&fake);
	setenv("IXD_RUNDIR", "/tmp", 1);
	setenv("IXD_INSTANCE", strrchr(fake.dir, '/') + 1, 1);
	cr_assert_eq(ix_open(NULL, NULL, &client), 0, "%s", ix_open_reason());
	fake_join(&fake);
	ix_close(client);
	fake_stop(&fake);
}

Test(open, names_the_socket_that_is_not_there)
{
	struct ix_client *client;

	setenv("IXD_RUNDIR", "/tmp", 1);
	cr_assert_eq(ix_open("no-such-instance", NULL, &client), -ENOENT);
	cr_assert_null(client);
	cr_assert_not_null(strstr(ix_open_reason(), "/tmp/no-such-instance/client.sock"));
}

Test(open, refuses_a_path_that_is_too_long)
{
	char name[200];
	struct ix_client *client;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	cr_assert_eq(ix_open(name, NULL, &client), -ENAMETOOLONG);
	cr_assert_not_null(strstr(ix_open_reason(), "107"));
}

/* Opens against a fault: the errno, a word of the reason, and as many descriptors as before. */
static void expect_fault(enum fake_fault fault, int error, const char *word)
{
	struct fake_ixd fake = {.fault = fault};
	struct ix_open_params params = {.timeout_ms = fault == FAKE_SAYS_NOTHING ? 50 : 0};
	unsigned before = fake_count_fds();
	struct ix_client *client;
	int got;

	fake_start(&fake);
	got = ix_open(fake.path, &params, &client);
	fake_join(&fake);
	cr_assert_eq(got, error, "%d: %s", got, ix_open_reason());
	cr_assert_null(client);
	cr_assert_not_null(strstr(ix_open_reason(), word), "\"%s\" does not say \"%s\"", ix_open_reason(),
			   word);
	fake_stop(&fake);
	cr_assert_eq(fake_count_fds(), before);
}

Test(open, passes_on_the_reason_of_a_refusal)
{
	expect_fault(FAKE_REFUSES, -EACCES, "may not connect");
}

Test(open, refuses_another_version)
{
	expect_fault(FAKE_OTHER_VERSION, -EPROTONOSUPPORT, "version 2");
}

Test(open, refuses_what_is_not_ixd)
{
	expect_fault(FAKE_NOT_IXD, -EPROTO, "not ixd");
}

Test(open, refuses_a_truncated_welcome)
{
	expect_fault(FAKE_TRUNCATED, -EPROTO, "instead of");
}

Test(open, refuses_missing_descriptors)
{
	expect_fault(FAKE_FEW_FDS, -EPROTO, "file descriptors");
}

Test(open, refuses_memory_that_is_too_short)
{
	expect_fault(FAKE_SHORT_MEMORY, -EPROTO, "4096 bytes instead of");
}

Test(open, refuses_rings_outside_the_memory)
{
	expect_fault(FAKE_INSANE_OFFSET, -EPROTO, "no sense");
}

Test(open, refuses_odd_ring_sizes)
{
	expect_fault(FAKE_INSANE_SLOTS, -EPROTO, "no sense");
}

Test(open, refuses_too_many_cores)
{
	expect_fault(FAKE_INSANE_CORES, -EPROTO, "no sense");
}

Test(open, tells_of_a_hang_up)
{
	expect_fault(FAKE_HANGS_UP, -ECONNRESET, "without an answer");
}

Test(open, gives_up_after_the_timeout)
{
	expect_fault(FAKE_SAYS_NOTHING, -ETIMEDOUT, "50 ms");
}

Test(open, close_leaves_nothing)
{
	unsigned before = fake_count_fds();
	struct fake_ixd fake = {.cores = 3};
	struct ix_client *client = fake_open(&fake);

	ix_close(client);
	ix_close(NULL);
	fake_stop(&fake);
	cr_assert_eq(fake_count_fds(), before);
}
