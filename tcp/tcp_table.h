/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection table: tuple -> record number, open addressing with linear probing at two thirds of load at
 * most; eight slots share a cache line, so that even then a search rarely needs a second one. Deletion shifts
 * entries back, so there are no tombstones and the table never needs cleaning.
 */
#ifndef TCP_TCP_TABLE_H
#define TCP_TCP_TABLE_H

#include "tcp/tcp.h"

struct tcp_engine;

struct tcp_table_slot {
	uint32_t hash;
	uint32_t id_plus_1; /* 0: empty. Connections first, TIME_WAIT records after them */
};

struct tcp_table {
	struct tcp_table_slot *slots;
	uint32_t mask;
};

/* Slots for so many records: a power of two, more than one and a half times as many. */
uint32_t tcp_table_slots(const struct tcp_limits *limits);

/* The id of the record with this tuple (connection < limits.conns <= TIME_WAIT), or TCP_NONE. */
uint32_t tcp_table_find(const struct tcp_engine *e, const struct tcp_tuple *tuple, uint32_t hash);
void tcp_table_insert(struct tcp_engine *e, uint32_t hash, uint32_t id);
void tcp_table_remove(struct tcp_engine *e, uint32_t hash, uint32_t id);

#endif
