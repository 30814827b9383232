/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters as lines: name, value, and, when asked for, the value on each core and what is counted.
 */
#include "ctl/command.h"

#include <string.h>

static bool is_wanted(const json_t *counter, const char *group)
{
	const char *name = json_string_value(json_object_get(counter, "group"));

	return !group || (name && strcmp(name, group) == 0);
}

static void full_name(const json_t *counter, char cell[TEXT_CELL_SIZE])
{
	const char *group = json_string_value(json_object_get(counter, "group"));
	const char *name = json_string_value(json_object_get(counter, "name"));

	snprintf(cell, TEXT_CELL_SIZE, "%s.%s", group ? group : "?", name ? name : "?");
}

static void print_line(struct output *o, const json_t *counter)
{
	const char *description = json_string_value(json_object_get(counter, "description"));
	char name[TEXT_CELL_SIZE], value[TEXT_CELL_SIZE];
	const json_t *per_core;
	size_t core;

	full_name(counter, name);
	fprintf(o->out, "%-32s %16s", name, text_value(json_object_get(counter, "value"), TEXT_PLAIN, value));
	if (options_has(o->options, 'c'))
		json_array_foreach(json_object_get(counter, "per_core"), core, per_core)
		    fprintf(o->out, " %14s", text_value(per_core, TEXT_PLAIN, value));
	if (options_has(o->options, 'd') && description)
		fprintf(o->out, "  %s", description);
	fputc('\n', o->out);
}

void print_stats(struct output *o, const json_t *parameters)
{
	const char *group = options_get(o->options, 'g');
	const json_t *counter;
	size_t i;

	json_array_foreach(json_object_get(parameters, "counters"), i, counter)
	{
		if (!is_wanted(counter, group))
			continue;
		/* By default only what counted something: most counters are of things that should not happen.
		 */
		if (!options_has(o->options, 'a') &&
		    json_integer_value(json_object_get(counter, "value")) == 0)
			continue;
		print_line(o, counter);
		o->rows++;
	}
	if (o->rows == 0)
		fprintf(o->out, "nothing was counted%s%s\n", group ? " in group " : "", group ? group : "");
}
