/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text protocol, whole and in pieces, with much room for answers and with little.
 */
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

TestSuite(kv_text, .init = setup, .fini = teardown);

/* Says it, and compares the answer. */
static void expect(const char *request, const char *answer)
{
	rig.out_bytes = 0;
	kv_rig_say(&rig, request, strlen(request));
	cr_assert_eq(rig.out_bytes, strlen(answer), "%s: %.*s", request, (int)rig.out_bytes, rig.out);
	cr_assert(!memcmp(rig.out, answer, rig.out_bytes), "%s: %.*s", request, (int)rig.out_bytes, rig.out);
}

static const struct {
	const char *request, *answer;
} talk[] = {
    {"set a 1 0 3\r\nabc\r\n", "STORED\r\n"},
    {"get a\r\n", "VALUE a 1 3\r\nabc\r\nEND\r\n"},
    {"get x a  y a\r\n", "VALUE a 1 3\r\nabc\r\nVALUE a 1 3\r\nabc\r\nEND\r\n"},
    {"gets a\r\n", "VALUE a 1 3 1\r\nabc\r\nEND\r\n"},
    {"add a 0 0 1\r\nx\r\n", "NOT_STORED\r\n"},
    {"cas a 2 0 1 1\r\nx\r\n", "STORED\r\n"},
    {"cas a 2 0 1 1\r\nx\r\n", "EXISTS\r\n"},
    {"cas a 2 0 1 0\r\nx\r\n", "EXISTS\r\n"},
    {"cas b 2 0 1 1\r\nx\r\n", "NOT_FOUND\r\n"},
    {"append a 0 0 2\r\nyz\r\n", "STORED\r\n"},
    {"prepend a 0 0 1\r\nw\r\n", "STORED\r\n"},
    {"gat 0 a\r\n", "VALUE a 2 4\r\nwxyz\r\nEND\r\n"},
    {"incr a 1\r\n", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"},
    {"replace a 0 0 2\r\n99\r\n", "STORED\r\n"},
    {"incr a 1\r\n", "100\r\n"},
    {"decr a 1 noreply\r\n", ""},
    {"get a\r\n", "VALUE a 0 2\r\n99\r\nEND\r\n"},
    {"touch a 0\r\n", "TOUCHED\r\n"},
    {"touch a never\r\n", "CLIENT_ERROR invalid exptime argument\r\n"},
    {"delete a\r\n", "DELETED\r\n"},
    {"delete a\r\n", "NOT_FOUND\r\n"},
    {"set e 0 0 0\r\n\r\n", "STORED\r\n"},
    {"get e\r\n", "VALUE e 0 0\r\n\r\nEND\r\n"},
    {"set q 0 0 1 noreply\r\nq\r\nget q\r\n", "VALUE q 0 1\r\nq\r\nEND\r\n"},
    {"flush_all\r\nget q\r\n", "OK\r\nEND\r\n"},
    {"verbosity 1\r\n", "OK\r\n"},
    {"version\r\n", "VERSION " IXD_VERSION "\r\n"},
    {"\r\n", "ERROR\r\n"},
    {"get\r\n", "ERROR\r\n"},
    {"get \r\n", "ERROR\r\n"},
    {"gat 0\r\n", "ERROR\r\n"},
    {"gat soon a\r\n", "CLIENT_ERROR invalid exptime argument\r\n"},
    {"a b c d e f g h i j k\r\n", "ERROR\r\n"},
    {"set a 0 0 1 2 3 4 5 6 7\r\n", "ERROR\r\n"},
    {"set a 0 0 -1\r\n", "CLIENT_ERROR bad command line format\r\n"},
    {"set a 0 0 99999999999999999999\r\n", "CLIENT_ERROR bad command line format\r\n"},
    {"set a -1 0 1\r\n", "CLIENT_ERROR bad command line format\r\n"},
    {"incr a 18446744073709551616\r\n", "CLIENT_ERROR invalid numeric delta argument\r\n"},
    {"set a 0 0 1\r\nlonger\r\nget a\r\n", "CLIENT_ERROR bad data chunk\r\nEND\r\n"},
    {"stats nonsense\r\n", "ERROR\r\n"},
    {"stats reset\r\n", "RESET\r\n"},
};

static void talk_through(void)
{
	for (size_t i = 0; i < sizeof(talk) / sizeof(talk[0]); i++)
		expect(talk[i].request, talk[i].answer);
}

Test(kv_text, answers)
{
	talk_through();
}

Test(kv_text, answers_to_single_bytes)
{
	rig.piece = 1;
	talk_through();
}

Test(kv_text, answers_where_there_is_little_room)
{
	rig.room = KV_OUT_MIN_BYTES;
	talk_through();
}

Test(kv_text, large_values_in_pieces)
{
	static const size_t pieces[] = {1, 7, 1448, 65536};
	static const size_t rooms[] = {KV_OUT_MIN_BYTES, 1000, 65536};
	size_t bytes = 30000;
	char *request = malloc(bytes + 64), head[64];

	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 3; j++) {
			size_t at = (size_t)sprintf(request, "set big 0 0 %zu\r\n", bytes);
			int head_bytes = sprintf(head, "VALUE big 0 %zu\r\n", bytes);

			for (size_t k = 0; k < bytes; k++)
				request[at + k] = (char)(k * 7 + i + j);
			memcpy(request + at + bytes, "\r\n", 2);
			rig.piece = pieces[i];
			rig.room = rooms[j];
			rig.out_bytes = 0;
			kv_rig_say(&rig, request, at + bytes + 2);
			cr_assert(rig.out_bytes == 8 && !memcmp(rig.out, "STORED\r\n", 8));
			rig.out_bytes = 0;
			kv_rig_say(&rig, "get big\r\n", 9);
			cr_assert_eq(rig.out_bytes, (size_t)head_bytes + bytes + 7);
			cr_assert(!memcmp(rig.out, head, (size_t)head_bytes));
			cr_assert(!memcmp(rig.out + head_bytes, request + at, bytes));
		}
	free(request);
	cr_assert_eq(kv_store_counters(rig.store)->pins_refused, 0);
}

