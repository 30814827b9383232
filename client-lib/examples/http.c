/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Request heads, ranges, dates and chunks.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client-lib/examples/http.h"

#define CHUNK_LINE_MAX 256u

size_t http_head_length(const char *bytes, size_t len)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);

	return end ? (size_t)(end - bytes) + 4 : 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX in place. False for a malformed code or a zero byte, which would cut the path short. */
static bool decode_path(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || !(high | low))
			return false;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = 0;
	return true;
}

static enum http_method method_of(const char *name)
{
	static const char *const names[] = {"GET", "HEAD", "PUT", "POST"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return (enum http_method)i;
	return HTTP_OTHER;
}

/* "METHOD SP target SP HTTP/1.x" */
static int parse_request_line(char *line, struct http_request *request)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
	char *authority, *query;

	if (!version || target == line)
		return 400;
	*target++ = 0;
	*version++ = 0;
	if (strncmp(version, "HTTP/", 5) != 0)
		return 400;
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return 505;
	request->is_1_0 = version[7] == '0';
	request->is_keepalive = !request->is_1_0;
	request->method = method_of(line);
	/* The absolute form, which every server must take (RFC 9112 section 3.2.2). */
	if (!strncasecmp(target, "http://", 7)) {
		authority = target + 7;
		target = strchr(authority, '/');
		if (!target)
			return 400;
	}
	if (*target != '/')
		return 400;
	query = strpbrk(target, "?#");
	if (query)
		*query = 0;
	if (!decode_path(target))
		return 400;
	request->path = target;
	return 0;
}

static bool parse_u64(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && !*end;
}

/* Whether a comma-separated list has this token. */
static bool list_has(const char *list, const char *token)
{
	size_t len = strlen(token);

	while (*list) {
		const char *end;

		list += strspn(list, " \t,");
		end = list + strcspn(list, " \t,;");
		if ((size_t)(end - list) == len && !strncasecmp(list, token, len))
			return true;
		list = end + strcspn(end, ",");
	}
	return false;
}

/* One field. 0 or the status with which to refuse. */
static int take_field(const char *name, const char *value, struct http_request *request)
{
	if (!strcasecmp(name, "Host")) {
		request->has_host = true;
	} else if (!strcasecmp(name, "Connection")) {
		if (list_has(value, "close"))
			request->is_keepalive = false;
		else if (list_has(value, "keep-alive"))
			request->is_keepalive = true;
	} else if (!strcasecmp(name, "Content-Length")) {
		uint64_t length;

		/* Two lengths that differ are how requests are smuggled past a proxy. */
		if (!parse_u64(value, &length) || (request->has_length && length != request->length))
			return 400;
		request->has_length = true;
		request->length = length;
	} else if (!strcasecmp(name, "Transfer-Encoding")) {
		if (strcasecmp(value, "chunked") != 0 || request->is_chunked)
			return 501;
		request->is_chunked = true;
	} else if (!strcasecmp(name, "Expect")) {
		if (strcasecmp(value, "100-continue") != 0)
			return 417;
		request->expects_continue = true;
	} else if (!strcasecmp(name, "Range")) {
		request->range = value;
	} else if (!strcasecmp(name, "If-Range")) {
		request->if_range = value;
	} else if (!strcasecmp(name, "If-None-Match")) {
		request->if_none_match = value;
	} else if (!strcasecmp(name, "If-Modified-Since")) {
		request->if_modified_since = value;
	}
	return 0;
}

/* "name: value", trimmed. */
static int parse_field(char *line, struct http_request *request)
{
	char *colon = strchr(line, ':'), *value, *end;

	/* No space before the colon, no continuation lines (RFC 9112 sections 5.1, 5.2). */
	if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line))
		return 400;
	*colon = 0;
	value = colon + 1 + strspn(colon + 1, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = 0;
	return take_field(line, value, request);
}

int http_parse(char *head, size_t len, struct http_request *request)
{
	char *line = head, *head_end = head + len - 2;
	int status;

	*request = (struct http_request){0};
	/* A zero byte would end a line early for some of the readers and not for others. */
	if (memchr(head, 0, len))
		return 400;
	for (bool is_first = true; line < head_end; is_first = false) {
		char *end = memmem(line, (size_t)(head_end - line), "\r\n", 2);

		if (!end)
			end = head_end;
		*end = 0;
		status = is_first ? parse_request_line(line, request) : parse_field(line, request);
		if (status)
			return status;
		line = end + 2;
	}
	if (!request->is_1_0 && !request->has_host)
		return 400;
	return request->is_chunked && request->has_length ? 400 : 0;
}

int http_range(const char *range, uint64_t size, uint64_t *first, uint64_t *count)
{
	char *end;
	uint64_t last;

	if (strncasecmp(range, "bytes=", 6) != 0 || strchr(range, ','))
		return 200;
	range += 6;
	errno = 0;
	if (*range == '-') {
		/* The last so many bytes. */
		if (!parse_u64(range + 1, count))
			return 200;
		if (!*count || !size)
			return 416;
		if (*count > size)
			*count = size;
		*first = size - *count;
		return 206;
	}
	if (!isdigit((unsigned char)*range))
		return 200;
	*first = strtoull(range, &end, 10);
	if (errno || *end != '-')
		return 200;
	last = UINT64_MAX;
	if (end[1] && (!parse_u64(end + 1, &last) || last < *first))
		return 200;
	if (*first >= size)
		return 416;
	*count = (last < size ? last + 1 : size) - *first;
	return 206;
}

