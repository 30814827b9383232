/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing TCP headers and options. */
#include "tcp/tcp_segment.h"

#include <string.h>

enum option_kind {
	OPT_END = 0,
	OPT_NOP = TCP_OPT_NOP,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_OK = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
	OPT_FAST_OPEN = 34,
	OPT_ACCECN0 = TCP_OPT_ACCECN0,
	OPT_ACCECN1 = TCP_OPT_ACCECN1,
};

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void read_sacks(struct tcp_segment *s, const uint8_t *p, unsigned len)
{
	unsigned count = (len - 2) / 8;

	if (len < 10 || (len - 2) % 8 != 0)
		return;
	if (count > TCP_SACK_BLOCKS)
		count = TCP_SACK_BLOCKS;
	for (unsigned i = 0; i < count; i++) {
		s->sacks[i].start = get32(p + 2 + 8 * i);
		s->sacks[i].end = get32(p + 6 + 8 * i);
	}
	s->sack_count = (uint8_t)count;
}

static uint32_t get24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* RFC 9768 section 3.2.3: up to three counters, the order of the outer two by kind; what does not fill a
 * counter is ignored, and so is the option of a SYN. */
static void read_accecn(struct tcp_segment *s, const uint8_t *p, unsigned len)
{
	unsigned count = (len - 2) / 3;

	if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN || count == 0)
		return;
	s->accecn_count = (uint8_t)(count < 3 ? count : 3);
	s->accecn_has_ceb = count > 1;
	s->accecn_has_e0b = p[0] == OPT_ACCECN0 || count > 2;
	s->accecn_has_e1b = p[0] == OPT_ACCECN1 || count > 2;
	if (s->accecn_has_e0b)
		s->accecn_e0b = get24(p[0] == OPT_ACCECN0 ? p + 2 : p + 8);
	if (s->accecn_has_ceb)
		s->accecn_ceb = get24(p + 5);
	if (s->accecn_has_e1b)
		s->accecn_e1b = get24(p[0] == OPT_ACCECN1 ? p + 2 : p + 8);
}

/* One option of a length that fits. A known option of a wrong length is passed over like an unknown one
 * (RFC 9293 MUST-6); options of the handshake count in a SYN only. */
static void read_option(struct tcp_segment *s, const uint8_t *p, unsigned len)
{
	bool is_syn = s->flags & TCP_SYN;

	switch (p[0]) {
	case OPT_MSS:
		if (len == 4 && is_syn)
			s->mss = get16(p + 2);
		break;
	case OPT_WSCALE:
		if (len == 3 && is_syn)
			s->wscale = p[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : p[2];
		break;
	case OPT_SACK_OK:
		if (len == 2 && is_syn)
			s->sack_ok = true;
		break;
	case OPT_SACK:
		if (!is_syn)
			read_sacks(s, p, len);
		break;
	case OPT_TS:
		if (len == 10) {
			s->has_ts = true;
			s->ts_val = get32(p + 2);
			s->ts_ecr = get32(p + 6);
		}
		break;
	case OPT_ACCECN0:
	case OPT_ACCECN1:
		read_accecn(s, p, len);
		break;
	case OPT_FAST_OPEN: /* RFC 7413 section 4.1.1: none, or 4 to 16 bytes, an even number */
		if (is_syn && (len == 2 || (len >= 6 && len <= 18 && len % 2 == 0))) {
			s->fast_open = p + 2;
			s->fast_open_len = (uint8_t)(len - 2);
		}
		break;
	default:
		break;
	}
}

static bool read_options(struct tcp_segment *s, const uint8_t *p, unsigned len)
{
	/* What nearly every segment carries, in the layout of RFC 7323 appendix A. */
	if (len == TCP_OPTIONS_BYTES_TS && get32(p) == 0x0101080a) {
		s->has_ts = true;
		s->ts_val = get32(p + 4);
		s->ts_ecr = get32(p + 8);
		return true;
	}
	while (len > 0) {
		unsigned opt_len;

		if (p[0] == OPT_END)
			return true;
		if (p[0] == OPT_NOP) {
			p++;
			len--;
			continue;
		}
		/* RFC 9293 MUST-7: lengths 0 and 1 and those beyond the header are illegal. */
		if (len < 2 || p[1] < 2 || p[1] > len)
			return false;
		opt_len = p[1];
		read_option(s, p, opt_len);
		p += opt_len;
		len -= opt_len;
	}
	return true;
}

void tcp_segment_tuple(struct tcp_tuple *tuple, const struct tcp_packet *packet)
{
	memcpy(tuple->local, packet->local, 16);
	memcpy(tuple->remote, packet->remote, 16);
	tuple->remote_port = get16(packet->data);
	tuple->local_port = get16(packet->data + 2);
	tuple->vlan = packet->vlan;
	tuple->reserved = 0;
}

bool tcp_address_is_host(const uint8_t address[16])
{
	static const uint8_t unspecified[16], mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0)
		return address[12] != 0 && address[12] < 224; /* class D and above hold no hosts */
	return address[0] != 0xff && memcmp(address, unspecified, 16) != 0;
}

