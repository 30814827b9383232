/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of configuration keys, and what a row can do. Private to config*.c and to the test that compares
 * the tables with ixd.conf(5).
 */
#ifndef DAEMON_SUPERVISOR_CONFIG_KEY_H
#define DAEMON_SUPERVISOR_CONFIG_KEY_H

#include <libconfig.h>
#include <stdio.h>

#include "daemon/supervisor/config.h"

struct config_choice {
	const char *name; /* NULL ends the list */
	uint32_t value;
};

struct config_key;

/* How a kind of value is read and written. `field` is where the row's value lives. */
struct config_kind {
	int (*parse)(const struct config_key *key, const config_setting_t *setting, void *field,
		     struct why *why);
	/* Writes the value as the file would; NULL: the kind writes its own lines. */
	void (*print)(const struct config_key *key, const void *field, FILE *out);
	/* Sets the default; never fails, defaults are checked by the tests. */
	void (*set_default)(const struct config_key *key, void *field);
};

struct config_key {
	const char *name;
	const struct config_kind *kind;
	size_t off;  /* of the field in the section's struct */
	size_t size; /* of the field */
	uint64_t min, max;
	uint64_t initial;         /* default of numbers and choices */
	const char *initial_text; /* default of texts, users and groups */
	const struct config_choice *choices;
	bool is_power_of_two;
	bool is_runtime;
	const char *doc;
};

struct config_section {
	const char *name; /* "" is the top level */
	const struct config_key *keys;
	size_t count;
};

/* top level, limits (also inside a policy), tcp, sizes, one interface, one policy */
extern const struct config_section config_section_top, config_section_limits, config_section_tcp,
    config_section_sizes, config_section_iface;
extern const struct config_section *const config_sections[];
extern const size_t config_sections_count;

extern const struct config_kind config_kind_uint, config_kind_bool, config_kind_choice, config_kind_text,
    config_kind_path, config_kind_mode, config_kind_user, config_kind_group, config_kind_cores,
    config_kind_ifaces, config_kind_policies, config_kind_limits, config_kind_tcp, config_kind_sizes;

/* "FILE:LINE: " of a setting, then the message. */
__attribute__((format(printf, 4, 5))) int config_error(struct why *why, const config_setting_t *setting,
						       int error, const char *format, ...);
void config_section_defaults(const struct config_section *section, void *base);
/* Reads a group's keys into base; refuses keys that are neither in the section nor in `also` (NULL-ended). */
int config_section_parse(const struct config_section *section, const config_setting_t *group, void *base,
			 const char *const *also, struct why *why);
/* One unsigned number: an integer or a text with suffix K, M or G. */
int config_uint_get(const config_setting_t *setting, uint64_t *value, struct why *why);
/* A user or group by name or number. *gid, when not NULL, becomes the user's group. */
int config_user_get(const config_setting_t *setting, uint32_t *uid, uint32_t *gid, struct why *why);
int config_group_get(const config_setting_t *setting, uint32_t *gid, struct why *why);
/* A rule "ADDRESS[/LENGTH]:PORT[-PORT]", "*" for any, "!" in front to refuse. 0 or -EINVAL. */
int config_rule_parse(const char *text, struct policy_rule *rule, struct why *why);
void config_rule_print(const struct policy_rule *rule, FILE *out);
void config_policy_print(const struct config_policy *policy, FILE *out);
void config_iface_print(const struct config_iface *iface, FILE *out);
/* Refuses whole numbers beyond 31 bits without the suffix L, which libconfig would cut silently. */
int config_numbers_check(const char *path, struct why *why);
/* Checks of several keys together. */
int config_check(const struct config *config, const config_setting_t *root, struct why *why);
int config_grants_check(const struct config_grants *grants, uint32_t cores, const config_setting_t *setting,
			struct why *why);

#endif
