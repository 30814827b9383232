/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of any content, from Ethernet through IP and ICMP into an engine with a listener and connections.
 * An input is a list of packets; a byte before each says which of its sums and numbers are made good, so that
 * what lies behind the checks is reached as well.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/dataplane/packet.h"
#include "tests/unit/dataplane/client_rig.h"

#define PACKETS_MAX 64
#define CLIENT      0
#define LEAST_BYTES 54 /* of the three headers */
#define SECOND_NS   UINT64_C(1000000000)

enum { GOOD_ETHERNET = 1, GOOD_IP = 2, GOOD_TCP = 4, GOOD_PORTS = 8, GOOD_NUMBERS = 16, LATER = 32 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rig *rig;
static const uint8_t from_peer[8] = {10, 0, 0, 2, 10, 0, 0, 1};
static uint32_t peer_conn;
static uint64_t handle;
static uint32_t our_seq, their_seq; /* as the last segment to the peer says */

static void repair_ip(uint8_t *ip, uint32_t len)
{
	uint32_t header = (uint32_t)(ip[0] & 15) * 4;

	if (header < 20 || header > len) {
		ip[0] = 0x45;
		header = 20;
	}
	ip[0] = (uint8_t)(0x40 | (ip[0] & 15));
	store_be16(ip + 2, len);
	store_be16(ip + 6, 0x4000);
	memcpy(ip + 12, from_peer, 8);
	store_be16(ip + 10, 0);
	store_be16(ip + 10, inet_checksum_fold(inet_checksum_add(0, ip, header)));
}

/* Numbers near those of the connection that is open. */
static void repair_numbers(uint8_t *tcp)
{
	uint32_t conn = (uint32_t)handle;
	struct tcp_info info;

	if (tcp_info(rig->core.tcp, conn, &info) != 0)
		return;
	store_be16(tcp, info.tuple.remote_port);
	store_be16(tcp + 2, info.tuple.local_port);
	store_be32(tcp + 4, their_seq + (uint32_t)(int32_t)(int8_t)tcp[4] * 64);
	store_be32(tcp + 8, our_seq + (uint32_t)(int32_t)(int8_t)tcp[8] * 64);
}

static void repair_tcp(uint8_t *ip, uint32_t len, uint8_t good)
{
	uint32_t header = (uint32_t)(ip[0] & 15) * 4;
	uint8_t pseudo[12] = {[9] = 6};

	if (header < 20 || header + 20 > len)
		return;
	uint8_t *tcp = ip + header;
	uint32_t bytes = len - header;

	if (good & GOOD_PORTS)
		store_be16(tcp + 2, RIG_PORT);
	if (good & GOOD_NUMBERS)
		repair_numbers(tcp);
	memcpy(pseudo, ip + 12, 8);
	store_be16(pseudo + 10, bytes);
	store_be16(tcp + 16, 0);
	store_be16(tcp + 16,
		   inet_checksum_fold(inet_checksum_add(inet_checksum_add(0, pseudo, 12), tcp, bytes)));
}

static void repair(uint8_t *packet, uint32_t len, uint8_t good)
{
	if (good & GOOD_ETHERNET && len >= 14) {
		memcpy(packet, rig->ip->ifaces[0].mac, 6);
		store_be16(packet + 12, 0x0800);
	}
	if (len < 14 + 20)
		return;
	if (good & GOOD_TCP)
		packet[14 + 9] = 6;
	if (good & GOOD_IP)
		repair_ip(packet + 14, len - 14);
	if (good & GOOD_TCP)
		repair_tcp(packet + 14, len - 14, good);
}

/* What the engine has to say, and what it says about the numbers. */
static void listen_to_it(void)
{
	event_flush(&rig->core);
	command_drain(&rig->core, 64);
	tcp_output(rig->core.tcp, rig->core.now, 64, true);
	for (const struct rig_packet *p = rig->wire_head; p != NULL; p = p->next) {
		if (!p->is_to_peer)
			continue;
		our_seq = load_be32(p->data + 4);
		their_seq = load_be32(p->data + 8);
	}
}

/* In memory of exactly its size; what is to be made good as TCP has at least its headers. */
static void input(const uint8_t *data, uint32_t len, uint8_t good)
{
	static struct rx_batch batch;
	uint32_t given = len;

	if (good & GOOD_TCP && len < LEAST_BYTES)
		len = LEAST_BYTES;
	uint8_t *packet = calloc(1, len + (len == 0));
	cr_assert_not_null(packet);
	memcpy(packet, data, given);
	repair(packet, len, good);
	memset(&batch, 0, sizeof(batch));
	batch.count = 1;
	batch.packets[0] = (struct rx_packet){.data = packet, .len = len};
	eth_input(&rig->core, &batch);
	free(packet);
	listen_to_it();
}

/* The leak check does not look into the memory that a rig lies in. */
static void end(void)
{
	rig_free(rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	rig = rig_new();
	if (atexit(end) != 0)
		return 1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ix_event event;
	struct mail mail;

	rig_client_add(rig, CLIENT, false);
	rig_listen(rig, CLIENT);
	handle = rig_open(rig, 1, &peer_conn);
	rig_sendv(rig, CLIENT, handle, 0, 1000);
	listen_to_it();
	for (unsigned i = 0; i < PACKETS_MAX && size >= 3; i++) {
		uint8_t good = data[0];
		uint32_t len = (uint32_t)(data[1] | data[2] << 8) % 1600;

		data += 3;
		size -= 3;
		if (len > size)
			len = (uint32_t)size;
		input(data, len, good);
		data += len;
		size -= len;
		if (good & LATER)
			rig_turns(rig, 1, SECOND_NS / 5);
		while (rig_event(rig, CLIENT, &event))
			cr_assert(event.type < IX_EV_COUNT);
	}
	rig_turn(rig);
	channel_del(&rig->core, CLIENT);
	for (unsigned i = 0; i < 8 && rig->core.clients->channel[CLIENT].state != CHANNEL_UNUSED; i++)
		rig_turns(rig, 1, SECOND_NS);
	cr_assert_eq(rig->core.clients->channel[CLIENT].state, CHANNEL_UNUSED);
	while (mailbox_take(rig->core.outbox, &mail))
		continue;
	rig_client_free(rig, CLIENT);
	if (!rig->peers[peer_conn].is_dead)
		tcp_abort(rig->peer, rig->core.now, peer_conn);
	rig_turns(rig, 2, 130 * SECOND_NS);
	return 0;
}
