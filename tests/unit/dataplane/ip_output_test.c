/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trains cut into frames: headers, checksums, flags, and what happens when frames, rings, routes or
 * neighbours are missing.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "daemon/dataplane/mailbox.h"
#include "tests/unit/dataplane/packet_fixture.h"

static struct fixture f;
static struct tcp_tuple tuple;
static struct tcp_emit train;

static void setup(void)
{
	fixture_init(&f);
	f.core->config.ttl = 47;
	f.core->config.dscp = 46;
	tuple = (struct tcp_tuple){.local_port = 80, .remote_port = 4000};
	memcpy(tuple.local, fixture_local, 16);
	memcpy(tuple.remote, fixture_remote, 16);
	train = (struct tcp_emit){.tuple = &tuple,
				  .conn = 0,
				  .seq = 0xfffffff0, /* wraps within the train */
				  .ack = 0x11223344,
				  .window = 0x5566,
				  .flags = TCP_ACK,
				  .mss = 1448};
}

static void teardown(void)
{
	fixture_fini(&f);
}

TestSuite(ip_output, .init = setup, .fini = teardown);

static uint8_t code_point = 46;

/* Every header field that is the same for all, and both checksums. Returns the TCP header. */
static const uint8_t *packet_check(const uint8_t *at, uint32_t len)
{
	const uint8_t *ip = at + 14, *tcp = at + 34;

	cr_assert_arr_eq(at, fixture_peer_mac, 6);
	cr_assert_arr_eq(at + 6, fixture_mac, 6);
	cr_assert_eq(load_be16(at + 12), ETH_TYPE_IPV4);
	cr_assert_eq(ip[0], 0x45);
	cr_assert_eq(load_be16(ip + 2), len - 14);
	cr_assert_eq(load_be16(ip + 6), IP4_FLAG_DF);
	cr_assert_eq(ip[1] >> 2, code_point);
	cr_assert_eq(ip[8], 47);
	cr_assert_eq(ip[9], IP_PROTO_TCP);
	cr_assert_eq(inet_checksum_fold(inet_checksum_add(0, ip, 20)), 0);
	cr_assert_eq(load_be16(tcp), 80);
	cr_assert_eq(load_be16(tcp + 2), 4000);
	cr_assert_eq(load_be32(tcp + 8), 0x11223344);
	cr_assert_eq(load_be16(tcp + 14), 0x5566);
	cr_assert_eq(
	    inet_checksum_fold(inet_checksum_add(
		inet_checksum_pseudo(fixture_local, fixture_remote, IP_PROTO_TCP, len - 34), tcp, len - 34)),
	    0);
	return tcp;
}

Test(ip_output, single_segment_without_payload)
{
	const uint8_t *at, *tcp;
	uint32_t len;

	fixture_neigh_learn(&f);
	train.conn = TCP_NONE;
	train.flags = TCP_SYN | TCP_ACK;
	train.ecn = 2;
	train.options_len = 12;
	memcpy(train.options, "abcdefghijkl", 12);
	train.mss = 0;
	cr_assert_eq(ip_output(f.core, &train), 0);
	xsk_tx_burst(f.core);
	at = fixture_tx_take(&f, &len, NULL);
	cr_assert_not_null(at);
	cr_assert_eq(len, 14 + 20 + 32);
	tcp = packet_check(at, len);
	cr_assert_eq(at[15], 46 << 2 | 2);
	cr_assert_eq(tcp[12], 8 << 4);
	cr_assert_eq(tcp[13], TCP_SYN | TCP_ACK);
	cr_assert_arr_eq(tcp + 20, "abcdefghijkl", 12);
	cr_assert_null(fixture_tx_take(&f, &len, NULL));
}

/* RFC 9293 MUST-48: the connection's own, none included, and ECN beside it as it is. */
Test(ip_output, code_point_of_a_connection)
{
	static const uint8_t given[] = {0, 10, 63};
	const uint8_t *at;
	uint32_t len;

	fixture_neigh_learn(&f);
	for (unsigned i = 0; i < sizeof(given); i++) {
		code_point = given[i];
		f.core->conns[0].dscp = CONN_DSCP_GIVEN | code_point;
		train.ecn = 2;
		cr_assert_eq(ip_output(f.core, &train), 0);
		xsk_tx_burst(f.core);
		at = fixture_tx_take(&f, &len, NULL);
		cr_assert_not_null(at);
		packet_check(at, len);
		cr_assert_eq(at[15] & 3, 2);
	}
}

