/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that can be wrong below TCP, one packet each, and the counter that must say so.
 */
#include <criterion/criterion.h>

#include "tests/unit/dataplane/packet_fixture.h"

static struct fixture f;
static uint8_t packet[512];
static uint8_t *const ip = packet + 14;
static uint8_t *const tcp = packet + 34;

static void setup(void)
{
	fixture_init(&f);
}

static void teardown(void)
{
	fixture_fini(&f);
}

TestSuite(ip_input, .init = setup, .fini = teardown);

Test(ip_input, good_segment_reaches_tcp)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "hello", 5);

	ip[1] = 3; /* congestion experienced */
	fixture_ip_sum(ip);
	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.segments, 1);
	cr_assert_eq(f.seen.last_len, 25);
	cr_assert_eq(f.seen.last_ecn, 3);
	cr_assert_eq(f.seen.last_vlan, 0);
	cr_assert_arr_eq(f.seen.last + 20, "hello", 5);
}

Test(ip_input, vlan_tag_is_taken_off)
{
	uint32_t len = fixture_packet(packet, 0x6000 | 42, NULL, 0, "x", 1); /* with a priority */

	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.segments, 1);
	cr_assert_eq(f.seen.last_vlan, 42);
}

Test(ip_input, ethernet_padding_is_no_payload)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "", 0);

	memset(packet + len, 0xee, 60 - len);
	fixture_input(&f, packet, 60);
	cr_assert_eq(f.seen.segments, 1);
	cr_assert_eq(f.seen.last_len, 20);
}

Test(ip_input, truncation_at_every_byte)
{
	static const uint8_t options[8] = {1, 1, 1, 1, 1, 1, 1, 0};

	for (uint16_t vlan = 0; vlan < 2; vlan++) {
		uint32_t len = fixture_packet(packet, vlan, options, sizeof(options), "payload", 7);

		for (uint32_t cut = 0; cut < len; cut++)
			fixture_input(&f, packet, cut);
		cr_assert_eq(f.seen.segments, 0);
	}
	cr_assert_eq(f.core->stats->drop_eth + f.core->stats->drop_ip_header, 2 * (14 + 28 + 27) + 4);
}

/* Total length says less and less, with a good IP checksum: TCP gets what is left, or nothing. */
Test(ip_input, ip_length_cut_at_every_byte)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "payload", 7);

	for (uint32_t total = 0; total < len - 14; total++) {
		store_be16(ip + 2, total);
		fixture_ip_sum(ip);
		fixture_input(&f, packet, 14 + total);
	}
	cr_assert_eq(f.seen.segments, 0);
	cr_assert_eq(f.core->stats->drop_eth, 0);
	cr_assert_eq(f.core->stats->drop_ip_header + f.core->stats->drop_tcp_checksum, len - 14);
}

Test(ip_input, length_beyond_the_frame)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "x", 1);

	store_be16(ip + 2, len - 14 + 1);
	fixture_ip_sum(ip);
	fixture_input(&f, packet, len);
	cr_assert_eq(f.core->stats->drop_ip_header, 1);
}

Test(ip_input, version_and_header_length)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "x", 1);

	ip[0] = 0x65;
	fixture_input(&f, packet, len);
	ip[0] = 0x44;
	fixture_input(&f, packet, len);
	cr_assert_eq(f.core->stats->drop_ip_header, 2);
	cr_assert_eq(f.seen.segments, 0);
}

Test(ip_input, frames_for_others)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "x", 1);

	packet[5] ^= 4;
	fixture_input(&f, packet, len);
	memset(packet, 0xff, 6);
	fixture_input(&f, packet, len);
	cr_assert_eq(f.core->stats->drop_eth, 2);
}

Test(ip_input, other_ether_types)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "x", 1);

	store_be16(packet + 12, 0x86dd);
	fixture_input(&f, packet, len);
	store_be16(packet + 12, ETH_TYPE_VLAN); /* a tag with no type behind it that we know */
	fixture_input(&f, packet, len);
	cr_assert_eq(f.core->stats->drop_eth, 2);
}

