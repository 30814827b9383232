/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option tables into getopt_long().
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/ix.h>

#include "client-lib/examples/options.h"

#define ROWS_MAX     24

/* Long options without a letter get codes above all characters. */
#define CODE_BASE    256
#define CODE_HELP    (CODE_BASE + ROWS_MAX)
#define CODE_VERSION 'V'

void die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void help(const struct options *options)
{
	printf("usage: %s %s\n%s\n\n", program_invocation_short_name, options->usage, options->about);
	for (const struct option_row *row = options->rows; row->name; row++) {
		char names[64];

		snprintf(names, sizeof(names), "%c%c%s--%s%s%s", row->letter ? '-' : ' ',
			 row->letter ? row->letter : ' ', row->letter ? ", " : "  ", row->name,
			 row->value ? " " : "", row->value ? row->value : "");
		printf("  %-28s %s\n", names, row->help);
	}
	printf("  %-28s %s\n", "-V, --version", "print the version and exit");
	printf("      %-24s %s\n", "--help", "print this and exit");
}

__attribute__((noreturn)) static void usage_error(void)
{
	fprintf(stderr, "Try '%s --help'.\n", program_invocation_short_name);
	exit(2);
}

static void set_u32(const struct option_row *row, const char *text)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || value < row->min || value > row->max) {
		fprintf(stderr, "%s: --%s takes a number from %u to %u, not \"%s\"\n",
			program_invocation_short_name, row->name, row->min, row->max, text);
		usage_error();
	}
	*(uint32_t *)row->target = (uint32_t)value;
}

static void apply(const struct option_row *row, const char *text)
{
	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)row->target = true;
		break;
	case OPTION_TEXT:
		*(const char **)row->target = text;
		break;
	case OPTION_U32:
		set_u32(row, text);
		break;
	}
}

int options_parse(const struct options *options, int argc, char *const argv[])
{
	struct option longs[ROWS_MAX + 3] = {0};
	char letters[2 * ROWS_MAX + 3] = "V";
	size_t used = 1;
	int code, rows = 0;

	for (const struct option_row *row = options->rows; row->name && rows < ROWS_MAX; row++, rows++) {
		longs[rows] = (struct option){row->name, row->value ? required_argument : no_argument, NULL,
					      CODE_BASE + rows};
		if (!row->letter)
			continue;
		letters[used++] = row->letter;
		if (row->value)
			letters[used++] = ':';
	}
	longs[rows] = (struct option){"help", no_argument, NULL, CODE_HELP};
	longs[rows + 1] = (struct option){"version", no_argument, NULL, CODE_VERSION};
	while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int at = code - CODE_BASE;

		if (code == CODE_HELP) {
			help(options);
			exit(0);
		}
		if (code == CODE_VERSION) {
			printf("%s %s\n", program_invocation_short_name, IXD_VERSION);
			exit(0);
		}
		if (code < CODE_BASE)
			for (at = 0; at < rows && options->rows[at].letter != code; at++)
				;
		if (code == '?' || at >= rows)
			usage_error();
		apply(&options->rows[at], optarg);
	}
	return optind;
}

uint8_t option_congestion(const char *name)
{
	static const char *const names[IX_CC_COUNT] = {
	    [IX_CC_CUBIC] = "cubic", [IX_CC_NEWRENO] = "newreno", [IX_CC_DCTCP] = "dctcp"};

	if (!name)
		return IX_CC_DEFAULT;
	for (unsigned cc = 0; cc < IX_CC_COUNT; cc++)
		if (names[cc] && strcmp(names[cc], name) == 0)
			return (uint8_t)cc;
	die("there is no congestion control \"%s\": cubic, newreno and dctcp are", name);
}
