/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting and summing a request's body.
 */
#include "client-lib/examples/upload.h"

#include <inttypes.h>
#include <stdio.h>

void upload_begin(struct upload *upload, const struct http_request *request, bool has_sha256)
{
	upload->is_chunked = request->is_chunked;
	upload->has_sha256 = has_sha256;
	upload->chunks = (struct http_chunks){0};
	upload->left_bytes = request->length;
	upload->is_complete = !upload->is_chunked && !upload->left_bytes;
	upload->bytes = 0;
	sha256_init(&upload->sha);
}

long upload_take(struct upload *upload, const char *bytes, size_t len)
{
	const char *data = bytes;
	size_t data_len = len < upload->left_bytes ? len : (size_t)upload->left_bytes;
	long used = (long)data_len;

	if (upload->is_chunked) {
		used = http_chunks_next(&upload->chunks, bytes, len, &data, &data_len, &upload->is_complete);
	} else {
		upload->left_bytes -= data_len;
		upload->is_complete = !upload->left_bytes;
	}
	if (used < 0)
		return used;
	upload->bytes += data_len;
	if (upload->has_sha256)
		sha256_update(&upload->sha, data, data_len);
	return used;
}

size_t upload_report(struct upload *upload, char text[UPLOAD_REPORT_CHARS])
{
	char sum[SHA256_HEX_CHARS];
	int length = snprintf(text, UPLOAD_REPORT_CHARS, "bytes %" PRIu64 "\n", upload->bytes);

	if (upload->has_sha256) {
		sha256_final_hex(&upload->sha, sum);
		length += snprintf(text + length, UPLOAD_REPORT_CHARS - (size_t)length, "sha256 %s\n", sum);
	}
	return (size_t)length;
}
