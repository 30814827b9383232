/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a stranger can fill is bounded: each table is filled from the wire, the counter says what was turned
 * away, no record is lost, and another connection goes on.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/rig/invariants.h"
#include "tests/unit/tcp/rig.h"

#define BYSTANDER_PORT 39999

static struct rig *rig_with_bystander(struct rig *r, uint32_t *bystander)
{
	rig_start(r);
	r->remote_port = BYSTANDER_PORT;
	rig_accept(r);
	*bystander = r->conn;
	r->remote_port = RIG_REMOTE_PORT;
	return r;
}

/* The bystander still takes a segment, and answers. Nothing has leaked. */
static void check_bystander(struct rig *r, uint32_t bystander)
{
	char why[160];

	r->is_forgetful = false;
	rig_clear(r);
	r->conn = bystander;
	r->remote_port = BYSTANDER_PORT;
	r->iss = rig_conn(r)->iss;
	rig_in(r, TCP_ACK | TCP_PSH, 1, 1, 100);
	const struct rig_event *event = rig_next_event(r);
	cr_assert(event && event->kind == RIG_READABLE && event->conn == bystander && event->value == 100);
	rig_advance(r, RIG_MS);
	const struct rig_segment *answer = rig_next_out(r);
	while (answer && answer->ack != 101) /* others may have something to send as well */
		answer = rig_next_out(r);
	cr_assert_not_null(answer);
	cr_assert(invariants_pools_hold(r->engine, why, sizeof(why)), "%s", why);
}

static void syn_from(struct rig *r, uint16_t port)
{
	struct rig_segment s = {.flags = TCP_SYN, .window = 65535, .mss = 1460, .wscale = TCP_NO_WSCALE};

	r->remote_port = port;
	rig_input(r, &s);
}

Test(tcp_limits, half_open_connections_by_configuration)
{
	struct rig *r = rig_new();
	uint32_t bystander;

	r->is_forgetful = true;
	r->config.syn_backlog = 3; /* the memory would hold 8 */
	rig_with_bystander(r, &bystander);
	for (uint16_t i = 0; i < 1000; i++)
		syn_from(r, (uint16_t)(41000 + i));
	cr_assert_eq(r->engine->half_open, 3);
	cr_assert_eq(r->stats.syn_cookies_out, 997);
	cr_assert_eq(r->engine->conn_free_count, r->limits.conns - 4);
	check_bystander(r, bystander);
	rig_free(r);
}

Test(tcp_limits, half_open_connections_by_memory)
{
	struct rig *r = rig_new();
	uint32_t bystander;

	r->is_forgetful = true;
	rig_with_bystander(r, &bystander);
	for (uint16_t i = 0; i < 1000; i++)
		syn_from(r, (uint16_t)(41000 + i));
	cr_assert_eq(r->engine->half_open, r->limits.syn_backlog);
	cr_assert_eq(r->stats.syn_cookies_out, 1000 - r->limits.syn_backlog);
	check_bystander(r, bystander);
	rig_free(r);
}

/* Holes everywhere, on several connections. */
Test(tcp_limits, ranges_out_of_order)
{
	struct rig *r = rig_new();
	uint32_t bystander, others = 4;

	r->is_forgetful = true;
	rig_with_bystander(r, &bystander);
	for (uint16_t k = 0; k < others; k++) {
		r->remote_port = (uint16_t)(42000 + k);
		rig_accept(r);
		for (uint32_t i = 0; i < 1000; i++)
			rig_in(r, TCP_ACK, 11 + 20 * i, 1, 10);
		cr_assert_leq(r->engine->links[r->conn].ooo_count, TCP_OOO_RANGES_MAX);
	}
	cr_assert_eq(r->engine->ooo_free, TCP_NONE, "the pool is used up");
	/* Each has the few inside its record besides. */
	cr_assert_eq(r->stats.ooo_segments_in - r->stats.drop_no_record,
		     r->limits.ooo_records + TCP_OOO_INLINE * others);
	check_bystander(r, bystander);
	rig_free(r);
}

Test(tcp_limits, time_waits)
{
	struct rig *r = rig_new();
	uint32_t bystander, rounds = 100;

	r->is_forgetful = true;
	rig_with_bystander(r, &bystander);
	for (uint16_t i = 0; i < rounds; i++) {
		r->remote_port = (uint16_t)(43000 + i);
		rig_accept(r);
		tcp_close(r->engine, (tcp_time){r->now_ns}, r->conn, false);
		rig_output(r);
		rig_in(r, TCP_FIN | TCP_ACK, 1, 2, 0);
	}
	cr_assert_eq(r->stats.time_waits, rounds);
	cr_assert_eq(r->stats.time_waits_recycled, rounds - r->limits.time_waits);
	check_bystander(r, bystander);
	rig_free(r);
}

