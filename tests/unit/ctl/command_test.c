/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of commands: how answers are printed, and that the manual knows every command and option.
 */
#include "ctl/command.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char out[8192];

/* Prints pieces of an answer as a command does. */
static const char *print(const char *name, char option, bool is_json, unsigned count,
			 const char *const *pieces)
{
	const struct command *c = command_find(name);
	struct options options = {.rows = c->options};
	struct output o;
	FILE *file = fmemopen(out, sizeof(out), "w");

	for (int i = 0; c->options[i].name; i++)
		if (c->options[i].letter == option)
			options.value[i] = "";
	output_init(&o, is_json ? &output_json : &output_text, c, &options, file);
	for (unsigned i = 0; i < count; i++) {
		json_t *piece = json_loads(pieces[i], 0, NULL);

		cr_assert_not_null(piece, "%s", pieces[i]);
		o.ops->piece(&o, piece);
		json_decref(piece);
	}
	o.ops->end(&o);
	fclose(file);
	return out;
}

static const char *print_one(const char *name, char option, bool is_json, const char *piece)
{
	return print(name, option, is_json, 1, &piece);
}

Test(command, names_and_letters_are_unique)
{
	for (const struct command *c = commands; c->name; c++) {
		cr_expect_eq(command_find(c->name), c);
		for (int i = 0; c->options[i].name; i++)
			for (int j = 0; j < i; j++) {
				cr_expect_neq(c->options[i].letter, c->options[j].letter, "%s -%c", c->name,
					      c->options[i].letter);
				cr_expect_str_neq(c->options[i].name, c->options[j].name);
			}
		cr_expect(c->print || (c->list && c->columns && c->empty), "%s has no text form", c->name);
	}
	cr_assert_null(command_find("nothing"));
}

Test(command, a_streamed_list_is_one_document)
{
	static const char *const pieces[] = {"{\"sockets\":[{\"a\":1},{\"a\":2}],\"is_complete\":false}",
					     "{\"sockets\":[],\"is_complete\":false}",
					     "{\"sockets\":[{\"a\":3}],\"is_complete\":true}"};
	json_t *document = json_loads(print("ss", 'j', true, 3, pieces), 0, NULL);

	cr_assert_eq(json_array_size(json_object_get(document, "sockets")), 3);
	json_decref(document);
	document = json_loads(print("ss", 'j', true, 1, &pieces[1]), 0, NULL);
	cr_assert(json_is_array(json_object_get(document, "sockets")));
	json_decref(document);
}

Test(command, sockets_as_text)
{
	const char *text = print_one(
	    "ss", 0, false,
	    "{\"sockets\":[{\"state\":\"established\",\"local_address\":\"10.0.0.1\",\"local_port\":80,"
	    "\"remote_address\":\"fe80::1\",\"remote_port\":4000,\"send_queue\":7,\"receive_queue\":9,"
	    "\"cwnd\":14480,"
	    "\"ssthresh\":null,\"srtt_us\":1250,\"timestamps\":true,\"sack\":true,\"ecn\":false,"
	    "\"window_scale\":{\"send\":7,\"receive\":8},\"pid\":null,\"core\":1}]}");

	cr_assert_not_null(strstr(text, "10.0.0.1:80"));
	cr_assert_not_null(strstr(text, "[fe80::1]:4000"));
	cr_assert_not_null(strstr(text, "1.25ms"));
	cr_assert_not_null(strstr(text, "ts,sack,ws:7/8"));
	cr_assert_str_eq(print_one("ss", 0, false, "{\"sockets\":[]}"), "no connections\n");
}

#define COUNTERS                                                                                             \
	"{\"counters\":[{\"group\":\"core\",\"name\":\"x\",\"description\":\"what x is\",\"value\":5,"       \
	"\"per_core\":[2,3]},{\"group\":\"tcp\",\"name\":\"y\",\"description\":\"what y is\",\"value\":0,"   \
	"\"per_core\":[0,0]}]}"

