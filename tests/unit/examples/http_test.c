/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests as they should be, and as they should not.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/examples/http.h"

static char head[1024];
static struct http_request request;

static int parse(const char *text)
{
	size_t len = strlen(text);

	cr_assert_lt(len, sizeof(head));
	memcpy(head, text, len + 1);
	cr_assert_eq(http_head_length(head, len), len);
	return http_parse(head, len, &request);
}

Test(http, head_is_whole_with_its_empty_line)
{
	cr_assert_eq(http_head_length("GET / HTTP/1.1\r\n\r", 17), 0);
	cr_assert_eq(http_head_length("GET / HTTP/1.1\r\n\r\nmore", 22), 18);
}

Test(http, fields_are_taken)
{
	cr_assert_eq(parse("PUT /a%20b?c=d HTTP/1.1\r\nHOST: x\r\nContent-Length:  12 \r\n"
			   "Expect: 100-continue\r\nRange: bytes=1-2\r\nIf-None-Match: \"e\"\r\n\r\n"),
		     0);
	cr_assert(request.method == HTTP_PUT && request.is_keepalive && request.expects_continue);
	cr_assert(request.has_length && request.length == 12 && !request.is_chunked);
	cr_assert_str_eq(request.path, "/a b");
	cr_assert_str_eq(request.range, "bytes=1-2");
	cr_assert_str_eq(request.if_none_match, "\"e\"");
}