Test(ip_input, every_bit_of_the_ip_header_is_summed)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "x", 1);

	for (uint32_t bit = 8; bit < 20 * 8; bit++) {
		if (bit / 8 == 2 || bit / 8 == 3)
			continue; /* the length is judged first */
		ip[bit / 8] ^= (uint8_t)(1 << bit % 8);
		fixture_input(&f, packet, len);
		ip[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	cr_assert_eq(f.seen.segments, 0);
	cr_assert_eq(f.core->stats->drop_ip_checksum, 17 * 8);
}

Test(ip_input, every_bit_of_the_segment_is_summed)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "some bytes", 10);

	for (uint32_t bit = 0; bit < 30 * 8; bit++) {
		tcp[bit / 8] ^= (uint8_t)(1 << bit % 8);
		fixture_input(&f, packet, len);
		tcp[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	cr_assert_eq(f.seen.segments, 0);
	cr_assert_eq(f.core->stats->drop_tcp_checksum, 30 * 8);
}

static void partial_sum_put(void)
{
	uint16_t partial = (uint16_t)~inet_checksum_fold(
	    inet_checksum_pseudo(fixture_remote, fixture_local, IP_PROTO_TCP, 25));

	memcpy(tcp + 16, &partial, 2);
}

Test(ip_input, pseudo_header_sum_only_where_allowed)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "hello", 5);

	partial_sum_put();
	fixture_input(&f, packet, len);
	cr_assert_eq(f.core->stats->drop_tcp_checksum, 1);

	mirror_write_begin(f.mirror);
	f.mirror->ifaces[0].rx_checksum = MIRROR_CHECKSUM_PARTIAL_OK;
	mirror_write_end(f.mirror);
	ip_turn_begin(f.core);
	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.segments, 1);
	cr_assert_eq(f.core->stats->checksum_partial, 1);

	tcp[17] ^= 1; /* only the exact value will do */
	fixture_input(&f, packet, len);
	cr_assert_eq(f.core->stats->drop_tcp_checksum, 2);

	len = fixture_packet(packet, 0, NULL, 0, "hello", 5); /* and a whole one still does */
	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.segments, 2);
}

Test(ip_input, fragments)
{
	static const uint16_t fields[] = {0x2000, 0x0001, 0x2001, 0x1fff};
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "x", 1);

	for (unsigned i = 0; i < 4; i++) {
		store_be16(ip + 6, fields[i]);
		fixture_ip_sum(ip);
		fixture_input(&f, packet, len);
	}
	cr_assert_eq(f.core->stats->drop_ip_fragment, 4);
	store_be16(ip + 6, IP4_FLAG_DF);
	fixture_ip_sum(ip);
	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.segments, 1);
}

Test(ip_input, options)
{
	static const struct {
		uint8_t bytes[8];
		uint8_t is_good, is_source_route;
	} cases[] = {
	    {{1, 1, 1, 1, 1, 1, 1, 0}, 1, 0},
	    {{148, 4, 0, 0, 0, 131, 3, 4}, 1, 0}, /* router alert; nothing counts after the end */
	    {{7, 7, 4, 1, 2, 3, 4, 0}, 1, 0},     /* record route: of no interest */
	    {{131, 7, 4, 1, 2, 3, 4, 0}, 0, 1},   /* loose source route */
	    {{1, 137, 7, 4, 1, 2, 3, 4}, 0, 1},   /* strict */
	    {{148, 0, 0, 0, 0, 0, 0, 0}, 0, 0},   /* lengths that lie */
	    {{148, 1, 0, 0, 0, 0, 0, 0}, 0, 0},
	    {{148, 9, 0, 0, 0, 0, 0, 0}, 0, 0},
	    {{1, 1, 1, 1, 1, 1, 1, 148}, 0, 0},
	};
	uint32_t good = 0, routed = 0, bad = 0;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fixture_input(&f, packet, fixture_packet(packet, 0, cases[i].bytes, 8, "x", 1));
		good += cases[i].is_good;
		routed += cases[i].is_source_route;
		bad += !cases[i].is_good && !cases[i].is_source_route;
		cr_assert_eq(f.seen.segments, good, "case %u", i);
		cr_assert_eq(f.core->stats->drop_ip_options, routed, "case %u", i);
		cr_assert_eq(f.core->stats->drop_ip_header, bad, "case %u", i);
	}
}

Test(ip_input, impossible_sources)
{
	static const uint8_t sources[][4] = {
	    {0, 0, 0, 0}, {127, 0, 0, 1}, {224, 0, 0, 1}, {255, 255, 255, 255}, {10, 1, 0, 1}};
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "x", 1);

	for (unsigned i = 0; i < 5; i++) {
		memcpy(ip + 12, sources[i], 4);
		fixture_ip_sum(ip);
		fixture_input(&f, packet, len);
	}
	cr_assert_eq(f.core->stats->drop_ip_header, 5);
}

