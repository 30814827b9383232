/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The canonical text of a configuration, and the difference of two.
 */
#include "daemon/supervisor/config_key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Adds a line whose value the caller prints into the stream it gets; NULL when out of memory. */
static struct config_line *line_add(struct config_lines *lines)
{
	if (lines->count == lines->room) {
		size_t room = lines->room ? lines->room * 2 : 64;
		struct config_line *grown = reallocarray(lines->line, room, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		lines->line = grown;
		lines->room = room;
	}
	struct config_line *line = &lines->line[lines->count];
	memset(line, 0, sizeof(*line));
	return line;
}

/* `print` writes `what` as value of a new line. */
typedef void (*value_print)(const void *what, const struct config_key *key, FILE *out);

static int line_print(struct config_lines *lines, const char *path, bool is_runtime, value_print print,
		      const void *what, const struct config_key *key)
{
	size_t length;
	struct config_line *line = line_add(lines);
	FILE *out = line ? open_memstream(&line->value, &length) : NULL;

	if (out == NULL)
		return -ENOMEM;
	snprintf(line->path, sizeof(line->path), "%s", path);
	line->is_runtime = is_runtime;
	print(what, key, out);
	if (fclose(out) != 0 || line->value == NULL) {
		free(line->value);
		return -ENOMEM;
	}
	lines->count++;
	return 0;
}

static void print_key(const void *what, const struct config_key *key, FILE *out)
{
	key->kind->print(key, (const char *)what + key->off, out);
}

static void print_iface(const void *what, const struct config_key *key, FILE *out)
{
	(void)key;
	config_iface_print(what, out);
}

static void print_policy(const void *what, const struct config_key *key, FILE *out)
{
	(void)key;
	config_policy_print(what, out);
}

static int section_lines(struct config_lines *lines, const struct config_section *section, const void *base)
{
	char path[64];
	int error = 0;

	for (size_t i = 0; i < section->count && !error; i++) {
		const struct config_key *key = &section->keys[i];
		if (key->kind->print == NULL)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", section->name, section->name[0] ? "." : "", key->name);
		error = line_print(lines, path, key->is_runtime, print_key, base, key);
	}
	return error;
}

int config_lines_make(const struct config *config, struct config_lines *lines)
{
	char path[64];
	int error = 0;

	memset(lines, 0, sizeof(*lines));
	for (uint32_t i = 0; i < config->ifaces_count && !error; i++) {
		snprintf(path, sizeof(path), "interfaces.[%u]", i);
		error = line_print(lines, path, false, print_iface, &config->ifaces[i], NULL);
	}
	if (!error)
		error = section_lines(lines, &config_section_top, config);
	if (!error)
		error = section_lines(lines, &config_section_limits, &config->limits);
	if (!error)
		error = section_lines(lines, &config_section_tcp, config);
	if (!error)
		error = section_lines(lines, &config_section_sizes, config);
	for (uint32_t i = 0; i < config->policies_count && !error; i++) {
		snprintf(path, sizeof(path), "policy.[%u]", i);
		error = line_print(lines, path, true, print_policy, &config->policies[i], NULL);
	}
	if (error)
		config_lines_free(lines);
	return error;
}

void config_lines_free(struct config_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->line[i].value);
	free(lines->line);
	memset(lines, 0, sizeof(*lines));
}

static const struct config_line *line_find(const struct config_lines *lines, const char *path)
{
	for (size_t i = 0; i < lines->count; i++)
		if (strcmp(lines->line[i].path, path) == 0)
			return &lines->line[i];
	return NULL;
}

int config_diff(const struct config *old_config, const struct config *new_config,
		config_on_difference on_difference, void *arg, unsigned *static_count)
{
	struct config_lines old_lines, new_lines;
	int count = 0;

	*static_count = 0;
	if (config_lines_make(old_config, &old_lines) != 0)
		return -ENOMEM;
	if (config_lines_make(new_config, &new_lines) != 0) {
		config_lines_free(&old_lines);
		return -ENOMEM;
	}
	for (size_t i = 0; i < old_lines.count; i++) {
		const struct config_line *was = &old_lines.line[i], *is = line_find(&new_lines, was->path);
		if (is != NULL && strcmp(was->value, is->value) == 0)
			continue;
		on_difference(arg, was->path, was->value, is ? is->value : NULL, was->is_runtime);
		*static_count += !was->is_runtime;
		count++;
	}
	for (size_t i = 0; i < new_lines.count; i++) {
		const struct config_line *is = &new_lines.line[i];
		if (line_find(&old_lines, is->path) != NULL)
			continue;
		on_difference(arg, is->path, NULL, is->value, is->is_runtime);
		*static_count += !is->is_runtime;
		count++;
	}
	config_lines_free(&old_lines);
	config_lines_free(&new_lines);
	return count;
}
