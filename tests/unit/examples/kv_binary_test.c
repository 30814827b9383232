/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The binary protocol: every operation and its quiet variant, and headers that lie.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/examples/kv_rig.h"

static struct kv_rig rig;

static void setup(void)
{
	kv_rig_init(&rig);
}

static void teardown(void)
{
	kv_rig_fini(&rig);
}

TestSuite(kv_binary, .init = setup, .fini = teardown);

struct packet {
	uint8_t magic, opcode;
	uint16_t key_bytes;
	uint8_t extras_bytes, type;
	uint16_t status;
	uint32_t body_bytes, opaque;
	uint64_t cas;
	uint8_t body[512];
};

static struct packet request(uint8_t opcode, const char *extras, uint8_t extras_bytes, const char *key,
			     const char *value)
{
	struct packet packet = {.magic = 0x80, .opcode = opcode, .extras_bytes = extras_bytes};
	size_t key_bytes = strlen(key), value_bytes = strlen(value);

	packet.key_bytes = htobe16((uint16_t)key_bytes);
	packet.body_bytes = htobe32((uint32_t)(extras_bytes + key_bytes + value_bytes));
	packet.opaque = 0x12345678;
	memcpy(packet.body, extras, extras_bytes);
	memcpy(packet.body + extras_bytes, key, key_bytes);
	memcpy(packet.body + extras_bytes + key_bytes, value, value_bytes);
	return packet;
}

static void say(const struct packet *packet)
{
	rig.out_bytes = 0;
	kv_rig_say(&rig, packet, 24 + be32toh(packet->body_bytes));
}

/* Says it and checks the only answer's status, value and extras; status -1: there must be none. */
static void expect(struct packet packet, int status, const char *value)
{
	struct packet answer;

	say(&packet);
	if (status < 0) {
		cr_assert_eq(rig.out_bytes, 0, "opcode %02x", packet.opcode);
		return;
	}
	cr_assert_geq(rig.out_bytes, 24, "opcode %02x", packet.opcode);
	memcpy(&answer, rig.out, rig.out_bytes);
	cr_assert_eq(answer.magic, 0x81);
	cr_assert_eq(answer.opcode, packet.opcode);
	cr_assert_eq(answer.opaque, packet.opaque);
	cr_assert_eq(be16toh(answer.status), status, "opcode %02x: %x", packet.opcode,
		     be16toh(answer.status));
	cr_assert_eq(rig.out_bytes, 24 + be32toh(answer.body_bytes));
	if (value)
		cr_assert(be32toh(answer.body_bytes) == answer.extras_bytes + strlen(value) &&
			  !memcmp(answer.body + answer.extras_bytes, value, strlen(value)));
}

#define STORE_EXTRAS "\0\0\0\7\0\0\0\0", 8
#define COUNT_EXTRAS "\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\x2a\0\0\0\0", 20
#define NO_CREATE    "\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\x2a\xff\xff\xff\xff", 20
#define TIME_EXTRAS  "\0\0\0\0", 4
#define NO_EXTRAS    "", 0

static void talk_through(void)
{
	expect(request(0x01, STORE_EXTRAS, "a", "value"), 0, "");
	expect(request(0x00, NO_EXTRAS, "a", ""), 0, "value");
	expect(request(0x0c, NO_EXTRAS, "a", ""), 0, "avalue");
	expect(request(0x00, NO_EXTRAS, "b", ""), 1, "Not found");
	expect(request(0x0c, NO_EXTRAS, "b", ""), 1, "b");
	expect(request(0x09, NO_EXTRAS, "b", ""), -1, NULL);
	expect(request(0x0d, NO_EXTRAS, "b", ""), -1, NULL);
	expect(request(0x09, NO_EXTRAS, "a", ""), 0, "value");
	expect(request(0x02, STORE_EXTRAS, "a", "x"), 2, NULL);
	expect(request(0x03, STORE_EXTRAS, "b", "x"), 1, NULL);
	expect(request(0x0e, NO_EXTRAS, "a", "+"), 0, "");
	expect(request(0x0f, NO_EXTRAS, "a", "-"), 0, "");
	expect(request(0x0e, NO_EXTRAS, "b", "+"), 5, NULL);
	expect(request(0x1d, TIME_EXTRAS, "a", ""), 0, "-value+");
	expect(request(0x1c, TIME_EXTRAS, "a", ""), 0, "");
	expect(request(0x1c, TIME_EXTRAS, "b", ""), 1, NULL);
	expect(request(0x05, COUNT_EXTRAS, "a", ""), 6, NULL);
	expect(request(0x05, NO_CREATE, "n", ""), 1, NULL);
	expect(request(0x05, COUNT_EXTRAS, "n", ""), 0, NULL);
	expect(request(0x15, COUNT_EXTRAS, "n", ""), -1, NULL);
	expect(request(0x16, COUNT_EXTRAS, "n", ""), -1, NULL);
	expect(request(0x00, NO_EXTRAS, "n", ""), 0, "42");
	expect(request(0x04, NO_EXTRAS, "a", ""), 0, "");
	expect(request(0x14, NO_EXTRAS, "a", ""), 1, NULL);
	expect(request(0x11, STORE_EXTRAS, "q", "1"), -1, NULL);
	expect(request(0x13, STORE_EXTRAS, "q", "2"), -1, NULL);
	expect(request(0x19, NO_EXTRAS, "q", "3"), -1, NULL);
	expect(request(0x1a, NO_EXTRAS, "q", "1"), -1, NULL);
	expect(request(0x00, NO_EXTRAS, "q", ""), 0, "123");
	expect(request(0x14, NO_EXTRAS, "q", ""), -1, NULL);
	expect(request(0x12, STORE_EXTRAS, "q", "4"), -1, NULL);
	expect(request(0x0a, NO_EXTRAS, "", ""), 0, "");
	expect(request(0x0b, NO_EXTRAS, "", ""), 0, IXD_VERSION);
	expect(request(0x1b, TIME_EXTRAS, "", ""), 0, "");
	expect(request(0x18, NO_EXTRAS, "", ""), -1, NULL);
	expect(request(0x00, NO_EXTRAS, "q", ""), 1, NULL);
	expect(request(0x08, TIME_EXTRAS, "", ""), 0, "");
	expect(request(0x10, NO_EXTRAS, "reset", ""), 0, "");
	expect(request(0x10, NO_EXTRAS, "other", ""), 1, NULL);
	expect(request(0x70, NO_EXTRAS, "key", "value"), 0x81, "Unknown command");
	expect(request(0x1f, NO_EXTRAS, "", ""), 0x81, NULL);
}

