/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash against the published vectors; what is derived from it. */
#include <criterion/criterion.h>
#include <string.h>

#include "tcp/tcp_hash.h"

static const uint8_t key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

Test(tcp_hash, siphash_2_4_vectors)
{
	uint64_t words[2];
	uint8_t bytes[16];

	/* From the reference implementation's table: inputs 00 01 02 ... of 0, 8 and 16 bytes. */
	for (unsigned i = 0; i < 16; i++)
		bytes[i] = (uint8_t)i;
	memcpy(words, bytes, 16);
	cr_assert_eq(tcp_hash_strong(key, words, 0), 0x726fdb47dd0e0e31u);
	cr_assert_eq(tcp_hash_strong(key, words, 1), 0x93f5f5799a932462u);
	cr_assert_eq(tcp_hash_strong(key, words, 2), 0x3f2acc7f57c29bdbu);
}

Test(tcp_hash, rfc6528_3_isn)
{
	struct tcp_tuple a = {.local_port = 80, .remote_port = 1}, b = {.local_port = 80, .remote_port = 2};
	uint32_t first = tcp_hash_isn(key, &a, 1000000000);
	uint8_t other[16] = {1};

	/* One step each 4.096 us for one tuple; another tuple or key is elsewhere. */
	cr_assert_eq(tcp_hash_isn(key, &a, 1000000000 + 4096000) - first, 1000);
	cr_assert_neq(tcp_hash_isn(key, &b, 1000000000), first);
	cr_assert_neq(tcp_hash_isn(other, &a, 1000000000), first);
}

Test(tcp_hash, every_part_of_the_tuple_counts)
{
	struct tcp_tuple t = {.local_port = 80, .remote_port = 1};
	uint32_t first = tcp_hash_tuple(key, &t);

	for (size_t i = 0; i < offsetof(struct tcp_tuple, reserved); i++) {
		((uint8_t *)&t)[i] ^= 1;
		cr_assert_neq(tcp_hash_tuple(key, &t), first, "byte %zu", i);
		((uint8_t *)&t)[i] ^= 1;
	}
}

Test(tcp_hash, every_part_of_an_ipv4_tuple_counts)
{
	struct tcp_tuple t = {.local = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1},
			      .remote = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2},
			      .local_port = 80,
			      .remote_port = 1};
	uint32_t first = tcp_hash_tuple(key, &t);

	for (size_t i = 0; i < offsetof(struct tcp_tuple, reserved); i++) {
		((uint8_t *)&t)[i] ^= 1;
		cr_assert_neq(tcp_hash_tuple(key, &t), first, "byte %zu", i);
		((uint8_t *)&t)[i] ^= 1;
	}
}

Test(tcp_hash, cookie_depends_on_all)
{
	struct tcp_tuple t = {.local_port = 80, .remote_port = 1};
	uint32_t first = tcp_hash_cookie(key, &t, 5, 6);

	cr_assert_neq(tcp_hash_cookie(key, &t, 6, 6), first);
	cr_assert_neq(tcp_hash_cookie(key, &t, 5, 7), first);
	t.remote_port++;
	cr_assert_neq(tcp_hash_cookie(key, &t, 5, 6), first);
}
