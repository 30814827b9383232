/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control server with askers that are polite, wrong, slow, gone, or too many.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/control/fixture.h"

static struct fixture f;

static void setup(void)
{
	fixture_init(&f);
}

static void teardown(void)
{
	fixture_fini(&f);
}

TestSuite(server, .init = setup, .fini = teardown, .timeout = 30);

#define CALL(method)             "{\"method\":\"" method "\"}"
#define CALL_WITH(method, given) "{\"method\":\"" method "\",\"parameters\":" given "}"

static unsigned connections_in_use(void)
{
	unsigned used = 0;

	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		used += f.server->connections[i].state != CONNECTION_FREE;
	return used;
}

Test(server, service_interface)
{
	int fd = fixture_connect(&f);
	json_t *answer = fixture_call(&f, fd, CALL("org.varlink.service.GetInfo"));
	json_t *list = json_object_get(json_object_get(answer, "parameters"), "interfaces");

	cr_assert_eq(json_array_size(list), 2);
	json_decref(answer);
	answer = fixture_call(
	    &f, fd, CALL_WITH("org.varlink.service.GetInterfaceDescription", "{\"interface\":\"io.ixd\"}"));
	const char *text =
	    json_string_value(json_object_get(json_object_get(answer, "parameters"), "description"));
	cr_assert_not_null(strstr(text, "\ninterface io.ixd\n"));
	cr_assert_not_null(strstr(text, "error TooManyConnections (limit: int)\n"));
	json_decref(answer);
	close(fd);
}

Test(server, errors_of_the_protocol)
{
	static const struct {
		const char *call, *error;
	} cases[] = {
	    {CALL("io.ixd.Nothing"), "org.varlink.service.MethodNotFound"},
	    {CALL("org.varlink.service.X"), "org.varlink.service.MethodNotFound"},
	    {CALL("org.example.X"), "org.varlink.service.InterfaceNotFound"},
	    {CALL("io"), "org.varlink.service.InterfaceNotFound"},
	    {CALL(""), "org.varlink.service.InterfaceNotFound"},
	    {CALL_WITH("io.ixd.Status", "{\"x\":1}"), "org.varlink.service.InvalidParameter"},
	    {CALL_WITH("io.ixd.Stats", "{\"nonzero\":1}"), "org.varlink.service.InvalidParameter"},
	    {CALL_WITH("io.ixd.Sockets", "{\"state\":\"sleepy\"}"), "org.varlink.service.InvalidParameter"},
	    {CALL_WITH("io.ixd.Sockets", "{\"local_port\":65536}"), "org.varlink.service.InvalidParameter"},
	    {CALL_WITH("io.ixd.Sockets", "{\"local_port\":-1}"), "org.varlink.service.InvalidParameter"},
	    {CALL_WITH("io.ixd.Sockets", "{\"core\":1.5}"), "org.varlink.service.InvalidParameter"},
	    {CALL("org.varlink.service.GetInterfaceDescription"), "org.varlink.service.InvalidParameter"},
	    {CALL_WITH("org.varlink.service.GetInterfaceDescription", "{\"interface\":\"io\"}"),
	     "org.varlink.service.InterfaceNotFound"},
	    {CALL_WITH("io.ixd.Stats", "{\"nonzero\":null}"), "io.ixd.Unavailable"}, /* no map was given */
	    {CALL("io.ixd.Flows"), "io.ixd.Unavailable"},
	};
	int fd = fixture_connect(&f);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(fixture_error(fixture_call(&f, fd, cases[i].call)), cases[i].error, "%s",
				 cases[i].call);
	close(fd);
}

Test(server, status)
{
	int fd = fixture_connect(&f);
	json_t *answer, *p;

	f.stats->core[0].conns_open = 3;
	f.stats->core[1].conns_open = 4;
	f.mirror->ifaces_count = 1;
	f.mirror->ifaces[0].ifindex = 7;
	f.mirror->ifaces[0].mtu = 1500;
	f.mirror->addrs_count = 1;
	f.mirror->addrs[0] =
	    (struct mirror_addr){.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, .prefix_len = 120};
	answer = fixture_call(&f, fd, CALL("io.ixd.Status"));
	p = json_object_get(answer, "parameters");
	cr_assert_str_eq(json_string_value(json_object_get(p, "instance")), "unit");
	cr_assert_eq(json_integer_value(json_object_get(p, "connections")), 7);
	cr_assert_eq(json_integer_value(json_object_get(p, "connections_max")),
		     FIXTURE_CORES * FIXTURE_CONNS);
	cr_assert(json_is_true(json_object_get(p, "is_ready")));
	cr_assert(json_is_null(json_object_get(p, "reconfigured_us_ago")));
	json_t *iface = json_array_get(json_object_get(p, "interfaces"), 0);
	cr_assert_eq(json_integer_value(json_object_get(iface, "mtu")), 1500);
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(iface, "addresses"), 0)),
			 "10.0.0.1/24");
	json_decref(answer);
	close(fd);
}

