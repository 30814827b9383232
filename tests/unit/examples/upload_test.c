/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies with a length and in chunks, whole and byte by byte.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "client-lib/examples/upload.h"

static struct upload upload;

/* Presents at most `piece` bytes at a time, as a connection does. How many were used; -1 as upload_take(). */
static long take(const char *body, size_t piece)
{
	size_t len = strlen(body), done = 0;

	while (!upload.is_complete && done < len) {
		long used = upload_take(&upload, body + done, len - done < piece ? len - done : piece);

		if (used < 0)
			return used;
		cr_assert_gt(used, 0);
		done += (size_t)used;
	}
	return (long)done;
}

static void expect_report(const char *expected)
{
	char text[UPLOAD_REPORT_CHARS];

	cr_assert(upload.is_complete);
	cr_expect_eq(upload_report(&upload, text), strlen(expected));
	cr_expect_str_eq(text, expected);
}

Test(upload, of_a_length)
{
	const struct http_request request = {.has_length = true, .length = 3};

	for (size_t piece = 1; piece <= 9; piece++) {
		upload_begin(&upload, &request, true);
		cr_expect_eq(take("abcGET /", piece), 3); /* the next request is left alone */
		expect_report("bytes 3\nsha256 "
			      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
	}
}

Test(upload, of_no_byte)
{
	const struct http_request request = {.has_length = true};

	upload_begin(&upload, &request, false);
	expect_report("bytes 0\n");
}

Test(upload, in_chunks)
{
	const struct http_request request = {.is_chunked = true};
	const char *body = "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";

	for (size_t piece = 1; piece <= 20; piece++) {
		upload_begin(&upload, &request, true);
		cr_expect_eq(take(body, piece), (long)strlen(body));
		expect_report("bytes 3\nsha256 "
			      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
	}
}

Test(upload, malformed)
{
	const struct http_request request = {.is_chunked = true};

	upload_begin(&upload, &request, false);
	cr_expect_eq(take("1\r\na\r\nx\r\n", 20), -1);
	cr_expect_not(upload.is_complete);
}
