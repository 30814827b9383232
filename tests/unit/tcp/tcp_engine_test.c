/* SPDX-License-Identifier: BSD-2-Clause */
/* Start from surviving records, reading them from outside, limits, and addresses. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp_layout.h"
#include "tcp/tcp_segment.h"
#include "tests/unit/tcp/rig.h"

static struct rig *established(void)
{
	struct rig *r = rig_new();

	rig_start(r);
	rig_accept(r);
	return r;
}

Test(tcp_engine, restart_repeats_what_was_in_flight)
{
	struct rig *r = established();
	const struct rig_segment *s;

	rig_send(r, 5000);
	rig_clear(r);
	rig_restart(r);
	cr_assert_eq(r->stats.records_inconsistent, 0);
	rig_output(r);
	s = rig_next_out(r);
	cr_assert(s && s->seq == 1 && s->len == 1448);
	rig_in(r, TCP_ACK, 1, 5001, 0);
	cr_assert_eq(rig_conn(r)->snd_una, 5001);
	cr_assert_eq(rig_conn(r)->state, TCP_ESTABLISHED);
	rig_free(r);
}

Test(tcp_engine, restart_keeps_receiving)
{
	struct rig *r = established();
	const struct rig_event *ev;

	rig_in(r, TCP_ACK, 1, 1, 100);
	rig_in(r, TCP_ACK, 201, 1, 100); /* out of order: forgotten, the peer sends it again */
	rig_restart(r);
	rig_clear(r);
	memset(r->stored, 0, 300);
	rig_in(r, TCP_ACK, 101, 1, 200);
	ev = rig_next_event(r);
	cr_assert(ev && ev->kind == RIG_READABLE && ev->value == 300);
	rig_free(r);
}

Test(tcp_engine, restart_closes_what_makes_no_sense)
{
	struct rig *r = established();

	rig_conn(r)->snd_una = rig_conn(r)->snd_nxt + 1;
	rig_restart(r);
	cr_assert_eq(r->stats.records_inconsistent, 1);
	cr_assert_eq(rig_conn(r)->state, TCP_CLOSED);
	cr_assert(tcp_is_held(r->engine, r->conn), "the user may need the number still");
	cr_assert_eq(r->engine->conn_free_count, r->limits.conns - 1);
	tcp_release(r->engine, r->conn);
	cr_assert_eq(r->engine->conn_free_count, r->limits.conns);
	rig_free(r);
}

Test(tcp_engine, a_record_that_the_user_holds_is_given_to_nobody)
{
	struct rig *r = established();
	uint32_t held = r->conn;

	r->holds_dead = true;
	tcp_abort(r->engine, (tcp_time){r->now_ns}, held);
	cr_assert(tcp_is_held(r->engine, held));
	cr_assert_eq(r->engine->conn_free_count, r->limits.conns - 1);
	/* Nor after a restart; what is held keeps its number, however often it is asked for. */
	rig_restart(r);
	cr_assert(tcp_is_held(r->engine, held));
	cr_assert_eq(r->engine->conn_free_count, r->limits.conns - 1);
	for (uint32_t i = 0; i < r->engine->conn_free_count; i++)
		cr_assert_neq(r->engine->conn_free[i], held);
	tcp_release(r->engine, held);
	tcp_release(r->engine, held);
	tcp_release(r->engine, r->limits.conns);
	cr_assert_not(tcp_is_held(r->engine, held));
	cr_assert_eq(r->engine->conn_free_count, r->limits.conns);
	rig_free(r);
}

Test(tcp_engine, restart_keeps_time_wait)
{
	struct rig *r = established();
	struct rig_segment fin = {.flags = TCP_FIN | TCP_ACK, .seq = 1, .ack = 2, .has_ts = true};
	const struct rig_segment *s;

	fin.ts_val = (uint32_t)(r->now_ns / RIG_MS);
	tcp_close(r->engine, (tcp_time){r->now_ns}, r->conn, false);
	rig_output(r);
	rig_input(r, &fin);
	cr_assert_eq(r->stats.time_waits, 1);
	rig_restart(r);
	rig_clear(r);
	r->conn = TCP_NONE;
	rig_input(r, &fin);
	s = rig_next_out(r);
	cr_assert(s && s->flags == TCP_ACK && s->ack == 2);
	rig_free(r);
}