Test(kv_binary, answers)
{
	talk_through();
}

Test(kv_binary, answers_to_single_bytes)
{
	rig.piece = 1;
	talk_through();
}

Test(kv_binary, answers_where_there_is_little_room)
{
	rig.room = KV_OUT_MIN_BYTES;
	talk_through();
}

Test(kv_binary, cas)
{
	struct packet packet = request(0x01, STORE_EXTRAS, "a", "1");

	packet.cas = htobe64(5);
	expect(packet, 1, NULL);
	packet.cas = 0;
	expect(packet, 0, "");
	memcpy(&packet.cas, rig.out + 16, sizeof(packet.cas));
	expect(packet, 0, "");
	expect(packet, 2, NULL);
}

Test(kv_binary, what_is_malformed_ends_the_connection)
{
	struct packet packets[] = {
	    request(0x00, NO_EXTRAS, "", ""),          request(0x00, NO_EXTRAS, "a", "value"),
	    request(0x00, TIME_EXTRAS, "a", ""),       request(0x01, NO_EXTRAS, "a", "value"),
	    request(0x05, STORE_EXTRAS, "a", ""),      request(0x0a, NO_EXTRAS, "a", ""),
	    request(0x0a, NO_EXTRAS, "", ""),          request(0x00, NO_EXTRAS, "a", ""),
	    request(0x01, STORE_EXTRAS, "a", "value"),
	};
	size_t count = sizeof(packets) / sizeof(packets[0]);

	packets[count - 3].magic = 0x81;
	packets[count - 2].key_bytes = htobe16(251);
	packets[count - 2].body_bytes = htobe32(251);
	packets[count - 1].body_bytes = htobe32(3);
	for (size_t i = 0; i < count; i++) {
		kv_rig_fini(&rig);
		kv_rig_init(&rig);
		/* A packet before decides that it is this protocol. */
		expect(request(0x0a, NO_EXTRAS, "", ""), 0, "");
		say(&packets[i]);
		cr_assert(rig.is_closed, "packet %zu", i);
		cr_assert_eq(rig.out[7], 4);
	}
}

Test(kv_binary, quit)
{
	expect(request(0x07, NO_EXTRAS, "", ""), 0, "");
	cr_assert(rig.is_closed);
	rig.is_closed = false;
	expect(request(0x17, NO_EXTRAS, "", ""), -1, NULL);
	cr_assert(rig.is_closed);
}

Test(kv_binary, large_values)
{
	struct packet packet = request(0x01, STORE_EXTRAS, "big", "");
	uint32_t bytes = 200000;
	uint8_t *value = malloc(2 << 20);

	for (size_t i = 0; i < 2 << 20; i++)
		value[i] = (uint8_t)(i * 13);
	packet.body_bytes = htobe32(11 + bytes);
	rig.room = 1000;
	kv_rig_say(&rig, &packet, 24 + 11);
	kv_rig_say(&rig, value, bytes);
	cr_assert_eq(rig.out_bytes, 24);
	packet = request(0x00, NO_EXTRAS, "big", "");
	say(&packet);
	cr_assert_eq(rig.out_bytes, 28 + bytes);
	cr_assert(!memcmp(rig.out + 28, value, bytes));
	/* One that is too large: passed over, and the old one goes. */
	packet = request(0x11, STORE_EXTRAS, "big", "");
	packet.body_bytes = htobe32(11 + (2 << 20));
	rig.out_bytes = 0;
	kv_rig_say(&rig, &packet, 24 + 11);
	kv_rig_say(&rig, value, 2 << 20);
	cr_assert_eq(rig.out[7], 3);
	expect(request(0x00, NO_EXTRAS, "big", ""), 1, NULL);
	free(value);
}

Test(kv_binary, statistics_end_with_an_empty_row)
{
	struct packet packet = request(0x10, NO_EXTRAS, "", "");

	rig.room = KV_OUT_MIN_BYTES;
	say(&packet);
	cr_assert_eq(rig.out[3], 3);
	cr_assert(!memcmp(rig.out + 24, "pid", 3));
	for (size_t i = rig.out_bytes - 22; i < rig.out_bytes - 12; i++)
		cr_assert_eq(rig.out[i], 0);
}
