/* SPDX-License-Identifier: BSD-2-Clause */
/* Option tables into getopt_long(). */
#include "tests/bench/lib/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX  48
#define CODE_BASE 256 /* above all characters */
#define CODE_HELP (CODE_BASE + ROWS_MAX)

static void say(const char *format, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void bench_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	exit(1);
}

void bench_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	exit(2);
}

static void help(const struct bench_options *options)
{
	printf("usage: %s %s\n%s\n\n", program_invocation_short_name, options->usage, options->about);
	for (const struct bench_option *row = options->rows; row->name != NULL; row++) {
		char names[64];

		snprintf(names, sizeof(names), "--%s%s%s", row->name, row->value ? " " : "",
			 row->value ? row->value : "");
		printf("  %-28s %s\n", names, row->help);
	}
	printf("  %-28s %s\n", "--help", "print this and exit");
	if (options->more_help != NULL)
		options->more_help();
}

static uint64_t unit_shift(const char *end)
{
	static const char units[] = "kKmMgG";
	const char *unit = *end != '\0' && end[1] == '\0' ? strchr(units, *end) : NULL;

	return unit == NULL ? 0 : (uint64_t)((unit - units) / 2 + 1) * 10;
}

static void set_number(const struct bench_option *row, const char *text)
{
	char *end;
	unsigned long long value;
	uint64_t shift;

	errno = 0;
	value = strtoull(text, &end, 10);
	shift = unit_shift(end);
	if (errno != 0 || *text < '0' || *text > '9' || (*end != '\0' && shift == 0) ||
	    value > UINT64_MAX >> shift || value << shift < row->min || value << shift > row->max)
		bench_usage("--%s takes a whole number from %llu to %llu (k, M, G allowed), not \"%s\"",
			    row->name, (unsigned long long)row->min, (unsigned long long)row->max, text);
	*(uint64_t *)row->target = value << shift;
}

static void set_real(const struct bench_option *row, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(value) || value < 0)
		bench_usage("--%s takes a number from 0 on, not \"%s\"", row->name, text);
	*(double *)row->target = value;
}

static void set(const struct bench_option *row, const char *text)
{
	struct bench_list *list;

	switch (row->kind) {
	case BENCH_FLAG:
		*(bool *)row->target = true;
		break;
	case BENCH_TEXT:
		*(const char **)row->target = text;
		break;
	case BENCH_NUMBER:
		set_number(row, text);
		break;
	case BENCH_REAL:
		set_real(row, text);
		break;
	case BENCH_LIST:
		list = row->target;
		if (list->count == BENCH_LIST_MAX)
			bench_usage("--%s may be given %d times at the most", row->name, BENCH_LIST_MAX);
		list->items[list->count++] = text;
		break;
	}
}

void bench_options_parse(const struct bench_options *options, int argc, char *const argv[])
{
	struct option table[ROWS_MAX + 2] = {0};
	int count = 0, code;

	for (const struct bench_option *row = options->rows; row->name != NULL && count < ROWS_MAX; row++) {
		table[count] = (struct option){
		    row->name, row->value != NULL ? required_argument : no_argument, NULL, CODE_BASE + count};
		count++;
	}
	table[count] = (struct option){"help", no_argument, NULL, CODE_HELP};
	while ((code = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (code == CODE_HELP) {
			help(options);
			exit(0);
		}
		if (code < CODE_BASE) { /* getopt has said what is wrong */
			fprintf(stderr, "Try '%s --help'.\n", program_invocation_short_name);
			exit(2);
		}
		set(&options->rows[code - CODE_BASE], optarg);
	}
	if (optind != argc)
		bench_usage("unexpected argument \"%s\"; try --help", argv[optind]);
}
