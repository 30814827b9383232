/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is a call and what is not.
 */
#include "daemon/control/varlink.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static int parse(const char *text, struct varlink_call *call)
{
	return varlink_call_parse(call, text, strlen(text));
}

Test(varlink, a_whole_call)
{
	struct varlink_call call;

	cr_assert_eq(parse("{\"method\":\"a.b.C\",\"parameters\":{\"x\":1},\"more\":true}", &call), 0);
	cr_assert_str_eq(call.method, "a.b.C");
	cr_assert_eq(json_integer_value(json_object_get(call.parameters, "x")), 1);
	cr_assert(call.wants_more);
	cr_assert_not(call.is_oneway);
	varlink_call_fini(&call);
}

Test(varlink, parameters_may_be_missing_or_null)
{
	struct varlink_call call;

	cr_assert_eq(parse("{\"method\":\"a.b.C\"}", &call), 0);
	cr_assert_null(call.parameters);
	varlink_call_fini(&call);
	cr_assert_eq(parse("{\"method\":\"a.b.C\",\"parameters\":null,\"oneway\":true,\"more\":null}", &call),
		     0);
	cr_assert_null(call.parameters);
	cr_assert(call.is_oneway);
	varlink_call_fini(&call);
}

Test(varlink, what_is_no_call)
{
	static const char *const texts[] = {
	    "",
	    "x",
	    "[]",
	    "1",
	    "null",
	    "{}",
	    "{\"method\":1}",
	    "{\"method\":null}",
	    "{\"method\":\"a\",}",
	    "{\"method\":\"a\",\"parameters\":[]}",
	    "{\"method\":\"a\",\"parameters\":3}",
	    "{\"method\":\"a\",\"more\":1}",
	    "{\"method\":\"a\",\"oneway\":\"yes\"}",
	    "{\"method\":\"a\",\"upgrade\":{}}",
	    "{\"method\":\"a\",\"method\":\"b\"}",
	    "{\"method\":\"\xff\"}",
	    "{\"method\":\"a\"} x",
	    "{\"method\":\"a\"",
	};
	struct varlink_call call;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(parse(texts[i], &call), -EBADMSG, "%s was taken", texts[i]);
}

Test(varlink, every_prefix_of_a_call_is_refused)
{
	static const char text[] =
	    "{\"method\":\"io.ixd.Stats\",\"parameters\":{\"nonzero\":true},\"more\":false}";
	struct varlink_call call;

	for (size_t len = 0; len < sizeof(text) - 1; len++)
		cr_assert_eq(varlink_call_parse(&call, text, len), -EBADMSG);
}

Test(varlink, deep_nesting_is_refused_not_followed)
{
	char text[16000] = "{\"method\":\"a\",\"parameters\":{\"x\":";
	struct varlink_call call;
	size_t used = strlen(text);

	memset(text + used, '[', sizeof(text) - used);
	cr_assert_eq(varlink_call_parse(&call, text, sizeof(text)), -EBADMSG);
}

Test(varlink, bytes_of_a_stranger_become_text)
{
	json_t *text = varlink_text("ab\xff"
				    "c",
				    4);

	cr_assert_str_eq(json_string_value(text), "ab?c");
	json_decref(text);
	text = varlink_text("gr\xc3\xbc\xc3\x9f", 6);
	cr_assert_str_eq(json_string_value(text), "gr\xc3\xbc\xc3\x9f");
	json_decref(text);
}

Test(varlink, replies_and_errors)
{
	json_t *reply = varlink_reply(json_pack("{s:i}", "x", 1), true);
	json_t *error = varlink_error("a.b.E", NULL);

	cr_assert(json_is_true(json_object_get(reply, "continues")));
	cr_assert_str_eq(json_string_value(json_object_get(error, "error")), "a.b.E");
	json_decref(reply);
	json_decref(error);
}
