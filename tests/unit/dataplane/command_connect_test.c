/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Outgoing connections.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "daemon/dataplane/ephemeral.h"
#include "tests/unit/dataplane/client_rig.h"

static struct rig *rig;

static void begin(void)
{
	rig = rig_new();
	rig_client_add(rig, 0, false);
	rig_peer_listen(rig, 7);
	rig->clients[0].policy.rules_count = 2;
	rig->clients[0].policy.rules[0] = (struct policy_rule){
	    .addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 3}, .prefix_len = 128, .port_last = 65535};
	rig->clients[0].policy.rules[1] = (struct policy_rule){.addr = {[10] = 0xff, [11] = 0xff, [12] = 10},
							       .prefix_len = 104,
							       .is_allow = 1,
							       .port_first = 1,
							       .port_last = 100};
}

static void end(void)
{
	rig_free(rig);
}

TestSuite(command_connect, .init = begin, .fini = end, .timeout = 30);

static struct ix_cmd connect_cmd(uint64_t cookie, uint8_t host, uint16_t port)
{
	return (struct ix_cmd){
	    .op = IX_OP_CONNECT,
	    .cookie = cookie,
	    .open = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = host}, .port = port},
	};
}

static unsigned ports_in_use(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < IXD_EPHEMERAL_SPAN_MAX; i++)
		count += rig->ephemeral.users[i];
	return count;
}

static int error_of(struct ix_cmd cmd)
{
	struct ix_event event;

	rig_cmd(rig, 0, cmd);
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_ERROR);
	cr_expect_eq(event.cookie, cmd.cookie);
	rig_expect_none(rig, 0);
	cr_expect_eq(rig->core.clients->conns_live, 0);
	cr_expect_eq(rig->clients[0].mapping.shared->conns, 0);
	cr_expect_eq(ports_in_use(), 0);
	return event.outcome;
}

Test(command_connect, connects_sends_and_closes)
{
	struct ix_event event;
	uint64_t handle;

	rig_cmd(rig, 0, connect_cmd(5, 2, 7));
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_CONNECTED);
	handle = event.handle;
	cr_expect_eq(event.outcome, 0);
	cr_expect_eq(event.cookie, 5);
	cr_expect_eq(event.remote_port, 7);
	cr_expect(event.local_port >= 61000 && event.local_port < 61016);
	cr_expect_eq(event.open.local[15], 1);
	cr_expect_eq(event.open.send_limit, 131072);
	cr_expect_eq(rig->ephemeral.users[event.local_port - 61000], 1);
	rig_sendv(rig, 0, handle, 0, 1000);
	rig_turn(rig);
	cr_expect_eq(rig->peers[0].rx_end, 1000);
	rig_expect(rig, 0, IX_EV_SENT);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
	rig_turn(rig);
	tcp_close(rig->peer, rig->core.now, 0, false);
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_DEAD).reason, IX_REASON_CLOSED);
	cr_expect_eq(ports_in_use(), 1, "while TIME_WAIT lasts");
	rig->core.now.ns += UINT64_C(62000000000);
	rig_cmd(rig, 0, connect_cmd(5, 2, 9));
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_CONNECTED);
	rig_expect(rig, 0, IX_EV_DEAD);
	cr_expect_eq(ports_in_use(), 0);
}

Test(command_connect, nobody_listens_there)
{
	struct ix_event event;

	rig_cmd(rig, 0, connect_cmd(5, 2, 8));
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_CONNECTED);
	cr_expect_eq(event.outcome, -ECONNREFUSED);
	cr_expect_eq(event.cookie, 5);
	event = rig_expect(rig, 0, IX_EV_DEAD);
	cr_expect_eq(event.reason, IX_REASON_REFUSED);
	cr_expect_eq(ports_in_use(), 0);
}

