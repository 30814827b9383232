/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands: what each looks like in the ring, what a full ring does, and when the doorbell is rung.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/client-lib/fake_ixd.h"

static struct fake_ixd fake;
static struct ix_client *client;
static struct ix_channel *channel;

static void setup(void)
{
	client = fake_open(&fake);
	channel = ix_channel(client, 0);
}

static void teardown(void)
{
	ix_close(client);
	fake_stop(&fake);
}

TestSuite(command, .init = setup, .fini = teardown);

Test(command, listen_and_connect_carry_addresses_and_options)
{
	struct ix_options options = {
	    .flags = IX_NAGLE | IX_DSCP(46), .cc = IX_CC_NEWRENO, .backlog = 77, .user_timeout_ms = 5000};
	struct ix_addr local, remote, from;
	struct ix_cmd cmd;

	cr_assert_eq(ix_addr_parse("*:80", &local), 0);
	cr_assert_eq(ix_addr_parse("192.0.2.1:443", &remote), 0);
	cr_assert_eq(ix_addr_parse("192.0.2.9:0", &from), 0);
	cr_assert_eq(ix_listen(channel, 11, &local, &options), 0);
	cr_assert_eq(ix_connect(channel, 12, &remote, &from, NULL), 0);
	cr_assert_eq(ix_last_seq(channel), 2);
	ix_flush(channel);
	cmd = fake_expect(&fake, 0, IX_OP_LISTEN);
	cr_assert(cmd.cookie == 11 && cmd.seq == 1 && cmd.flags == (IX_NAGLE | 0x6e00));
	cr_assert(cmd.open.port == 80 && cmd.open.cc == IX_CC_NEWRENO && cmd.open.backlog == 77 &&
		  cmd.open.user_timeout_ms == 5000);
	cr_assert_eq(memcmp(cmd.open.addr, (uint8_t[16]){0}, 16), 0);
	cmd = fake_expect(&fake, 0, IX_OP_CONNECT);
	cr_assert(cmd.cookie == 12 && cmd.seq == 2 && cmd.open.port == 443 && cmd.flags == 0);
	cr_assert_eq(memcmp(cmd.open.addr + 10, "\xff\xff\xc0\x00\x02\x01", 6), 0);
	cr_assert_eq(memcmp(cmd.open.from + 10, "\xff\xff\xc0\x00\x02\x09", 6), 0);
}

Test(command, refuses_what_no_ixd_would_take)
{
	struct ix_addr addr = {.port = 80};
	struct ix_options bad_flags = {.flags = 0x8000}, bad_cc = {.cc = IX_CC_COUNT};
	struct ix_options bad_dscp = {.flags = 46 << IX_DSCP_SHIFT};
	struct ix_sg empty = {0}, outside = {.off = 1048576, .len = 1},
		     overflow = {.off = UINT64_MAX, .len = 2};

	cr_assert_eq(ix_listen(channel, 1, &addr, &bad_flags), -EINVAL);
	cr_assert_eq(ix_listen(channel, 1, &addr, &bad_dscp), -EINVAL, "a code point that is not given");
	cr_assert_eq(ix_listen(channel, 1, NULL, NULL), -EINVAL);
	cr_assert_eq(ix_connect(channel, 1, &addr, NULL, &bad_cc), -EINVAL);
	cr_assert_eq(ix_connect(channel, 1, &addr, &addr, NULL), -EINVAL, "a source port was taken");
	cr_assert_eq(ix_setopt(channel, 1, NULL), -EINVAL);
	cr_assert_eq(ix_sendv(channel, 1, &empty, 1), -EINVAL);
	cr_assert_eq(ix_sendv(channel, 1, &outside, 1), -EINVAL);
	cr_assert_eq(ix_sendv(channel, 1, &overflow, 1), -EINVAL);
	cr_assert_eq(ix_sendv(channel, 1, &outside, 0), -EINVAL);
	ix_flush(channel);
	cr_assert_not(fake_take(&fake, 0, &(struct ix_cmd){0}));
}

Test(command, plain_commands_carry_their_handle)
{
	struct ix_options options = {.flags = IX_QUICKACK, .cc = IX_CC_CUBIC, .user_timeout_ms = 9};
	struct ix_cmd cmd;

	cr_assert_eq(ix_unlisten(channel, 1), 0);
	cr_assert_eq(ix_cancel(channel, 2), 0);
	cr_assert_eq(ix_accept(channel, 3, 33), 0);
	cr_assert_eq(ix_reject(channel, 4), 0);
	cr_assert_eq(ix_recv_done(channel, 5, 555), 0);
	cr_assert_eq(ix_shutdown(channel, 6), 0);
	cr_assert_eq(ix_close_conn(channel, 7), 0);
	cr_assert_eq(ix_abort(channel, 8), 0);
	cr_assert_eq(ix_setopt(channel, 9, &options), 0);
	ix_flush(channel);
	cr_assert_eq(fake_expect(&fake, 0, IX_OP_UNLISTEN).handle, 1);
	cr_assert_eq(fake_expect(&fake, 0, IX_OP_CANCEL).cookie, 2);
	cmd = fake_expect(&fake, 0, IX_OP_ACCEPT);
	cr_assert(cmd.handle == 3 && cmd.accept.cookie == 33);
	cr_assert_eq(fake_expect(&fake, 0, IX_OP_REJECT).handle, 4);
	cmd = fake_expect(&fake, 0, IX_OP_RECV_DONE);
	cr_assert(cmd.handle == 5 && cmd.recv_done.bytes == 555);
	cr_assert_eq(fake_expect(&fake, 0, IX_OP_SHUTDOWN).handle, 6);
	cr_assert_eq(fake_expect(&fake, 0, IX_OP_CLOSE).handle, 7);
	cr_assert_eq(fake_expect(&fake, 0, IX_OP_ABORT).handle, 8);
	cmd = fake_expect(&fake, 0, IX_OP_SETOPT);
	cr_assert(cmd.handle == 9 && cmd.flags == IX_QUICKACK && cmd.setopt.cc == IX_CC_CUBIC &&
		  cmd.setopt.user_timeout_ms == 9);
}

