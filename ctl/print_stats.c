/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters as lines: name, value, and, when asked for, the value on each core and what is counted.
 */
#include "ctl/command.h"

#include <stdint.h>
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

/* The counter of the same name in the answer of the last time. */
static const json_t *find_before(const struct output *o, const json_t *counter)
{
	char wanted[TEXT_CELL_SIZE], name[TEXT_CELL_SIZE];
	const json_t *before;
	size_t i;

	full_name(counter, wanted);
	json_array_foreach(json_object_get(o->before, "counters"), i, before)
	{
		full_name(before, name);
		if (strcmp(name, wanted) == 0)
			return before;
	}
	return NULL;
}

static json_t *per_second(const struct output *o, const json_t *now, const json_t *before)
{
	return json_integer((json_integer_value(now) - json_integer_value(before)) / o->interval_s);
}

/* What was counted since the last time, for a second; all of it the first time. NULL when out of memory. */
static json_t *since_before(const struct output *o, const json_t *counter)
{
	const json_t *before = find_before(o, counter), *value;
	const json_t *cores = json_object_get(counter, "per_core"),
		     *cores_before = json_object_get(before, "per_core");
	json_t *rate = json_copy((json_t *)(uintptr_t)counter), *rates = json_array();
	size_t core;

	if (!before || !rate) {
		json_decref(rates);
		return rate;
	}
	json_array_foreach(cores, core, value)
	    json_array_append_new(rates, per_second(o, value, json_array_get(cores_before, core)));
	value = json_object_get(counter, "value");
	json_object_set_new(rate, "value", per_second(o, value, json_object_get(before, "value")));
	json_object_set_new(rate, "per_core", rates);
	return rate;
}

void print_stats(struct output *o, const json_t *parameters)
{
	const char *group = options_get(o->options, 'g');
	const json_t *counter;
	size_t i;

	if (o->before)
		fprintf(o->out, "per second, over the last %u s:\n", o->interval_s);
	json_array_foreach(json_object_get(parameters, "counters"), i, counter)
	{
		json_t *shown = since_before(o, counter);

		/* By default only what counted something: most counters are of things that should not happen.
		 */
		if (shown && is_wanted(counter, group) &&
		    (options_has(o->options, 'a') ||
		     json_integer_value(json_object_get(shown, "value")) != 0)) {
			print_line(o, shown);
			o->rows++;
		}
		json_decref(shown);
	}
	if (o->rows == 0)
		fprintf(o->out, "nothing was counted%s%s\n", group ? " in group " : "", group ? group : "");
	if (o->interval_s > 0) {
		json_decref(o->before);
		o->before = json_copy((json_t *)(uintptr_t)parameters);
	}
}
