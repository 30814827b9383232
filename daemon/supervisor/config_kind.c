/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kinds of simple configuration values: numbers, switches, choices, texts, users and groups.
 */
#include "daemon/supervisor/config_key.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static void store(const struct config_key *key, void *field, uint64_t value)
{
	if (key->size == 8)
		memcpy(field, &value, 8);
	else if (key->size == 4)
		memcpy(field, &(uint32_t){(uint32_t)value}, 4);
	else if (key->size == 2)
		memcpy(field, &(uint16_t){(uint16_t)value}, 2);
	else
		memcpy(field, &(uint8_t){(uint8_t)value}, 1);
}

static uint64_t fetch(const struct config_key *key, const void *field)
{
	uint64_t value = 0;

	memcpy(&value, field, key->size); /* little endian */
	return value;
}

static const char *type_name(const config_setting_t *setting)
{
	static const char *const names[] = {
	    [CONFIG_TYPE_NONE] = "nothing",       [CONFIG_TYPE_GROUP] = "a group",
	    [CONFIG_TYPE_INT] = "a number",       [CONFIG_TYPE_INT64] = "a number",
	    [CONFIG_TYPE_FLOAT] = "a fraction",   [CONFIG_TYPE_STRING] = "a text",
	    [CONFIG_TYPE_BOOL] = "true or false", [CONFIG_TYPE_ARRAY] = "an array",
	    [CONFIG_TYPE_LIST] = "a list"};

	return names[config_setting_type(setting)];
}

static const char *setting_label(const config_setting_t *setting)
{
	const char *name = config_setting_name(setting);

	return name ? name : "list element";
}

static int wrong_type(struct why *why, const config_setting_t *setting, const char *wanted)
{
	return config_error(why, setting, -EINVAL, "%s must be %s, not %s", setting_label(setting), wanted,
			    type_name(setting));
}

static int suffix_shift(const char *suffix)
{
	static const char letters[] = "KMG";

	if (suffix[0] == '\0')
		return 0;
	const char *letter = strchr(letters, suffix[0]);
	return letter != NULL && suffix[1] == '\0' ? 10 * (int)(letter - letters + 1) : -1;
}

int config_uint_get(const config_setting_t *setting, uint64_t *value, struct why *why)
{
	int type = config_setting_type(setting);

	if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
		long long number = config_setting_get_int64(setting);

		if (number < 0)
			return config_error(why, setting, -ERANGE, "%s = %lld must not be negative",
					    setting_label(setting), number);
		*value = (uint64_t)number;
		return 0;
	}
	if (type != CONFIG_TYPE_STRING)
		return wrong_type(why, setting, "a number");
	const char *text = config_setting_get_string(setting);
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	int shift = suffix_shift(end);
	if (text[0] < '0' || text[0] > '9' || errno != 0 || shift < 0 || number > UINT64_MAX >> shift)
		return config_error(why, setting, -EINVAL,
				    "%s = \"%s\" is no number; digits, then K, M, G or nothing",
				    setting_label(setting), text);
	*value = number << shift;
	return 0;
}

static int uint_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		      struct why *why)
{
	uint64_t value = 0;
	int error = config_uint_get(setting, &value, why);

	if (error)
		return error;
	if (value < key->min || value > key->max)
		return config_error(why, setting, -ERANGE,
				    "%s = %" PRIu64 " is out of range; allowed are %" PRIu64 " to %" PRIu64,
				    key->name, value, key->min, key->max);
	if (key->is_power_of_two && (value & (value - 1)) != 0)
		return config_error(why, setting, -ERANGE, "%s = %" PRIu64 " must be a power of two",
				    key->name, value);
	store(key, field, value);
	return 0;
}

static void uint_print(const struct config_key *key, const void *field, FILE *out)
{
	fprintf(out, "%" PRIu64, fetch(key, field));
}

static void number_default(const struct config_key *key, void *field)
{
	store(key, field, key->initial);
}