Test(server, clients_and_listeners)
{
	int fd = fixture_connect(&f);
	json_t *answer, *row;

	f.view->clients[3] =
	    (struct view_client){.is_used = 1, .pid = 99, .uid = 1000, .comm = "a\xff\x1b[31mb"};
	f.view->listeners[8] = (struct view_listener){.is_used = 1, .port = 80, .clients = 2};
	struct conn_record *records =
	    (struct conn_record *)(f.state + f.sources.layout.core_off[1] + f.sources.layout.conn_off);
	records[5].phase = CONN_OPEN;
	records[5].client = 3;
	records[6].client = 3; /* free: does not count */
	answer = fixture_call(&f, fd, CALL("io.ixd.Clients"));
	row = json_array_get(json_object_get(json_object_get(answer, "parameters"), "clients"), 0);
	cr_assert_eq(json_integer_value(json_object_get(row, "id")), 3);
	cr_assert_eq(json_integer_value(json_object_get(row, "connections")), 1);
	cr_assert_str_eq(json_string_value(json_object_get(row, "command")), "a?\x1b[31mb");
	json_decref(answer);
	answer = fixture_call(&f, fd, CALL("io.ixd.Listeners"));
	row = json_array_get(json_object_get(json_object_get(answer, "parameters"), "listeners"), 0);
	cr_assert_eq(json_integer_value(json_object_get(row, "id")), 8);
	cr_assert_str_eq(json_string_value(json_object_get(row, "address")), "*");
	json_decref(answer);
	close(fd);
}

Test(server, a_view_that_never_rests_is_busy)
{
	int fd = fixture_connect(&f);

	f.view->seq = 1;
	cr_assert_str_eq(fixture_error(fixture_call(&f, fd, CALL("io.ixd.Clients"))), "io.ixd.Busy");
	cr_assert_str_eq(fixture_error(fixture_call(&f, fd, CALL("io.ixd.Sockets"))), "io.ixd.Busy");
	f.view->seq = 2;
	cr_assert_str_eq(fixture_error(fixture_call(&f, fd, CALL("io.ixd.Clients"))), "");
	close(fd);
}

Test(server, a_view_of_nonsense_is_bounded)
{
	int fd = fixture_connect(&f);

	memset(f.view->ifaces, 'x', sizeof(f.view->ifaces));
	memset(f.view->config_path, 'y', sizeof(f.view->config_path));
	f.view->ifaces_count = UINT32_MAX;
	f.view->config.cc = 200;
	f.view->config.log_level = 77;
	f.mirror->ifaces_count = UINT32_MAX;
	f.mirror->addrs_count = UINT32_MAX;
	cr_assert_str_eq(fixture_error(fixture_call(&f, fd, CALL("io.ixd.Status"))), "");
	close(fd);
}

Test(server, calls_may_be_pipelined)
{
	int fd = fixture_connect(&f);

	for (int i = 0; i < 100; i++)
		fixture_send(fd, CALL("io.ixd.Version"));
	for (int i = 0; i < 100; i++)
		cr_assert_str_eq(fixture_error(fixture_receive(&f, fd)), "");
	close(fd);
}

Test(server, a_call_may_come_byte_by_byte)
{
	static const char call[] = CALL("io.ixd.Version");
	int fd = fixture_connect(&f);

	for (size_t i = 0; i < sizeof(call); i++) {
		cr_assert_eq(send(fd, call + i, 1, 0), 1);
		cr_assert_eq(server_turn(f.server, 0), 0);
	}
	cr_assert_str_eq(fixture_error(fixture_receive(&f, fd)), "");
	close(fd);
}

Test(server, oneway_calls_have_no_answer)
{
	int fd = fixture_connect(&f);

	fixture_send(fd, "{\"method\":\"io.ixd.Sockets\",\"oneway\":true}");
	fixture_send(fd, "{\"method\":\"io.ixd.Nothing\",\"oneway\":true}");
	fixture_send(fd, "{\"method\":\"io.ixd.Flows\",\"oneway\":true}");
	fixture_send(fd, "{\"method\":\"io.ixd.Status\",\"oneway\":true}");
	json_t *answer = fixture_call(&f, fd, CALL("io.ixd.Version"));
	cr_assert_not_null(json_object_get(json_object_get(answer, "parameters"), "client_abi"));
	json_decref(answer);
	close(fd);
}

