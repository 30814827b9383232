/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values and tables for people.
 */
#include "ctl/text.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

Test(text, durations)
{
	static const struct {
		json_int_t us;
		const char *text;
	} cases[] = {
	    {0, "0us"},          {999, "999us"},        {1250, "1.25ms"},       {9999, "9.99ms"},
	    {12345, "12.3ms"},   {999999, "999.9ms"},   {1000000, "1.0s"},      {59900000, "59.9s"},
	    {61000000, "1m01s"}, {3661000000, "1h01m"}, {90000000000, "1d01h"},
	};
	char cell[TEXT_CELL_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(text_duration(cases[i].us, cell), cases[i].text);
}

Test(text, bytes)
{
	char cell[TEXT_CELL_SIZE];

	cr_assert_str_eq(text_bytes(0, cell), "0");
	cr_assert_str_eq(text_bytes(1023, cell), "1023");
	cr_assert_str_eq(text_bytes(1536, cell), "1.5K");
	cr_assert_str_eq(text_bytes(64 << 20, cell), "64M");
	cr_assert_str_eq(text_bytes(INT64_MAX, cell), "8.0E");
}

Test(text, no_control_character_reaches_the_terminal)
{
	json_t *evil = json_string("a\x1b[31m\x7f"
				   "\xc2\x9b"
				   "b\n");
	char cell[TEXT_CELL_SIZE], out[64] = "";
	FILE *file = fmemopen(out, sizeof(out), "w");

	cr_assert_str_eq(text_value(evil, TEXT_PLAIN, cell), "a?[31m??\x9b"
							     "b?");
	text_print_safe("x\x1b]0;\ty\n", file);
	fclose(file);
	cr_assert_str_eq(out, "x?]0;\ty\n");
	json_decref(evil);
}

Test(text, values_of_every_type)
{
	char cell[TEXT_CELL_SIZE];
	json_t *null = json_null(), *yes = json_true(), *number = json_integer(-5);

	cr_assert_str_eq(text_value(null, TEXT_DURATION, cell), "-");
	cr_assert_str_eq(text_value(NULL, TEXT_PLAIN, cell), "-");
	cr_assert_str_eq(text_value(yes, TEXT_PLAIN, cell), "yes");
	cr_assert_str_eq(text_value(number, TEXT_PLAIN, cell), "-5");
	json_decref(number);
}

static const struct text_column columns[] = {
    {.title = "ID", .key = "id", .is_right = true},
    {.title = "NAME", .key = "name"},
    {.title = NULL},
};

Test(text, tables_grow_with_their_pieces)
{
	char out[256] = "";
	FILE *file = fmemopen(out, sizeof(out), "w");
	struct text_table table;
	json_t *first = json_pack("[{s:i, s:s}]", "id", 1, "name", "x");
	json_t *second = json_pack("[{s:i, s:s}, {s:n}]", "id", 12345, "name", "y", "id");

	text_table_init(&table, columns, file);
	text_table_print(&table, first);
	text_table_print(&table, second);
	fclose(file);
	cr_assert_str_eq(out, "ID  NAME\n 1  x\n12345  y\n    -  -\n");
	json_decref(first);
	json_decref(second);
}
