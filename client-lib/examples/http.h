/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of HTTP/1.1 (RFC 9110, 9112) that a server of static files needs: request heads, ranges, dates,
 * and chunked bodies. Works on memory alone.
 */
#ifndef IX_EXAMPLES_HTTP_H
#define IX_EXAMPLES_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define HTTP_HEAD_MAX_BYTES 8192
#define HTTP_DATE_CHARS     32

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_OTHER };

/* A request's head. The texts lie in the memory that was parsed, and are null where the field is missing. */
struct http_request {
	enum http_method method;
	const char *path; /* decoded, without the query; begins with '/' */
	bool is_keepalive;
	bool is_chunked;
	bool has_length;
	bool expects_continue;
	uint64_t length;
	const char *range, *if_range, *if_none_match, *if_modified_since;
	bool has_host;
	bool is_1_0;
};

/* The length of the head at the beginning of `len` bytes, its empty line included; 0 while it is not whole.
 */
size_t http_head_length(const char *bytes, size_t len);

/* Parses a whole head in place, writing into it. 0, or the status with which to refuse: 400, 417, 501, 505.
 */
int http_parse(char *head, size_t len, struct http_request *request);

/* A `Range` of one part, for a body of `size` bytes. 206 with *first and *count; 416; or 200 when the whole
 * shall be sent, as for several parts. */
int http_range(const char *range, uint64_t size, uint64_t *first, uint64_t *count);

/* Whether an entity tag is in a list like that of If-None-Match. */
bool http_etag_matches(const char *list, const char *etag);

/* What a GET or HEAD of a file of *count bytes with this entity tag and time of change is answered with: 304,
 * when the client's copy is still right (RFC 9110 section 13.2.2), or as http_range(); *first and *count are
 * a part of the file with 206 only. */
int http_select(const struct http_request *request, const char *etag, time_t modified, uint64_t *first,
		uint64_t *count);

/* A date in the one form that may be sent. Returns text. */
const char *http_date(time_t when, char text[HTTP_DATE_CHARS]);
/* Reads that form; -1 for any other. */
time_t http_date_parse(const char *text);

/* The words that go with a status, and the media type that goes with a file name. */
const char *http_status_words(int status);
const char *http_media_type(const char *path);

/* A chunked body, taken apart piece by piece. */
struct http_chunks {
	int state;
	uint64_t left; /* of this chunk's data */
	unsigned line_bytes;
};

/* Looks at `len` bytes. Returns how many of them are done with; *data and *data_len are the one run of body
 * bytes among them. *is_end: the body is over. -1: it is malformed. */
long http_chunks_next(struct http_chunks *chunks, const char *bytes, size_t len, const char **data,
		      size_t *data_len, bool *is_end);

#endif
