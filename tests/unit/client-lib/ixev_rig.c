/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handlers that note what they hear, and the first steps of a connection.
 */
#include "tests/unit/client-lib/ixev_rig.h"

#include <criterion/criterion.h>

struct ixev_rig rig;

void rig_setup(void)
{
	rig.fake.cmd_slots = 32;
	rig.fake.evt_slots = 64;
	rig.fake.cores = 2;
	rig.client = fake_open(&rig.fake);
	cr_assert_eq(ixev_loop_new(rig.client, 0, 0, &rig.loop), 0);
}

void rig_teardown(void)
{
	ixev_loop_free(rig.loop);
	ix_close(rig.client);
	fake_stop(&rig.fake);
}

static void on_open(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	cr_assert_eq(arg, &rig.heard);
	rig.heard.opens++;
}

static void on_readable(struct ixev_conn *conn, void *arg)
{
	(void)arg;
	rig.heard.readables++;
	if (rig.readable_hook)
		rig.readable_hook(conn);
}

static void on_writable(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	rig.heard.writables++;
}

static void on_sent(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	rig.heard.sents++;
}

static void on_eof(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	rig.heard.eofs++;
}

static void on_dead(struct ixev_conn *conn, void *arg, enum ix_reason reason)
{
	(void)arg;
	rig.heard.deads++;
	rig.heard.reason = reason;
	rig.heard.error = ixev_error(conn);
	rig.heard.conn = NULL;
}

static void on_soft_error(struct ixev_conn *conn, void *arg, int error)
{
	(void)conn;
	(void)arg;
	rig.heard.softs++;
	rig.heard.error = error;
}

static void on_urgent(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	rig.heard.urgents++;
}

const struct ixev_handlers rig_handlers = {on_open, on_readable, on_writable,   on_sent,
					   on_eof,  on_dead,     on_soft_error, on_urgent};

static void on_listening(struct ixev_listener *listener, void *arg, int outcome)
{
	(void)listener;
	(void)arg;
	rig.heard.outcome = outcome;
}

static int on_accept(struct ixev_listener *listener, struct ixev_conn *conn, void *arg)
{
	(void)listener;
	(void)arg;
	rig.heard.accepts++;
	rig.heard.conn = conn;
	ixev_set_handlers(conn, &rig_handlers, &rig.heard);
	return rig.accept_answer;
}

const struct ixev_listener_handlers rig_listener_handlers = {on_listening, on_accept};

void rig_turn(void)
{
	cr_assert_eq(ixev_turn(rig.loop, 0), 0);
}

struct ixev_listener *rig_listen(uint64_t *cookie)
{
	struct ix_addr local = {.port = 80};
	struct ixev_listener *listener;

	cr_assert_eq(ixev_listen(rig.loop, &local, NULL, &rig_listener_handlers, NULL, &listener), 0);
	rig_turn();
	*cookie = fake_expect(&rig.fake, 0, IX_OP_LISTEN).cookie;
	rig.heard.outcome = 1;
	fake_post(&rig.fake, 0, &(struct ix_event){.type = IX_EV_LISTENING, .cookie = *cookie, .handle = 99});
	rig_turn();
	cr_assert_eq(rig.heard.outcome, 0);
	return listener;
}

void rig_knock(unsigned core, uint64_t cookie)
{
	struct ix_event event = {
	    .type = IX_EV_KNOCK, .cookie = cookie, .handle = HANDLE, .remote_port = 5555};

	fake_post(&rig.fake, core, &event);
	rig_turn();
}

uint64_t rig_accepted(uint64_t limit)
{
	uint64_t listener;
	struct ix_cmd cmd;

	rig_listen(&listener);
	rig_knock(1, listener);
	cr_assert_eq(rig.heard.accepts, 1);
	cmd = fake_expect(&rig.fake, 1, IX_OP_ACCEPT);
	cr_assert_eq(cmd.handle, HANDLE);
	fake_post_sent(&rig.fake, 1, cmd.accept.cookie, 0, limit);
	rig_turn();
	cr_assert_eq(rig.heard.opens, 1);
	return cmd.accept.cookie;
}

void rig_expect_silence(unsigned core)
{
	struct ix_cmd cmd;

	cr_assert_not(fake_take(&rig.fake, core, &cmd), "unexpected op %d", cmd.op);
}

void rig_post_dead(uint64_t cookie, enum ix_reason reason)
{
	fake_post(&rig.fake, 1,
		  &(struct ix_event){.type = IX_EV_DEAD, .cookie = cookie, .reason = (uint8_t)reason});
	rig_turn();
}