Test(http, connection_decides_about_persistence)
{
	cr_assert_eq(parse("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n"), 0);
	cr_assert_not(request.is_keepalive);
	cr_assert_eq(parse("GET / HTTP/1.0\r\n\r\n"), 0);
	cr_assert_not(request.is_keepalive);
	cr_assert_eq(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	cr_assert(request.is_keepalive);
}

Test(http, absolute_form_is_taken)
{
	cr_assert_eq(parse("GET http://host:80/path HTTP/1.1\r\nHost: host\r\n\r\n"), 0);
	cr_assert_str_eq(request.path, "/path");
}

Test(http, bad_requests_are_refused)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
	    {400, "\r\n\r\n"},
	    {400, "GET\r\n\r\n"},
	    {400, "GET /\r\n\r\n"},
	    {400, " / HTTP/1.1\r\nHost: x\r\n\r\n"},
	    {400, "GET path HTTP/1.1\r\nHost: x\r\n\r\n"},
	    {400, "GET /%0 HTTP/1.1\r\nHost: x\r\n\r\n"},
	    {400, "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"},
	    {400, "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n"},
	    {400, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
	    {400, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"},
	    {400, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n"},
	    {400, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"},
	    {400, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
	    {417, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n"},
	    {501, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
	    {505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(parse(rows[i].text), rows[i].status, "%s", rows[i].text);
}

Test(http, ranges)
{
	static const struct {
		const char *range;
		int status;
		uint64_t first, count;
	} rows[] = {
	    {"bytes=0-0", 206, 0, 1},       {"bytes=10-19", 206, 10, 10}, {"bytes=90-", 206, 90, 10},
	    {"bytes=90-1000", 206, 90, 10}, {"bytes=-5", 206, 95, 5},     {"bytes=-500", 206, 0, 100},
	    {"bytes=100-", 416, 0, 0},      {"bytes=-0", 416, 0, 0},      {"bytes=5-4", 200, 0, 0},
	    {"bytes=0-1,3-4", 200, 0, 0},   {"lines=0-1", 200, 0, 0},     {"bytes=x-", 200, 0, 0},
	    {"bytes=", 200, 0, 0},          {"bytes=1", 200, 0, 0},       {"bytes=1-2x", 200, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t first = 0, count = 0;
		int status = http_range(rows[i].range, 100, &first, &count);

		cr_assert_eq(status, rows[i].status, "%s", rows[i].range);
		cr_assert(status != 206 || (first == rows[i].first && count == rows[i].count), "%s",
			  rows[i].range);
	}
}

Test(http, what_of_a_file_is_sent)
{
	static const struct {
		const char *range, *if_range, *none_match, *since;
		int status;
		uint64_t first, count;
	} rows[] = {
	    {NULL, NULL, NULL, NULL, 200, 0, 100},
	    {"bytes=10-19", NULL, NULL, NULL, 206, 10, 10},
	    {"bytes=10-19", "\"a\"", NULL, NULL, 206, 10, 10},
	    {"bytes=10-19", "\"b\"", NULL, NULL, 200, 0, 100},
	    {"bytes=10-19", "Sun, 06 Nov 1994 08:49:37 GMT", NULL, NULL, 206, 10, 10},
	    {"bytes=10-nine", NULL, NULL, NULL, 200, 0, 100},
	    {"bytes=100-", NULL, NULL, NULL, 416, 0, 100},
	    {"bytes=10-19", NULL, "\"a\"", NULL, 304, 0, 100},
	    {NULL, NULL, NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 304, 0, 100},
	    {NULL, NULL, NULL, "Sun, 06 Nov 1994 08:49:36 GMT", 200, 0, 100},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request asked = {
		    .range = rows[i].range,
		    .if_range = rows[i].if_range,
		    .if_none_match = rows[i].none_match,
		    .if_modified_since = rows[i].since,
		};
		uint64_t first = 7, count = 100;

		asked.method = HTTP_GET;
		cr_expect_eq(http_select(&asked, "\"a\"", 784111777, &first, &count), rows[i].status,
			     "row %zu", i);
		cr_expect(first == rows[i].first && count == rows[i].count, "row %zu", i);
	}
}

Test(http, entity_tags_and_dates)
{
	char text[HTTP_DATE_CHARS];

	cr_assert(http_etag_matches("*", "\"a\""));
	cr_assert(http_etag_matches("\"b\", W/\"a\"", "\"a\""));
	cr_assert_not(http_etag_matches("\"b\"", "\"a\""));
	cr_assert_str_eq(http_date(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT");
	cr_assert_eq(http_date_parse(text), 784111777);
	cr_assert_eq(http_date_parse("yesterday"), -1);
}

/* Takes a chunked body apart, `piece` bytes at a time. Returns its length, or -1; out gets the body. */
static long unchunk(const char *body, size_t piece, char *out, size_t *left_over)
{
	struct http_chunks chunks = {0};
	size_t len = strlen(body), at = 0, got = 0;
	bool is_end = false;

	while (at < len && !is_end) {
		const char *data;
		size_t data_len, part = len - at < piece ? len - at : piece;
		long used = http_chunks_next(&chunks, body + at, part, &data, &data_len, &is_end);

		if (used < 0)
			return -1;
		memcpy(out + got, data_len ? data : "", data_len);
		got += data_len;
		at += (size_t)used;
	}
	out[got] = 0;
	*left_over = len - at;
	return is_end ? (long)got : -2;
}

Test(http, chunks_in_pieces_of_every_size)
{
	static const char body[] =
	    "5\r\nhello\r\n1;ext=1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nnext";
	size_t left_over;
	char out[128];

	for (size_t piece = 1; piece <= sizeof(body); piece++) {
		cr_assert_eq(unchunk(body, piece, out, &left_over), 16, "%zu", piece);
		cr_assert_str_eq(out, "hello 0123456789");
		cr_assert_eq(left_over, 4, "%zu", piece);
	}
}

Test(http, malformed_chunks_are_refused)
{
	static const char *const bodies[] = {
	    "x\r\n", "\r\n", "5\r\nhelloX", "fffffffffffffffff\r\n", "-1\r\n", "5 5 5 5 5\n5\nhello\nx",
	};
	size_t left_over;
	char out[128], line[512];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		cr_assert_eq(unchunk(bodies[i], 100, out, &left_over), -1, "%s", bodies[i]);
	memset(line, 'a', sizeof(line));
	line[0] = '1';
	line[1] = ';';
	line[sizeof(line) - 1] = 0;
	cr_assert_eq(unchunk(line, 512, out, &left_over), -1, "an endless extension");
}
