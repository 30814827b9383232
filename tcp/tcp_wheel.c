/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer wheel. */
#include "tcp/tcp_wheel.h"

#include "tcp/tcp_engine.h"

#define DIGIT_BITS 6

void tcp_wheel_init(struct tcp_engine *e)
{
	struct tcp_wheel *w = &e->wheel;

	w->tick = e->now_ns >> TCP_WHEEL_SHIFT;
	for (unsigned i = 0; i < TCP_WHEEL_LEVELS; i++)
		w->used[i] = 0;
	for (unsigned i = 0; i < TCP_WHEEL_LEVELS * TCP_WHEEL_SLOTS; i++)
		w->heads[i] = TCP_NONE;
}

static void unlink_entry(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_wheel *w = &e->wheel;
	struct tcp_links *l = &e->links[conn];
	unsigned slot = l->wheel_slot;

	if (l->wheel_prev != TCP_NONE)
		e->links[l->wheel_prev].wheel_next = l->wheel_next;
	else
		w->heads[slot] = l->wheel_next;
	if (l->wheel_next != TCP_NONE)
		e->links[l->wheel_next].wheel_prev = l->wheel_prev;
	if (w->heads[slot] == TCP_NONE)
		w->used[slot / TCP_WHEEL_SLOTS] &= ~(UINT64_C(1) << slot % TCP_WHEEL_SLOTS);
	l->wheel_slot = TCP_WHEEL_NONE;
}

/* `at` is never before the wheel's clock; equal to it only while a slot is spread over lower levels. */
static void link_entry(struct tcp_engine *e, uint32_t conn, uint64_t at)
{
	struct tcp_wheel *w = &e->wheel;
	struct tcp_links *l = &e->links[conn];
	unsigned level = (63 - (unsigned)__builtin_clzll((at ^ w->tick) | 1)) / DIGIT_BITS;
	unsigned digit = (unsigned)(at >> (level * DIGIT_BITS)) % TCP_WHEEL_SLOTS;
	unsigned slot = level * TCP_WHEEL_SLOTS + digit;

	l->wheel_tick = at;
	l->wheel_slot = (uint16_t)slot;
	l->wheel_prev = TCP_NONE;
	l->wheel_next = w->heads[slot];
	if (l->wheel_next != TCP_NONE)
		e->links[l->wheel_next].wheel_prev = conn;
	w->heads[slot] = conn;
	w->used[level] |= UINT64_C(1) << digit;
}

void tcp_wheel_arm(struct tcp_engine *e, uint32_t conn, uint64_t deadline_ns)
{
	struct tcp_links *l = &e->links[conn];
	uint64_t at;

	if (deadline_ns == 0)
		return;
	at = (deadline_ns + (1u << TCP_WHEEL_SHIFT) - 1) >> TCP_WHEEL_SHIFT;
	if (at <= e->wheel.tick)
		at = e->wheel.tick + 1;
	if (l->wheel_slot != TCP_WHEEL_NONE) {
		if (l->wheel_tick <= at)
			return;
		unlink_entry(e, conn);
	}
	link_entry(e, conn, at);
}

void tcp_wheel_disarm(struct tcp_engine *e, uint32_t conn)
{
	if (e->links[conn].wheel_slot != TCP_WHEEL_NONE)
		unlink_entry(e, conn);
}

/* The earliest slot that holds entries: its first tick and its number. False when the wheel is empty. */
static bool find_earliest(const struct tcp_wheel *w, uint64_t *tick, unsigned *slot)
{
	for (unsigned level = 0; level < TCP_WHEEL_LEVELS; level++) {
		unsigned shift = level * DIGIT_BITS;
		unsigned digit;

		if (w->used[level] == 0)
			continue;
		digit = (unsigned)__builtin_ctzll(w->used[level]);
		*tick = ((w->tick >> shift & ~UINT64_C(63)) | digit) << shift;
		*slot = level * TCP_WHEEL_SLOTS + digit;
		return true;
	}
	return false;
}

uint32_t tcp_wheel_pop(struct tcp_engine *e)
{
	struct tcp_wheel *w = &e->wheel;
	uint64_t now_tick = e->now_ns >> TCP_WHEEL_SHIFT;
	uint64_t tick;
	unsigned slot;

	while (find_earliest(w, &tick, &slot) && tick <= now_tick) {
		uint32_t conn = w->heads[slot];

		w->tick = tick;
		if (slot < TCP_WHEEL_SLOTS) {
			unlink_entry(e, conn);
			return conn;
		}
		/* The clock has reached a slot of a higher level: its entries now differ from the clock only
		 * in lower digits and move there. */
		while (conn != TCP_NONE) {
			uint32_t next = e->links[conn].wheel_next;

			unlink_entry(e, conn);
			link_entry(e, conn, e->links[conn].wheel_tick);
			conn = next;
		}
	}
	/* Nothing lies between the clock and now, so every entry keeps its level when the clock jumps. */
	if (now_tick > w->tick)
		w->tick = now_tick;
	return TCP_NONE;
}

uint64_t tcp_wheel_next_ns(const struct tcp_engine *e)
{
	uint64_t tick;
	unsigned slot;

	if (!find_earliest(&e->wheel, &tick, &slot))
		return 0;
	return tick << TCP_WHEEL_SHIFT;
}