Test(kv_text, a_value_on_its_way_out_does_not_change)
{
	struct kv_io io;
	uint8_t room[1000];
	char value[5001] = {0};

	memset(value, 'o', 5000);
	rig.out_bytes = 0;
	kv_rig_say(&rig, "set v 0 0 5000\r\n", 16);
	kv_rig_say(&rig, value, 5000);
	kv_rig_say(&rig, "\r\n", 2);
	io = (struct kv_io){(const uint8_t *)"get v\r\n", NULL, room, room + sizeof(room)};
	io.in_end = io.in + 7;
	cr_assert_eq(kv_session_run(&rig.session, &io), KV_WANTS_ROOM);
	cr_assert_eq(io.out, room + sizeof(room));
	kv_store_delete(rig.store, (struct kv_key){(const uint8_t *)"v", 1}, 0);
	rig.left_bytes = (size_t)(io.in_end - io.in);
	memcpy(rig.left, io.in, rig.left_bytes);
	rig.out_bytes = 0;
	kv_rig_run(&rig);
	cr_assert_eq(rig.out_bytes, 5000 + 7 - (1000 - strlen("VALUE v 0 5000\r\n")));
	for (size_t i = 0; i + 7 < rig.out_bytes; i++)
		cr_assert_eq(rig.out[i], 'o');
}

Test(kv_text, keys_have_a_limit_and_their_number_has_none)
{
	char line[512];

	snprintf(line, sizeof(line), "get %0250d\r\n", 0);
	expect(line, "END\r\n");
	snprintf(line, sizeof(line), "get %0251d k\r\nversion\r\n", 0);
	expect(line, "CLIENT_ERROR bad command line format\r\nVERSION " IXD_VERSION "\r\n");
	rig.out_bytes = 0;
	kv_rig_say(&rig, "get", 3);
	for (int i = 0; i < 20000; i++)
		kv_rig_say(&rig, " key", 4);
	kv_rig_say(&rig, "\r\n", 2);
	cr_assert(rig.out_bytes == 5 && !memcmp(rig.out, "END\r\n", 5));
	cr_assert_eq(kv_store_counters(rig.store)->get_misses, 20001);
}

Test(kv_text, a_line_without_end_is_the_end)
{
	for (int i = 0; i < 3000 && !rig.is_closed; i++)
		kv_rig_say(&rig, "x", 1);
	cr_assert(rig.is_closed);
	cr_assert(!memcmp(rig.out, "CLIENT_ERROR line too long\r\n", rig.out_bytes));
}

Test(kv_text, values_that_are_too_large_are_passed_over)
{
	char *value = calloc(1, 2 << 20);

	expect("set a 0 0 1\r\nx\r\n", "STORED\r\n");
	rig.out_bytes = 0;
	kv_rig_say(&rig, "set a 0 0 2097152\r\n", 19);
	kv_rig_say(&rig, value, 2 << 20);
	kv_rig_say(&rig, "\r\nget a\r\n", 9);
	free(value);
	cr_assert_eq(rig.out_bytes, 46);
	cr_assert(!memcmp(rig.out, "SERVER_ERROR object too large for cache\r\nEND\r\n", 46));
}

Test(kv_text, quit_and_an_end_in_the_middle)
{
	expect("set a 0 0 1000\r\nabc", "");
	kv_session_end(&rig.session);
	kv_session_init(&rig.session, rig.store);
	rig.left_bytes = 0;
	expect("get a\r\n", "END\r\n");
	expect("quit\r\n", "");
	cr_assert(rig.is_closed);
}

Test(kv_text, half_of_the_memory_waits_at_the_most)
{
	enum { SESSIONS = 6 };
	struct kv_session sessions[SESSIONS];
	static const char begin[] = "set huge 0 0 1048000\r\nabc";
	uint8_t out[KV_OUT_MIN_BYTES];
	int refused = 0;

	for (int i = 0; i < SESSIONS; i++) {
		struct kv_io io = {(const uint8_t *)begin, (const uint8_t *)begin + strlen(begin), out,
				   out + sizeof(out)};

		kv_session_init(&sessions[i], rig.store);
		cr_assert_eq(kv_session_run(&sessions[i], &io), KV_WANTS_INPUT);
		refused += io.out > out;
	}
	cr_assert_eq(refused, SESSIONS - 4);
	for (int i = 0; i < SESSIONS; i++)
		kv_session_end(&sessions[i]);
	expect("set small 0 0 1\r\nx\r\n", "STORED\r\n");
}

Test(kv_text, statistics)
{
	rig.room = KV_OUT_MIN_BYTES;
	kv_rig_say(&rig, "stats\r\n", 7);
	cr_assert(!memcmp(rig.out, "STAT pid ", 9));
	cr_assert(!memcmp(rig.out + rig.out_bytes - 7, "\r\nEND\r\n", 7));
}
