/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 against the examples of FIPS 180-4's companion, whole and in pieces of every size.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "client-lib/examples/sha256.h"

static const char *sum(const char *text, size_t piece)
{
	static char hex[SHA256_HEX_CHARS];
	size_t len = strlen(text);
	struct sha256 sha;

	sha256_init(&sha);
	for (size_t at = 0; at < len; at += piece)
		sha256_update(&sha, text + at, len - at < piece ? len - at : piece);
	sha256_final_hex(&sha, hex);
	return hex;
}

Test(sha256, known_sums)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

	cr_assert_str_eq(sum("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	cr_assert_str_eq(sum("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	for (size_t piece = 1; piece <= sizeof(two_blocks); piece++)
		cr_assert_str_eq(sum(two_blocks, piece),
				 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

Test(sha256, a_million_letters)
{
	static char text[1000001];

	memset(text, 'a', 1000000);
	cr_assert_str_eq(sum(text, 999), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