Test(ip_output, train_is_cut)
{
	uint32_t len, count = 0, off = 0;
	const uint8_t *at;

	fixture_neigh_learn(&f);
	train.flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR;
	train.first_flags = TCP_CWR;
	train.payload_off = 1000003;
	train.payload_len = 5 * 1448 + 333;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	xsk_tx_burst(f.core);
	while ((at = fixture_tx_take(&f, &len, NULL)) != NULL) {
		const uint8_t *tcp = packet_check(at, len);
		uint32_t payload = len - 54;

		cr_assert_eq(payload, count < 5 ? 1448 : 333);
		cr_assert_eq(load_be32(tcp + 4), train.seq + off);
		cr_assert_eq(tcp[13],
			     TCP_ACK | (count == 0 ? TCP_CWR : 0) | (count == 5 ? TCP_PSH | TCP_FIN : 0));
		for (uint32_t i = 0; i < payload; i++)
			cr_assert_eq(tcp[20 + i], fixture_stream_byte(train.payload_off + off + i));
		off += payload;
		count++;
	}
	cr_assert_eq(count, 6);
	cr_assert_eq(f.core->stats->tx_packets, 6);
	cr_assert_eq(f.core->conns[0].iface, 0);
	cr_assert_neq(f.core->conns[0].neigh, MIRROR_NO_NEIGH);
}

/* Accurate ECN: the three flags are a counter, on every segment, and one of them lies in byte 12. */
Test(ip_output, counter_in_the_flags_is_on_all)
{
	uint32_t len, count = 0;
	const uint8_t *at;

	fixture_neigh_learn(&f);
	train.flags = TCP_ACK | TCP_PSH | TCP_CWR | TCP_AE;
	train.payload_len = 3 * 1448;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	xsk_tx_burst(f.core);
	for (; (at = fixture_tx_take(&f, &len, NULL)) != NULL; count++) {
		const uint8_t *tcp = packet_check(at, len);

		cr_assert_eq(tcp[12], 5 << 4 | 1);
		cr_assert_eq(tcp[13], TCP_ACK | TCP_CWR | (count == 2 ? TCP_PSH : 0));
	}
	cr_assert_eq(count, 3);
}

Test(ip_output, every_payload_length)
{
	const uint8_t *at;
	uint32_t len;
	uint64_t addr;

	fixture_neigh_learn(&f);
	for (uint32_t payload = 1; payload <= 1448; payload += payload < 130 ? 1 : 59) {
		train.payload_len = payload;
		ip_turn_begin(f.core);
		cr_assert_eq(ip_output(f.core, &train), payload);
		xsk_tx_burst(f.core);
		at = fixture_tx_take(&f, &len, &addr);
		cr_assert_not_null(at);
		cr_assert_eq(packet_check(at, len)[13], TCP_ACK);
		fixture_complete(&f, addr);
		xsk_reap(f.core);
	}
}

Test(ip_output, tagged_next_hop)
{
	const uint8_t *at;
	uint32_t len;

	mirror_write_begin(f.mirror);
	f.mirror->routes[0].vlan = 42;
	mirror_write_end(f.mirror);
	mirror_neigh_set(f.mirror, fixture_remote, 0, 42, fixture_peer_mac);
	for (int i = 0; i < 2; i++) { /* the second time by what the connection remembers */
		cr_assert_eq(ip_output(f.core, &train), 0);
		xsk_tx_burst(f.core);
		at = fixture_tx_take(&f, &len, NULL);
		cr_assert_eq(len, 18 + 40);
		cr_assert_eq(load_be16(at + 12), ETH_TYPE_VLAN);
		cr_assert_eq(load_be16(at + 14), 42);
		cr_assert_eq(load_be16(at + 16), ETH_TYPE_IPV4);
	}
}

Test(ip_output, ring_full_sends_what_fits)
{
	fixture_neigh_learn(&f);
	f.core->config.batch = 1024;
	ip_turn_begin(f.core);
	train.mss = 100;
	train.payload_len = 100 * (FIXTURE_SLOTS + 10);
	cr_assert_eq(ip_output(f.core, &train), 100 * FIXTURE_SLOTS);
	cr_assert_eq(ip_output(f.core, &train), -EAGAIN);
	cr_assert_eq(f.core->stats->drop_tx_no_frame, 2);
}

Test(ip_output, turn_has_a_budget)
{
	uint64_t addr;
	uint32_t len;

	fixture_neigh_learn(&f);
	train.mss = 100;
	train.payload_len = 100 * 200;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	xsk_tx_burst(f.core);
	while (fixture_tx_take(&f, &len, &addr) != NULL)
		fixture_complete(&f, addr);
	xsk_reap(f.core);
	cr_assert_eq(ip_output(f.core, &train), 100 * 56); /* 256 frames in all */
	cr_assert_eq(ip_output(f.core, &train), -EAGAIN);
	ip_turn_begin(f.core);
	cr_assert_geq(ip_output(f.core, &train), 100 * 100);
}

Test(ip_output, frames_run_out_and_come_back)
{
	uint32_t spared = 0;
	frame_index frame;

	fixture_neigh_learn(&f);
	while (frame_alloc(f.core->frames, &frame))
		spared++;
	cr_assert_eq(spared, FIXTURE_FRAMES - FIXTURE_FRAMES / 8); /* the rest is for receiving */
	cr_assert_eq(ip_output(f.core, &train), -EAGAIN);
	frame_release(f.core, frame);
	cr_assert_eq(ip_output(f.core, &train), 0);
}