Test(server, nonsense_ends_the_connection)
{
	int fd = fixture_connect(&f);

	fixture_send(fd, "GET / HTTP/1.1");
	cr_assert_null(fixture_receive(&f, fd));
	close(fd);
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), 0);
}

Test(server, a_call_without_end_ends_the_connection)
{
	char bytes[4096];
	int fd = fixture_connect(&f);

	memset(bytes, ' ', sizeof(bytes));
	for (size_t sent = 0; sent < CONNECTION_CALL_BYTES_MAX; sent += sizeof(bytes)) {
		cr_assert_eq(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL), (ssize_t)sizeof(bytes));
		fixture_turn(&f);
	}
	cr_assert_null(fixture_receive(&f, fd));
	close(fd);
}

Test(server, who_stops_sending_is_still_answered)
{
	int fd = fixture_connect(&f);

	fixture_send(fd, CALL("io.ixd.Status"));
	shutdown(fd, SHUT_WR);
	cr_assert_str_eq(fixture_error(fixture_receive(&f, fd)), "");
	cr_assert_null(fixture_receive(&f, fd));
	cr_assert_eq(connections_in_use(), 0);
	close(fd);
}

/* Makes every deadline pass. */
static void age_connections(void)
{
	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		f.server->connections[i].deadline_ns = 1;
}

Test(server, half_a_call_has_its_time)
{
	int fd = fixture_connect(&f);

	cr_assert_eq(send(fd, "{\"me", 4, 0), 4);
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), 1);
	age_connections();
	cr_assert_null(fixture_receive(&f, fd));
	cr_assert_eq(connections_in_use(), 0);
	close(fd);
}

Test(server, a_byte_now_and_then_does_not_buy_time)
{
	int fd = fixture_connect(&f);
	uint64_t deadline_ns = 0;

	for (int i = 0; i < 5; i++) {
		cr_assert_eq(send(fd, "{", 1, 0), 1);
		fixture_turn(&f);
		for (unsigned j = 0; j < SERVER_CONNECTIONS_MAX; j++)
			if (f.server->connections[j].state != CONNECTION_FREE) {
				if (deadline_ns)
					cr_assert_eq(f.server->connections[j].deadline_ns, deadline_ns);
				deadline_ns = f.server->connections[j].deadline_ns;
			}
	}
	cr_assert_neq(deadline_ns, 0);
	close(fd);
}

Test(server, an_answer_that_is_not_taken_is_given_up)
{
	int fd = fixture_connect(&f), other = fixture_connect(&f);

	/* The answers are far more than the socket holds: the server stops reading, and waits. */
	for (int i = 0; i < 60; i++)
		fixture_send(fd, CALL_WITH("org.varlink.service.GetInterfaceDescription",
					   "{\"interface\":\"io.ixd\"}"));
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), 2);
	cr_assert_str_eq(fixture_error(fixture_call(&f, other, CALL("io.ixd.Version"))), "");
	age_connections();
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), 0);
	close(fd);
	close(other);
}

Test(server, too_many_connections_are_told_so)
{
	/* Root may use all places, anybody else only a share. */
	const unsigned limit = getuid() == 0 ? SERVER_CONNECTIONS_MAX : SERVER_CONNECTIONS_PER_UID;
	int fds[SERVER_CONNECTIONS_MAX + 1];

	for (unsigned i = 0; i <= limit; i++)
		fds[i] = fixture_connect(&f);
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), limit);
	cr_assert_str_eq(fixture_error(fixture_receive(&f, fds[limit])), "io.ixd.TooManyConnections");
	for (unsigned i = 0; i <= limit; i++)
		close(fds[i]);
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), 0);
}

static struct msg receive_request(int *asker_fd)
{
	int fds[MSG_FDS_MAX];
	unsigned count;
	struct msg m;

	cr_assert_eq(msg_recv(f.supervisor_fd, &m, fds, &count), 1);
	cr_assert_eq(m.type, MSG_SUP_REQUEST);
	cr_assert_eq(m.request.kind, REQUEST_RECONFIGURE);
	cr_assert_eq(count, 1);
	*asker_fd = fds[0];
	return m;
}

static void send_reply(uint32_t id, const char *text, bool is_last, int outcome)
{
	struct msg m = {.type = MSG_CTL_REPLY};

	m.reply.id = id;
	m.reply.is_last = is_last;
	m.reply.outcome = outcome;
	m.reply.text_len = (uint32_t)strlen(text);
	strcpy(m.reply.text, text);
	cr_assert_eq(msg_send(f.supervisor_fd, &m, NULL, 0), 0);
}

