/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 9768: counters at their wraps, the option in every length, and batches that are all marked. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/tcp/rig.h"
#include "tcp/tcp_accecn.h"
#include "tcp/tcp_sent.h"

static struct rig *r;

static void setup(void)
{
	struct rig_segment syn = {
	    .flags = TCP_SYN | TCP_ACE_FLAGS, .mss = 1460, .wscale = TCP_NO_WSCALE, .window = 65535};
	struct rig_segment ack = {.flags = TCP_ACK | TCP_CWR, .seq = 1, .ack = 1, .window = 65535};
	struct tcp_params params = {0};
	static const uint8_t local[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};

	r = rig_new();
	r->config.ecn = r->config.accurate_ecn = true;
	r->config.timestamps = false;
	rig_start(r);
	r->listener = (uint32_t)tcp_listen(r->engine, local, RIG_LOCAL_PORT, 0, &params);
	rig_input(r, &syn);
	rig_input(r, &ack);
	rig_clear(r);
}

static void teardown(void)
{
	rig_free(r);
}

TestSuite(tcp_accecn, .init = setup, .fini = teardown);

static void data_in(uint32_t len, uint8_t ecn)
{
	struct tcp_conn *c = rig_conn(r);
	struct rig_segment s = {.flags = (uint16_t)(TCP_ACK | tcp_ace_flags(5)),
				.seq = (uint32_t)c->rcv_nxt,
				.ack = (uint32_t)c->snd_nxt,
				.len = len,
				.window = 65535,
				.ecn = ecn};

	rig_input(r, &s);
}

Test(tcp_accecn, flags_and_numbers)
{
	for (unsigned ace = 0; ace < 8; ace++)
		cr_assert_eq(tcp_ace_of(tcp_ace_flags(ace)), ace);
	cr_assert_eq(tcp_ace_flags(4), TCP_AE);
}

/* Of 24 bits: a counter goes round, and the difference is still right. */
Test(tcp_accecn, byte_counters_wrap)
{
	struct tcp_conn *c = rig_conn(r);

	c->accecn.rcv_ceb = 0xffffff;
	c->accecn.rcv_e0b = 0xfffff0;
	data_in(100, 3);
	cr_assert_eq(c->accecn.rcv_ceb, 99);
	data_in(100, 2);
	cr_assert_eq(c->accecn.rcv_e0b, 84);
}

static struct tcp_ack_sample told(uint32_t ceb, unsigned ace)
{
	struct tcp_conn *c = rig_conn(r);
	struct tcp_segment s = {.flags = tcp_ace_flags(ace),
				.ack_pos = c->snd_una,
				.accecn_count = 2,
				.accecn_has_ceb = true,
				.accecn_ceb = ceb};
	struct tcp_ack_sample sample = {0};

	tcp_accecn_feedback(r->engine, r->conn, &s, &sample);
	return sample;
}

Test(tcp_accecn, difference_over_the_wrap)
{
	struct tcp_conn *c = rig_conn(r);

	c->accecn.snd_ceb = 0xfffff0;
	cr_assert_eq(told(0x10, 6).marked_bytes, 0x20);
	/* Half a cycle or more is an older value. */
	c->accecn.snd_ceb = 1000;
	cr_assert_not(told(900, 6).is_ece);
	cr_assert_eq(c->accecn.snd_ceb, 1000);
}

Test(tcp_accecn, packet_counter_wraps)
{
	struct tcp_conn *c = rig_conn(r);

	c->accecn.snd_cep = 255;
	cr_assert(told(0, 1).is_ece);
	cr_assert_eq(c->accecn.snd_cep, 1);
}

/* A batch is acknowledged as one, but one ACK could not tell of more than seven marks. */
Test(tcp_accecn, whole_batch_is_marked)
{
	struct tcp_conn *c = rig_conn(r);
	unsigned acks = 0, last = 5, sum = 0;

	for (unsigned i = 0; i < 64; i++) {
		struct tcp_segment s = {.ecn = 3, .payload_len = 100};

		tcp_accecn_receive(r->engine, r->conn, &s);
	}
	rig_output(r);
	for (const struct rig_segment *s; (s = rig_next_out(r)) != NULL; acks++) {
		unsigned ace = tcp_ace_of(s->flags), told_now = (ace - last) & 7;

		cr_assert_leq(told_now, 7);
		sum += told_now;
		last = ace;
	}
	cr_assert_eq(sum, 64);
	cr_assert_eq(c->accecn.rcv_cep_told, c->accecn.rcv_cep);
	cr_assert_leq(acks, 12);
}

/* Both kinds, zero to three counters, and lengths between. */
Test(tcp_accecn, option_lengths)
{
	static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2};

	for (unsigned kind = 172; kind <= 174; kind += 2)
		for (unsigned len = 2; len <= 12; len++) {
			uint8_t p[60] = {
			    [12] = 8 << 4, [13] = TCP_ACK, [20] = (uint8_t)kind, [21] = (uint8_t)len};
			struct tcp_packet packet = {
			    .local = address, .remote = address, .data = p, .len = 32};
			struct tcp_segment s;

			for (unsigned i = 22; i < 20 + len; i++)
				p[i] = (uint8_t)i;
			cr_assert(tcp_segment_parse(&s, &packet));
			cr_assert_eq(s.accecn_count, (len - 2) / 3 > 3 ? 3 : (len - 2) / 3);
			cr_assert_eq(s.accecn_has_ceb, len >= 8);
			if (s.accecn_has_ceb)
				cr_assert_eq(s.accecn_ceb, 25u << 16 | 26u << 8 | 27u);
			if (s.accecn_count > 2)
				cr_assert_eq(kind == 172 ? s.accecn_e1b : s.accecn_e0b,
					     28u << 16 | 29u << 8 | 30u);
		}
}

/* The counters go on where they were. */
Test(tcp_accecn, restart)
{
	data_in(100, 3);
	rig_restart(r);
	rig_clear(r);
	cr_assert_eq(rig_conn(r)->accecn.rcv_ceb, 100);
	data_in(100, 3);
	cr_assert_eq(rig_next_out(r)->accecn[1], 200);
}
