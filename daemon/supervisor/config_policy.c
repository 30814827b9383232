/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy: its entries in the configuration, the rules in them, and how they are applied.
 */
#include "daemon/supervisor/config_key.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* "*", "80" or "8000-8080" */
static int ports_parse(const char *text, struct policy_rule *rule)
{
	unsigned first, last;
	int used = 0;

	if (strcmp(text, "*") == 0) {
		rule->port_first = 0;
		rule->port_last = 65535;
		return 0;
	}
	if (sscanf(text, "%5u-%5u%n", &first, &last, &used) != 2 || text[used] != '\0') {
		used = 0;
		if (sscanf(text, "%5u%n", &first, &used) != 1 || text[used] != '\0')
			return -EINVAL;
		last = first;
	}
	if (text[0] < '0' || text[0] > '9' || first == 0 || last > 65535 || first > last)
		return -EINVAL;
	rule->port_first = (uint16_t)first;
	rule->port_last = (uint16_t)last;
	return 0;
}

/* "*", "0.0.0.0" (both: any address), "10.1.2.3" or "10.0.0.0/8" */
static int address_parse(char *text, struct policy_rule *rule)
{
	unsigned length = 32;
	char *slash = strchr(text, '/');
	struct in_addr addr;
	int used = 0;

	if (slash != NULL) {
		*slash = '\0';
		if (sscanf(slash + 1, "%2u%n", &length, &used) != 1 || slash[1 + used] != '\0' || length > 32)
			return -EINVAL;
	}
	if (strcmp(text, "*") == 0)
		return slash == NULL ? 0 : -EINVAL;
	if (inet_pton(AF_INET, text, &addr) != 1)
		return -EINVAL;
	if (length == 0 || (slash == NULL && addr.s_addr == INADDR_ANY))
		return 0;
	/* Bits beyond the prefix are a mistake more often than a wish. */
	if (length < 32 && (ntohl(addr.s_addr) << length) != 0)
		return -EINVAL;
	memcpy(rule->addr, v4_prefix, sizeof(v4_prefix));
	memcpy(rule->addr + 12, &addr, 4);
	rule->prefix_len = (uint8_t)(96 + length);
	return 0;
}

int config_rule_parse(const char *text, struct policy_rule *rule, struct why *why)
{
	char copy[64];
	const char *start = text[0] == '!' ? text + 1 : text;
	char *colon = NULL;

	memset(rule, 0, sizeof(*rule));
	rule->is_allow = text[0] != '!';
	if (strlen(start) < sizeof(copy)) {
		memcpy(copy, start, strlen(start) + 1);
		colon = strrchr(copy, ':');
	}
	if (colon == NULL)
		return why_set(why, -EINVAL,
			       "rule \"%s\" must be ADDRESS:PORT, as \"*:80\" or \"10.0.0.0/8:8000-8080\"",
			       text);
	*colon = '\0';
	if (ports_parse(colon + 1, rule) != 0)
		return why_set(why, -EINVAL, "rule \"%s\": the port must be *, 1 to 65535, or FIRST-LAST",
			       text);
	if (address_parse(copy, rule) != 0)
		return why_set(
		    why, -EINVAL,
		    "rule \"%s\": the address must be *, an IPv4 address, or a network as 10.0.0.0/8 "
		    "without bits behind its length",
		    text);
	return 0;
}

void config_rule_print(const struct policy_rule *rule, FILE *out)
{
	char addr[INET6_ADDRSTRLEN] = "*";

	if (rule->prefix_len > 0)
		inet_ntop(AF_INET, rule->addr + 12, addr, sizeof(addr));
	fprintf(out, "%s%s", rule->is_allow ? "" : "!", addr);
	if (rule->prefix_len > 0 && rule->prefix_len < 128)
		fprintf(out, "/%d", rule->prefix_len - 96);
	if (rule->port_first == 0)
		fputs(":*", out);
	else if (rule->port_first == rule->port_last)
		fprintf(out, ":%d", rule->port_first);
	else
		fprintf(out, ":%d-%d", rule->port_first, rule->port_last);
}

static int rules_parse(const config_setting_t *list, struct policy_rule *rules, uint32_t *count,
		       struct why *why)
{
	const char *name = config_setting_name(list);

	if (!config_setting_is_list(list) && !config_setting_is_array(list))
		return config_error(why, list, -EINVAL, "%s must be a list of rules, as ( \"*:80\" )", name);
	for (int i = 0; i < config_setting_length(list); i++) {
		const config_setting_t *element = config_setting_get_elem(list, (unsigned)i);
		const char *text = config_setting_get_string(element);

		if (text == NULL)
			return config_error(why, element, -EINVAL, "a rule of %s must be a text, as \"*:80\"",
					    name);
		if (*count == IXD_RULES_MAX)
			return config_error(why, element, -E2BIG, "%s has more than %d rules; join some",
					    name, IXD_RULES_MAX);
		int error = config_rule_parse(text, &rules[*count], why);
		if (error) {
			struct why plain = *why;
			return config_error(why, element, error, "%s", plain.text);
		}
		for (uint32_t k = 0; k < *count; k++)
			if (memcmp(&rules[k], &rules[*count], sizeof(rules[k])) == 0)
				return config_error(why, element, -EEXIST,
						    "rule \"%s\" stands twice in %s; remove one", text, name);
		(*count)++;
	}
	return 0;
}