Test(command, stats_are_nonzero_unless_all_are_asked_for)
{
	cr_assert_null(strstr(print_one("stats", 0, false, COUNTERS), "tcp.y"));
	cr_assert_not_null(strstr(print_one("stats", 'a', false, COUNTERS), "tcp.y"));
	cr_assert_not_null(strstr(print_one("stats", 'd', false, COUNTERS), "what x is"));
	cr_assert_null(strstr(print_one("stats", 0, false, COUNTERS), "what x is"));
	cr_assert_not_null(strstr(print_one("stats", 'c', false, COUNTERS), " 3\n"));
}

Test(command, watched_stats_are_rates)
{
	static const char *const answers[] = {
	    "{\"counters\":[{\"group\":\"tcp\",\"name\":\"x\",\"value\":100},{\"group\":\"tcp\",\"name\":"
	    "\"y\",\"value\":7}]}",
	    "{\"counters\":[{\"group\":\"tcp\",\"name\":\"x\",\"value\":150},{\"group\":\"tcp\",\"name\":"
	    "\"y\",\"value\":7}]}",
	};
	const struct command *c = command_find("stats");
	struct options options = {.rows = c->options};
	struct output o;
	FILE *file = fmemopen(out, sizeof(out), "w");

	output_init(&o, &output_text, c, &options, file);
	o.interval_s = 2;
	for (int i = 0; i < 2; i++) {
		json_t *answer = json_loads(answers[i], 0, NULL);

		if (i > 0)
			output_restart(&o);
		o.ops->piece(&o, answer);
		o.ops->end(&o);
		json_decref(answer);
	}
	output_fini(&o);
	fclose(file);
	const char *second = strstr(out, "per second, over the last 2 s:\n");
	cr_assert_not_null(second);
	cr_assert_not_null(strstr(second, " 25\n"));
	cr_assert_null(strstr(second, "tcp.y"));
}

Test(command, flows_are_sixteen_a_line)
{
	cr_assert_str_eq(print_one("flows", 0, false, "{\"groups\":[0,0,31,1,0,1,0,1,0,1,0,1,0,1,0,1,7]}"),
			 "   GROUPS  CORES\n"
			 "   0-15     0  0 31  1  0  1  0  1  0  1  0  1  0  1  0  1\n"
			 "  16-16     7\n");
	print_one("flows", 0, false, "{\"groups\":[]}");
}

/* A server may be newer or older than ixctl: what is missing or of another type must not matter. */
Test(command, answers_without_members_do_no_harm)
{
	static const char *const answers[] = {"{}", "{\"sockets\":[{}]}", "{\"sockets\":[1,null]}",
					      "{\"counters\":[{}],\"clients\":[{}],\"cores\":[{}]}",
					      "{\"report\":1,\"interfaces\":[1],\"settings\":[]}"};

	for (const struct command *c = commands; c->name; c++)
		for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
			print_one(c->name, 0, false, answers[i]);
			print_one(c->name, 0, true, answers[i]);
		}
}

static char *read_manual(void)
{
	static char manual[65536];
	FILE *file = fopen("ctl/man/ixctl.1", "r");

	if (!file)
		cr_skip_test("run from the project's root");
	manual[fread(manual, 1, sizeof(manual) - 1, file)] = '\0';
	fclose(file);
	return manual;
}

Test(command, the_manual_has_every_command_and_option)
{
	const char *manual = read_manual();
	char words[128];

	for (const struct command *c = commands; c->name; c++) {
		snprintf(words, sizeof(words), ".It Cm %s", c->name);
		const char *section = strstr(manual, words);
		cr_expect_not_null(section, "ixctl.1 lacks command %s", c->name);
		for (int i = 0; section && c->options[i].name; i++) {
			const struct option_row *row = &c->options[i];
			snprintf(words, sizeof(words), ".It Fl %c%s%s , Fl -%s", row->letter,
				 row->argument ? " Ar " : "", row->argument ? row->argument : "", row->name);
			cr_expect_not_null(strstr(manual, words), "ixctl.1 lacks '%s' of %s", words, c->name);
		}
	}
}
