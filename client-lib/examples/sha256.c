/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 as FIPS 180-4 sections 5 and 6.2 describe it, nothing more.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "client-lib/examples/sha256.h"

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void compress(uint32_t state[8], const uint8_t *block)
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
	uint32_t w[64];

	for (unsigned t = 0; t < 16; t++) {
		uint32_t word;

		memcpy(&word, block + 4 * t, sizeof(word));
		w[t] = be32toh(word);
	}
	for (unsigned t = 16; t < 64; t++) {
		uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
	/* Eight names, not an array that moves: they stay in registers. */
	for (unsigned t = 0; t < 64; t++) {
		uint32_t s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
		uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + k[t] + w[t];
		uint32_t s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);

		h = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + s0 + ((b & c) ^ (b & d) ^ (c & d));
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

void sha256_init(struct sha256 *sha)
{
	static const uint32_t initial[8] = {
	    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	memcpy(sha->state, initial, sizeof(initial));
	sha->bytes = 0;
}

void sha256_update(struct sha256 *sha, const void *data, size_t len)
{
	const uint8_t *from = data;
	size_t filled = sha->bytes % sizeof(sha->block);

	sha->bytes += len;
	if (filled) {
		size_t part = sizeof(sha->block) - filled;

		if (part > len)
			part = len;
		memcpy(sha->block + filled, from, part);
		if (filled + part < sizeof(sha->block))
			return;
		compress(sha->state, sha->block);
		from += part;
		len -= part;
	}
	for (; len >= sizeof(sha->block); from += sizeof(sha->block), len -= sizeof(sha->block))
		compress(sha->state, from);
	memcpy(sha->block, from, len);
}

void sha256_final_hex(struct sha256 *sha, char hex[SHA256_HEX_CHARS])
{
	static const uint8_t padding[64] = {0x80};
	uint64_t bits = htobe64(sha->bytes * 8);
	size_t filled = sha->bytes % sizeof(sha->block);

	sha256_update(sha, padding, filled < 56 ? 56 - filled : 120 - filled);
	sha256_update(sha, &bits, sizeof(bits));
	for (unsigned i = 0; i < 8; i++)
		snprintf(hex + 8 * i, 9, "%08x", sha->state[i]);
}
