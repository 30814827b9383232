/* SPDX-License-Identifier: BSD-2-Clause */
/* Trains become segments. */
#include "tests/rig/wire.h"

const uint8_t wire_hosts[2][16] = {
    {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1},
    {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2},
};

const uint8_t wire_hosts_ipv6[2][16] = {
    {0xfd, [15] = 1},
    {0xfd, [15] = 2},
};

bool wire_cut_next(const struct tcp_emit *t, uint32_t limit, struct wire_cut *cut)
{
	uint32_t at = cut->at + cut->len;

	if (cut->is_begun && at >= limit)
		return false;
	cut->is_begun = true;
	cut->at = at;
	cut->len = limit - at < t->mss ? limit - at : t->mss;
	cut->flags = t->flags;
	if (at + cut->len < t->payload_len)
		cut->flags &= (uint16_t) ~(TCP_PSH | TCP_FIN);
	if (at > 0)
		cut->flags &= (uint16_t)~t->first_flags;
	return true;
}

uint32_t wire_cut_write(uint8_t *p, const struct tcp_emit *t, const struct wire_cut *cut)
{
	struct wire_header h = {
	    .from = t->tuple->local_port,
	    .to = t->tuple->remote_port,
	    .seq = t->seq + cut->at,
	    .ack = t->ack,
	    .window = t->window,
	    .flags = cut->flags,
	    .options_len = t->options_len,
	};

	memcpy(p + WIRE_HEADER_BYTES, t->options, t->options_len);
	return wire_header_write(p, &h);
}
