/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners: asking, announcing, sharing, leaving.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "daemon/dataplane/listener.h"
#include "tests/unit/dataplane/client_rig.h"

static struct rig *rig;

static void begin(void)
{
	rig = rig_new();
	for (uint32_t i = 0; i < RIG_CLIENTS; i++)
		rig_client_add(rig, i, false);
}

static void end(void)
{
	rig_free(rig);
}

TestSuite(listener, .init = begin, .fini = end, .timeout = 30);

static struct ix_cmd listen_cmd(uint64_t cookie, uint16_t port)
{
	return (struct ix_cmd){.op = IX_OP_LISTEN, .cookie = cookie, .open = {.port = port}};
}

static int listen_error(struct ix_cmd cmd)
{
	struct ix_event event;

	rig_cmd(rig, 0, cmd);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_ERROR);
	cr_expect_eq(event.cookie, cmd.cookie);
	return event.outcome;
}

Test(listener, asked_announced_given_up)
{
	struct ix_cmd cmd = listen_cmd(7, RIG_PORT);
	struct ix_event event;
	struct mail mail;

	cmd.flags = IX_NAGLE;
	cmd.open.backlog = 5;
	rig_cmd(rig, 0, cmd);
	rig_turn(rig);
	cr_assert(rig_mail(rig, MAIL_ASK_LISTEN, &mail));
	cr_expect_eq(mail.listen.cookie, 7);
	cr_expect_eq(mail.listen.port, RIG_PORT);
	cr_expect_eq(mail.listen.backlog, 5);
	rig_expect_none(rig, 0);
	mail.listen.listener = 9;
	cr_assert_eq(listener_install(&rig->core, &mail.listen), 0);
	listener_announce(&rig->core, &mail.listen);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_LISTENING);
	cr_expect_eq(event.cookie, 7);
	cr_expect_eq(event.outcome, 0);

	rig_cmd(rig, 1, (struct ix_cmd){.op = IX_OP_UNLISTEN, .handle = event.handle});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 1, IX_EV_ERROR).outcome, -ESTALE, "not its listener");
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_UNLISTEN, .handle = event.handle});
	rig_turn(rig);
	cr_assert(rig_mail(rig, MAIL_ASK_UNLISTEN, &mail));
	cr_expect_eq(mail.listen.listener, 9);
	mail.listen.is_last = 1;
	listener_remove(&rig->core, &mail.listen);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_UNLISTEN, .handle = event.handle});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_ERROR).outcome, -ESTALE);
	cr_expect_eq(rig->clients[0].mapping.shared->listeners, 0);
	rig_peer_connect(rig);
	rig_turn(rig);
	cr_expect(rig->peers[0].is_dead, "refused: nobody listens any more");
}

Test(listener, what_the_supervisor_refuses_is_announced)
{
	struct ix_event event;
	struct mail mail;

	for (unsigned i = 0; i < 10; i++) {
		rig_cmd(rig, 0, listen_cmd(i, 22));
		rig_turn(rig);
		cr_assert(rig_mail(rig, MAIL_ASK_LISTEN, &mail));
		mail.listen.outcome = -EACCES;
		mail.listen.listener = UINT32_MAX;
		listener_announce(&rig->core, &mail.listen);
		rig_turn(rig);
		event = rig_expect(rig, 0, IX_EV_LISTENING);
		cr_expect_eq(event.outcome, -EACCES);
		cr_expect_eq(event.handle, 0);
	}
	cr_expect_eq(rig->clients[0].mapping.shared->listeners, 0);
}

Test(listener, refused_at_once)
{
	struct ix_cmd cmd = listen_cmd(1, 0);
	struct mail mail;

	cr_expect_eq(listen_error(cmd), -EINVAL);
	cmd = listen_cmd(2, 80);
	cmd.flags = 0x100;
	cr_expect_eq(listen_error(cmd), -EINVAL);
	cmd = listen_cmd(3, 80);
	cmd.open.cc = IX_CC_COUNT;
	cr_expect_eq(listen_error(cmd), -EINVAL);
	cmd = listen_cmd(4, 80);
	memset(cmd.open.addr, 0x20, 16);
	cr_expect_eq(listen_error(cmd), -EAFNOSUPPORT);
	for (uint16_t i = 0; i < 4; i++)
		rig_cmd(rig, 0, listen_cmd(i, 100));
	rig_turn(rig);
	rig_expect_none(rig, 0);
	cr_expect_eq(listen_error(listen_cmd(5, 80)), -EMFILE, "four is this client's limit");
	for (unsigned i = 0; i < 4; i++)
		cr_expect(rig_mail(rig, MAIL_ASK_LISTEN, &mail));
}

Test(listener, shared_in_turn)
{
	uint32_t knocks[RIG_CLIENTS] = {0};
	struct ix_event event;

	for (uint32_t i = 0; i < RIG_CLIENTS; i++)
		rig_listen(rig, i);
	for (unsigned i = 0; i < 30; i++) {
		rig_peer_connect(rig);
		rig_turn(rig);
	}
	for (uint32_t i = 0; i < RIG_CLIENTS; i++)
		while (rig_event(rig, i, &event)) {
			cr_expect_eq(event.type, IX_EV_KNOCK);
			cr_expect_eq(event.cookie, RIG_COOKIE + i);
			knocks[i]++;
		}
	for (uint32_t i = 0; i < RIG_CLIENTS; i++)
		cr_expect_eq(knocks[i], 10, "client %u got %u", i, knocks[i]);
}

Test(listener, a_client_at_its_limit_is_passed_over)
{
	struct ix_event event;
	uint32_t peer;

	rig_listen(rig, 0);
	rig_listen(rig, 1);
	rig->clients[0].policy.limits.conns_max = 2;
	for (unsigned i = 0; i < 8; i++) {
		rig_peer_connect(rig);
		rig_turn(rig);
	}
	rig_expect(rig, 0, IX_EV_KNOCK);
	rig_expect(rig, 0, IX_EV_KNOCK);
	rig_expect_none(rig, 0);
	for (unsigned i = 0; i < 6; i++)
		rig_expect(rig, 1, IX_EV_KNOCK);
	/* Nobody can take one more: it is reset. */
	rig->clients[1].policy.limits.conns_max = 6;
	peer = rig_peer_connect(rig);
	rig_turn(rig);
	cr_expect(rig->peers[peer].is_dead);
	rig_expect_none(rig, 1);
	rig_cmd(rig, 1, (struct ix_cmd){.op = 99});
	rig_turn(rig);
	event = rig_expect(rig, 1, IX_EV_ERROR);
	cr_expect_eq(event.error.op, 99);
}

Test(listener, half_open_connections_of_a_dead_client_go_to_another)
{
	struct mail mail;
	uint32_t peer;

	rig_listen(rig, 0);
	rig_listen(rig, 1);
	rig_turn(rig);
	/* The SYN arrives, the rest of the handshake not yet. */
	peer = rig_peer_connect(rig);
	rig->wire_is_cut = true;
	rig_turn(rig);
	cr_assert_eq(rig->core.conns[0].client, 0);
	channel_del(&rig->core, 0);
	cr_expect(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	rig->wire_is_cut = false;
	rig_turns(rig, 10, 400000000);
	cr_expect(rig->peers[peer].is_open);
	rig_expect(rig, 1, IX_EV_KNOCK);
}