const struct config_kind config_kind_uint = {uint_parse, uint_print, number_default};

static int bool_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		      struct why *why)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return wrong_type(why, setting, "true or false");
	store(key, field, config_setting_get_bool(setting) != 0);
	return 0;
}

static void bool_print(const struct config_key *key, const void *field, FILE *out)
{
	fputs(fetch(key, field) ? "true" : "false", out);
}

const struct config_kind config_kind_bool = {bool_parse, bool_print, number_default};

static int choice_parse(const struct config_key *key, const config_setting_t *setting, void *field,
			struct why *why)
{
	char known[128] = "";

	/* A choice among off, on and more is also a switch. */
	if (config_setting_type(setting) == CONFIG_TYPE_BOOL && strcmp(key->choices[0].name, "off") == 0) {
		store(key, field, config_setting_get_bool(setting) != 0);
		return 0;
	}
	if (config_setting_type(setting) != CONFIG_TYPE_STRING)
		return wrong_type(why, setting, "a text");
	const char *text = config_setting_get_string(setting);
	for (const struct config_choice *choice = key->choices; choice->name; choice++) {
		if (strcmp(choice->name, text) == 0) {
			store(key, field, choice->value);
			return 0;
		}
		size_t used = strlen(known);
		snprintf(known + used, sizeof(known) - used, "%s\"%s\"", used ? ", " : "", choice->name);
	}
	return config_error(why, setting, -EINVAL, "%s = \"%s\" is not known; allowed are %s", key->name,
			    text, known);
}

static void choice_print(const struct config_key *key, const void *field, FILE *out)
{
	for (const struct config_choice *choice = key->choices; choice->name; choice++)
		if (choice->value == fetch(key, field))
			fprintf(out, "\"%s\"", choice->name);
}

const struct config_kind config_kind_choice = {choice_parse, choice_print, number_default};

static int text_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		      struct why *why)
{
	if (config_setting_type(setting) != CONFIG_TYPE_STRING)
		return wrong_type(why, setting, "a text");
	const char *text = config_setting_get_string(setting);
	if (text[0] == '\0' || strlen(text) >= key->size)
		return config_error(why, setting, -ERANGE, "%s = \"%s\" must have 1 to %zu characters",
				    key->name, text, key->size - 1);
	memset(field, 0, key->size);
	memcpy(field, text, strlen(text));
	return 0;
}

static void text_print(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	fprintf(out, "\"%s\"", (const char *)field);
}

static void text_default(const struct config_key *key, void *field)
{
	memset(field, 0, key->size);
	memcpy(field, key->initial_text, strlen(key->initial_text));
}

const struct config_kind config_kind_text = {text_parse, text_print, text_default};

static int path_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		      struct why *why)
{
	int error = text_parse(key, setting, field, why);

	if (!error && ((const char *)field)[0] != '/')
		return config_error(why, setting, -EINVAL, "%s = \"%s\" must be an absolute path", key->name,
				    (const char *)field);
	/* Room for the longest name of a socket in it. */
	if (!error && strlen(field) + sizeof("/control.sock") > CONFIG_PATH_SIZE)
		return config_error(why, setting, -ERANGE, "%s = \"%s\" is too long; at most %zu characters",
				    key->name, (const char *)field,
				    CONFIG_PATH_SIZE - sizeof("/control.sock"));
	return error;
}

const struct config_kind config_kind_path = {path_parse, text_print, text_default};

static int mode_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		      struct why *why)
{
	if (config_setting_type(setting) != CONFIG_TYPE_STRING)
		return wrong_type(why, setting, "a text with octal digits, as \"0660\"");
	const char *text = config_setting_get_string(setting);
	size_t digits = strspn(text, "01234567");
	if (digits == 0 || digits > 4 || text[digits] != '\0' || strtoul(text, NULL, 8) > 0777)
		return config_error(why, setting, -EINVAL,
				    "%s = \"%s\" is no mode; allowed are octal \"0\" to \"0777\"", key->name,
				    text);
	store(key, field, strtoul(text, NULL, 8));
	return 0;
}

