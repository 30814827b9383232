/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values as people read them, and tables of them. What a stranger may have chosen (a process name) cannot
 * carry control characters to the terminal.
 */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define TEXT_CELL_SIZE   384
#define TEXT_COLUMNS_MAX 48

/* How a value is written. */
enum text_kind {
	TEXT_PLAIN,    /* a string, number or boolean as it is; null is "-" */
	TEXT_DURATION, /* microseconds with a unit: 45us 1.25ms 3.1s 4h05m */
	TEXT_BYTES,    /* 1536 → 1.5K */
};

/* A column: from one member of a row, or by a function of the whole row. */
struct text_column {
	const char *title; /* NULL ends a list of columns */
	const char *key;
	enum text_kind kind;
	bool is_right; /* numbers stand to the right */
	void (*format)(const json_t *row,
		       char cell[TEXT_CELL_SIZE]); /* overrides key and kind when not NULL */
};

/* A table that is printed in pieces: columns only ever become wider. */
struct text_table {
	const struct text_column *columns;
	size_t width[TEXT_COLUMNS_MAX];
	bool has_header;
	FILE *out;
};

void text_table_init(struct text_table *t, const struct text_column *columns, FILE *out);
/* Prints the rows of a JSON array; before the first, the titles. */
void text_table_print(struct text_table *t, const json_t *rows);

/* Writes a value; returns cell. */
char *text_value(const json_t *value, enum text_kind kind, char cell[TEXT_CELL_SIZE]);
char *text_duration(json_int_t us, char cell[TEXT_CELL_SIZE]);
char *text_bytes(json_int_t bytes, char cell[TEXT_CELL_SIZE]);
/* Prints lines of text; control characters other than newline and tab become '?'. */
void text_print_safe(const char *text, FILE *out);

#endif
