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

/* What is left of a part, as if zeroes followed. */
static inline uint64_t load_tail(const uint8_t *p, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, p, len);
	return word;
}

uint64_t inet_checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t other = 0;

	/* Two independent chains of carries keep the adders busy. */
	for (; len >= 16; len -= 16, p += 16) {
		uint64_t a, b;

		memcpy(&a, p, 8);
		memcpy(&b, p + 8, 8);
		sum = add(sum, a);
		other = add(other, b);
	}
	sum = add(sum, other);
	for (; len >= 8; len -= 8, p += 8)
		sum = add(sum, load_tail(p, 8));
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

uint64_t inet_checksum_pseudo(const uint8_t src[16], const uint8_t dst[16], uint8_t protocol, uint32_t len)
{
	static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};
	bool is_ipv4 = memcmp(src, mapped_prefix, 12) == 0 && memcmp(dst, mapped_prefix, 12) == 0;
	size_t skip = is_ipv4 ? 12 : 0;
	/* Zero-padded protocol and length sum to the same in both families. */
	uint8_t rest[8] = {
	    (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 0, 0, 0, protocol};
	uint64_t sum = inet_checksum_add(0, src + skip, 16 - skip);

	sum = inet_checksum_add(sum, dst + skip, 16 - skip);
	return inet_checksum_add(sum, rest, sizeof(rest));
}
