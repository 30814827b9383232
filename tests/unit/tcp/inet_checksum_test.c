/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum against a plain 16-bit sum (RFC 1071 section 4.1). */
#include <criterion/criterion.h>
#include <string.h>

#include "tcp/tcp.h"

static uint16_t plain(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t swapped(uint16_t v)
{
	uint8_t b[2];

	memcpy(b, &v, 2);
	return (uint16_t)(b[0] << 8 | b[1]);
}

Test(inet_checksum, rfc1071_example)
{
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	/* RFC 1071 section 3: the sum is ddf2 */
	cr_assert_eq(swapped(inet_checksum_fold(inet_checksum_add(0, data, 8))), (uint16_t)~0xddf2);
}

Test(inet_checksum, every_length_and_split)
{
	uint8_t data[100], copy[100];

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 151 + 255 * (i % 3));
	for (size_t len = 0; len <= sizeof(data); len++) {
		uint64_t sum;

		cr_assert_eq(swapped(inet_checksum_fold(inet_checksum_add(0, data, len))), plain(data, len));
		memset(copy, 0, sizeof(copy));
		sum = inet_checksum_copy(0, copy, data, len);
		cr_assert_eq(swapped(inet_checksum_fold(sum)), plain(data, len));
		cr_assert_eq(memcmp(copy, data, len), 0);
		for (size_t cut = 0; cut <= len; cut += 2) {
			sum = inet_checksum_add(inet_checksum_add(0, data, cut), data + cut, len - cut);
			cr_assert_eq(swapped(inet_checksum_fold(sum)), plain(data, len));
		}
	}
}

Test(inet_checksum, all_ones_carry)
{
	uint8_t data[64];

	memset(data, 0xff, sizeof(data));
	cr_assert_eq(inet_checksum_fold(inet_checksum_add(UINT64_MAX, data, sizeof(data))), 0);
}

Test(inet_checksum, pseudo_header_ipv4)
{
	static const uint8_t a[16] = {[10] = 0xff, [11] = 0xff, 192, 168, 0, 1};
	static const uint8_t b[16] = {[10] = 0xff, [11] = 0xff, 192, 168, 0, 199};
	static const uint8_t pseudo[12] = {192, 168, 0, 1, 192, 168, 0, 199, 0, 6, 0x12, 0x34};

	cr_assert_eq(swapped(inet_checksum_fold(inet_checksum_pseudo(a, b, 6, 0x1234))), plain(pseudo, 12));
}
