/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ixd.conf(5) says of every key what the tables say, and has no other keys.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/config_key.h"

#define MANUAL "daemon/man/ixd.conf.5"

static char *manual_read(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(MANUAL, "re");

	cr_assert_not_null(file, "%s is read from the top of the source tree", MANUAL);
	ssize_t length = getdelim(&text, &size, '\0', file);
	cr_assert(length > 0);
	fclose(file);
	return text;
}

/* What must stand below a key: the default, the range, and whether it can change. */
static void sentence(const struct config_key *key, char *text, size_t size)
{
	char *value = NULL;
	size_t length;
	FILE *out = open_memstream(&value, &length);
	unsigned char field[512] = {0};

	if (key->kind == &config_kind_user || key->kind == &config_kind_group)
		fprintf(out, "%s", key->initial_text);
	else if (key->kind == &config_kind_cores)
		fprintf(out, "%" PRIu64, key->initial);
	else if (key->kind->print != NULL && key->kind->set_default != NULL) {
		key->kind->set_default(key, field);
		key->kind->print(key, field, out);
	}
	fclose(out);
	for (char *c = value; *c != '\0';)
		if (*c == '"')
			memmove(c, c + 1, strlen(c));
		else
			c++;
	int used = snprintf(text, size, "%s%s", value[0] ? "Default " : "", value);
	if (key->max > 0)
		used += snprintf(text + used, size - (size_t)used, "%s%" PRIu64 " to %" PRIu64,
				 used ? "; " : "", key->min, key->max);
	if (key->is_power_of_two)
		used += snprintf(text + used, size - (size_t)used, ", a power of two");
	if (key->is_runtime)
		snprintf(text + used, size - (size_t)used, "%scan change while ixd runs", used ? "; " : "");
	free(value);
}

static void choices_list(const struct config_key *key, char *text, size_t size)
{
	int used = 0;

	text[0] = '\0';
	for (const struct config_choice *choice = key->choices; choice != NULL && choice->name != NULL;
	     choice++)
		used +=
		    snprintf(text + used, size - (size_t)used, "%s%s", used ? ", " : "One of ", choice->name);
	if (used)
		snprintf(text + used, size - (size_t)used, ".\n");
}

static bool is_within(const char *sentence, const char *from, const char *to)
{
	const char *found = strstr(from, sentence);

	return found != NULL && (to == NULL || found < to);
}

static bool is_documented(const char *manual, const struct config_section *section,
			  const struct config_key *key)
{
	char heading[128], item[128], expected[256], choices[256];

	snprintf(heading, sizeof(heading), "\n.Ss %s\n", section->name[0] ? section->name : "Top level");
	snprintf(item, sizeof(item), "\n.It Va %s\n", key->name);
	sentence(key, expected, sizeof(expected));
	const char *at = strstr(manual, heading);
	cr_expect_not_null(at, "%s has a section %s", MANUAL, heading);
	const char *end = at ? strstr(at + 1, "\n.Ss ") : NULL;
	at = at ? strstr(at, item) : NULL;
	if (at == NULL || (end != NULL && at > end))
		return false;
	const char *next = strstr(at + 1, "\n.It ");
	choices_list(key, choices, sizeof(choices));
	if (!is_within(expected, at, next) || !is_within(choices, at, next))
		cr_log_error("%s: %s should say \"%s\" and \"%s\"", section->name, key->name, expected,
			     choices);
	return is_within(expected, at, next) && is_within(choices, at, next);
}

Test(config_manual, says_what_the_tables_say)
{
	char *manual = manual_read();

	for (size_t i = 0; i < config_sections_count; i++)
		for (size_t k = 0; k < config_sections[i]->count; k++)
			cr_expect(is_documented(manual, config_sections[i], &config_sections[i]->keys[k]),
				  "%s.%s", config_sections[i]->name, config_sections[i]->keys[k].name);
	free(manual);
}

static bool is_key(const char *name)
{
	static const char *const of_policies[] = {"user", "group", "listen", "connect"};

	for (size_t i = 0; i < sizeof(of_policies) / sizeof(of_policies[0]); i++)
		if (strcmp(of_policies[i], name) == 0)
			return true;
	for (size_t i = 0; i < config_sections_count; i++)
		for (size_t k = 0; k < config_sections[i]->count; k++)
			if (strcmp(config_sections[i]->keys[k].name, name) == 0)
				return true;
	return false;
}

Test(config_manual, has_no_other_keys)
{
	char *manual = manual_read(), *save = NULL, name[64];

	for (char *line = strtok_r(manual, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, ".It Va %63s", name) == 1)
			cr_expect(is_key(name), "%s is no key", name);
	free(manual);
}