Test(command_connect, cancelled)
{
	struct ix_event event;

	rig->wire_is_cut = true;
	rig_cmd(rig, 0, connect_cmd(5, 2, 7));
	rig_cmd(rig, 0, connect_cmd(6, 2, 7));
	rig_turn(rig);
	cr_expect_eq(ports_in_use(), 2);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CANCEL, .cookie = 5});
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_CONNECTED);
	cr_expect_eq(event.outcome, -ECANCELED);
	cr_expect_eq(event.cookie, 5);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_DEAD).reason, IX_REASON_ABORTED);
	cr_expect_eq(ports_in_use(), 1);
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CANCEL, .cookie = 5});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_ERROR).outcome, -ESTALE);
}

/* Whichever ends first, the others are found: the newest first. */
Test(command_connect, one_cookie_for_all)
{
	struct client_side *side = rig->core.clients;
	uint32_t conns[4];

	rig->wire_is_cut = true;
	for (unsigned i = 0; i < 4; i++) {
		rig_cmd(rig, 0, connect_cmd(5, 2, 7));
		rig_turn(rig);
		conns[i] = conn_cookie_find(side, 0, 5);
		cr_assert_neq(conns[i], STATE_NONE);
	}
	conn_abort(side, conns[1]);
	cr_expect_eq(conn_cookie_find(side, 0, 5), conns[3]);
	conn_abort(side, conns[0]);
	cr_expect_eq(conn_cookie_find(side, 0, 5), conns[3]);
	conn_abort(side, conns[3]);
	cr_expect_eq(conn_cookie_find(side, 0, 5), conns[2]);
	conn_abort(side, conns[2]);
	cr_expect_eq(conn_cookie_find(side, 0, 5), STATE_NONE);
	cr_expect_eq(ports_in_use(), 0);
}

Test(command_connect, refused)
{
	struct ix_cmd cmd;

	cr_expect_eq(error_of(connect_cmd(1, 3, 7)), -EACCES, "the first rule that matches");
	cr_expect_eq(error_of(connect_cmd(1, 2, 101)), -EACCES, "no rule for this port");
	cr_expect_eq(rig->stats.refused_policy, 2);
	cr_expect_eq(error_of(connect_cmd(1, 2, 0)), -EINVAL);
	cmd = connect_cmd(1, 2, 7);
	cmd.open.addr[12] = 224;
	cr_expect_eq(error_of(cmd), -EAFNOSUPPORT);
	cmd = connect_cmd(1, 2, 7);
	cmd.open.addr[0] = 0x20;
	cr_expect_eq(error_of(cmd), -EAFNOSUPPORT);
	cmd = connect_cmd(1, 2, 7);
	memcpy(cmd.open.from, cmd.open.addr, 16);
	cr_expect_eq(error_of(cmd), -EADDRNOTAVAIL, "not an address of ours");
	cmd = connect_cmd(1, 2, 7);
	cmd.flags = IX_FLAGS_ALL + 1;
	cr_expect_eq(error_of(cmd), -EINVAL);
	cmd = connect_cmd(1, 2, 7);
	cmd.open.addr[13] = 9;
	cr_expect_eq(error_of(cmd), -ENETUNREACH);
	rig->clients[0].policy.limits.conns_max = 0;
	cr_expect_eq(error_of(connect_cmd(1, 2, 7)), -EMFILE);
	rig->clients[0].policy.rules_count = 0;
	cr_expect_eq(error_of(connect_cmd(1, 2, 7)), -EACCES);
}

Test(command_connect, ports_run_out)
{
	struct ix_event event;
	bool seen[16] = {false};

	for (unsigned i = 0; i < 16; i++) {
		rig_cmd(rig, 0, connect_cmd(i, 2, 7));
		rig_turn(rig);
		event = rig_expect(rig, 0, IX_EV_CONNECTED);
		cr_assert_eq(event.outcome, 0);
		cr_assert_not(seen[event.local_port - 61000]);
		seen[event.local_port - 61000] = true;
	}
	rig_cmd(rig, 0, connect_cmd(16, 2, 7));
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_ERROR).outcome, -EADDRNOTAVAIL);
	cr_expect_eq(rig->clients[0].mapping.shared->conns, 16);
}

