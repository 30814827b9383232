/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parsing options from rows.
 */
#include "ctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static int find_letter(const struct option_row *rows, int letter)
{
	for (int i = 0; rows[i].name; i++)
		if (rows[i].letter == letter)
			return i;
	return -1;
}

static bool is_number(const char *text, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && value >= 0 && value <= max && *text != '+' &&
	       *text != ' ';
}

static bool is_among(const char *text, const char *choices)
{
	const size_t len = strlen(text);

	for (const char *word = choices; *word; word += *word == ' ') {
		const size_t word_len = strcspn(word, " ");

		if (word_len == len && memcmp(word, text, len) == 0)
			return true;
		word += word_len;
	}
	return false;
}

static int fail(const char *command, FILE *err)
{
	fprintf(err, "Try '%s --help'.\n", command);
	return -1;
}

static int take(struct options *o, int row, const char *argument, const char *command, FILE *err)
{
	const struct option_row *r = &o->rows[row];

	if (r->argument && r->max > 0 && !is_number(argument, r->max)) {
		fprintf(err, "%s: --%s takes a number from 0 to %ld, not '%s'.\n", command, r->name, r->max,
			argument);
		return fail(command, err);
	}
	if (r->choices && !is_among(argument, r->choices)) {
		fprintf(err, "%s: --%s takes one of: %s; not '%s'.\n", command, r->name, r->choices,
			argument);
		return fail(command, err);
	}
	o->value[row] = r->argument ? argument : "";
	return 0;
}

/* getopt's tables, made from the rows. '+' stops at the first argument, ':' leaves the messages to us. */
static void make_tables(const struct option_row *rows, char *letters, struct option *longs)
{
	*letters++ = '+';
	*letters++ = ':';
	for (int i = 0; rows[i].name; i++) {
		*letters++ = rows[i].letter;
		if (rows[i].argument)
			*letters++ = ':';
		longs[i] = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument,
					   NULL, rows[i].letter};
	}
	*letters = '\0';
}

int options_parse(struct options *o, const struct option_row *rows, const char *command, int argc,
		  char **argv, FILE *err)
{
	struct option longs[OPTIONS_MAX + 1] = {0};
	char letters[2 * OPTIONS_MAX + 3];
	int letter;

	*o = (struct options){.rows = rows};
	make_tables(rows, letters, longs);
	optind = 0; /* starts afresh, also within the same argv */
	while ((letter = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int row = find_letter(rows, letter);

		if (letter == ':') {
			fprintf(err, "%s: option '%s' needs an argument.\n", command, argv[optind - 1]);
			return fail(command, err);
		}
		if (row < 0) {
			if (optopt && find_letter(rows, optopt) < 0)
				fprintf(err, "%s: there is no option '-%c'.\n", command, optopt);
			else
				fprintf(err, "%s: '%s' is no option here, or takes no argument.\n", command,
					argv[optind - 1]);
			return fail(command, err);
		}
		if (take(o, row, optarg, command, err))
			return -1;
	}
	return optind;
}

const char *options_get(const struct options *o, char letter)
{
	int row = find_letter(o->rows, letter);

	return row < 0 ? NULL : o->value[row];
}

bool options_has(const struct options *o, char letter)
{
	return options_get(o, letter) != NULL;
}

int options_to_parameters(const struct options *o, json_t *parameters)
{
	for (int i = 0; o->rows[i].name; i++) {
		const struct option_row *r = &o->rows[i];
		json_t *value;

		if (!r->parameter || !o->value[i])
			continue;
		if (!r->argument)
			value = json_true();
		else if (r->max > 0)
			value = json_integer(strtol(o->value[i], NULL, 10));
		else
			value = json_string(o->value[i]);
		if (json_object_set_new(parameters, r->parameter, value))
			return -1;
	}
	return 0;
}

void options_print_help(const struct option_row *rows, FILE *out)
{
	for (int i = 0; rows[i].name; i++) {
		char names[64];

		snprintf(names, sizeof(names), "-%c, --%s%s%s", rows[i].letter, rows[i].name,
			 rows[i].argument ? " " : "", rows[i].argument ? rows[i].argument : "");
		fprintf(out, "  %-28s %s\n", names, rows[i].help);
	}
}
