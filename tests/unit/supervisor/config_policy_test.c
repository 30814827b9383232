/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules and which policy applies to whom.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/config_key.h"
#include "tests/unit/supervisor/config_env.h"

static const char *rule_text(const char *text)
{
	static char *printed;
	struct policy_rule rule;
	struct why why;
	size_t length;

	cr_assert_eq(config_rule_parse(text, &rule, &why), 0, "%s", why.text);
	free(printed);
	FILE *out = open_memstream(&printed, &length);
	config_rule_print(&rule, out);
	fclose(out);
	return printed;
}

Test(config_policy, rules_are_printed_as_they_were_written)
{
	static const char *const rules[] = {"*:*",           "*:80",          "!*:22", "10.0.0.0/8:8000-8080",
					    "192.0.2.1:443", "!10.1.0.0/16:*"};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		cr_expect_str_eq(rule_text(rules[i]), rules[i]);
	cr_expect_str_eq(rule_text("0.0.0.0:80"), "*:80");
	cr_expect_str_eq(rule_text("0.0.0.0/0:80"), "*:80");
}

Test(config_policy, wrong_rules_are_refused)
{
	static const char *const rules[] = {"",
					    "80",
					    "*",
					    "*:",
					    "*:0",
					    "*:65536",
					    "*:9-8",
					    "*:x",
					    "*:-1",
					    "*:80-",
					    "*:80x",
					    "a:80",
					    "10.0.0:1",
					    "10.0.0.1/8:1",
					    "10.0.0.0/33:1",
					    "10.0.0.0/:1",
					    "*/8:1",
					    "::1:80",
					    "!!*:80",
					    "10.0.0.0/8x:1"};
	struct policy_rule rule;
	struct why why;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		cr_expect_eq(config_rule_parse(rules[i], &rule, &why), -EINVAL, "%s", rules[i]);
}

static bool allows(const char *const *texts, uint32_t count, const char *addr, uint16_t port)
{
	struct policy_rule rules[8];
	uint8_t bytes[16] = {0};
	struct why why;

	for (uint32_t i = 0; i < count; i++)
		cr_assert_eq(config_rule_parse(texts[i], &rules[i], &why), 0);
	if (strcmp(addr, "*") != 0) {
		memset(bytes + 10, 0xff, 2);
		inet_pton(AF_INET, addr, bytes + 12);
	}
	return policy_rules_allow(rules, count, bytes, port);
}

Test(config_policy, first_matching_rule_decides)
{
	static const char *const rules[] = {"!10.0.0.1:*", "10.0.0.0/30:80-90", "192.0.2.128/25:443"};

	cr_expect_not(allows(rules, 3, "10.0.0.1", 80));
	cr_expect(allows(rules, 3, "10.0.0.2", 80));
	cr_expect(allows(rules, 3, "10.0.0.3", 90));
	cr_expect_not(allows(rules, 3, "10.0.0.3", 91));
	cr_expect_not(allows(rules, 3, "10.0.0.4", 80));
	cr_expect(allows(rules, 3, "192.0.2.200", 443));
	cr_expect_not(allows(rules, 3, "192.0.2.1", 443));
	cr_expect_not(allows(rules, 0, "192.0.2.1", 443));
}

Test(config_policy, every_address_needs_a_rule_for_every_address)
{
	static const char *const some[] = {"10.0.0.0/8:*"}, *const all[] = {"*:80"};

	cr_expect_not(allows(some, 1, "*", 80));
	cr_expect(allows(all, 1, "*", 80));
	cr_expect(allows(all, 1, "10.1.2.3", 80));
}

Test(config_policy, first_entry_that_fits_applies)
{
	struct config *config =
	    config_of("interfaces = ( \"a\" );\nlimits = { listeners = 9; };\n"
		      "policy = ( { user = 10; connections = 5; }, { group = 20; listeners = 3; },\n"
		      "{ user = \"*\"; } );\n");
	const uint32_t groups[] = {19, 20};

	cr_expect_eq(config_policy_for(config, 10, groups, 2), &config->policies[0]);
	cr_expect_eq(config_policy_for(config, 11, groups, 2), &config->policies[1]);
	cr_expect_eq(config_policy_for(config, 11, groups, 1), &config->policies[2]);
	cr_expect_eq(config->policies[0].grants.connections_max, 5);
	cr_expect_eq(config->policies[0].grants.listeners_max, 9);
	cr_expect_eq(config->policies[1].grants.listeners_max, 3);
	config->policies_count = 2;
	cr_expect_null(config_policy_for(config, 11, groups, 1));
	config_free(config);
}
