/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCP header of any content and length: read without looking beyond, and what is read is within bounds. */
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp_segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t address[16];
	struct tcp_packet packet = {.local = address, .remote = address, .data = data, .len = (uint32_t)size};
	struct tcp_segment s;

	if (!tcp_segment_parse(&s, &packet))
		return 0;
	if (s.payload < data + TCP_HEADER_BYTES || s.payload + s.payload_len != data + size ||
	    s.sack_count > TCP_SACK_BLOCKS || (s.wscale > TCP_WSCALE_MAX && s.wscale != TCP_NO_WSCALE))
		abort();
	return 0;
}
