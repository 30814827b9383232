/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines of the examples: one table per program gives parsing and --help.
 */
#ifndef IX_EXAMPLES_OPTIONS_H
#define IX_EXAMPLES_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_kind {
	OPTION_FLAG, /* bool * */
	OPTION_TEXT, /* const char ** */
	OPTION_U32,  /* uint32_t *, bounded by min and max */
};

struct option_row {
	char letter;       /* 0: only the long form */
	const char *name;  /* long form, without dashes */
	const char *value; /* how --help calls the value; NULL for a flag */
	const char *help;
	enum option_kind kind;
	void *target;
	uint32_t min, max;
};

/* A program's options end with a row without name. */
struct options {
	const char *usage; /* behind the program's name */
	const char *about;
	const struct option_row *rows;
};

/* Parses argv, options anywhere; answers --help and --version and exits 0, or complains and exits 2. Returns
 * the index of the first argument that is no option; all of them are behind the options then. */
int options_parse(const struct options *options, int argc, char *const argv[]);

/* The congestion control of this name (enum ix_cc); NULL: the instance's. Dies of a name that is none. */
uint8_t option_congestion(const char *name);

/* Prints "PROGRAM: message" and exits with status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

#endif