Test(command, sendv_splits_long_lists)
{
	struct ix_sg sg[7];
	struct ix_cmd cmd;

	for (uint32_t i = 0; i < 7; i++)
		sg[i] = (struct ix_sg){.off = 1000 * i, .len = i + 1};
	cr_assert_eq(ix_sendv(channel, 5, sg, 7), 0);
	ix_flush(channel);
	for (unsigned part = 0; part < 3; part++) {
		cmd = fake_expect(&fake, 0, IX_OP_SENDV);
		cr_assert_eq(cmd.sg_count, part < 2 ? 3 : 1);
		for (unsigned i = 0; i < cmd.sg_count; i++)
			cr_assert(cmd.sg[i].off == 1000 * (3 * part + i) &&
				  cmd.sg[i].len == 3 * part + i + 1);
	}
}

Test(command, early_bytes_carry_the_cookie)
{
	struct ix_sg sg = {.off = 64, .len = 10};
	struct ix_cmd cmd;

	cr_assert_eq(ix_send_early(channel, 77, &sg, 0), -EINVAL);
	cr_assert_eq(ix_send_early(channel, 77, &sg, 1), 0);
	ix_flush(channel);
	cmd = fake_expect(&fake, 0, IX_OP_SEND_EARLY);
	cr_assert(cmd.cookie == 77 && cmd.sg_count == 1 && cmd.sg[0].off == 64 && cmd.sg[0].len == 10);
}

Test(command, full_ring_refuses_and_loses_nothing_over_many_wraps)
{
	uint64_t said = 0, heard = 0;

	for (unsigned round = 0; round < 1000; round++) {
		struct ix_cmd cmd;

		while (!ix_abort(channel, said))
			said++;
		cr_assert_eq(ix_abort(channel, said), -EAGAIN);
		cr_assert_eq(said - heard, 16);
		cr_assert_eq(ix_cmd_space(channel), 0);
		ix_flush(channel);
		for (unsigned i = 0; i < 1 + round % 16; i++) {
			cr_assert(fake_take(&fake, 0, &cmd));
			cr_assert_eq(cmd.handle, heard++);
		}
	}
}

Test(command, sendv_is_appended_whole_or_not_at_all)
{
	struct ix_sg sg[4] = {{.len = 1}, {.len = 1}, {.len = 1}, {.len = 1}};

	for (unsigned i = 0; i < 15; i++)
		cr_assert_eq(ix_abort(channel, i), 0);
	cr_assert_eq(ix_sendv(channel, 1, sg, 4), -EAGAIN);
	cr_assert_eq(ix_sendv(channel, 1, sg, 3), 0);
	ix_flush(channel);
	for (unsigned i = 0; i < 15; i++)
		fake_expect(&fake, 0, IX_OP_ABORT);
	fake_expect(&fake, 0, IX_OP_SENDV);
	cr_assert_not(fake_take(&fake, 0, &(struct ix_cmd){0}));
}

Test(command, nothing_is_seen_before_the_flush)
{
	ix_abort(channel, 1);
	cr_assert_not(fake_take(&fake, 0, &(struct ix_cmd){0}));
	ix_flush(channel);
	fake_expect(&fake, 0, IX_OP_ABORT);
}

Test(command, doorbell_rings_once_per_batch_and_only_for_a_sleeper)
{
	ix_abort(channel, 1);
	ix_flush(channel);
	cr_assert_eq(fake_drain_doorbell(&fake, 0), 0);
	ix_ring_sleep_announce(&fake.core[0].daemon->is_sleeping);
	ix_abort(channel, 2);
	ix_abort(channel, 3);
	ix_flush(channel);
	ix_flush(channel);
	cr_assert_eq(fake_drain_doorbell(&fake, 0), 1);
}

Test(command, says_so_when_ixd_has_gone)
{
	ix_ring_sleep_announce(&fake.core[0].daemon->is_sleeping);
	fake_hang_up(&fake);
	ix_abort(channel, 1);
	cr_assert_eq(ix_flush(channel), -ECONNRESET);
	cr_assert_eq(ix_abort(channel, 1), -ECONNRESET);
}
