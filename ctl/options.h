/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options as rows: one row gives the parser, the usage text, and the parameter of the Varlink call.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define OPTIONS_MAX 16

struct option_row {
	char letter;
	const char *name;     /* long name; NULL ends a table */
	const char *argument; /* what usage calls it; NULL: a flag */
	const char *help;
	const char *parameter; /* of the call; NULL: for this program only */
	long max;              /* > 0: the argument is a number from 0 to this; else it is text */
	const char *choices;   /* what text may be, separated by spaces; NULL: anything */
};

/* What was given, by row: NULL when it was not, "" for a flag. Points into argv. */
struct options {
	const struct option_row *rows;
	const char *value[OPTIONS_MAX];
};

/* Parses argv[1] … up to the first argument that is no option; options may be bundled ("-ad") and a long one
 * may be abbreviated. Returns the index of the first argument left, or -1 after telling err what is wrong and
 * how to get help. command names the program in messages. */
int options_parse(struct options *o, const struct option_row *rows, const char *command, int argc,
		  char **argv, FILE *err);
/* The value of the row with this letter as above. */
const char *options_get(const struct options *o, char letter);
bool options_has(const struct options *o, char letter);
/* Puts what was given and has a parameter name into the object. 0, or -1 when out of memory. */
int options_to_parameters(const struct options *o, json_t *parameters);
/* One line per row. */
void options_print_help(const struct option_row *rows, FILE *out);

#endif
