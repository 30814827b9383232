/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two forms of an answer: text for people, JSON for programs. Both can print a list of any length in
 * pieces without holding it.
 */
#include "ctl/command.h"

#define JSON_STYLE (JSON_INDENT(2) | JSON_ENSURE_ASCII)

void output_init(struct output *o, const struct output_ops *ops, const struct command *command,
		 const struct options *options, FILE *out)
{
	*o = (struct output){.command = command, .options = options, .out = out, .ops = ops};
	if (command->columns)
		text_table_init(&o->table, command->columns, out);
}

void output_fini(struct output *o)
{
	json_decref(o->before);
	o->before = NULL;
}

void output_restart(struct output *o)
{
	o->pieces = 0;
	o->rows = 0;
	fputc('\n', o->out);
}

/* A streamed list becomes one document with one array, a line for each row, whatever pieces it came in. */
static void json_list_piece(struct output *o, const json_t *parameters)
{
	const json_t *row;
	size_t i;

	if (o->pieces == 0)
		fprintf(o->out, "{\n  \"%s\": [", o->command->list);
	json_array_foreach(json_object_get(parameters, o->command->list), i, row)
	{
		fputs(o->rows ? ",\n    " : "\n    ", o->out);
		json_dumpf(row, o->out, JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
		o->rows++;
	}
}

static void json_piece(struct output *o, const json_t *parameters)
{
	if (o->command->wants_more) {
		json_list_piece(o, parameters);
	} else {
		json_dumpf(parameters, o->out, JSON_STYLE);
		fputc('\n', o->out);
	}
	o->pieces++;
}

static void json_end(struct output *o)
{
	if (o->command->wants_more && o->pieces)
		fputs("\n  ]\n}\n", o->out);
}

const struct output_ops output_json = {json_piece, json_end};

static void text_piece(struct output *o, const json_t *parameters)
{
	const json_t *rows = o->command->list ? json_object_get(parameters, o->command->list) : NULL;

	if (o->command->print) {
		o->command->print(o, parameters);
	} else if (json_array_size(rows) > 0) {
		text_table_print(&o->table, rows);
		o->rows += json_array_size(rows);
	}
	o->pieces++;
}

static void text_end(struct output *o)
{
	if (!o->command->print && o->rows == 0)
		fprintf(o->out, "%s\n", o->command->empty);
}

const struct output_ops output_text = {text_piece, text_end};
