/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manual knows every counter, in the words of the row that defines it, and the interface description
 * knows every member of an answer.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/control/fixture.h"

static const char *read_text(const char *path)
{
	static char text[131072];
	FILE *file = fopen(path, "r");

	if (!file)
		cr_skip_test("run from the project's root");
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

Test(manual, every_counter)
{
	static const char *const rows[] = {
#define ROW(field, doc) ".It Cm core." #field "\n" doc "\n",
	    CORE_STATS(ROW)
#undef ROW
#define ROW(field, doc) ".It Cm tcp." #field "\n" doc "\n",
		TCP_STATS(ROW)
#undef ROW
#define ROW(field, doc) ".It Cm xdp." #field "\n" doc "\n",
		    IXD_VERDICTS(ROW)
#undef ROW
	};
	const char *manual = read_text("ctl/man/ixctl.1");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_not_null(strstr(manual, rows[i]), "ixctl.1 lacks:\n%s", rows[i]);
}

/* And the other way round: it knows no counter that there is not. */
Test(manual, no_other_counter)
{
	static const char *const names[] = {
#define ROW(field, doc) "core." #field,
	    CORE_STATS(ROW)
#undef ROW
#define ROW(field, doc) "tcp." #field,
		TCP_STATS(ROW)
#undef ROW
#define ROW(field, doc) "xdp." #field,
		    IXD_VERDICTS(ROW)
#undef ROW
	};
	static const char *const groups[] = {".It Cm core.", ".It Cm tcp.", ".It Cm xdp."};
	const char *manual = read_text("ctl/man/ixctl.1");
	unsigned seen = 0;

	for (size_t group = 0; group < sizeof(groups) / sizeof(groups[0]); group++) {
		for (const char *at = strstr(manual, groups[group]); at; at = strstr(at + 1, groups[group])) {
			size_t len = strcspn(at + 7, "\n"), i = 0;

			while (i < sizeof(names) / sizeof(names[0]) &&
			       (strlen(names[i]) != len || strncmp(names[i], at + 7, len) != 0))
				i++;
			cr_expect(i < sizeof(names) / sizeof(names[0]),
				  "ixctl.1 has a counter too many: %.*s", (int)len, at + 7);
			seen++;
		}
	}
	cr_expect_eq(seen, sizeof(names) / sizeof(names[0]));
}

/* Every key of every object in the answer is a member that the description declares. */
static void check_members(const json_t *value, const char *description)
{
	const char *key;
	json_t *member;
	char words[128];
	size_t i;

	json_array_foreach(value, i, member) check_members(member, description);
	if (!json_is_object(value))
		return;
	for (void *iter = json_object_iter((json_t *)(uintptr_t)value); iter;
	     iter = json_object_iter_next((json_t *)(uintptr_t)value, iter)) {
		key = json_object_iter_key(iter);
		snprintf(words, sizeof(words), "%s: ", key);
		cr_expect_not_null(strstr(description, words), "io.ixd.varlink lacks %s", key);
		check_members(json_object_iter_value(iter), description);
	}
}

Test(manual, every_member)
{
	static const char *const methods[] = {"Status", "Clients", "Listeners", "Cores", "Version"};
	const char *description = read_text("ctl/io.ixd.varlink");
	struct fixture f;

	fixture_init(&f);
	f.view->clients[0].is_used = f.view->listeners[0].is_used = 1;
	int fd = fixture_connect(&f);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char call[64];

		snprintf(call, sizeof(call), "{\"method\":\"io.ixd.%s\"}", methods[i]);
		json_t *answer = fixture_call(&f, fd, call);
		cr_assert_null(json_object_get(answer, "error"));
		check_members(json_object_get(answer, "parameters"), description);
		json_decref(answer);
	}
	close(fd);
	fixture_fini(&f);
}
