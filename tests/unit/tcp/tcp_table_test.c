/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection table against a plain list, with hashes that collide. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tcp/rig.h"

Test(tcp_table, random_insert_remove_find)
{
	enum { N = 200 };
	struct tcp_limits limits = {.conns = N, .time_waits = 0};
	struct tcp_engine *e = calloc(1, sizeof(*e));
	bool is_in[N] = {false};

	e->limits = limits;
	e->conns = calloc(N, sizeof(*e->conns));
	e->table.mask = tcp_table_slots(&limits) - 1;
	e->table.slots = calloc(e->table.mask + 1, sizeof(*e->table.slots));
	cr_assert_geq(e->table.mask + 1, 2 * N);
	for (uint32_t i = 0; i < N; i++)
		e->conns[i].tuple.remote_port = (uint16_t)(i + 1);
	srand(7);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand() % N;
		uint32_t hash = (i % 5) * 17 + (i % 3) * 0x40000000u; /* many homes coincide */

		if (is_in[i])
			tcp_table_remove(e, hash, i);
		else
			tcp_table_insert(e, hash, i);
		is_in[i] = !is_in[i];
		i = (uint32_t)rand() % N;
		hash = (i % 5) * 17 + (i % 3) * 0x40000000u;
		cr_assert_eq(tcp_table_find(e, &e->conns[i].tuple, hash), is_in[i] ? i : TCP_NONE);
	}
	free(e->table.slots);
	free(e->conns);
	free(e);
}

Test(tcp_table, engine_sizes)
{
	struct tcp_limits limits = {.conns = 250000,
				    .listeners = 64,
				    .syn_backlog = 4096,
				    .time_waits = 65536,
				    .sent_records = 65536,
				    .ooo_records = 65536};

	cr_assert_leq(sizeof(struct tcp_conn), 512);
	cr_assert_leq(sizeof(struct tcp_time_wait), 64);
	cr_assert_gt(tcp_surviving_size(&limits), 250000 * sizeof(struct tcp_conn));
	cr_assert_gt(tcp_volatile_size(&limits), 0);
	limits.conns = 0;
	cr_assert_eq(tcp_surviving_size(&limits), 0);
	limits.conns = UINT32_MAX;
	cr_assert_eq(tcp_volatile_size(&limits), 0);
}
