/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of ports in the text form of the kernel's sysctls: "22,80-90".
 */
#ifndef DAEMON_SUPERVISOR_PORT_SET_H
#define DAEMON_SUPERVISOR_PORT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_set {
	uint64_t word[65536 / 64];
};

/* 0 or -EINVAL. Empty text is the empty set. */
int port_set_parse(struct port_set *set, const char *text);
/* From malloc(); NULL without memory. */
char *port_set_print(const struct port_set *set);
static inline bool port_set_has(const struct port_set *set, uint32_t port)
{
	return (set->word[port / 64] >> (port % 64) & 1) != 0;
}
static inline void port_set_put(struct port_set *set, uint32_t port, bool is_in)
{
	uint64_t bit = 1ull << (port % 64);

	set->word[port / 64] = is_in ? set->word[port / 64] | bit : set->word[port / 64] & ~bit;
}

#endif
