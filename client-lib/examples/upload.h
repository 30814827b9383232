/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body of a request, with or without chunks: its bytes are counted, and summed if that is wanted. Works
 * on memory alone.
 */
#ifndef IX_EXAMPLES_UPLOAD_H
#define IX_EXAMPLES_UPLOAD_H

#include "client-lib/examples/http.h"
#include "client-lib/examples/sha256.h"

#define UPLOAD_REPORT_CHARS 128

struct upload {
	bool is_chunked, has_sha256;
	bool is_complete;
	uint64_t left_bytes; /* without chunks */
	uint64_t bytes;
	struct http_chunks chunks;
	struct sha256 sha;
};

/* A body without a byte is complete at once. */
void upload_begin(struct upload *upload, const struct http_request *request, bool has_sha256);
/* Looks at `len` received bytes. How many of them are done with; -1: the body is malformed. */
long upload_take(struct upload *upload, const char *bytes, size_t len);
/* What a complete body is answered with. Returns the length of text. Once. */
size_t upload_report(struct upload *upload, char text[UPLOAD_REPORT_CHARS]);

#endif
