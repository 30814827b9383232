/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071): one's-complement addition does not care about byte order or word size, so
 * it is done in 64-bit words as they lie in memory and folded at the end. */
#include <string.h>

#include "tcp/tcp.h"

static inline uint64_t add(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

static inline uint32_t load_32(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, 4);
	return word;
}

static inline uint64_t load_64(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, 8);
	return word;
}

/* What is left of a part, fewer than 8 bytes, as if zeroes followed. In sizes that are known: a copy of any
 * length would be a call, and reading it back would wait for its bytes. */
static inline uint64_t load_tail(const uint8_t *p, size_t len)
{
	uint64_t word = 0;
	unsigned shift = 0;

	if (len & 4) {
		word = load_32(p);
		p += 4;
		shift = 32;
	}
	if (len & 2) {
		uint16_t half;

		memcpy(&half, p, 2);
		p += 2;
		word |= (uint64_t)half << shift;
		shift += 16;
	}
	if (len & 1) {
		uint8_t last[2] = {*p, 0};
		uint16_t half;

		memcpy(&half, last, 2);
		word |= (uint64_t)half << shift;
	}
	return word;
}

uint64_t inet_checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t other = 0;

	/* Two independent chains of carries keep the adders busy. */
	for (; len >= 16; len -= 16, p += 16) {
		sum = add(sum, load_64(p));
		other = add(other, load_64(p + 8));
	}
	sum = add(sum, other);
	if (len >= 8) {
		sum = add(sum, load_64(p));
		len -= 8;
		p += 8;
	}
	return len > 0 ? add(sum, load_tail(p, len)) : sum;
}

uint64_t inet_checksum_copy(uint64_t sum, void *dst, const void *src, size_t len)
{
	const uint8_t *p = src;
	uint8_t *d = dst;
	uint64_t other = 0;

	for (; len >= 16; len -= 16, p += 16, d += 16) {
		uint64_t a, b;

		memcpy(&a, p, 8);
		memcpy(&b, p + 8, 8);
		memcpy(d, &a, 8);
		memcpy(d + 8, &b, 8);
		sum = add(sum, a);
		other = add(other, b);
	}
	if (len == 0)
		return add(sum, other);
	memcpy(d, p, len);
	/* From the copy, not the source: the source may be changing, and then sum and bytes would differ. */
	return inet_checksum_add(add(sum, other), d, len);
}

uint16_t inet_checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Two bytes of a header as they are loaded from there. */
static inline uint16_t half(uint32_t value)
{
	const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
	uint16_t word;

	memcpy(&word, bytes, 2);
	return word;
}

uint64_t inet_checksum_pseudo(const uint8_t src[16], const uint8_t dst[16], uint8_t protocol, uint32_t len)
{
	static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};
	bool is_ipv4 = memcmp(src, mapped_prefix, 12) == 0 && memcmp(dst, mapped_prefix, 12) == 0;
	/* Zero-padded protocol and length sum to the same in both families. */
	uint64_t sum = (uint64_t)half(len >> 16) + half(len) + half(protocol);

	if (is_ipv4)
		return sum + load_32(src + 12) + load_32(dst + 12);
	sum = inet_checksum_add(sum, src, 16);
	return inet_checksum_add(sum, dst, 16);
}
