/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 5682 step by step, where scripts cannot see: states, and ACKs that come in one batch. */
#include <criterion/criterion.h>

#include "tests/unit/tcp/rig.h"
#include "tcp/tcp_frto.h"

#define MSS 1460u

static struct rig *r;

/* Ten segments are out, more waits, and the timer has expired. */
static void setup(void)
{
	r = rig_new();
	r->config.timestamps = false;
	r->config.sack = false;
	rig_start(r);
	rig_accept(r);
	rig_send(r, 30 * MSS);
	rig_advance(r, 201 * RIG_MS);
	rig_clear(r);
}

static void teardown(void)
{
	rig_free(r);
}

TestSuite(tcp_frto, .init = setup, .fini = teardown);

static void expect_out(uint32_t seq)
{
	const struct rig_segment *s = rig_next_out(r);

	cr_assert_not_null(s);
	cr_assert_eq(s->seq, seq, "seq %u, not %u", s->seq, seq);
}

Test(tcp_frto, steps)
{
	struct tcp_conn *c = rig_conn(r);

	cr_assert_eq(c->frto, TCP_FRTO_WAIT_FIRST);
	cr_assert_eq(c->frto_end, 1 + MSS);
	rig_in(r, TCP_ACK, 1, 1 + MSS, 0);
	cr_assert_eq(c->frto, TCP_FRTO_WAIT_SECOND);
	expect_out(1 + 10 * MSS);
	expect_out(1 + 11 * MSS);
	rig_in(r, TCP_ACK, 1, 1 + 2 * MSS, 0);
	cr_assert_eq(c->frto, TCP_FRTO_OFF);
	cr_assert_eq(c->phase, TCP_PHASE_OPEN);
	cr_assert_eq(c->lost_bytes, 0);
}

/* No frames: the question is put in the next turn. */
Test(tcp_frto, output_is_blocked)
{
	struct tcp_conn *c = rig_conn(r);

	r->emit_limit = -11;
	rig_in(r, TCP_ACK, 1, 1 + MSS, 0);
	cr_assert_eq(c->frto, TCP_FRTO_SEND_NEW);
	r->emit_limit = INT64_MAX;
	rig_output(r);
	cr_assert_eq(c->frto, TCP_FRTO_WAIT_SECOND);
	expect_out(1 + 10 * MSS);
}

/* Both ACKs in one batch, before anything could be sent: one segment alone was repeated, so it is the same
 * proof. */
Test(tcp_frto, second_ack_before_output)
{
	struct tcp_conn *c = rig_conn(r);

	r->emit_limit = -11;
	rig_in(r, TCP_ACK, 1, 1 + MSS, 0);
	rig_in(r, TCP_ACK, 1, 1 + 3 * MSS, 0);
	cr_assert_eq(c->frto, TCP_FRTO_OFF);
	cr_assert_eq(r->stats.frto_spurious, 1);
	cr_assert_eq(c->phase, TCP_PHASE_OPEN);
}

/* Data with the same ACK, or a window update, is no duplicate and decides nothing. */
Test(tcp_frto, other_acks_are_ignored)
{
	struct tcp_conn *c = rig_conn(r);

	rig_in(r, TCP_ACK, 1, 1 + MSS, 0);
	rig_in(r, TCP_ACK, 1, 1 + MSS, 10);
	cr_assert_eq(c->frto, TCP_FRTO_WAIT_SECOND);
}

/* The records are gone after a restart: nothing is known of what was repeated. */
Test(tcp_frto, restart_forgets)
{
	rig_restart(r);
	cr_assert_eq(rig_conn(r)->frto, TCP_FRTO_OFF);
}