Test(command_connect, client_dies_while_connecting)
{
	struct mail mail;

	rig->wire_is_cut = true;
	rig_cmd(rig, 0, connect_cmd(5, 2, 7));
	rig_turn(rig);
	channel_del(&rig->core, 0);
	cr_expect(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	cr_expect_eq(rig->core.clients->conns_live, 0);
	cr_expect_eq(ports_in_use(), 0);
}

/* The test vector of the SipHash paper, appendix A. */
Test(ephemeral, keyed_hash_is_siphash)
{
	uint8_t key[16], data[15];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		data[i] = i;
	cr_expect_eq(keyed_hash(key, data, sizeof(data)), UINT64_C(0xa129ca6149be45e5));
}

/* Fast Open: the bytes are taken before the answer, by the connect's cookie, and follow the handshake when
 * there is no cookie of the server. */
Test(command_connect, sends_before_connected)
{
	struct ix_cmd cmd = connect_cmd(5, 2, 7);
	struct ix_event event;

	cmd.flags = IX_FAST_OPEN;
	rig_cmd(rig, 0, cmd);
	rig_cmd(rig, 0,
		(struct ix_cmd){
		    .op = IX_OP_SEND_EARLY, .cookie = 5, .sg_count = 1, .sg = {{.off = 0, .len = 1000}}});
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_CONNECTED);
	cr_expect_eq(event.open.send_limit, 131072);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_SENT).acked_total, 1000);
	cr_expect_eq(rig->peers[0].rx_end, 1000);
	/* What comes now is too late for it. */
	rig_cmd(rig, 0,
		(struct ix_cmd){
		    .op = IX_OP_SEND_EARLY, .cookie = 5, .sg_count = 1, .sg = {{.off = 0, .len = 1000}}});
	rig_turn(rig);
	event = rig_expect(rig, 0, IX_EV_ERROR);
	cr_expect_eq(event.outcome, -ESTALE);
	cr_expect_eq(event.cookie, 5);
	rig_sendv(rig, 0, conn_handle(rig->core.clients, 0), 1000, 500);
	rig_turn(rig);
	cr_expect_eq(rig->peers[0].rx_end, 1500);
}

static int16_t early_error(struct ix_sg sg, uint64_t cookie)
{
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_SEND_EARLY, .cookie = cookie, .sg_count = 1, .sg = {sg}});
	rig_turn(rig);
	return rig_expect(rig, 0, IX_EV_ERROR).outcome;
}

Test(command_connect, early_bytes_are_refused)
{
	struct ix_cmd cmd = connect_cmd(5, 2, 7);
	uint64_t end = UINT64_C(1) << 40;

	rig->wire_is_cut = true;
	rig_cmd(rig, 0, cmd);
	rig_turn(rig);
	cr_expect_eq(early_error((struct ix_sg){.len = 10}, 5), -ENOTCONN, "did not ask for Fast Open");
	cr_expect_eq(early_error((struct ix_sg){.len = 10}, 6), -ESTALE, "no such connect");
	cmd = connect_cmd(7, 2, 7);
	cmd.flags = IX_FAST_OPEN;
	rig_cmd(rig, 0, cmd);
	rig_turn(rig);
	cr_expect_eq(early_error((struct ix_sg){.len = 0}, 7), -EINVAL);
	cr_expect_eq(early_error((struct ix_sg){.off = end, .len = 1}, 7), -EINVAL);
	cr_expect_eq(early_error((struct ix_sg){.len = 131073}, 7), -EMSGSIZE, "more than the send limit");
	/* Bytes of a connect that is given up are the client's again. */
	rig_cmd(rig, 0,
		(struct ix_cmd){
		    .op = IX_OP_SEND_EARLY, .cookie = 7, .sg_count = 1, .sg = {{.off = 0, .len = 1000}}});
	rig_cmd(rig, 0, (struct ix_cmd){.op = IX_OP_CANCEL, .cookie = 7});
	rig_turn(rig);
	cr_expect_eq(rig_expect(rig, 0, IX_EV_CONNECTED).outcome, -ECANCELED);
	rig_expect(rig, 0, IX_EV_DEAD);
}
