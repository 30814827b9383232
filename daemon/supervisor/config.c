/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the configuration file: sections, lists, and the checks of several keys together.
 */
#include "daemon/supervisor/config_key.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (1 << 20)

int config_error(struct why *why, const config_setting_t *setting, int error, const char *format, ...)
{
	char text[WHY_SIZE];
	const config_setting_t *with_file = setting;

	/* The root has no file of its own; its first setting has. */
	if (config_setting_is_root(setting) && config_setting_length(setting) > 0)
		with_file = config_setting_get_elem(setting, 0);
	const char *file = config_setting_source_file(with_file);
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* What is missing in the whole file is missing from its first line on. */
	unsigned line = config_setting_source_line(setting);
	return why_set(why, error, "%s:%u: %.440s", file ? file : "configuration", line ? line : 1, text);
}

void config_section_defaults(const struct config_section *section, void *base)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct config_key *key = &section->keys[i];
		if (key->kind->set_default)
			key->kind->set_default(key, (char *)base + key->off);
	}
}

static bool is_listed(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static int refuse_unknown(const struct config_section *section, const config_setting_t *group,
			  const char *const *also, struct why *why)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(setting);
		bool is_known = is_listed(also, name);

		for (size_t k = 0; k < section->count && !is_known; k++)
			is_known = strcmp(section->keys[k].name, name) == 0;
		if (!is_known)
			return config_error(why, setting, -EINVAL,
					    "unknown key \"%s\"%s%s; ixd.conf(5) lists the keys", name,
					    section->name[0] ? " in " : "", section->name);
	}
	return 0;
}

int config_section_parse(const struct config_section *section, const config_setting_t *group, void *base,
			 const char *const *also, struct why *why)
{
	if (!config_setting_is_group(group))
		return config_error(why, group, -EINVAL, "%s must be a group, as { key = value; }",
				    section->name);
	int error = refuse_unknown(section, group, also, why);
	/* In the order of the table, not of the file: cores before the sizes that depend on them. */
	for (size_t i = 0; i < section->count && !error; i++) {
		const struct config_key *key = &section->keys[i];
		const config_setting_t *setting = config_setting_get_member(group, key->name);
		if (setting != NULL && key->kind->parse != NULL)
			error = key->kind->parse(key, setting, (char *)base + key->off, why);
	}
	return error;
}

static int iface_parse(const config_setting_t *element, struct config_iface *iface, struct why *why)
{
	const char *name = config_setting_get_string(element);

	if (name == NULL) {
		if (!config_setting_is_group(element))
			return config_error(
			    why, element, -EINVAL,
			    "an interface must be a name or a group, as { name = \"eth1\"; queues = 2; }");
		int error = config_section_parse(&config_section_iface, element, iface, NULL, why);
		if (error)
			return error;
		name = iface->name;
	}
	if (name[0] == '\0')
		return config_error(why, element, -EINVAL, "an interface needs a name");
	if (strlen(name) >= IF_NAMESIZE || strpbrk(name, "/ \t\n") || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return config_error(
		    why, element, -EINVAL,
		    "interface \"%s\" is no possible name; at most %d characters without space or /", name,
		    IF_NAMESIZE - 1);
	if (name != iface->name)
		snprintf(iface->name, sizeof(iface->name), "%s", name);
	return 0;
}

static int ifaces_parse(const struct config_key *key, const config_setting_t *setting, void *field,
			struct why *why)
{
	struct config *config = field;

	if (!config_setting_is_list(setting) && !config_setting_is_array(setting))
		return config_error(why, setting, -EINVAL, "%s must be a list, as ( \"eth1\" )", key->name);
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		struct config_iface *iface = &config->ifaces[config->ifaces_count];

		if (config->ifaces_count == IXD_IFACES_MAX)
			return config_error(why, element, -E2BIG,
					    "more than %d interfaces; start another instance",
					    IXD_IFACES_MAX);
		config_section_defaults(&config_section_iface, iface);
		int error = iface_parse(element, iface, why);
		if (error)
			return error;
		for (uint32_t k = 0; k < config->ifaces_count; k++)
			if (strcmp(config->ifaces[k].name, iface->name) == 0)
				return config_error(why, element, -EEXIST,
						    "interface \"%s\" stands twice; remove one", iface->name);
		config->ifaces_count++;
	}
	return 0;
}

const struct config_kind config_kind_ifaces = {.parse = ifaces_parse};

void config_iface_print(const struct config_iface *iface, FILE *out)
{
	fputs("{", out);
	for (size_t i = 0; i < config_section_iface.count; i++) {
		const struct config_key *key = &config_section_iface.keys[i];
		fprintf(out, " %s = ", key->name);
		key->kind->print(key, (const char *)iface + key->off, out);
		fputc(';', out);
	}
	fputs(" }", out);
}

static int cpu_list_parse(const struct config_key *key, const config_setting_t *setting,
			  struct config *config, struct why *why)
{
	int count = config_setting_length(setting);

	if (count < (int)key->min || count > (int)key->max)
		return config_error(why, setting, -ERANGE,
				    "%s lists %d CPUs; allowed are %" PRIu64 " to %" PRIu64, key->name, count,
				    key->min, key->max);
	for (int i = 0; i < count; i++) {
		const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		uint64_t cpu = 0;
		int error = config_uint_get(element, &cpu, why);

		if (error)
			return error;
		if (cpu >= 1024)
			return config_error(why, element, -ERANGE,
					    "CPU %" PRIu64 " is out of range; allowed are 0 to 1023", cpu);
		for (int k = 0; k < i; k++)
			if (config->fixed.cpu[k] == cpu)
				return config_error(why, element, -EEXIST,
						    "CPU %" PRIu64 " stands twice in %s; remove one", cpu,
						    key->name);
		config->fixed.cpu[i] = (uint16_t)cpu;
	}
	config->fixed.cores = (uint32_t)count;
	config->has_cpu_list = true;
	return 0;
}

