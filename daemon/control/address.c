/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses as text.
 */
#include "daemon/control/address.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_mapped(const uint8_t addr[16])
{
	return memcmp(addr, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

char *address_text(const uint8_t addr[16], char text[ADDRESS_TEXT_SIZE])
{
	static const uint8_t any[16];

	if (memcmp(addr, any, sizeof(any)) == 0)
		memcpy(text, "*", 2);
	else if (is_mapped(addr))
		inet_ntop(AF_INET, addr + sizeof(mapped_prefix), text, ADDRESS_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, addr, text, ADDRESS_TEXT_SIZE);
	return text;
}

char *address_prefix_text(const uint8_t addr[16], unsigned prefix_len, char text[ADDRESS_TEXT_SIZE])
{
	unsigned skipped = is_mapped(addr) && prefix_len >= 96 ? 96 : 0;
	size_t used = strlen(address_text(addr, text));

	snprintf(text + used, ADDRESS_TEXT_SIZE - used, "/%u", prefix_len - skipped);
	return text;
}