Test(server, reconfigure_is_passed_on_with_the_asker)
{
	int fd = fixture_connect(&f), asker;

	fixture_send(fd, CALL("io.ixd.Reconfigure"));
	fixture_turn(&f);
	struct msg m = receive_request(&asker);
	struct ucred cred;
	socklen_t len = sizeof(cred);
	cr_assert_eq(getsockopt(asker, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
	cr_assert_eq(cred.pid, getpid());
	close(asker);
	send_reply(m.request.id, "spin_us: 20 -> ", false, 0);
	send_reply(m.request.id + 1, "for nobody", true, 0);
	send_reply(m.request.id, "50\n", true, 0);
	json_t *answer = fixture_receive(&f, fd);
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(answer, "parameters"), "report")),
			 "spin_us: 20 -> 50\n");
	json_decref(answer);
	close(fd);
}

Test(server, reconfigure_can_fail)
{
	int fd = fixture_connect(&f), asker;

	fixture_send(fd, CALL("io.ixd.Reconfigure"));
	fixture_turn(&f);
	struct msg m = receive_request(&asker);
	close(asker);
	send_reply(m.request.id, "", true, -EPERM);
	cr_assert_str_eq(fixture_error(fixture_receive(&f, fd)), "io.ixd.PermissionDenied");
	fixture_send(fd, CALL("io.ixd.Reconfigure"));
	fixture_turn(&f);
	m = receive_request(&asker);
	close(asker);
	send_reply(m.request.id, "x.conf:3: no such key\n", true, -EINVAL);
	cr_assert_str_eq(fixture_error(fixture_receive(&f, fd)), "io.ixd.ReconfigureFailed");
	close(fd);
}

Test(server, an_asker_that_leaves_is_forgotten)
{
	int fd = fixture_connect(&f), asker;

	fixture_send(fd, CALL("io.ixd.Reconfigure"));
	fixture_turn(&f);
	struct msg m = receive_request(&asker);
	close(asker);
	close(fd);
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), 0);
	send_reply(m.request.id, "too late\n", true, 0);
	fixture_turn(&f);
}

/* As long as the supervisor holds a copy of its descriptor, the socket of who has left still hangs up. */
Test(server, who_has_left_does_not_end_the_next_in_its_place)
{
	int fd = fixture_connect(&f);

	fixture_send(fd, CALL("io.ixd.Reconfigure"));
	fixture_turn(&f);
	close(fd);
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), 0);
	fd = fixture_connect(&f);
	cr_assert_str_eq(fixture_error(fixture_call(&f, fd, CALL("io.ixd.Version"))), "");
	fixture_turn(&f);
	cr_assert_eq(connections_in_use(), 1);
	cr_assert_str_eq(fixture_error(fixture_call(&f, fd, CALL("io.ixd.Version"))), "");
	close(fd);
}

Test(server, a_supervisor_that_does_not_answer_is_told)
{
	int fd = fixture_connect(&f), asker;

	fixture_send(fd, CALL("io.ixd.Reconfigure"));
	fixture_turn(&f);
	receive_request(&asker);
	close(asker);
	age_connections();
	cr_assert_str_eq(fixture_error(fixture_receive(&f, fd)), "io.ixd.TimedOut");
	cr_assert_null(fixture_receive(&f, fd));
	close(fd);
}

Test(server, a_report_is_bounded)
{
	char text[512];
	int fd = fixture_connect(&f), asker;

	memset(text, 'r', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fixture_send(fd, CALL("io.ixd.Reconfigure"));
	fixture_turn(&f);
	struct msg m = receive_request(&asker);
	close(asker);
	for (int i = 0; i < 2 * SERVER_REPORT_BYTES_MAX / 512; i++) {
		send_reply(m.request.id, text, false, 0);
		cr_assert_eq(server_turn(f.server, 0), 0);
	}
	send_reply(m.request.id, text, true, 0);
	json_t *answer = fixture_receive(&f, fd);
	cr_assert_eq(json_string_length(json_object_get(json_object_get(answer, "parameters"), "report")),
		     SERVER_REPORT_BYTES_MAX);
	json_decref(answer);
	close(fd);
}

Test(server, ends_with_the_supervisor)
{
	struct msg m = {.type = MSG_CTL_STOP};

	cr_assert_eq(msg_send(f.supervisor_fd, &m, NULL, 0), 0);
	cr_assert_eq(server_run(f.server), 0);
	f.server->must_stop = false;
	shutdown(f.supervisor_fd, SHUT_RDWR);
	cr_assert_eq(server_run(f.server), 0);
}