static int subject_parse(const config_setting_t *group, struct config_policy *policy, struct why *why)
{
	const config_setting_t *user = config_setting_get_member(group, "user");
	const config_setting_t *unix_group = config_setting_get_member(group, "group");

	if ((user == NULL) == (unix_group == NULL))
		return config_error(
		    why, group, -EINVAL,
		    "a policy entry needs either user or group; user = \"*\" means everybody");
	const char *text = config_setting_get_string(user ? user : unix_group);
	if (text != NULL && strcmp(text, "*") == 0) {
		policy->subject = POLICY_EVERYBODY;
		return 0;
	}
	policy->subject = user ? POLICY_USER : POLICY_GROUP;
	return user ? config_user_get(user, &policy->id, NULL, why)
		    : config_group_get(unix_group, &policy->id, why);
}

static int policy_parse(const config_setting_t *group, struct config_policy *policy, struct why *why)
{
	static const char *const also[] = {"user", "group", "listen", "connect", NULL};
	const config_setting_t *rules;

	if (!config_setting_is_group(group))
		return config_error(
		    why, group, -EINVAL,
		    "a policy entry must be a group, as { user = \"*\"; listen = ( \"*:80\" ); }");
	int error = config_section_parse(&config_section_limits, group, &policy->grants, also, why);
	if (!error)
		error = subject_parse(group, policy, why);
	if (!error && (rules = config_setting_get_member(group, "listen")) != NULL)
		error = rules_parse(rules, policy->listen, &policy->listen_count, why);
	if (!error && (rules = config_setting_get_member(group, "connect")) != NULL)
		error = rules_parse(rules, policy->connect, &policy->connect_count, why);
	return error;
}

/* `limits` has been parsed before, wherever it stands in the file: see config.c. */
static int policies_parse(const struct config_key *key, const config_setting_t *setting, void *field,
			  struct why *why)
{
	struct config *config = field;

	if (!config_setting_is_list(setting))
		return config_error(why, setting, -EINVAL,
				    "%s must be a list of groups, as ( { user = \"*\"; } )", key->name);
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		if (config->policies_count == CONFIG_POLICIES_MAX)
			return config_error(why, element, -E2BIG, "more than %d policy entries",
					    CONFIG_POLICIES_MAX);
		struct config_policy *policy = &config->policies[config->policies_count];
		policy->grants = config->limits;
		int error = policy_parse(element, policy, why);
		if (!error)
			error = config_grants_check(&policy->grants, config->fixed.cores, element, why);
		if (error)
			return error;
		for (uint32_t k = 0; k < config->policies_count; k++)
			if (config->policies[k].subject == policy->subject &&
			    config->policies[k].id == policy->id)
				return config_error(
				    why, element, -EEXIST,
				    "a policy entry for the same user or group stands before; the "
				    "first decides, join the two");
		config->policies_count++;
	}
	return 0;
}

const struct config_kind config_kind_policies = {.parse = policies_parse};

static void rules_print(const char *name, const struct policy_rule *rules, uint32_t count, FILE *out)
{
	fprintf(out, " %s = (", name);
	for (uint32_t i = 0; i < count; i++) {
		fputs(i ? ", \"" : " \"", out);
		config_rule_print(&rules[i], out);
		fputc('"', out);
	}
	fputs(count ? " );" : ");", out);
}

void config_policy_print(const struct config_policy *policy, FILE *out)
{
	if (policy->subject == POLICY_EVERYBODY)
		fputs("{ user = \"*\";", out);
	else
		fprintf(out, "{ %s = %" PRIu32 ";", policy->subject == POLICY_USER ? "user" : "group",
			policy->id);
	rules_print("listen", policy->listen, policy->listen_count, out);
	rules_print("connect", policy->connect, policy->connect_count, out);
	for (size_t i = 0; i < config_section_limits.count; i++) {
		const struct config_key *key = &config_section_limits.keys[i];
		fprintf(out, " %s = ", key->name);
		key->kind->print(key, (const char *)&policy->grants + key->off, out);
		fputc(';', out);
	}
	fputs(" }", out);
}

const struct config_policy *config_policy_for(const struct config *config, uint32_t uid, const uint32_t *gids,
					      size_t gids_count)
{
	for (uint32_t i = 0; i < config->policies_count; i++) {
		const struct config_policy *policy = &config->policies[i];

		if (policy->subject == POLICY_EVERYBODY ||
		    (policy->subject == POLICY_USER && policy->id == uid))
			return policy;
		for (size_t k = 0; policy->subject == POLICY_GROUP && k < gids_count; k++)
			if (policy->id == gids[k])
				return policy;
	}
	return NULL;
}

static bool prefix_matches(const uint8_t *addr, const uint8_t *prefix, unsigned length)
{
	unsigned bytes = length / 8, bits = length % 8;

	if (memcmp(addr, prefix, bytes) != 0)
		return false;
	return bits == 0 || ((addr[bytes] ^ prefix[bytes]) >> (8 - bits)) == 0;
}

bool policy_rules_allow(const struct policy_rule *rules, uint32_t count, const uint8_t addr[16],
			uint16_t port)
{
	for (uint32_t i = 0; i < count; i++)
		if (port >= rules[i].port_first && port <= rules[i].port_last &&
		    prefix_matches(addr, rules[i].addr, rules[i].prefix_len))
			return rules[i].is_allow;
	return false;
}
