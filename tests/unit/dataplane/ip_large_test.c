/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large sends: what is written to the packet socket, what goes packet by packet instead, and in which order.
 * The packet socket's part is played by a pair of datagram sockets.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/dataplane/packet_fixture.h"

#define MSS  1448u
#define VNET ((uint32_t)sizeof(struct virtio_net_hdr))

static struct fixture f;
static struct tcp_tuple tuple;
static struct tcp_emit train;
static int other_end;
static uint8_t got[70000];

static void setup(void)
{
	int pair[2], bytes = 1 << 20;

	fixture_init(&f);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	cr_assert_eq(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
	f.port->packet_fd = pair[0];
	f.port->is_zerocopy = false;
	other_end = pair[1];
	fixture_neigh_learn(&f);
	tuple = (struct tcp_tuple){.local_port = 80, .remote_port = 4000};
	memcpy(tuple.local, fixture_local, 16);
	memcpy(tuple.remote, fixture_remote, 16);
	train = (struct tcp_emit){.tuple = &tuple,
				  .seq = 0xfffffff0,
				  .ack = 0x11223344,
				  .window = 0x5566,
				  .flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR,
				  .first_flags = TCP_CWR,
				  .payload_off = 1000003,
				  .mss = MSS};
}

static void teardown(void)
{
	close(f.port->packet_fd);
	close(other_end);
	fixture_fini(&f);
}

TestSuite(ip_large, .init = setup, .fini = teardown);

/* Takes what was written, and checks everything but the flags. Returns payload bytes; -1: nothing. */
static int64_t large_take(uint32_t off, uint8_t *flags)
{
	ssize_t bytes = recv(other_end, got, sizeof(got), 0);
	const uint8_t *ip = got + VNET + 14, *tcp = ip + 20;
	uint32_t payload = (uint32_t)bytes - VNET - 54;
	struct virtio_net_hdr vnet;
	uint16_t sum;

	if (bytes < 0)
		return -1;
	memcpy(&vnet, got, sizeof(vnet));
	cr_assert_eq(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	cr_assert_eq(vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
	cr_assert_eq(vnet.gso_size, MSS);
	cr_assert_eq(vnet.hdr_len, 54);
	cr_assert_eq(vnet.csum_start, 34);
	cr_assert_eq(vnet.csum_offset, 16);
	cr_assert_arr_eq(got + VNET, fixture_peer_mac, 6);
	cr_assert_eq(load_be16(ip + 2), (uint32_t)bytes - VNET - 14);
	cr_assert_eq(inet_checksum_fold(inet_checksum_add(0, ip, 20)), 0);
	cr_assert_eq(load_be32(tcp + 4), train.seq + off);
	/* Whoever adds the segment to the sum that is there, and complements it, has the checksum. */
	sum = (uint16_t)~inet_checksum_fold(
	    inet_checksum_pseudo(fixture_local, fixture_remote, IP_PROTO_TCP, 20 + payload));
	cr_assert_arr_eq(tcp + 16, &sum, 2);
	for (uint32_t i = 0; i < payload; i++)
		cr_assert_eq(tcp[20 + i], fixture_stream_byte(train.payload_off + off + i));
	*flags = tcp[13];
	return payload;
}

Test(ip_large, all_at_once)
{
	uint8_t flags;

	train.payload_len = 5 * MSS + 333;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	cr_assert_eq(large_take(0, &flags), train.payload_len);
	cr_assert_eq(flags, train.flags);
	cr_assert_eq(f.core->stats->tx_large, 1);
	cr_assert_eq(f.core->stats->tx_packets, 6);
	cr_assert_eq(f.core->stats->tx_bytes, train.payload_len + 6 * 54);
	cr_assert_eq(f.port->tx.prod, 0);
}

Test(ip_large, one_segment_goes_by_frame)
{
	uint8_t flags;

	train.payload_len = MSS;
	cr_assert_eq(ip_output(f.core, &train), MSS);
	cr_assert_eq(large_take(0, &flags), -1);
	cr_assert_eq(f.port->tx.prod, 1);
}

/* Accurate ECN: CWR may be on all segments, which the kernel would not do. */
Test(ip_large, cwr_on_all_goes_by_frame)
{
	uint8_t flags;

	train.first_flags = 0;
	train.payload_len = 5 * MSS;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	cr_assert_eq(large_take(0, &flags), -1);
	cr_assert_eq(f.port->tx.prod, 5);
}

/* More than an IP packet can hold: whole segments, and the rest by frame, with PSH and FIN. */
Test(ip_large, the_rest_follows)
{
	uint32_t most = (65535 - 40) / MSS * MSS, len;
	const uint8_t *at;
	uint8_t flags;

	train.payload_len = 65535;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	cr_assert_eq(large_take(0, &flags), most);
	cr_assert_eq(flags, TCP_ACK | TCP_CWR);
	cr_assert_eq(f.port->tx.prod, 1);
	xsk_ring_submit(&f.port->tx);
	at = fixture_tx_take(&f, &len, NULL);
	cr_assert_eq(len, 54 + train.payload_len - most);
	cr_assert_eq(load_be32(at + 38), train.seq + most);
	cr_assert_eq(at[47], TCP_ACK | TCP_PSH | TCP_FIN);
}

/* Too many pieces for one call: whole segments of what they cover. */
Test(ip_large, many_pieces)
{
	uint8_t flags;

	f.seen.pieces_bytes_max = 3 * MSS + 77;
	train.payload_len = 8 * MSS;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	cr_assert_eq(large_take(0, &flags), 3 * MSS);
	cr_assert_eq(flags, TCP_ACK | TCP_CWR);
	cr_assert_eq(f.port->tx.prod, 5);
}

/* Where nothing may go the other way, frames do it. */
Test(ip_large, where_it_cannot_be)
{
	uint8_t flags;

	train.payload_len = 3 * MSS;
	f.port->is_zerocopy = true;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	f.port->is_zerocopy = false;
	f.port->is_tx_stalled = true;
	cr_assert_eq(ip_output(f.core, &train), train.payload_len);
	f.port->is_tx_stalled = false;
	cr_assert_eq(large_take(0, &flags), -1);
	cr_assert_eq(f.port->tx.prod, 6);
}

/* A full socket: nothing has gone, the engine tries again. */
Test(ip_large, no_room)
{
	int64_t r = 0;

	train.payload_len = 40 * MSS;
	for (int i = 0; i < 1000 && r >= 0; i++) {
		ip_turn_begin(f.core);
		r = ip_output(f.core, &train);
	}
	cr_assert_eq(r, -EAGAIN);
	cr_assert_eq(f.core->stats->tx_large_failed, 0);
	cr_assert_eq(f.port->tx.prod, 0);
}

/* A page that is not there: packet by packet, where the guard is. */
Test(ip_large, memory_is_gone)
{
	f.seen.stream_is_gone = true;
	train.payload_len = 3 * MSS;
	cr_assert_eq(ip_output(f.core, &train), -EIO);
	cr_assert_eq(f.core->stats->tx_large_failed, 1);
	cr_assert_eq(f.core->frames->count, FIXTURE_FRAMES);
}