Test(tcp_engine, every_damaged_byte_of_a_record_is_survived)
{
	srand(11);
	for (unsigned round = 0; round < 3000; round++) {
		struct rig *r = established();
		uint8_t *record = (uint8_t *)rig_conn(r);

		rig_send(r, 3000);
		for (unsigned i = 0; i < 1 + round % 8; i++)
			record[(unsigned)rand() % sizeof(struct tcp_conn)] = (uint8_t)rand();
		rig_clear(r);
		r->is_forgetful = true;
		rig_restart(r);
		/* What was kept must be fit for everything that may come. */
		for (unsigned i = 0; i < 4; i++) {
			rig_in(r, TCP_ACK, 1 + 50 * i, 1 + (uint32_t)rand() % 4000, 100);
			rig_advance(r, 2 * RIG_S);
		}
		if (rig_conn(r)->state != TCP_CLOSED)
			tcp_abort(r->engine, (tcp_time){r->now_ns}, r->conn);
		rig_free(r);
	}
}

Test(tcp_engine, another_layout_is_refused)
{
	struct rig *r = established();
	struct tcp_limits limits = r->limits;
	struct tcp_keys keys = {0};

	limits.time_waits++;
	cr_assert_null(tcp_engine_init(r->surviving, r->volatile_mem, &limits, &r->config, &keys, NULL, NULL,
				       &r->stats, (tcp_time){r->now_ns}));
	limits.conns = 0;
	cr_assert_null(tcp_engine_init(r->surviving, r->volatile_mem, &limits, &r->config, &keys, NULL, NULL,
				       &r->stats, (tcp_time){r->now_ns}));
	rig_free(r);
}

Test(tcp_info, from_memory)
{
	struct rig *r = established();
	size_t size = tcp_surviving_size(&r->limits);
	struct tcp_info info;

	rig_send(r, 1000);
	cr_assert_eq(tcp_memory_conns(r->surviving, size), r->limits.conns);
	cr_assert_eq(tcp_info_from_memory(r->surviving, size, r->conn, &info), 0);
	cr_assert_eq(info.state, TCP_ESTABLISHED);
	cr_assert_eq(info.unacked_bytes, 1000);
	cr_assert_eq(info.tuple.remote_port, RIG_REMOTE_PORT);
	cr_assert_eq(info.cc, TCP_CC_CUBIC);
	cr_assert_eq(tcp_info_from_memory(r->surviving, size, r->conn + 1, &info), -EBADF);
	cr_assert_eq(tcp_info_from_memory(r->surviving, size, UINT32_MAX, &info), -EBADF);
	cr_assert_eq(tcp_info_from_memory(r->surviving, size - 1, r->conn, &info), -EBADF);
	cr_assert_eq(tcp_memory_conns(r->surviving, 10), 0);
	rig_free(r);
}

Test(tcp_info, from_garbage)
{
	enum { SIZE = 4096 };
	uint8_t *memory = aligned_alloc(64, SIZE);
	struct tcp_layout_header *h = (struct tcp_layout_header *)memory;
	struct tcp_info info;

	srand(5);
	for (unsigned round = 0; round < 20000; round++) {
		for (unsigned i = 0; i < SIZE; i++)
			memory[i] = (uint8_t)rand();
		if (round % 2) { /* a header that is nearly right */
			memset(h, 0, sizeof(*h));
			h->magic = TCP_LAYOUT_MAGIC;
			h->version = TCP_LAYOUT_VERSION;
			h->conn_bytes = sizeof(struct tcp_conn);
			h->time_wait_bytes = sizeof(struct tcp_time_wait);
			h->listener_bytes = 64;
			h->limits.conns = (uint32_t)rand() % 10;
		}
		tcp_info_from_memory(memory, SIZE, (uint32_t)rand() % 8, &info);
	}
	free(memory);
}

Test(tcp_conn, records_run_out)
{
	struct rig *r = rig_new();
	struct tcp_tuple tuple = {.local = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1},
				  .remote = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2},
				  .local_port = 1};
	struct tcp_params params = {0};

	rig_start(r);
	for (uint32_t i = 0; i < r->limits.conns; i++) {
		tuple.remote_port = (uint16_t)(i + 1);
		cr_assert_geq(tcp_connect(r->engine, (tcp_time){r->now_ns}, &tuple, &params), 0);
		cr_assert_eq(tcp_connect(r->engine, (tcp_time){r->now_ns}, &tuple, &params), -EADDRINUSE);
	}
	tuple.remote_port++;
	cr_assert_eq(tcp_connect(r->engine, (tcp_time){r->now_ns}, &tuple, &params), -ENOSPC);
	r->refuse_path = true;
	cr_assert_eq(tcp_connect(r->engine, (tcp_time){r->now_ns}, &tuple, &params), -EHOSTUNREACH);
	rig_free(r);
}