Test(tcp_limits, challenge_acks)
{
	struct rig *r = rig_new();
	uint32_t bystander;

	r->is_forgetful = true;
	r->config.challenge_acks_per_s = 5;
	rig_with_bystander(r, &bystander);
	rig_accept(r);
	for (uint32_t i = 0; i < 100; i++)
		rig_in(r, TCP_RST, 10 + i, 0, 0);
	/* 10 for this connection, and at first the engine's: 5 to 10, by chance. */
	cr_assert(r->stats.challenge_acks >= 5 && r->stats.challenge_acks < 10);
	cr_assert_eq(r->stats.challenge_acks + r->stats.challenge_acks_limited, 10);
	cr_assert_eq(r->stats.challenge_acks_limited_conn, 90);
	check_bystander(r, bystander);
	rig_free(r);
}

static void sack_every_second_byte(struct rig *r)
{
	for (uint32_t i = 0; i < 3000; i++) {
		struct rig_segment s = {.flags = TCP_ACK,
					.seq = 1,
					.ack = 1,
					.window = 65535,
					.wscale = TCP_NO_WSCALE,
					.has_ts = true,
					.ts_val = (uint32_t)(r->now_ns / RIG_MS),
					.sack_count = 1,
					.sacks = {{.start = 3 + 4 * i, .end = 5 + 4 * i}}};

		rig_input(r, &s);
	}
}

/* A peer that acknowledges every second byte by SACK splits what was sent into ever more records. */
Test(tcp_limits, records_of_what_was_sent)
{
	struct rig *r = rig_new();
	uint32_t bystander;

	r->is_forgetful = true;
	r->limits.sent_records = 16;
	rig_with_bystander(r, &bystander);
	rig_accept(r);
	rig_send(r, 14480);
	sack_every_second_byte(r);
	cr_assert_leq(r->engine->sent_extra, r->limits.sent_records);
	check_bystander(r, bystander);
	rig_free(r);
}

/* One peer alone gets a fifth of them, the next a fifth of what is left. */
Test(tcp_limits, records_of_what_was_sent_are_shared)
{
	struct rig *r = rig_new();
	uint32_t bystander, left;
	char why[160];

	r->is_forgetful = true;
	r->limits.sent_records = left = 4096;
	rig_with_bystander(r, &bystander);
	for (uint16_t k = 0; k < 3; k++) {
		r->remote_port = (uint16_t)(42000 + k);
		rig_accept(r);
		rig_send(r, 14480);
		sack_every_second_byte(r);
		left -= left / 5;
		cr_assert_leq(abs((int)(left + r->engine->sent_extra - 4096)), 4, "%u of %u left", left,
			      4096 - r->engine->sent_extra);
	}
	cr_assert(invariants_pools_hold(r->engine, why, sizeof(why)), "%s", why);
	r->conn = bystander;
	r->remote_port = BYSTANDER_PORT;
	r->iss = rig_conn(r)->iss;
	for (uint32_t i = 0; i < 100; i++) {
		rig_send(r, 10);
		r->now_ns += RIG_US;
	}
	cr_assert_eq(r->engine->links[bystander].sent_count, 100, "a record for each that it sends");
	rig_free(r);
}

Test(tcp_limits, connection_records)
{
	struct rig *r = rig_new();
	uint32_t bystander;

	r->is_forgetful = true;
	r->config.timestamps = false;
	r->limits.syn_backlog = 64;
	rig_with_bystander(r, &bystander);
	for (uint16_t i = 0; i < 100; i++)
		syn_from(r, (uint16_t)(44000 + i));
	cr_assert_eq(r->engine->conn_free_count, 0);
	cr_assert_eq(r->stats.syn_cookies_out, 100 - (r->limits.conns - 1));
	check_bystander(r, bystander);
	rig_free(r);
}

/* The engine's limit is not the same in each second, and not the setting itself: who counts what is left of
 * it for him learns nothing of others. */
Test(tcp_limits, challenge_acks_of_all_vary)
{
	struct rig *r = rig_new();
	bool seen[200] = {false};
	unsigned different = 0;

	r->config.challenge_acks_per_s = 100;
	rig_start(r);
	for (unsigned i = 0; i < 50; i++) {
		unsigned allowed = 0;

		r->engine->now_ns += RIG_S;
		while (tcp_challenge_allowed(r->engine, TCP_NONE))
			allowed++;
		cr_assert(allowed >= 100 && allowed < 200);
		different += !seen[allowed];
		seen[allowed] = true;
	}
	cr_assert_gt(different, 25);
	rig_free(r);
}
