/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-1-3 of a key (Aumasson, Bernstein: SipHash, a fast short-input PRF). Keyed, because peers choose
 * the keys and must not be able to choose the buckets.
 */
#ifndef IX_EXAMPLES_KV_HASH_H
#define IX_EXAMPLES_KV_HASH_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

struct kv_sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t kv_rotl(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void kv_sip_round(struct kv_sip *sip)
{
	sip->v0 += sip->v1;
	sip->v2 += sip->v3;
	sip->v1 = kv_rotl(sip->v1, 13) ^ sip->v0;
	sip->v3 = kv_rotl(sip->v3, 16) ^ sip->v2;
	sip->v0 = kv_rotl(sip->v0, 32);
	sip->v2 += sip->v1;
	sip->v0 += sip->v3;
	sip->v1 = kv_rotl(sip->v1, 17) ^ sip->v2;
	sip->v3 = kv_rotl(sip->v3, 21) ^ sip->v0;
	sip->v2 = kv_rotl(sip->v2, 32);
}

static inline void kv_sip_word(struct kv_sip *sip, uint64_t word)
{
	sip->v3 ^= word;
	kv_sip_round(sip);
	sip->v0 ^= word;
}

static inline uint64_t kv_hash(const uint64_t key[2], const uint8_t *bytes, uint32_t len)
{
	struct kv_sip sip = {
	    .v0 = key[0] ^ UINT64_C(0x736f6d6570736575),
	    .v1 = key[1] ^ UINT64_C(0x646f72616e646f6d),
	    .v2 = key[0] ^ UINT64_C(0x6c7967656e657261),
	    .v3 = key[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word, last = (uint64_t)len << 56;
	uint32_t at = 0;

	for (; at + 8 <= len; at += 8) {
		memcpy(&word, bytes + at, 8);
		kv_sip_word(&sip, le64toh(word));
	}
	for (unsigned shift = 0; at < len; at++, shift += 8)
		last |= (uint64_t)bytes[at] << shift;
	kv_sip_word(&sip, last);
	sip.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		kv_sip_round(&sip);
	return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

#endif
