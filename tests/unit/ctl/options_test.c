/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options from rows.
 */
#include "ctl/options.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row rows[] = {
    {.letter = 'a', .name = "all", .help = "flag", .parameter = "everything"},
    {.letter = 'n', .name = "number", .argument = "N", .help = "number", .parameter = "number", .max = 100},
    {.letter = 't', .name = "text", .argument = "TEXT", .help = "text", .parameter = "text"},
    {.letter = 'q', .name = "quiet", .help = "own"},
    {.letter = 'c', .name = "colour", .argument = "COLOUR", .help = "choice", .choices = "red green-blue"},
    {.name = NULL},
};

static char said[256];

static int parse(struct options *o, int argc, const char *const *arguments)
{
	static char copies[8][64]; /* values point into argv */
	char *argv[8];
	FILE *err = fmemopen(said, sizeof(said), "w");

	for (int i = 0; i < argc; i++)
		argv[i] = strcpy(copies[i], arguments[i]);
	argv[argc] = NULL;
	said[0] = '\0';
	int result = options_parse(o, rows, "prog", argc, argv, err);
	fclose(err);
	return result;
}

#define PARSE(o, ...)                                                                                        \
	parse(o, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[]){__VA_ARGS__})

Test(options, all_forms)
{
	struct options o;

	cr_assert_eq(PARSE(&o, "x", "-a", "-n5", "--text=hello", "rest"), 4);
	cr_assert(options_has(&o, 'a'));
	cr_assert_not(options_has(&o, 'q'));
	cr_assert_str_eq(options_get(&o, 'n'), "5");
	cr_assert_str_eq(options_get(&o, 't'), "hello");
	cr_assert_null(options_get(&o, 'z'));
}

Test(options, stops_at_the_first_argument)
{
	struct options o;

	cr_assert_eq(PARSE(&o, "x", "-q", "ss", "-a"), 2);
	cr_assert_not(options_has(&o, 'a'));
}

Test(options, bundles)
{
	struct options o;

	cr_assert_eq(PARSE(&o, "x", "-aqn", "7"), 3);
	cr_assert(options_has(&o, 'q'));
	cr_assert_str_eq(options_get(&o, 'n'), "7");
}

Test(options, choices)
{
	static const char *const refused[] = {"", "r", "reds", "green", "blue", "red green-blue", " "};
	struct options o;

	cr_assert_eq(PARSE(&o, "x", "-c", "red"), 3);
	cr_assert_eq(PARSE(&o, "x", "-c", "green-blue"), 3);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		cr_expect_eq(PARSE(&o, "x", "-c", refused[i]), -1, "'%s'", refused[i]);
		cr_expect(strstr(said, "one of: red green-blue"), "%s", said);
	}
}

Test(options, parameters_of_the_call)
{
	json_t *parameters = json_object();
	struct options o;

	PARSE(&o, "x", "-aq", "-n", "7", "-t", "7");
	cr_assert_eq(options_to_parameters(&o, parameters), 0);
	cr_assert_eq(json_object_size(parameters), 3);
	cr_assert(json_is_true(json_object_get(parameters, "everything")));
	cr_assert_eq(json_integer_value(json_object_get(parameters, "number")), 7);
	cr_assert_str_eq(json_string_value(json_object_get(parameters, "text")), "7");
	json_decref(parameters);
}

Test(options, wrong_ones_are_named)
{
	static const struct {
		const char *argument, *words;
	} cases[] = {
	    {"-n101", "from 0 to 100, not '101'"},
	    {"-n-1", "not '-1'"},
	    {"-n1x", "not '1x'"},
	    {"--number=", "not ''"},
	    {"-n+1", "not '+1'"},
	    {"-z", "no option '-z'"},
	    {"--zzz", "'--zzz'"},
	    {"--all=x", "'--all=x'"},
	    {"-t", "'-t' needs an argument"},
	    {"--text", "'--text' needs an"},
	    {"-n 1", "not ' 1'"},
	    {"-n99999999999999999999", "not"},
	};
	struct options o;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(PARSE(&o, "x", cases[i].argument), -1, "%s", cases[i].argument);
		cr_expect_not_null(strstr(said, cases[i].words), "'%s' says: %s", cases[i].argument, said);
		cr_expect_not_null(strstr(said, "prog --help"));
	}
}
