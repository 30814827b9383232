/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection table. */
#include "tcp/tcp_table.h"

#include <string.h>

#include "tcp/tcp_engine.h"

uint32_t tcp_table_slots(const struct tcp_limits *limits)
{
	uint64_t records = (uint64_t)limits->conns + limits->time_waits;
	uint64_t need = records + records / 2 + 1;
	uint32_t slots = 64;

	while (slots < need)
		slots *= 2;
	return slots;
}

static const struct tcp_tuple *tuple_of(const struct tcp_engine *e, uint32_t id)
{
	if (id < e->limits.conns)
		return &e->conns[id].tuple;
	return &e->time_waits[id - e->limits.conns].tuple;
}

/* All but `reserved`, which a TIME_WAIT record uses as its mark. */
static bool tuples_equal(const struct tcp_tuple *a, const struct tcp_tuple *b)
{
	return memcmp(a, b, offsetof(struct tcp_tuple, reserved)) == 0;
}

uint32_t tcp_table_find(const struct tcp_engine *e, const struct tcp_tuple *tuple, uint32_t hash)
{
	const struct tcp_table *t = &e->table;

	for (uint32_t i = hash & t->mask; t->slots[i].id_plus_1 != 0; i = (i + 1) & t->mask) {
		uint32_t id = t->slots[i].id_plus_1 - 1;

		if (t->slots[i].hash == hash && tuples_equal(tuple_of(e, id), tuple))
			return id;
	}
	return TCP_NONE;
}

void tcp_table_insert(struct tcp_engine *e, uint32_t hash, uint32_t id)
{
	struct tcp_table *t = &e->table;
	uint32_t i = hash & t->mask;

	while (t->slots[i].id_plus_1 != 0)
		i = (i + 1) & t->mask;
	t->slots[i].hash = hash;
	t->slots[i].id_plus_1 = id + 1;
}

void tcp_table_remove(struct tcp_engine *e, uint32_t hash, uint32_t id)
{
	struct tcp_table *t = &e->table;
	uint32_t hole = hash & t->mask;

	while (t->slots[hole].id_plus_1 != id + 1) {
		if (t->slots[hole].id_plus_1 == 0)
			return;
		hole = (hole + 1) & t->mask;
	}
	for (uint32_t i = (hole + 1) & t->mask; t->slots[i].id_plus_1 != 0; i = (i + 1) & t->mask) {
		uint32_t home = t->slots[i].hash & t->mask;

		/* An entry may fill the hole when the hole lies on its way from home to where it is. */
		if (((i - home) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole].id_plus_1 = 0;
}
