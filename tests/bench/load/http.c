/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bulk in either direction, by HTTP, which the servers of both contenders speak: `source` fetches --path
 * again and again, `sink` puts --size bytes of pattern to it. A message is a whole transfer.
 */
#include <stdio.h>
#include <string.h>

#include "tests/bench/load/workload.h"

extern const struct load_workload load_source, load_sink;

#define HEAD_MAX 4096u

struct http_state {
	uint64_t body_left;
	uint64_t length;     /* of the head being read */
	uint32_t line_bytes; /* of the line being read, as far as it was kept */
	uint16_t head_bytes;
	uint8_t is_in_body, has_status;
	char line[64];
};

static char head[LOAD_REQUEST_MAX];
static uint32_t head_bytes;
static uint64_t body_bytes;

static bool request_make(const struct load_settings *settings, const char *method, uint64_t body)
{
	char length[48] = "";
	int bytes;

	body_bytes = body;
	if (body > 0)
		snprintf(length, sizeof(length), "Content-Length: %llu\r\n", (unsigned long long)body);
	bytes = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, settings->path,
			 settings->host, length);
	head_bytes = (uint32_t)bytes;
	if (bytes > 0 && (size_t)bytes < sizeof(head))
		return true;
	fprintf(stderr, "--path is longer than a request may be\n");
	return false;
}

static bool source_init(const struct load_settings *settings)
{
	return request_make(settings, "GET", 0);
}

static bool sink_init(const struct load_settings *settings)
{
	return request_make(settings, "PUT", settings->message_bytes);
}

static struct load_request http_request(void *state, struct bench_random *random, uint64_t stream_off,
					uint8_t out[LOAD_REQUEST_MAX])
{
	(void)state;
	(void)random;
	(void)stream_off;
	memcpy(out, head, head_bytes);
	return (struct load_request){.bytes = head_bytes, .pattern_bytes = body_bytes};
}

/* One line of the head, without its end. False: the transfer was refused. */
static bool line_read(struct http_state *http)
{
	unsigned long long length;

	http->line[http->line_bytes] = '\0';
	if (!http->has_status) {
		http->has_status = 1;
		return strncmp(http->line, "HTTP/1.1 2", 10) == 0;
	}
	if (strncasecmp(http->line, "Content-Length:", 15) == 0 &&
	    sscanf(http->line + 15, "%llu", &length) == 1)
		http->length = length;
	return true;
}

/* One byte of the head. False: this is no answer that we can use. */
static bool head_read(struct http_state *http, uint8_t byte)
{
	bool is_good = true;

	if (++http->head_bytes > HEAD_MAX)
		return false;
	if (byte == '\r')
		return true;
	if (byte != '\n') {
		/* Lines that matter are shorter; the rest of a long one is not looked at. */
		if (http->line_bytes < sizeof(http->line) - 1)
			http->line[http->line_bytes++] = (char)byte;
		return true;
	}
	if (http->line_bytes == 0) {
		http->is_in_body = 1;
		http->body_left = http->length;
	} else {
		is_good = line_read(http);
	}
	http->line_bytes = 0;
	return is_good;
}

static struct load_progress http_response(void *state, uint64_t pattern_base, uint64_t stream_off,
					  const uint8_t *data, uint32_t len)
{
	struct http_state *http = state;
	struct load_progress progress = {0};
	uint32_t at = 0;

	(void)pattern_base;
	(void)stream_off;
	while (at < len && !progress.is_wrong) {
		if (!http->is_in_body) {
			progress.is_wrong = !head_read(http, data[at++]);
		} else {
			uint64_t part = len - at < http->body_left ? len - at : http->body_left;

			at += (uint32_t)part;
			http->body_left -= part;
		}
		if (http->is_in_body && http->body_left == 0) {
			progress.completed++;
			memset(http, 0, sizeof(*http));
		}
	}
	return progress;
}

const struct load_workload load_source = {
    .name = "source",
    .help = "GET --path from an HTTP server, over and over",
    .state_bytes = sizeof(struct http_state),
    .init = source_init,
    .request = http_request,
    .response = http_response,
};

const struct load_workload load_sink = {
    .name = "sink",
    .help = "PUT --size bytes to --path of an HTTP server, over and over",
    .state_bytes = sizeof(struct http_state),
    .is_sending_bulk = true,
    .init = sink_init,
    .request = http_request,
    .response = http_response,
};
