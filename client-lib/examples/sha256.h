/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 (FIPS 180-4), for the examples' uploads.
 */
#ifndef IX_EXAMPLES_SHA256_H
#define IX_EXAMPLES_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES     32
#define SHA256_HEX_CHARS 65 /* with the zero byte */

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *data, size_t len);
/* Ends the sum and writes it as text. */
void sha256_final_hex(struct sha256 *sha, char hex[SHA256_HEX_CHARS]);

#endif