Test(ip_input, address_that_is_not_ours_and_becomes_ours)
{
	uint32_t len = fixture_packet(packet, 0, NULL, 0, "x", 1);

	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.segments, 1);
	mirror_write_begin(f.mirror);
	f.mirror->addrs_count = 0;
	mirror_write_end(f.mirror);
	fixture_input(&f, packet, len);
	cr_assert_eq(f.core->stats->drop_not_local, 1);
	mirror_write_begin(f.mirror);
	f.mirror->addrs_count = 1;
	mirror_write_end(f.mirror);
	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.segments, 2);
}

/* An ICMP error from the peer that quotes a segment of ours. */
static uint32_t icmp_packet(uint8_t type, uint8_t code, uint16_t mtu)
{
	uint8_t *icmp = packet + 34, *quote = icmp + 8;
	uint16_t sum;

	fixture_packet(packet, 0, NULL, 0, NULL, 0);
	memset(icmp, 0, 36);
	icmp[0] = type;
	icmp[1] = code;
	store_be16(icmp + 6, mtu);
	quote[0] = 0x45;
	store_be16(quote + 2, 1500);
	quote[9] = IP_PROTO_TCP;
	memcpy(quote + 12, fixture_local + 12, 4);
	memcpy(quote + 16, fixture_remote + 12, 4);
	store_be16(quote + 20, 80);
	store_be16(quote + 22, 4000);
	store_be32(quote + 24, 0x01020304);
	sum = inet_checksum_fold(inet_checksum_add(0, icmp, 36));
	memcpy(icmp + 2, &sum, 2);
	store_be16(ip + 2, 20 + 36);
	ip[9] = IP_PROTO_ICMP;
	fixture_ip_sum(ip);
	return 14 + 20 + 36;
}

Test(ip_input, icmp_error_reaches_the_engine)
{
	fixture_input(&f, packet, icmp_packet(3, 4, 1280));
	cr_assert_eq(f.seen.icmp, 1);
	cr_assert_eq(f.seen.icmp_kind, TCP_ICMP_FRAG_NEEDED);
	cr_assert_eq(f.seen.icmp_mtu, 1280);
	cr_assert_eq(f.seen.icmp_seq, 0x01020304);
	cr_assert_eq(f.seen.icmp_tuple.local_port, 80);
	cr_assert_eq(f.seen.icmp_tuple.remote_port, 4000);
	cr_assert_arr_eq(f.seen.icmp_tuple.local, fixture_local, 16);
	cr_assert_arr_eq(f.seen.icmp_tuple.remote, fixture_remote, 16);
}

Test(ip_input, icmp_kinds)
{
	fixture_input(&f, packet, icmp_packet(3, 3, 0));
	cr_assert_eq(f.seen.icmp_kind, TCP_ICMP_HARD);
	fixture_input(&f, packet, icmp_packet(3, 1, 0));
	cr_assert_eq(f.seen.icmp_kind, TCP_ICMP_SOFT);
	fixture_input(&f, packet, icmp_packet(11, 0, 0));
	cr_assert_eq(f.seen.icmp_kind, TCP_ICMP_SOFT);
	fixture_input(&f, packet, icmp_packet(3, 4, 0)); /* an old router: the next plateau below 1500 */
	cr_assert_eq(f.seen.icmp_mtu, 1492);
	cr_assert_eq(f.core->stats->icmp_errors, 4);
	fixture_input(&f, packet, icmp_packet(8, 0, 0)); /* echo is the kernel's */
	cr_assert_eq(f.core->stats->drop_icmp, 1);
}

Test(ip_input, icmp_truncated_or_broken)
{
	uint32_t len = icmp_packet(3, 3, 0);

	for (uint32_t total = 20; total < len - 14; total++) {
		uint16_t sum;

		store_be16(ip + 2, total);
		fixture_ip_sum(ip);
		memset(packet + 36, 0, 2);
		sum = inet_checksum_fold(inet_checksum_add(0, packet + 34, total - 20));
		memcpy(packet + 36, &sum, 2);
		fixture_input(&f, packet, 14 + total);
	}
	cr_assert_eq(f.seen.icmp, 0);
	len = icmp_packet(3, 3, 0);
	packet[40] ^= 1;
	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.icmp, 0);
	len = icmp_packet(3, 3, 0);
	packet[34 + 8 + 15] ^= 1; /* quotes an address that is not ours */
	fixture_input(&f, packet, len);
	cr_assert_eq(f.seen.icmp, 0);
}
