/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatting.
 */
#include "ctl/text.h"

#include <stdint.h>
#include <string.h>

/* Control characters are below 0x20, 0x7f, and, as UTF-8, 0xc2 followed by 0x80 … 0x9f. */
static bool is_control(const unsigned char *c)
{
	return *c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0);
}

static void make_safe(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (is_control(c))
			*c = '?';
}

void text_print_safe(const char *text, FILE *out)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		fputc(is_control(c) && *c != '\n' && *c != '\t' ? '?' : *c, out);
}

char *text_duration(json_int_t us, char cell[TEXT_CELL_SIZE])
{
	static const struct {
		json_int_t below_us, unit_us, part_us;
		const char *format;
	} steps[] = {
	    {1000, 1, 1, "%lldus"},
	    {10000, 1000, 10, "%lld.%02lldms"},
	    {1000000, 1000, 100, "%lld.%lldms"},
	    {60 * 1000000LL, 1000000, 100000, "%lld.%llds"},
	    {3600 * 1000000LL, 60 * 1000000LL, 1000000, "%lldm%02llds"},
	    {86400 * 1000000LL, 3600 * 1000000LL, 60 * 1000000LL, "%lldh%02lldm"},
	    {INT64_MAX, 86400 * 1000000LL, 3600 * 1000000LL, "%lldd%02lldh"},
	};
	size_t i = 0;

	while (us >= steps[i].below_us && i + 1 < sizeof(steps) / sizeof(steps[0]))
		i++;
	snprintf(cell, TEXT_CELL_SIZE, steps[i].format, us / steps[i].unit_us,
		 us % steps[i].unit_us / steps[i].part_us);
	return cell;
}

char *text_bytes(json_int_t bytes, char cell[TEXT_CELL_SIZE])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;

	while (value >= 1024 && unit + 1 < (int)sizeof(units) - 1) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(cell, TEXT_CELL_SIZE, "%lld", (long long)bytes);
	else
		snprintf(cell, TEXT_CELL_SIZE, value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return cell;
}

char *text_value(const json_t *value, enum text_kind kind, char cell[TEXT_CELL_SIZE])
{
	if (json_is_integer(value) && kind == TEXT_DURATION)
		return text_duration(json_integer_value(value), cell);
	if (json_is_integer(value) && kind == TEXT_BYTES)
		return text_bytes(json_integer_value(value), cell);
	if (json_is_integer(value))
		snprintf(cell, TEXT_CELL_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_string(value))
		snprintf(cell, TEXT_CELL_SIZE, "%s", json_string_value(value));
	else if (json_is_boolean(value))
		snprintf(cell, TEXT_CELL_SIZE, "%s", json_is_true(value) ? "yes" : "no");
	else
		snprintf(cell, TEXT_CELL_SIZE, "-");
	make_safe(cell);
	return cell;
}

static void make_cell(const struct text_column *column, const json_t *row, char cell[TEXT_CELL_SIZE])
{
	if (!column->format) {
		text_value(json_object_get(row, column->key), column->kind, cell);
		return;
	}
	column->format(row, cell);
	make_safe(cell);
}

void text_table_init(struct text_table *t, const struct text_column *columns, FILE *out)
{
	*t = (struct text_table){.columns = columns, .out = out};
	for (size_t i = 0; columns[i].title; i++)
		t->width[i] = strlen(columns[i].title);
}

/* The last column is not padded when it stands to the left: no spaces at the ends of lines. */
static void print_cell(const struct text_table *t, size_t column, const char *text)
{
	const bool is_last = !t->columns[column + 1].title;
	const int width = (int)t->width[column];

	if (t->columns[column].is_right)
		fprintf(t->out, "%*s", width, text);
	else if (is_last)
		fputs(text, t->out);
	else
		fprintf(t->out, "%-*s", width, text);
	fputs(is_last ? "\n" : "  ", t->out);
}

static void widen(struct text_table *t, const json_t *rows)
{
	char cell[TEXT_CELL_SIZE];
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		for (size_t column = 0; t->columns[column].title; column++) {
			make_cell(&t->columns[column], row, cell);
			if (strlen(cell) > t->width[column])
				t->width[column] = strlen(cell);
		}
	}
}

void text_table_print(struct text_table *t, const json_t *rows)
{
	char cell[TEXT_CELL_SIZE];
	const json_t *row;
	size_t i;

	widen(t, rows);
	if (!t->has_header)
		for (size_t column = 0; t->columns[column].title; column++)
			print_cell(t, column, t->columns[column].title);
	t->has_header = true;
	json_array_foreach(rows, i, row)
	{
		for (size_t column = 0; t->columns[column].title; column++) {
			make_cell(&t->columns[column], row, cell);
			print_cell(t, column, cell);
		}
	}
}