Test(tcp_listener, table)
{
	static const uint8_t any[16], a[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
	struct rig *r = rig_new();
	struct tcp_params params = {0};
	struct tcp_tuple tuple = {.local_port = 80};
	int64_t wide, exact;

	rig_start(r);
	memcpy(tuple.local, a, 16);
	wide = tcp_listen(r->engine, any, 80, 0, &params);
	cr_assert_eq(tcp_listener_find(r->engine, &tuple), wide);
	exact = tcp_listen(r->engine, a, 80, 0, &params);
	cr_assert_eq(tcp_listener_find(r->engine, &tuple), exact);
	cr_assert_eq(tcp_listen(r->engine, a, 80, 0, &params), -EADDRINUSE);
	tuple.vlan = 7;
	cr_assert_eq(tcp_listener_find(r->engine, &tuple), TCP_NONE);
	cr_assert_geq(tcp_listen(r->engine, a, 80, 7, &params), 0);
	cr_assert_geq(tcp_listen(r->engine, a, 81, 0, &params), 0);
	cr_assert_eq(tcp_listen(r->engine, a, 82, 0, &params), -ENOSPC);
	tuple.vlan = 0;
	tcp_unlisten(r->engine, (tcp_time){r->now_ns}, (uint32_t)exact);
	cr_assert_eq(tcp_listener_find(r->engine, &tuple), wide);
	rig_free(r);
}

Test(tcp_segment, rfc9293_3_9_2_3_addresses)
{
	static const struct {
		uint8_t address[16];
		bool is_host;
	} rows[] = {
	    {{[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, true},
	    {{[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, true},
	    {{[10] = 0xff, [11] = 0xff, 223, 255, 255, 254}, true},
	    {{[10] = 0xff, [11] = 0xff, 224, 0, 0, 1}, false},
	    {{[10] = 0xff, [11] = 0xff, 255, 255, 255, 255}, false},
	    {{[10] = 0xff, [11] = 0xff, 0, 0, 0, 0}, false},
	    {{0}, false},
	    {{0xff, 0x02, [15] = 1}, false},
	    {{0x20, 0x01, [15] = 1}, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(tcp_address_is_host(rows[i].address), rows[i].is_host, "row %zu", i);
}

/* MUST-57, MUST-63: a SYN from or to an address that is no host's is dropped, in silence. MUST-46: an OPEN to
 * one is an error. */
Test(tcp_segment, rfc9293_3_9_2_3_no_host)
{
	static const uint8_t pairs[][2][16] = {
	    {{[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, {[10] = 0xff, [11] = 0xff, 224, 0, 0, 1}},
	    {{[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, {[10] = 0xff, [11] = 0xff, 255, 255, 255, 255}},
	    {{[10] = 0xff, [11] = 0xff, 239, 0, 0, 1}, {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2}},
	};
	static const struct tcp_params params;
	static const uint8_t any[16];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct tcp_tuple tuple = {.local_port = RIG_LOCAL_PORT, .remote_port = RIG_REMOTE_PORT};
		struct rig *r = rig_new();

		r->hosts = pairs[i];
		rig_start(r);
		cr_assert_geq(tcp_listen(r->engine, any, RIG_LOCAL_PORT, 0, &params), 0);
		rig_in(r, TCP_SYN, 0, 0, 0);
		rig_in(r, TCP_ACK, 1, 1, 0);
		cr_assert_eq(r->stats.drop_address, 2);
		memcpy(tuple.local, pairs[i][0], sizeof(tuple.local));
		memcpy(tuple.remote, pairs[i][1], sizeof(tuple.remote));
		cr_assert_eq(tcp_connect(r->engine, (tcp_time){r->now_ns}, &tuple, &params), -EHOSTUNREACH);
		rig_output(r);
		cr_assert_null(rig_next_out(r));
		cr_assert_null(rig_next_event(r));
		rig_free(r);
	}
}

Test(tcp_engine, info_tells_the_congestion_state)
{
	static const char *const names[] = {"open", "cwr", "recovery", "loss"};
	struct rig *r = established();
	struct tcp_info info;

	for (unsigned phase = 0; phase < TCP_PHASE_COUNT; phase++) {
		rig_conn(r)->phase = (uint8_t)phase;
		cr_assert_eq(tcp_info(r->engine, r->conn, &info), 0);
		cr_assert_eq(info.phase, phase);
		cr_assert_str_eq(tcp_phase_name(info.phase), names[phase]);
	}
	rig_conn(r)->phase = TCP_PHASE_COUNT; /* as a damaged record might have it */
	cr_assert_eq(tcp_info(r->engine, r->conn, &info), 0);
	cr_assert_eq(info.phase, TCP_PHASE_OPEN);
	rig_free(r);
}
