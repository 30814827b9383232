/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and errors as words.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <ix/ix.h>

Test(words, addresses_come_back_as_they_were_read)
{
	static const char *const pairs[][2] = {
	    {"192.0.2.1:80", "192.0.2.1:80"},
	    {"*:7", "0.0.0.0:7"},
	    {":65535", "0.0.0.0:65535"},
	    {"0.0.0.0:1", "0.0.0.0:1"},
	    {"[2001:db8::1]:443", "[2001:db8::1]:443"},
	    {"[::]:9", "0.0.0.0:9"},
	    {"[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char text[IX_ADDR_STRLEN];
		struct ix_addr addr;

		cr_assert_eq(ix_addr_parse(pairs[i][0], &addr), 0, "%s", pairs[i][0]);
		cr_assert_str_eq(ix_addr_format(&addr, text), pairs[i][1]);
	}
}

Test(words, addresses_that_are_none_are_refused)
{
	static const char *const texts[] = {
	    "",
	    "80",
	    "192.0.2.1",
	    "192.0.2.1:",
	    "192.0.2.1:65536",
	    "192.0.2.1:-1",
	    "1.2.3:80",
	    "host:80",
	    "[2001:db8::1]",
	    "[2001:db8::1:80",
	    "[]:80",
	    "192.0.2.1:80x",
	    "[::1]x:80",
	    "192.0.2.1: 8",
	    "2001:db8::1:80",
	    "[1.2.3.4]:80",
	    "1111111111111111111111111111111111111111111111111111111111:80",
	};
	struct ix_addr addr;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_assert_eq(ix_addr_parse(texts[i], &addr), -EINVAL, "%s", texts[i]);
}

Test(words, every_error_and_reason_has_words)
{
	for (int error = -200; error <= 200; error++)
		cr_assert_not_null(ix_strerror(error));
	cr_assert_str_eq(ix_strerror(-EAGAIN), ix_strerror(EAGAIN));
	cr_assert_str_eq(ix_strerror(-100000), "unknown error");
	for (unsigned reason = 0; reason < IX_REASON_COUNT; reason++)
		cr_assert(ix_reason_name(reason) && strcmp(ix_reason_name(reason), "unknown reason"));
	cr_assert_str_eq(ix_reason_name(IX_REASON_COUNT), "unknown reason");
}
