/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The asking side against servers that answer in pieces, wrongly, or not at all.
 */
#include "ctl/varlink.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static struct varlink v;
static int server;

static void setup(void)
{
	struct timeval timeout = {.tv_sec = 1};
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	v = (struct varlink){.fd = pair[0]};
	server = pair[1];
}

static void teardown(void)
{
	varlink_close(&v);
	close(server);
}

TestSuite(ctl_varlink, .init = setup, .fini = teardown, .timeout = 20);

static void say(const char *text, size_t len)
{
	cr_assert_eq(send(server, text, len, 0), (ssize_t)len);
}

Test(ctl_varlink, a_call_ends_with_a_zero_byte)
{
	json_t *parameters = json_pack("{s:i}", "x", 1);
	char text[128];

	cr_assert_eq(varlink_call(&v, "a.b.C", parameters, true), 0);
	ssize_t got = recv(server, text, sizeof(text), 0);
	cr_assert_gt(got, 0);
	cr_assert_eq(text[got - 1], '\0');
	json_t *call = json_loads(text, 0, NULL);
	cr_assert_str_eq(json_string_value(json_object_get(call, "method")), "a.b.C");
	cr_assert(json_is_true(json_object_get(call, "more")));
	cr_assert(json_equal(json_object_get(call, "parameters"), parameters));
	json_decref(call);
	json_decref(parameters);
}

Test(ctl_varlink, two_answers_in_one_read_and_one_in_two)
{
	static const char both[] =
	    "{\"parameters\":{\"n\":1},\"continues\":true}\0{\"parameters\":{\"n\":2}}";
	json_t *parameters;
	char error[32];

	say(both, sizeof(both));
	cr_assert_eq(varlink_receive(&v, &parameters, error, sizeof(error)), 0);
	cr_assert(v.continues);
	json_decref(parameters);
	cr_assert_eq(varlink_receive(&v, &parameters, error, sizeof(error)), 0);
	cr_assert_not(v.continues);
	cr_assert_eq(json_integer_value(json_object_get(parameters, "n")), 2);
	json_decref(parameters);
	say("{\"error\":\"a.", 12);
	say("b\"}", 4);
	cr_assert_eq(varlink_receive(&v, &parameters, error, sizeof(error)), 0);
	cr_assert_str_eq(error, "a.b");
	json_decref(parameters);
}

Test(ctl_varlink, a_large_answer)
{
	const size_t size = 150000;
	char *text = malloc(size);
	json_t *parameters;
	char error[32];

	memset(text, ' ', size);
	memcpy(text, "{}", 2);
	text[size - 1] = '\0';
	for (size_t sent = 0; sent < size; sent += 50000)
		say(text + sent, 50000);
	cr_assert_eq(varlink_receive(&v, &parameters, error, sizeof(error)), 0);
	json_decref(parameters);
	free(text);
}

Test(ctl_varlink, what_is_no_answer)
{
	static const char *const texts[] = {"", "x", "[]", "{\"parameters\":1}", "{} {}"};
	json_t *parameters;
	char error[32];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		say(texts[i], strlen(texts[i]) + 1);
		cr_expect_eq(varlink_receive(&v, &parameters, error, sizeof(error)), -EPROTO, "%s", texts[i]);
	}
}

Test(ctl_varlink, silence_and_the_end)
{
	json_t *parameters;
	char error[32];

	say("{\"par", 5);
	cr_assert_eq(varlink_receive(&v, &parameters, error, sizeof(error)), -ETIMEDOUT);
	shutdown(server, SHUT_RDWR);
	cr_assert_eq(varlink_receive(&v, &parameters, error, sizeof(error)), -ECONNRESET);
}

Test(ctl_varlink, paths_that_lead_nowhere)
{
	struct varlink other;
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_assert_eq(varlink_open(&other, path, 1), -ENAMETOOLONG);
	cr_assert_eq(varlink_open(&other, "/nowhere/control.sock", 1), -ENOENT);
}