static int cores_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		       struct why *why)
{
	struct config *config = field;
	uint64_t count = 0;

	if (config_setting_is_array(setting) || config_setting_is_list(setting))
		return cpu_list_parse(key, setting, config, why);
	int error = config_uint_get(setting, &count, why);
	if (error)
		return error;
	if (count < key->min || count > key->max)
		return config_error(why, setting, -ERANGE,
				    "%s = %" PRIu64 " is out of range; allowed are %" PRIu64 " to %" PRIu64,
				    key->name, count, key->min, key->max);
	config->fixed.cores = (uint32_t)count;
	return 0;
}

static void cores_print(const struct config_key *key, const void *field, FILE *out)
{
	const struct config *config = field;

	(void)key;
	if (!config->has_cpu_list) {
		fprintf(out, "%" PRIu32, config->fixed.cores);
		return;
	}
	fputc('[', out);
	for (uint32_t i = 0; i < config->fixed.cores; i++)
		fprintf(out, "%s%u", i ? ", " : " ", config->fixed.cpu[i]);
	fputs(" ]", out);
}

static void cores_default(const struct config_key *key, void *field)
{
	struct config *config = field;

	config->fixed.cores = (uint32_t)key->initial;
	for (size_t i = 0; i < IXD_CORES_MAX; i++)
		config->fixed.cpu[i] = CONFIG_CPU_NONE;
}

const struct config_kind config_kind_cores = {cores_parse, cores_print, cores_default};

/* `limits` stands behind `policy` in the table, but policies start from it: config_load() reads it first. */
static int already_parsed(const struct config_key *key, const config_setting_t *setting, void *field,
			  struct why *why)
{
	(void)key, (void)setting, (void)field, (void)why;
	return 0;
}

const struct config_kind config_kind_limits = {.parse = already_parsed};

static int tcp_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		     struct why *why)
{
	(void)key;
	return config_section_parse(&config_section_tcp, setting, field, NULL, why);
}

const struct config_kind config_kind_tcp = {.parse = tcp_parse};

static int sizes_parse(const struct config_key *key, const config_setting_t *setting, void *field,
		       struct why *why)
{
	(void)key;
	return config_section_parse(&config_section_sizes, setting, field, NULL, why);
}

const struct config_kind config_kind_sizes = {.parse = sizes_parse};

static int load_tree(const config_setting_t *root, struct config *config, struct why *why)
{
	const config_setting_t *limits = config_setting_get_member(root, "limits");
	int error = 0;

	config_section_defaults(&config_section_top, config);
	config_section_defaults(&config_section_limits, &config->limits);
	config_section_defaults(&config_section_tcp, config);
	config_section_defaults(&config_section_sizes, config);
	if (limits != NULL)
		error = config_section_parse(&config_section_limits, limits, &config->limits, NULL, why);
	if (!error)
		error = config_section_parse(&config_section_top, root, config, NULL, why);
	return error ? error : config_check(config, root, why);
}

static int read_file(config_t *tree, const char *path, struct why *why)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return why_set(why, -errno,
			       "%s: %s; write it (ixd.conf(5) has an example) or name another with -c", path,
			       strerror(errno));
	if (S_ISDIR(status.st_mode))
		return why_set(why, -EISDIR, "%s: is a directory; name a file with -c", path);
	/* It is read more than once, and a pipe or a device may have no end. */
	if (!S_ISREG(status.st_mode))
		return why_set(why, -EINVAL, "%s: is no regular file; name one with -c", path);
	if (status.st_size > FILE_BYTES_MAX)
		return why_set(why, -EFBIG, "%s: has %lld bytes, more than %d; is it a configuration?", path,
			       (long long)status.st_size, FILE_BYTES_MAX);
	int error = config_numbers_check(path, why);
	if (error)
		return error;
	if (config_read_file(tree, path) == CONFIG_TRUE)
		return 0;
	if (config_error_type(tree) == CONFIG_ERR_FILE_IO)
		return why_set(why, -EIO, "%s: cannot be read: %s", path, strerror(errno));
	return why_set(why, -EINVAL, "%s:%d: %s", config_error_file(tree) ? config_error_file(tree) : path,
		       config_error_line(tree), config_error_text(tree));
}

int config_load(const char *path, struct config **config, struct why *why)
{
	config_t tree;
	struct config *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return why_set(why, -ENOMEM, "%s: out of memory", path);
	config_init(&tree);
	int error = read_file(&tree, path, why);
	if (!error)
		error = load_tree(config_root_setting(&tree), made, why);
	config_destroy(&tree);
	if (error) {
		free(made);
		return error;
	}
	*config = made;
	return 0;
}

void config_free(struct config *config)
{
	free(config);
}

unsigned config_line_of(const char *file, const char *path)
{
	config_t tree;
	unsigned line = 0;

	config_init(&tree);
	if (config_read_file(&tree, file) == CONFIG_TRUE) {
		const config_setting_t *setting = config_lookup(&tree, path);
		line = setting ? config_setting_source_line(setting) : 0;
	}
	config_destroy(&tree);
	return line;
}