Test(ip_output, stream_that_is_gone)
{
	uint32_t free_before;

	fixture_neigh_learn(&f);
	free_before = f.core->frames->count;
	f.seen.stream_is_gone = true;
	train.payload_len = 10;
	cr_assert_eq(ip_output(f.core, &train), -EIO);
	cr_assert_eq(f.core->frames->count, free_before);
}

Test(ip_output, segment_larger_than_a_frame)
{
	fixture_neigh_learn(&f);
	train.mss = IXD_FRAME_BYTES;
	train.payload_len = IXD_FRAME_BYTES;
	cr_assert_eq(ip_output(f.core, &train), -EMSGSIZE);
}

Test(ip_output, no_route)
{
	tuple.remote[12] = 99;
	cr_assert_eq(ip_output(f.core, &train), -ENETUNREACH);
	cr_assert_eq(f.core->stats->drop_tx_no_route, 1);
}

Test(ip_output, route_change_is_seen)
{
	const uint8_t *at;
	uint32_t len;
	uint8_t gateway_mac[6] = {2, 0, 0, 0, 0, 9};
	uint8_t gateway[16];

	fixture_neigh_learn(&f);
	cr_assert_eq(ip_output(f.core, &train), 0);
	memcpy(gateway, fixture_remote, 16);
	gateway[15] = 254;
	mirror_neigh_set(f.mirror, gateway, 0, 0, gateway_mac);
	mirror_write_begin(f.mirror);
	f.mirror->routes[0].has_gateway = 1;
	memcpy(f.mirror->routes[0].gateway, gateway, 16);
	mirror_write_end(f.mirror);
	cr_assert_eq(ip_output(f.core, &train), 0);
	xsk_tx_burst(f.core);
	fixture_tx_take(&f, &len, NULL);
	at = fixture_tx_take(&f, &len, NULL);
	cr_assert_arr_eq(at, gateway_mac, 6);
}

Test(ip_output, unknown_neighbour_is_asked_for_and_waited_for)
{
	struct mail mail;
	const uint8_t *at;
	uint32_t len;

	cr_assert_eq(ip_output(f.core, &train), 0);
	cr_assert(mailbox_take(f.core->outbox, &mail));
	cr_assert_eq(mail.type, MAIL_ASK_NEIGH);
	cr_assert_arr_eq(mail.neigh.addr, fixture_remote, 16);
	cr_assert_eq(ip_output(f.core, &train), 0); /* asked once only */
	cr_assert_not(mailbox_take(f.core->outbox, &mail));
	cr_assert_eq(f.core->ip->parked_count, 2);
	cr_assert_eq(neigh_next_timer(f.core).ns, f.core->now.ns + 1000000);

	f.core->now.ns += 1000000;
	neigh_run(f.core);
	cr_assert_eq(f.core->ip->parked_count, 2);

	fixture_neigh_learn(&f);
	f.core->now.ns += 1000000;
	neigh_run(f.core);
	cr_assert_eq(f.core->ip->parked_count, 0);
	cr_assert_eq(neigh_next_timer(f.core).ns, 0);
	xsk_tx_burst(f.core);
	for (int i = 0; i < 2; i++) {
		at = fixture_tx_take(&f, &len, NULL);
		cr_assert_not_null(at);
		packet_check(at, len);
	}
}

Test(ip_output, unknown_neighbour_is_given_up)
{
	uint32_t free_before = f.core->frames->count;

	for (unsigned i = 0; i < NEIGH_PARKED_MAX + 5; i++)
		cr_assert_eq(ip_output(f.core, &train), 0);
	cr_assert_eq(f.core->ip->parked_count, NEIGH_PARKED_MAX);
	cr_assert_eq(f.core->stats->drop_tx_no_neigh, 5);
	f.core->now.ns += 1000000001;
	neigh_run(f.core);
	cr_assert_eq(f.core->ip->parked_count, 0);
	cr_assert_eq(f.core->frames->count, free_before);
	cr_assert_eq(f.core->stats->drop_tx_no_neigh, NEIGH_PARKED_MAX + 5);
}

/* Forged sources on the link, each another one: the supervisor hears of a bounded number a second. */
Test(ip_output, neighbour_requests_are_limited)
{
	struct mail mail;
	uint32_t asked = 0;

	for (unsigned i = 0; i < 1000; i++) {
		tuple.remote[15] = (uint8_t)(2 + i % 250);
		ip_output(f.core, &train);
		while (mailbox_take(f.core->outbox, &mail))
			asked++;
	}
	cr_assert_eq(asked, 128);
	cr_assert_eq(f.core->stats->neigh_requests, 128);
}
