/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Toeplitz hash by table. The definition: for each bit of the input that is set, counted from the most
 * significant bit of the first byte, the 32 bits of the key that begin at the same position are XORed in. The
 * hash is linear, so that a byte's contribution depends on its position and value alone.
 */
#include "daemon/common/toeplitz.h"

#include <stdbool.h>
#include <string.h>

#include "bpf/toeplitz.h"

_Static_assert(IXD_TOEPLITZ_INPUT_MAX * 8 + 32 <= IXD_TOEPLITZ_KEY_BYTES * 8, "the key covers the input");

/* The 32 bits of the key that begin at bit. */
static uint32_t key_window(const uint8_t *key, unsigned bit)
{
	uint64_t window = 0;

	for (unsigned i = 0; i < 5; i++) {
		unsigned byte = bit / 8 + i;

		window = window << 8 | (byte < IXD_TOEPLITZ_KEY_BYTES ? key[byte] : 0);
	}
	return (uint32_t)(window >> (8 - bit % 8));
}

void ixd_toeplitz_table(const uint8_t key[IXD_TOEPLITZ_KEY_BYTES], struct ixd_toeplitz *out)
{
	for (unsigned position = 0; position < IXD_TOEPLITZ_INPUT_MAX; position++)
		for (unsigned value = 0; value < 256; value++) {
			uint32_t sum = 0;

			for (unsigned bit = 0; bit < 8; bit++)
				if ((value & (0x80u >> bit)) != 0)
					sum ^= key_window(key, position * 8 + bit);
			out->table[position][value] = sum;
		}
}

static bool addr_is_mapped(const uint8_t *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

uint32_t ixd_toeplitz_tuple(const struct ixd_toeplitz *table, const uint8_t remote[16],
			    const uint8_t local[16], uint16_t remote_port, uint16_t local_port)
{
	const uint8_t ports[4] = {(uint8_t)(remote_port >> 8), (uint8_t)remote_port,
				  (uint8_t)(local_port >> 8), (uint8_t)local_port};
	uint8_t input[IXD_TOEPLITZ_INPUT_V6];

	if (addr_is_mapped(remote) && addr_is_mapped(local)) {
		memcpy(input, remote + 12, 4);
		memcpy(input + 4, local + 12, 4);
		memcpy(input + 8, ports, 4);
		return ixd_toeplitz_bytes(table, input, IXD_TOEPLITZ_INPUT_V4);
	}
	memcpy(input, remote, 16);
	memcpy(input + 16, local, 16);
	memcpy(input + 32, ports, 4);
	return ixd_toeplitz_bytes(table, input, IXD_TOEPLITZ_INPUT_V6);
}
