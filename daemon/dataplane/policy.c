/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matching an address and port against a client's rules.
 */
#include "daemon/dataplane/policy.h"

#include <string.h>

static bool prefix_matches(const uint8_t addr[16], const uint8_t prefix[16], unsigned prefix_len)
{
	unsigned bytes = prefix_len / 8, bits = prefix_len % 8;

	if (memcmp(addr, prefix, bytes) != 0)
		return false;
	return !bits || ((addr[bytes] ^ prefix[bytes]) & (0xffu << (8 - bits)) & 0xffu) == 0;
}

bool policy_may_connect(const struct client_policy *policy, const uint8_t remote[16], uint16_t port)
{
	for (uint32_t i = 0; i < policy->rules_count && i < IXD_RULES_MAX; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->prefix_len <= 128 && port >= rule->port_first && port <= rule->port_last &&
		    prefix_matches(remote, rule->addr, rule->prefix_len))
			return rule->is_allow;
	}
	return false;
}