bool http_etag_matches(const char *list, const char *etag)
{
	size_t len = strlen(etag);

	if (!strcmp(list, "*"))
		return true;
	for (const char *at = list; (at = strstr(at, etag)); at += len)
		/* Weak comparison: a W/ before it does not matter; the tag's own quotes bound it. */
		if (at[len] == 0 || at[len] == ',' || at[len] == ' ')
			return true;
	return false;
}

static bool is_not_modified(const struct http_request *request, const char *etag, time_t modified)
{
	time_t since;

	if (request->if_none_match)
		return http_etag_matches(request->if_none_match, etag);
	if (!request->if_modified_since)
		return false;
	since = http_date_parse(request->if_modified_since);
	return since >= 0 && modified <= since;
}

int http_select(const struct http_request *request, const char *etag, time_t modified, uint64_t *first,
		uint64_t *count)
{
	uint64_t from = 0, part = *count;
	char date[HTTP_DATE_CHARS];
	int status;

	*first = 0;
	if (is_not_modified(request, etag, modified))
		return 304;
	if (!request->range || request->method != HTTP_GET)
		return 200;
	/* A range of another version of the file would be worse than the whole: If-Range. */
	if (request->if_range && strcmp(request->if_range, etag) != 0 &&
	    strcmp(request->if_range, http_date(modified, date)) != 0)
		return 200;
	status = http_range(request->range, *count, &from, &part);
	if (status == 206) {
		*first = from;
		*count = part;
	}
	return status;
}

const char *http_date(time_t when, char text[HTTP_DATE_CHARS])
{
	struct tm parts;

	/* The C locale's names: the examples never set another. */
	strftime(text, HTTP_DATE_CHARS, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &parts));
	return text;
}

time_t http_date_parse(const char *text)
{
	struct tm parts = {0};
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);

	return end && !*end ? timegm(&parts) : -1;
}

const char *http_status_words(int status)
{
	static const struct {
		int status;
		const char *words;
	} rows[] = {
	    {200, "OK"},
	    {206, "Partial Content"},
	    {304, "Not Modified"},
	    {400, "Bad Request"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {411, "Length Required"},
	    {416, "Range Not Satisfiable"},
	    {417, "Expectation Failed"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {505, "HTTP Version Not Supported"},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status)
			return rows[i].words;
	return "Unknown";
}

const char *http_media_type(const char *path)
{
	static const char *const rows[][2] = {
	    {".html", "text/html; charset=utf-8"},
	    {".txt", "text/plain; charset=utf-8"},
	    {".css", "text/css"},
	    {".js", "text/javascript"},
	    {".json", "application/json"},
	    {".svg", "image/svg+xml"},
	    {".png", "image/png"},
	    {".jpg", "image/jpeg"},
	    {".wasm", "application/wasm"},
	};
	const char *dot = strrchr(path, '.');

	for (unsigned i = 0; dot && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcasecmp(dot, rows[i][0]))
			return rows[i][1];
	return "application/octet-stream";
}

/* What the next byte of a chunked body belongs to (RFC 9112 section 7.1). */
enum { SIZE_FIRST, SIZE, EXTENSION, DATA, DATA_END, TRAILER, TRAILER_LINE, END };

/* A byte of a size line or trailer. False: malformed. */
static bool chunk_line_byte(struct http_chunks *chunks, char c)
{
	int digit = hex_digit(c);

	if (++chunks->line_bytes > CHUNK_LINE_MAX)
		return false;
	switch (chunks->state) {
	case SIZE_FIRST:
	case SIZE:
		if (digit >= 0) {
			if (chunks->left >> 59)
				return false;
			chunks->left = chunks->left << 4 | (unsigned)digit;
			chunks->state = SIZE;
			return true;
		}
		if (chunks->state == SIZE_FIRST || (c != ';' && c != ' ' && c != '\r' && c != '\n'))
			return false;
		chunks->state = EXTENSION;
		/* fall through */
	case EXTENSION:
		if (c == '\n') {
			chunks->state = chunks->left ? DATA : TRAILER;
			chunks->line_bytes = 0;
		}
		return true;
	case DATA_END:
		if (c == '\n') {
			chunks->state = SIZE_FIRST;
			chunks->line_bytes = 0;
		}
		return c == '\n' || c == '\r';
	default: /* trailers are passed over up to the empty line */
		if (c == '\n')
			chunks->state = chunks->state == TRAILER ? END : TRAILER;
		else if (c != '\r')
			chunks->state = TRAILER_LINE;
		if (c == '\n')
			chunks->line_bytes = 0;
		return true;
	}
}

long http_chunks_next(struct http_chunks *chunks, const char *bytes, size_t len, const char **data,
		      size_t *data_len, bool *is_end)
{
	size_t at = 0;

	*data_len = 0;
	while (at < len && chunks->state != END && chunks->state != DATA)
		if (!chunk_line_byte(chunks, bytes[at++]))
			return -1;
	if (chunks->state == DATA) {
		*data = bytes + at;
		*data_len = len - at < chunks->left ? len - at : (size_t)chunks->left;
		at += *data_len;
		chunks->left -= *data_len;
		if (!chunks->left)
			chunks->state = DATA_END;
	}
	*is_end = chunks->state == END;
	return (long)at;
}
