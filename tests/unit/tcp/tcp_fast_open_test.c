/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 7413: cookies over time and addresses, the client's cache, and what survives a restart. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/tcp/rig.h"
#include "tcp/tcp_fast_open.h"

#define HOUR (3600 * RIG_S)

static struct rig *r;
static const uint8_t local_address[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
static const uint8_t remote_address[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2};
static const uint8_t other_address[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 3};

static void setup(void)
{
	struct tcp_params params = {.flags = TCP_PARAM_FAST_OPEN};

	r = rig_new();
	r->config.fast_open = true;
	rig_start(r);
	r->listener = (uint32_t)tcp_listen(r->engine, local_address, RIG_LOCAL_PORT, 0, &params);
}

static void teardown(void)
{
	rig_free(r);
}

TestSuite(tcp_fast_open, .init = setup, .fini = teardown);

static void cookie_now(uint8_t out[8])
{
	r->engine->now_ns = r->now_ns;
	tcp_fast_open_cookie(r->engine, remote_address, out);
}

static const struct rig_segment *syn_with(const uint8_t cookie[8], uint32_t len)
{
	struct rig_segment s = {.flags = TCP_SYN,
				.mss = 1460,
				.wscale = TCP_NO_WSCALE,
				.window = 65535,
				.len = len,
				.has_fast_open = true,
				.fast_open_len = 8};

	memcpy(s.fast_open, cookie, 8);
	rig_input(r, &s);
	return rig_next_out(r);
}

Test(tcp_fast_open, cookie_is_for_one_address_and_hour)
{
	uint8_t a[8], b[8];

	cookie_now(a);
	tcp_fast_open_cookie(r->engine, other_address, b);
	cr_assert_neq(memcmp(a, b, 8), 0);
	rig_advance(r, HOUR);
	cookie_now(b);
	cr_assert_neq(memcmp(a, b, 8), 0);
}

Test(tcp_fast_open, cookie_of_the_hour_before_is_replaced)
{
	uint8_t cookie[8], fresh[8];
	const struct rig_segment *s;

	cookie_now(cookie);
	rig_advance(r, HOUR);
	cookie_now(fresh);
	s = syn_with(cookie, 10);
	cr_assert_eq(s->ack, 11);
	cr_assert(s->has_fast_open);
	cr_assert_eq(memcmp(s->fast_open, fresh, 8), 0);
}

Test(tcp_fast_open, cookie_expires)
{
	uint8_t cookie[8];

	cookie_now(cookie);
	rig_advance(r, 2 * HOUR);
	cr_assert_eq(syn_with(cookie, 10)->ack, 1);
	cr_assert_eq(r->stats.fast_open_bad_cookies, 1);
}

/* A cookie is not a SYN cookie's hash nor the other way round: the key is shared, the domain is not. */
Test(tcp_fast_open, every_bit_of_the_cookie_counts)
{
	uint8_t cookie[8];

	for (unsigned bit = 0; bit < 64; bit++) {
		cookie_now(cookie);
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r->remote_port = (uint16_t)(30000 + bit);
		syn_with(cookie, 10);
	}
	cr_assert_eq(r->stats.fast_open_in, 0);
}

/* The engine starts anew between the SYN-ACK and its ACK: the early data and the early answer are still
 * there, and the place among the pending is given back. */
Test(tcp_fast_open, restart_while_pending)
{
	uint8_t cookie[8];
	const struct tcp_conn *c;

	cookie_now(cookie);
	syn_with(cookie, 10);
	cr_assert_eq(tcp_send(r->engine, (tcp_time){r->now_ns}, r->conn, 500), 0);
	rig_output(r);
	rig_restart(r);
	cr_assert_eq(r->engine->fast_open.pending, 1);
	c = rig_conn(r);
	cr_assert_eq(c->rcv_nxt, 11);
	cr_assert_eq(c->snd_nxt, 501);
	rig_clear(r);
	rig_in(r, TCP_ACK, 11, 1, 0);
	cr_assert_eq(r->engine->fast_open.pending, 0);
	cr_assert_eq(c->state, TCP_ESTABLISHED);
	cr_assert_eq(rig_next_out(r)->len, 500);
}

static uint32_t connect_to(const uint8_t remote[16], uint16_t port)
{
	struct tcp_tuple tuple = {.local_port = port, .remote_port = 80};
	struct tcp_params params = {.flags = TCP_PARAM_FAST_OPEN};
	int64_t conn;

	memcpy(tuple.local, local_address, 16);
	memcpy(tuple.remote, remote, 16);
	conn = tcp_connect(r->engine, (tcp_time){r->now_ns}, &tuple, &params);
	cr_assert_geq(conn, 0);
	return (uint32_t)conn;
}

static void learn(const uint8_t remote[16], const uint8_t *cookie, uint8_t len)
{
	uint32_t conn = connect_to(remote, 20000);
	struct tcp_segment s = {.fast_open = cookie, .fast_open_len = len, .mss = 1460, .ack_pos = 1};

	tcp_fast_open_input_syn_ack(r->engine, conn, &s);
	tcp_abort(r->engine, (tcp_time){r->now_ns}, conn);
}

/* However many servers there are, the cache keeps its size, and the last one is in it. */
Test(tcp_fast_open, cache_is_bounded)
{
	uint8_t address[16], cookie[16] = "0123456789abcdef";

	memcpy(address, remote_address, 16);
	r->is_forgetful = true;
	for (unsigned i = 0; i < 1000; i++) {
		address[14] = (uint8_t)(i >> 8);
		address[15] = (uint8_t)i;
		r->now_ns++;
		learn(address, cookie, 16);
		cr_assert(tcp_fast_open_has_cookie(r->engine, address));
	}
	cr_assert_not(tcp_fast_open_has_cookie(r->engine, other_address));
}

Test(tcp_fast_open, block_ends)
{
	uint32_t conn;

	learn(remote_address, (const uint8_t *)"12345678", 8);
	conn = connect_to(remote_address, 20001);
	tcp_fast_open_on_timeout(r->engine, conn);
	cr_assert_not(tcp_fast_open_has_cookie(r->engine, remote_address));
	r->engine->now_ns += HOUR + RIG_S;
	cr_assert(tcp_fast_open_has_cookie(r->engine, remote_address));
}

/* With every option and a cookie of 16 bytes the SYN's header is full, and not more. */
Test(tcp_fast_open, options_fit)
{
	uint8_t out[40];
	struct tcp_syn_options o = {.mss = 1460,
				    .wscale = 7,
				    .has_sack = true,
				    .has_ts = true,
				    .fast_open = (const uint8_t *)"0123456789abcdef",
				    .fast_open_len = 16};

	cr_assert_eq(tcp_options_write_syn(out, &o), 40);
	for (uint8_t len = 0; len <= 16; len = (uint8_t)(len + 2)) {
		o.fast_open_len = len;
		cr_assert_eq(tcp_options_write_syn(out, &o) % 4, 0);
	}
}
