/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hierarchical timer wheel: one entry per connection, 16.384 us per tick, nine levels of 64 slots, which
 * cover the whole range of a 64-bit nanosecond clock. An entry on level L agrees with the wheel's clock in
 * all digits (base 64) above L and is ahead in digit L; so the lowest level that has an entry holds the
 * earliest.
 */
#ifndef TCP_TCP_WHEEL_H
#define TCP_TCP_WHEEL_H

#include "tcp/tcp.h"

struct tcp_engine;

#define TCP_WHEEL_SHIFT  14 /* 2^14 ns per tick */
#define TCP_WHEEL_LEVELS 9
#define TCP_WHEEL_SLOTS  64
#define TCP_WHEEL_NONE   UINT16_MAX

struct tcp_wheel {
	uint64_t tick; /* all entries are later than this */
	uint64_t used[TCP_WHEEL_LEVELS];
	uint32_t heads[TCP_WHEEL_LEVELS * TCP_WHEEL_SLOTS];
};

void tcp_wheel_init(struct tcp_engine *e);
/* Makes the connection's entry fire at deadline_ns or up to a tick later; an entry that would fire earlier
 * is left as it is (the expiry finds nothing due and arms again). deadline_ns 0 leaves everything. */
void tcp_wheel_arm(struct tcp_engine *e, uint32_t conn, uint64_t deadline_ns);
void tcp_wheel_disarm(struct tcp_engine *e, uint32_t conn);
/* Takes one entry that is due by e->now_ns off the wheel; TCP_NONE when there is none. */
uint32_t tcp_wheel_pop(struct tcp_engine *e);
/* When tcp_wheel_pop() may return something; may be early, never late; 0 when nothing is armed. */
uint64_t tcp_wheel_next_ns(const struct tcp_engine *e);

#endif