bool tcp_segment_parse(struct tcp_segment *s, const struct tcp_packet *packet)
{
	const uint8_t *p = packet->data;
	uint32_t header;

	if (packet->len < TCP_HEADER_BYTES)
		return false;
	header = (uint32_t)(p[12] >> 4) * 4;
	if (header < TCP_HEADER_BYTES || header > packet->len)
		return false;
	tcp_segment_tuple(&s->tuple, packet);
	s->seq = get32(p + 4);
	s->ack = get32(p + 8);
	s->flags = get16(p + 12) & 0x1ff;
	s->window = get16(p + 14);
	s->header = p;
	s->payload = p + header;
	s->payload_len = packet->len - header;
	s->ecn = packet->ecn & 3;
	s->wscale = TCP_NO_WSCALE;
	s->sack_count = 0;
	s->mss = 0;
	s->has_ts = false;
	s->sack_ok = false;
	s->time_wait = TCP_NONE;
	s->accecn_count = 0;
	s->accecn_has_ceb = false;
	s->fast_open_len = TCP_NO_FAST_OPEN;
	s->ts_val = 0;
	s->ts_ecr = 0;
	return read_options(s, p + TCP_HEADER_BYTES, header - TCP_HEADER_BYTES);
}

uint16_t tcp_segment_urgent(const struct tcp_segment *s)
{
	return (uint16_t)get16(s->header + 18);
}

uint8_t tcp_options_write_ts(uint8_t *out, uint32_t ts_val, uint32_t ts_ecr)
{
	put32(out, 0x0101080a);
	put32(out + 4, ts_val);
	put32(out + 8, ts_ecr);
	return TCP_OPTIONS_BYTES_TS;
}

uint8_t tcp_options_write_sack(uint8_t *out, const struct tcp_range *blocks, unsigned count)
{
	out[0] = OPT_NOP;
	out[1] = OPT_NOP;
	out[2] = OPT_SACK;
	out[3] = (uint8_t)(2 + 8 * count);
	for (unsigned i = 0; i < count; i++) {
		put32(out + 4 + 8 * i, blocks[i].start);
		put32(out + 8 + 8 * i, blocks[i].end);
	}
	return (uint8_t)(4 + 8 * count);
}

uint8_t tcp_options_write_syn(uint8_t *out, const struct tcp_syn_options *o)
{
	uint8_t *p = out;

	put32(p, (uint32_t)OPT_MSS << 24 | 4u << 16 | o->mss);
	p += 4;
	if (o->has_ts) {
		p[0] = o->has_sack ? OPT_SACK_OK : OPT_NOP;
		p[1] = o->has_sack ? 2 : OPT_NOP;
		p[2] = OPT_TS;
		p[3] = 10;
		put32(p + 4, o->ts_val);
		put32(p + 8, o->ts_ecr);
		p += 12;
	} else if (o->has_sack) {
		put32(p, (uint32_t)OPT_NOP << 24 | (uint32_t)OPT_NOP << 16 | (uint32_t)OPT_SACK_OK << 8 | 2);
		p += 4;
	}
	if (o->wscale != TCP_NO_WSCALE) {
		put32(p, (uint32_t)OPT_NOP << 24 | (uint32_t)OPT_WSCALE << 16 | 3u << 8 | o->wscale);
		p += 4;
	}
	if (o->fast_open_len != TCP_NO_FAST_OPEN) {
		for (unsigned pad = (2u - o->fast_open_len) & 3u; pad > 0; pad--)
			*p++ = OPT_NOP;
		*p++ = OPT_FAST_OPEN;
		*p++ = (uint8_t)(2 + o->fast_open_len);
		if (o->fast_open_len > 0)
			memcpy(p, o->fast_open, o->fast_open_len);
		p += o->fast_open_len;
	}
	return (uint8_t)(p - out);
}
