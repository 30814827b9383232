/* SPDX-License-Identifier: BSD-2-Clause */
/* What one sees of a run: a line per segment, or a capture file. */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/sim.h"

static void print_segment(const struct sim *s, unsigned from, const uint8_t *p, uint32_t len,
			  const char *fate)
{
	static const char names[] = "FSRPAUEC";
	char flags[9];
	unsigned n = 0;
	uint32_t header = (uint32_t)(p[12] >> 4) * 4;

	for (unsigned i = 0; i < 8; i++)
		if (p[13] & 1u << i)
			flags[n++] = names[i];
	flags[n] = 0;
	printf("%12.6f %c:%u>%u %-4s seq %" PRIu32 " +%" PRIu32 " ack %" PRIu32 " win %u opt %" PRIu32 " %s",
	       (double)s->now_ns / 1e6, from ? 'B' : 'A', p[0] << 8 | p[1], p[2] << 8 | p[3], flags,
	       wire_get32(p + 4), len - header, wire_get32(p + 8), p[14] << 8 | p[15], header - 20, fate);
	for (uint32_t i = 20; i + 1 < header && p[i] != 0; i += p[i] == 1 ? 1 : p[i + 1]) {
		if (p[i] != 5)
			continue;
		for (uint32_t k = i + 2; k + 8 <= i + p[i + 1]; k += 8)
			printf(" sack %" PRIu32 "-%" PRIu32, wire_get32(p + k), wire_get32(p + k + 4));
	}
	printf("\n");
}

static void write32(FILE *f, uint32_t v)
{
	fwrite(&v, sizeof(v), 1, f);
}

/* pcapng: section header, one interface with raw IPv4, nanosecond times. */
void sim_trace_open(struct sim *s, const char *path)
{
	static const uint32_t section[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX, 28};
	static const uint32_t interface[] = {1, 32, 101, 0, 9 | 1 << 16, 9, 0, 32};

	s->pcap = fopen(path, "wb");
	if (!s->pcap)
		return;
	fwrite(section, sizeof(section), 1, s->pcap);
	fwrite(interface, sizeof(interface), 1, s->pcap);
}

static void write_packet(struct sim *s, unsigned from, const uint8_t *data, uint32_t len)
{
	uint32_t total = 20 + len, padded = (total + 3) & ~3u;
	uint8_t ip[20] = {0x45, 0, (uint8_t)(total >> 8), (uint8_t)total, 0, 0, 0x40, 0, 64, 6};
	static const uint8_t zero[4];

	ip[12] = ip[16] = 10;
	ip[15] = from ? 2 : 1;
	ip[19] = from ? 1 : 2;
	write32(s->pcap, 6);
	write32(s->pcap, 32 + padded);
	write32(s->pcap, 0);
	write32(s->pcap, (uint32_t)(s->now_ns >> 32));
	write32(s->pcap, (uint32_t)s->now_ns);
	write32(s->pcap, total);
	write32(s->pcap, total);
	fwrite(ip, sizeof(ip), 1, s->pcap);
	fwrite(data, len, 1, s->pcap);
	fwrite(zero, padded - total, 1, s->pcap);
	write32(s->pcap, 32 + padded);
}

void sim_trace_segment(struct sim *s, unsigned from, const uint8_t *data, uint32_t len, const char *fate)
{
	if (s->is_tracing)
		print_segment(s, from, data, len, fate);
	if (s->pcap)
		write_packet(s, from, data, len);
}
