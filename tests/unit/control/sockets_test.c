/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listing the connections of real engines in the state memory.
 */
#include "daemon/control/sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/control/fixture.h"

static struct fixture f;
static struct tcp_stats tcp_stats;
static void *volatile_mem[FIXTURE_CORES];
static struct tcp_engine *engines[FIXTURE_CORES];

static int64_t emit(void *ctx, const struct tcp_emit *train)
{
	(void)ctx;
	return train->payload_len;
}

static bool path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *out)
{
	(void)ctx;
	(void)listener;
	(void)tuple;
	*out = (struct tcp_path){.mtu = 1500, .rcv_window = 65535, .rcv_window_max = 65535};
	return true;
}

static bool on_dead(void *ctx, uint32_t conn, enum tcp_reason reason)
{
	(void)ctx;
	(void)conn;
	(void)reason;
	return false;
}

static const struct tcp_ops ops = {.emit = emit, .path = path, .on_dead = on_dead};

static void setup(void)
{
	struct tcp_limits limits;
	struct tcp_config config;
	struct tcp_keys keys = {0};

	fixture_init(&f);
	state_engine_limits(&f.sources.fixed, &limits);
	tcp_config_default(&config);
	for (int core = 0; core < FIXTURE_CORES; core++) {
		size_t bytes = (tcp_volatile_size(&limits) + 63) & ~(size_t)63;

		volatile_mem[core] = aligned_alloc(64, bytes);
		memset(volatile_mem[core], 0, bytes);
		engines[core] = tcp_engine_init(
		    f.state + f.sources.layout.core_off[core] + f.sources.layout.engine_off,
		    volatile_mem[core], &limits, &config, &keys, &ops, NULL, &tcp_stats, (tcp_time){1000});
		cr_assert_not_null(engines[core]);
	}
}

static void teardown(void)
{
	for (int core = 0; core < FIXTURE_CORES; core++)
		free(volatile_mem[core]);
	fixture_fini(&f);
}

TestSuite(sockets, .init = setup, .fini = teardown, .timeout = 30);

static struct conn_record *connect_to(int core, uint16_t local_port, uint16_t remote_port)
{
	struct tcp_tuple tuple = {.local = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1},
				  .remote = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
				  .local_port = local_port,
				  .remote_port = remote_port};
	struct tcp_params params = {0};
	int64_t conn = tcp_connect(engines[core], (tcp_time){2000}, &tuple, &params);

	cr_assert_geq(conn, 0);
	struct conn_record *record =
	    (struct conn_record *)(f.state + f.sources.layout.core_off[core] + f.sources.layout.conn_off) +
	    conn;
	*record = (struct conn_record){.client = 2, .listener = STATE_NONE, .phase = CONN_OPENING};
	return record;
}

static json_t *list(const char *parameters)
{
	char call[256];
	int fd = fixture_connect(&f);

	snprintf(call, sizeof(call), "{\"method\":\"io.ixd.Sockets\",\"parameters\":%s}", parameters);
	json_t *answer = fixture_call(&f, fd, call);
	close(fd);
	return answer;
}

static size_t count(const char *parameters)
{
	json_t *answer = list(parameters);
	size_t size = json_array_size(json_object_get(json_object_get(answer, "parameters"), "sockets"));

	cr_assert(json_is_true(json_object_get(json_object_get(answer, "parameters"), "is_complete")));
	json_decref(answer);
	return size;
}

static long long member(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

Test(sockets, one_connection_in_all_its_members)
{
	struct conn_record *record = connect_to(1, 61000, 80);

	record->sent_given_off = 5000;
	record->sent_acked_off = 2000;
	record->rx_ready_off = 700;
	record->rx_done_off = 900; /* read a moment later: never negative */
	f.view->clients[2] = (struct view_client){.is_used = 1, .pid = 4711};
	json_t *answer = list("{}");
	json_t *row = json_array_get(json_object_get(json_object_get(answer, "parameters"), "sockets"), 0);
	cr_assert_eq(member(row, "core"), 1);
	cr_assert_eq(member(row, "send_queue"), 3000);
	cr_assert_eq(member(row, "receive_queue"), 0);
	cr_assert_eq(member(row, "pid"), 4711);
	cr_assert_eq(member(row, "local_port"), 61000);
	cr_assert_eq(member(row, "remote_port"), 80);
	cr_assert_str_eq(json_string_value(json_object_get(row, "state")), tcp_state_name(TCP_SYN_SENT));
	cr_assert_str_eq(json_string_value(json_object_get(row, "remote_address")), "10.0.0.2");
	cr_assert_str_eq(json_string_value(json_object_get(row, "phase")), "opening");
	json_decref(answer);
}

Test(sockets, filters)
{
	char by_state[64];

	connect_to(0, 61000, 80);
	connect_to(0, 61001, 81)->client = 9;
	connect_to(1, 61000, 81);
	snprintf(by_state, sizeof(by_state), "{\"state\":\"%s\"}", tcp_state_name(TCP_SYN_SENT));
	cr_assert_eq(count("{}"), 3);
	cr_assert_eq(count("{\"local_port\":61000}"), 2);
	cr_assert_eq(count("{\"remote_port\":81}"), 2);
	cr_assert_eq(count("{\"remote_port\":81,\"core\":1}"), 1);
	cr_assert_eq(count("{\"core\":0}"), 2);
	cr_assert_eq(count("{\"core\":31}"), 0);
	cr_assert_eq(count("{\"client\":9}"), 1);
	cr_assert_eq(count(by_state), 3);
	snprintf(by_state, sizeof(by_state), "{\"state\":\"%s\"}", tcp_state_name(TCP_ESTABLISHED));
	cr_assert_eq(count(by_state), 0);
}

Test(sockets, a_client_that_is_gone_has_no_pid)
{
	connect_to(0, 61000, 80)->client = UINT32_MAX;
	json_t *answer = list("{}");
	json_t *row = json_array_get(json_object_get(json_object_get(answer, "parameters"), "sockets"), 0);
	cr_assert(json_is_null(json_object_get(row, "client")));
	cr_assert(json_is_null(json_object_get(row, "pid")));
	json_decref(answer);
}

Test(sockets, pieces)
{
	const int total = 100; /* in two engines: more than a piece */
	int fd = fixture_connect(&f);
	size_t seen = 0, pieces = 0;
	bool continues;

	for (int i = 0; i < total; i++)
		connect_to(i % 2, (uint16_t)(61000 + i), 80);
	fixture_send(fd, "{\"method\":\"io.ixd.Sockets\",\"more\":true}");
	do {
		json_t *answer = fixture_receive(&f, fd);
		size_t size =
		    json_array_size(json_object_get(json_object_get(answer, "parameters"), "sockets"));

		cr_assert_leq(size, SOCKETS_PIECE);
		continues = json_is_true(json_object_get(answer, "continues"));
		seen += size;
		pieces++;
		json_decref(answer);
	} while (continues);
	cr_assert_eq(seen, (size_t)total);
	cr_assert_eq(pieces, 2);
	close(fd);
}

Test(sockets, garbage_is_never_followed)
{
	unsigned seed = 1;

	/* Whatever a dataplane that went wrong has written: an answer, and nothing outside the mappings. */
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 2000; i++) {
			seed = seed * 1103515245u + 12345u;
			f.state[(seed >> 4) % f.sources.layout.bytes] = (uint8_t)(seed >> 24);
		}
		cr_assert_str_eq(fixture_error(list("{}")), "");
	}
	memset(f.state, 0xff, f.sources.layout.bytes);
	cr_assert_str_eq(fixture_error(list("{}")), "");
}
