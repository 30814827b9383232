/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers and options (RFC 9293 sections 3.1, 3.2). */
#include <criterion/criterion.h>
#include <string.h>

#include "tcp/tcp_segment.h"

static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};

static bool parse(struct tcp_segment *s, uint8_t flags, const uint8_t *options, unsigned options_len,
		  unsigned payload)
{
	uint8_t p[120] = {0x9c, 0x40, 0x00, 0x50, 1, 2, 3, 4, 5, 6, 7, 8};
	struct tcp_packet packet = {.local = address, .remote = address, .data = p};

	p[12] = (uint8_t)((20 + options_len) / 4 << 4);
	p[13] = flags;
	p[14] = 0x12;
	p[15] = 0x34;
	for (unsigned i = 0; i < options_len; i++)
		p[20 + i] = options[i];
	packet.len = 20 + options_len + payload;
	return tcp_segment_parse(s, &packet);
}

Test(tcp_segment, fields)
{
	struct tcp_segment s;

	cr_assert(parse(&s, TCP_ACK | TCP_PSH, NULL, 0, 17));
	cr_assert_eq(s.tuple.remote_port, 40000);
	cr_assert_eq(s.tuple.local_port, 80);
	cr_assert_eq(s.seq, 0x01020304);
	cr_assert_eq(s.ack, 0x05060708);
	cr_assert_eq(s.window, 0x1234);
	cr_assert_eq(s.payload_len, 17);
	cr_assert_eq(s.flags, TCP_ACK | TCP_PSH);
	cr_assert_not(s.has_ts);
	cr_assert_eq(s.wscale, TCP_NO_WSCALE);
}

Test(tcp_segment, truncated_at_every_byte)
{
	uint8_t p[40] = {[12] = 0xa0};
	struct tcp_packet packet = {.local = address, .remote = address};
	struct tcp_segment s;

	for (uint32_t len = 0; len <= 40; len++) {
		uint8_t *exact = malloc(len ? len : 1); /* so that ASan sees a read beyond */

		memcpy(exact, p, len);
		packet.data = exact;
		packet.len = len;
		cr_assert_eq(tcp_segment_parse(&s, &packet), len == 40);
		free(exact);
	}
}

Test(tcp_segment, data_offset_below_5)
{
	uint8_t p[40] = {[12] = 0x40};
	struct tcp_packet packet = {.local = address, .remote = address, .data = p, .len = 40};
	struct tcp_segment s;

	cr_assert_not(tcp_segment_parse(&s, &packet));
}

Test(tcp_segment, syn_options_of_linux)
{
	static const uint8_t o[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
	struct tcp_segment s;
	uint8_t out[40];
	struct tcp_syn_options w = {.mss = 1460,
				    .wscale = 7,
				    .has_sack = true,
				    .has_ts = true,
				    .ts_val = 1,
				    .fast_open_len = TCP_NO_FAST_OPEN};

	cr_assert(parse(&s, TCP_SYN, o, sizeof(o), 0));
	cr_assert_eq(s.mss, 1460);
	cr_assert_eq(s.wscale, 7);
	cr_assert(s.sack_ok && s.has_ts);
	cr_assert_eq(s.ts_val, 1);
	cr_assert_eq(tcp_options_write_syn(out, &w), sizeof(o));
	cr_assert_arr_eq(out, o, sizeof(o));
}

Test(tcp_segment, syn_options_without_timestamps)
{
	static const uint8_t o[] = {2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7};
	uint8_t out[40];
	struct tcp_syn_options w = {
	    .mss = 1460, .wscale = 7, .has_sack = true, .fast_open_len = TCP_NO_FAST_OPEN};

	cr_assert_eq(tcp_options_write_syn(out, &w), sizeof(o));
	cr_assert_arr_eq(out, o, sizeof(o));
}

Test(tcp_segment, illegal_lengths)
{
	static const uint8_t zero[] = {254, 0, 0, 0}, one[] = {254, 1, 0, 0}, beyond[] = {1, 1, 254, 3};
	static const uint8_t cut[] = {1, 1, 1, 254};
	struct tcp_segment s;

	cr_assert_not(parse(&s, TCP_ACK, zero, 4, 0));
	cr_assert_not(parse(&s, TCP_ACK, one, 4, 0));
	cr_assert_not(parse(&s, TCP_ACK, beyond, 4, 0));
	cr_assert_not(parse(&s, TCP_ACK, cut, 4, 0));
}

Test(tcp_segment, unknown_options_are_skipped)
{
	static const uint8_t o[] = {254, 6, 1, 2, 3, 4, 2, 4, 5, 180, 0, 0};
	struct tcp_segment s;

	cr_assert(parse(&s, TCP_SYN, o, sizeof(o), 0));
	cr_assert_eq(s.mss, 1460);
}

Test(tcp_segment, nothing_after_the_end_option)
{
	static const uint8_t o[] = {0, 254, 0, 0};
	struct tcp_segment s;

	cr_assert(parse(&s, TCP_ACK, o, sizeof(o), 0));
}

Test(tcp_segment, handshake_options_count_in_a_syn_only)
{
	static const uint8_t o[] = {2, 4, 5, 180, 4, 2, 1, 1, 1, 3, 3, 7};
	struct tcp_segment s;

	cr_assert(parse(&s, TCP_ACK, o, sizeof(o), 0));
	cr_assert_eq(s.mss, 0);
	cr_assert_eq(s.wscale, TCP_NO_WSCALE);
	cr_assert_not(s.sack_ok);
}

Test(tcp_segment, wscale_is_capped_at_14)
{
	static const uint8_t o[] = {3, 3, 15, 1};
	struct tcp_segment s;

	cr_assert(parse(&s, TCP_SYN, o, sizeof(o), 0));
	cr_assert_eq(s.wscale, 14); /* RFC 7323 section 2.3 */
}

Test(tcp_segment, sack_blocks)
{
	static const uint8_t o[] = {1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
	static const uint8_t odd[] = {1, 1, 5, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0};
	struct tcp_segment s;

	cr_assert(parse(&s, TCP_ACK, o, sizeof(o), 0));
	cr_assert_eq(s.sack_count, 2);
	cr_assert_eq(s.sacks[1].start, 3);
	cr_assert_eq(s.sacks[1].end, 4);
	cr_assert(parse(&s, TCP_ACK, odd, sizeof(odd), 0));
	cr_assert_eq(s.sack_count, 0);
}
