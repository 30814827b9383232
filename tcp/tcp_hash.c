/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash (Aumasson, Bernstein 2012) over whole words, and what the engine derives from it. */
#include "tcp/tcp_hash.h"

#include <string.h>

#define TUPLE_WORDS (sizeof(struct tcp_tuple) / 8)

_Static_assert(sizeof(struct tcp_tuple) % 8 == 0, "hashed as whole words");

static const uint8_t mapped_marker[4] = {0, 0, 0xff, 0xff}; /* bytes 8 to 11 of ::ffff:a.b.c.d */

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline uint64_t sip_hash(const uint8_t key[16], const uint64_t *words, unsigned count,
				unsigned c_rounds, unsigned d_rounds)
{
	uint64_t k0, k1;
	struct sip s;

	memcpy(&k0, key, 8);
	memcpy(&k1, key + 8, 8);
	s.v0 = k0 ^ 0x736f6d6570736575u;
	s.v1 = k1 ^ 0x646f72616e646f6du;
	s.v2 = k0 ^ 0x6c7967656e657261u;
	s.v3 = k1 ^ 0x7465646279746573u;
	for (unsigned i = 0; i <= count; i++) {
		/* The last word holds the length in its top byte, as the definition asks. */
		uint64_t m = i < count ? words[i] : (uint64_t)(count * 8) << 56;

		s.v3 ^= m;
		for (unsigned r = 0; r < c_rounds; r++)
			sip_round(&s);
		s.v0 ^= m;
	}
	s.v2 ^= 0xff;
	for (unsigned r = 0; r < d_rounds; r++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t tcp_hash_fast(const uint8_t key[16], const uint64_t *words, unsigned count)
{
	return sip_hash(key, words, count, 1, 3);
}

uint64_t tcp_hash_strong(const uint8_t key[16], const uint64_t *words, unsigned count)
{
	return sip_hash(key, words, count, 2, 4);
}

uint32_t tcp_hash_tuple(const uint8_t key[16], const struct tcp_tuple *tuple)
{
	uint64_t words[TUPLE_WORDS];

	memcpy(words, tuple, sizeof(words));
	/* Two mapped IPv4 addresses say all in their last four bytes; the length that goes into the hash
	 * keeps the two forms apart. */
	if (words[0] == 0 && words[2] == 0 && memcmp(tuple->local + 8, mapped_marker, 4) == 0 &&
	    memcmp(tuple->remote + 8, mapped_marker, 4) == 0) {
		memcpy(words, tuple->local + 12, 4);
		memcpy((uint8_t *)words + 4, tuple->remote + 12, 4);
		words[1] = words[4];
		return (uint32_t)tcp_hash_fast(key, words, 2);
	}
	return (uint32_t)tcp_hash_fast(key, words, TUPLE_WORDS);
}

uint32_t tcp_hash_isn(const uint8_t key[16], const struct tcp_tuple *tuple, uint64_t now_ns)
{
	uint64_t words[TUPLE_WORDS];

	memcpy(words, tuple, sizeof(words));
	return (uint32_t)tcp_hash_strong(key, words, TUPLE_WORDS) + (uint32_t)(now_ns >> 12);
}

uint32_t tcp_hash_ts_offset(const uint8_t key[16], const struct tcp_tuple *tuple)
{
	uint64_t words[TUPLE_WORDS];

	memcpy(words, tuple, sizeof(words));
	return (uint32_t)tcp_hash_strong(key, words, TUPLE_WORDS);
}

uint32_t tcp_hash_cookie(const uint8_t key[16], const struct tcp_tuple *tuple, uint32_t irs, uint32_t data)
{
	uint64_t words[TUPLE_WORDS + 1];

	memcpy(words, tuple, sizeof(*tuple));
	words[TUPLE_WORDS] = (uint64_t)irs << 32 | data;
	return (uint32_t)tcp_hash_strong(key, words, TUPLE_WORDS + 1);
}