static void mode_print(const struct config_key *key, const void *field, FILE *out)
{
	fprintf(out, "\"%04" PRIo64 "\"", fetch(key, field));
}

const struct config_kind config_kind_mode = {mode_parse, mode_print, number_default};

/* A numeric id, given as a number or as digits: it needs no account. */
static int id_number(const config_setting_t *setting, uint32_t *id, struct why *why)
{
	uint64_t value = 0;
	int error = config_uint_get(setting, &value, why);

	if (error)
		return error;
	if (value >= UINT32_MAX)
		return config_error(why, setting, -ERANGE, "%s = %" PRIu64 " is no id; the largest is %u",
				    setting_label(setting), value, UINT32_MAX - 1);
	*id = (uint32_t)value;
	return 0;
}

static bool is_name(const config_setting_t *setting)
{
	const char *text = config_setting_get_string(setting);

	return text != NULL && (text[0] < '0' || text[0] > '9');
}

int config_user_get(const config_setting_t *setting, uint32_t *uid, uint32_t *gid, struct why *why)
{
	if (!is_name(setting)) {
		int error = id_number(setting, uid, why);

		if (error || gid == NULL)
			return error;
		const struct passwd *account = getpwuid(*uid);
		*gid = account ? account->pw_gid : *uid;
		return 0;
	}
	const struct passwd *account = getpwnam(config_setting_get_string(setting));
	if (account == NULL)
		return config_error(
		    why, setting, -ENOENT,
		    "%s = \"%s\": no such user; add it, or give a numeric id, which needs no account",
		    setting_label(setting), config_setting_get_string(setting));
	*uid = account->pw_uid;
	if (gid != NULL)
		*gid = account->pw_gid;
	return 0;
}

int config_group_get(const config_setting_t *setting, uint32_t *gid, struct why *why)
{
	if (!is_name(setting))
		return id_number(setting, gid, why);
	const struct group *group = getgrnam(config_setting_get_string(setting));
	if (group == NULL)
		return config_error(
		    why, setting, -ENOENT,
		    "%s = \"%s\": no such group; add it, or give a numeric id, which needs no account",
		    setting_label(setting), config_setting_get_string(setting));
	*gid = group->gr_gid;
	return 0;
}

/* The field is a uid; its gid follows it in struct config. */
static int user_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		      struct why *why)
{
	uint32_t *ids = field;
	int error = config_user_get(setting, &ids[0], &ids[1], why);

	if (!error && ids[0] == 0)
		return config_error(why, setting, -EINVAL,
				    "%s must not be root: the process is to have no rights", key->name);
	return error;
}

static void user_default(const struct config_key *key, void *field)
{
	uint32_t *ids = field;
	const struct passwd *account = getpwnam(key->initial_text);

	/* Without the account, an id that nobody is given: it lies in the range of systemd's DynamicUser. */
	ids[0] = account ? account->pw_uid : (uint32_t)key->initial;
	ids[1] = account ? account->pw_gid : (uint32_t)key->initial;
}
_Static_assert(offsetof(struct config, dataplane_gid) == offsetof(struct config, dataplane_uid) + 4 &&
		   offsetof(struct config, control_gid) == offsetof(struct config, control_uid) + 4,
	       "a user's group follows it");

const struct config_kind config_kind_user = {user_parse, uint_print, user_default};

static int group_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		       struct why *why)
{
	(void)key;
	return config_group_get(setting, field, why);
}

static void group_default(const struct config_key *key, void *field)
{
	const struct group *group = getgrnam(key->initial_text);

	store(key, field, group ? group->gr_gid : key->initial);
}

const struct config_kind config_kind_group = {group_parse, uint_print, group_default};
