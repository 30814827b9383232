/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines of the measuring programs: one table per program gives parsing and --help. Every value is
 * checked, and what is refused is named with its limits.
 */
#ifndef TESTS_BENCH_LIB_OPTIONS_H
#define TESTS_BENCH_LIB_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum bench_option_kind {
	BENCH_FLAG,   /* bool * */
	BENCH_TEXT,   /* const char ** */
	BENCH_NUMBER, /* uint64_t *, bounded; k, M and G multiply by powers of 1024 */
	BENCH_REAL,   /* double *, from 0 on */
	BENCH_LIST,   /* struct bench_list *: may be given several times */
};

#define BENCH_LIST_MAX 32

struct bench_list {
	const char *items[BENCH_LIST_MAX + 1]; /* ends with NULL */
	unsigned count;
};

struct bench_option {
	const char *name;  /* without dashes */
	const char *value; /* how --help calls the value; NULL for a flag */
	const char *help;
	enum bench_option_kind kind;
	void *target;
	uint64_t min, max; /* BENCH_NUMBER */
};

/* The table ends with a row without name. */
struct bench_options {
	const char *usage; /* behind the program's name */
	const char *about;
	const struct bench_option *rows;
	void (*more_help)(void); /* printed at the end of --help; may be NULL */
};

/* Parses all of argv; there are no arguments beside options. Answers --help and exits 0, or says what is
 * wrong and exits 2. */
void bench_options_parse(const struct bench_options *options, int argc, char *const argv[]);

/* Prints "PROGRAM: message" and exits with status 1, or 2 for what the command line got wrong. */
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void bench_usage(const char *format, ...);

#endif
