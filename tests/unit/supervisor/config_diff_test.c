/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The difference of two configurations.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/supervisor/config_env.h"

static void note(void *arg, const char *path, const char *old_value, const char *new_value, bool is_runtime)
{
	char *text = arg;
	size_t used = strlen(text);

	snprintf(text + used, 2048 - used, "%s%s: %s -> %s\n", is_runtime ? "" : "static ", path,
		 old_value ? old_value : "-", new_value ? new_value : "-");
}

static int diff(const char *old_text, const char *new_text, char text[2048], unsigned *static_count)
{
	struct config *old_config = config_of(old_text), *new_config = config_of(new_text);

	text[0] = '\0';
	int count = config_diff(old_config, new_config, note, text, static_count);
	config_free(old_config);
	config_free(new_config);
	return count;
}

#define BASE "interfaces = ( \"a\" );\n"

Test(config_diff, same_meaning_is_no_difference)
{
	unsigned static_count;
	char text[2048];

	cr_expect_eq(diff(BASE, BASE "spin_us = 50; # the default\ntcp = { send_buffer = \"4M\"; };", text,
			  &static_count),
		     0, "%s", text);
	cr_expect_eq(static_count, 0);
}

Test(config_diff, shows_old_and_new)
{
	unsigned static_count;
	char text[2048];

	cr_expect_eq(diff(BASE, BASE "spin_us = 7; tcp = { cc = \"newreno\"; };", text, &static_count), 2);
	cr_expect_eq(static_count, 0);
	cr_expect_str_eq(text, "spin_us: 50 -> 7\ntcp.cc: \"cubic\" -> \"newreno\"\n");
}

Test(config_diff, marks_what_cannot_change)
{
	unsigned static_count;
	char text[2048];

	cr_expect_eq(
	    diff(BASE, "interfaces = ( \"a\", \"b\" ); cores = 2; spin_us = 1;", text, &static_count), 3);
	cr_expect_eq(static_count, 2);
	cr_expect_not_null(strstr(text, "static cores: 1 -> 2\n"));
	cr_expect_not_null(strstr(text, "static interfaces.[1]: - -> { name = \"b\""));
}

Test(config_diff, policies_are_compared_by_entry)
{
	unsigned static_count;
	char text[2048];

	cr_expect_eq(diff(BASE "policy = ( { user = 1; listen = ( \"*:80\" ); }, { user = 2; } );",
			  BASE "policy = ( { user = 1; listen = ( \"*:80\", \"*:81\" ); } );", text,
			  &static_count),
		     2);
	cr_expect_eq(static_count, 0);
	cr_expect_not_null(strstr(text, "listen = ( \"*:80\", \"*:81\" );"));
	cr_expect_not_null(strstr(text, "policy.[1]: { user = 2;"));
}
