/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file: defaults, values, and every way to get it wrong, with line and words.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/supervisor/config_env.h"

static const char *const two_lines = "interfaces = ( \"eth1\" );\n"
				     "policy = ( { user = \"*\"; listen = ( \"*:*\" ); } );\n";

Test(config, two_lines_are_enough)
{
	struct config *config = config_of(two_lines);

	cr_expect_eq(config->ifaces_count, 1);
	cr_expect_str_eq(config->ifaces[0].name, "eth1");
	cr_expect_eq(config->ifaces[0].queues, 0);
	cr_expect_eq(config->fixed.cores, 1);
	cr_expect_eq(config->fixed.cpu[0], CONFIG_CPU_NONE);
	cr_expect_eq(config->runtime.batch, 64);
	cr_expect_eq(config->runtime.cc, IX_CC_CUBIC);
	cr_expect_eq(config->fixed.flow_groups, IXD_FLOW_GROUPS);
	cr_expect_eq(config->policies_count, 1);
	cr_expect_neq(config->dataplane_uid, 0);
	cr_expect_neq(config->dataplane_uid, config->control_uid);
	config_free(config);
}

Test(config, values_of_every_kind_are_taken)
{
	struct config *config =
	    config_of("interfaces = ( { name = \"a\"; queues = 2; mode = \"generic\"; copy = \"copy\"; },"
		      " \"b\" );\n"
		      "cores = [ 3, 1 ];\nplacement = \"shared\";\nspin_us = 0;\n"
		      "dataplane_user = 61001;\ncontrol_user = \"61002\";\nadmin_group = 7;\n"
		      "control_socket_mode = \"0600\";\nlog_level = \"debug\";\n"
		      "tcp = { cc = \"newreno\"; sack = false; send_buffer = \"8M\"; };\n"
		      "sizes = { flow_groups = 64; };\n"
		      "limits = { rx_bytes_max = 5000000000L; };\n");

	cr_expect_eq(config->ifaces_count, 2);
	cr_expect_eq(config->ifaces[0].queues, 2);
	cr_expect_eq(config->fixed.cores, 2);
	cr_expect_eq(config->fixed.cpu[0], 3);
	cr_expect_eq(config->fixed.cpu[1], 1);
	cr_expect_eq(config->runtime.is_shared_core, 1);
	cr_expect_eq(config->runtime.spin_us, 0);
	cr_expect_eq(config->dataplane_uid, 61001);
	cr_expect_eq(config->dataplane_gid, 61001);
	cr_expect_eq(config->control_uid, 61002);
	cr_expect_eq(config->admin_gid, 7);
	cr_expect_eq(config->control_socket_mode, 0600);
	cr_expect_eq(config->runtime.cc, IX_CC_NEWRENO);
	cr_expect_eq(config->runtime.sack, 0);
	cr_expect_eq(config->fixed.send_buffer_bytes, 8u << 20);
	cr_expect_eq(config->fixed.flow_groups, 64);
	cr_expect_eq(config->limits.rx_bytes_max, 5000000000ull);
	config_free(config);
}

/* ECN was a switch before it was a choice. */
Test(config, ecn_is_a_choice_and_a_switch)
{
	static const struct {
		const char *value;
		uint8_t ecn;
	} rows[] = {{"false", 0}, {"true", 1}, {"\"off\"", 0}, {"\"on\"", 1}, {"\"accurate\"", 2}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128];
		struct config *config;

		snprintf(text, sizeof(text),
			 "interfaces = ( \"a\" );\ntcp = { ecn = %s; fast_open = true; };\n", rows[i].value);
		config = config_of(text);
		cr_expect_eq(config->runtime.ecn, rows[i].ecn, "%s", rows[i].value);
		cr_expect_eq(config->runtime.fast_open, 1);
		config_free(config);
	}
}

/* What is wrong, where it is said to be wrong, and a word that must be in the sentence. */
struct mistake {
	const char *text;
	const char *place;
	const char *word;
	int error;
};

static const struct mistake mistakes[] = {
    {"", "FILE:1:", "no interface", -EINVAL},
    {"interfaces = ( \"a\" );\nspin = 4;\n", "FILE:2:", "unknown key \"spin\"", -EINVAL},
    {"interfaces = ( \"a\" );\nspin_us = \"x\";\n", "FILE:2:", "no number", -EINVAL},
    {"interfaces = ( \"a\" );\nspin_us = -1;\n", "FILE:2:", "negative", -ERANGE},
    {"interfaces = ( \"a\" );\nspin_us = true;\n", "FILE:2:", "must be a number", -EINVAL},
    {"interfaces = ( \"a\" );\nplacement = true;\n", "FILE:2:", "must be a text", -EINVAL},
    {"interfaces = ( \"a\" );\ntcp = { ecn = \"very\"; };\n", "FILE:2:", "accurate", -EINVAL},
    {"interfaces = ( \"a\" );\n\nbatch = 0;\n", "FILE:3:", "1 to 1024", -ERANGE},
    {"interfaces = ( \"a\" );\nbatch = 1025;\n", "FILE:2:", "1 to 1024", -ERANGE},
    {"interfaces = ( \"a\" );\nbatch = 5000000000;\n", "FILE:2:", "suffix L", -ERANGE},
    {"interfaces = ( \"a\" );\nbatch = 1;\nbatch = 2;\n", "FILE:3:", "duplicate", -EINVAL},
    {"interfaces = ( \"a\" );\nlog_level = \"loud\";\n", "FILE:2:", "\"notice\"", -EINVAL},
    {"interfaces = ( \"a\" );\ntcp = { cc = 3; };\n", "FILE:2:", "must be a text", -EINVAL},
    {"interfaces = ( \"a\" );\ntcp = {\n sack = 1;\n};\n", "FILE:3:", "true or false", -EINVAL},
    {"interfaces = ( \"a\" );\ntcp = { reno = 1; };\n", "FILE:2:", "in tcp", -EINVAL},
    {"interfaces = ( \"a\" );\ntcp = 5;\n", "FILE:2:", "must be a group", -EINVAL},
    {"interfaces = \"a\";\n", "FILE:1:", "must be a list", -EINVAL},
    {"interfaces = ( \"a\",\n\"a\" );\n", "FILE:2:", "stands twice", -EEXIST},
    {"interfaces = ( \"a/b\" );\n", "FILE:1:", "no possible name", -EINVAL},
    {"interfaces = ( \"a1234567890123456\" );\n", "FILE:1:", "at most 15", -EINVAL},
    {"interfaces = ( { queues = 1; } );\n", "FILE:1:", "needs a name", -EINVAL},
    {"interfaces = ( { name = \"a\"; queues = 65; } );\n", "FILE:1:", "0 to 64", -ERANGE},
    {"interfaces = ( \"a\" );\ncores = 33;\n", "FILE:2:", "1 to 32", -ERANGE},
    {"interfaces = ( \"a\" );\ncores = [ ];\n", "FILE:2:", "1 to 32", -ERANGE},
    {"interfaces = ( \"a\" );\ncores = [ 1, 1 ];\n", "FILE:2:", "stands twice", -EEXIST},
    {"interfaces = ( \"a\" );\ndataplane_user = 0;\n", "FILE:2:", "must not be root", -EINVAL},
    {"interfaces = ( \"a\" );\ndataplane_user = \"no-such-user\";\n", "FILE:2:", "numeric id", -ENOENT},
    {"interfaces = ( \"a\" );\nadmin_group = \"no-such-group\";\n", "FILE:2:", "no such group", -ENOENT},
    {"interfaces = ( \"a\" );\nclient_socket_mode = \"0999\";\n", "FILE:2:", "octal", -EINVAL},
    {"interfaces = ( \"a\" );\nruntime_dir = \"x\";\n", "FILE:2:", "absolute", -EINVAL},
    {"interfaces = ( \"a\" );\nsizes = { ring_slots = 100; };\n", "FILE:2:", "power of two", -ERANGE},
    {"interfaces = ( \"a\" );\nsizes = { frames_per_core = 64; };\n", "FILE:2:", "twice ring_slots", -ERANGE},
    {"interfaces = ( \"a\" );\ncores = 4;\nsizes = { flow_groups = 2; };\n", "FILE:3:", "number of cores",
     -ERANGE},
    {"interfaces = ( \"a\" );\nephemeral_first = 2000;\n", "FILE:2:", "1 to 8192 ports", -ERANGE},
    {"interfaces = ( \"a\" );\ntcp = { rx_window_initial = \"8M\"; };\n", "FILE:2:", "rx_window_max",
     -ERANGE},
    {"interfaces = ( \"a\" );\nlimits = { rx_bytes = \"2G\"; };\n", "FILE:2:", "rx_bytes_max", -ERANGE},
    {"interfaces = ( \"a\" );\ncores = 32;\nlimits = { rx_bytes = \"1M\"; };\n", "FILE:3:", "at least",
     -ERANGE},
    {"interfaces = ( \"a\" );\npolicy = ( 5 );\n", "FILE:2:", "must be a group", -EINVAL},
    {"interfaces = ( \"a\" );\npolicy = ( { listen = ( \"*:1\" ); } );\n", "FILE:2:", "either user or group",
     -EINVAL},
    {"interfaces = ( \"a\" );\npolicy = ( { user = 1; group = 1; } );\n", "FILE:2:", "either user or group",
     -EINVAL},
    {"interfaces = ( \"a\" );\npolicy = ( { user = 1; },\n{ user = 1; } );\n", "FILE:3:", "stands before",
     -EEXIST},
    {"interfaces = ( \"a\" );\npolicy = ( { user = 1; listen = ( 80 ); } );\n", "FILE:2:", "must be a text",
     -EINVAL},
    {"interfaces = ( \"a\" );\npolicy = ( { user = 1; listen = ( \"*:80\",\n\"*:80\" ); } );\n",
     "FILE:3:", "stands twice", -EEXIST},
    {"interfaces = ( \"a\" );\npolicy = ( { user = 1; listen = ( \"*:0\" ); } );\n", "FILE:2:", "1 to 65535",
     -EINVAL},
    {"interfaces = ( \"a\" );\npolicy = ( { user = 1; speed = 1; } );\n", "FILE:2:", "unknown key \"speed\"",
     -EINVAL},
    {"interfaces = ( \"a\" \n", "FILE:", "syntax error", -EINVAL},
};

Test(config, mistakes_are_named_with_their_line)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct config *config;
		struct why why;
		int error = config_from_text(mistakes[i].text, &config, &why);

		cr_expect_eq(error, mistakes[i].error, "%s gave %d: %s", mistakes[i].text, error, why.text);
		cr_expect(strncmp(why.text, mistakes[i].place, strlen(mistakes[i].place)) == 0, "%s: %s",
			  mistakes[i].text, why.text);
		cr_expect_not_null(strstr(why.text, mistakes[i].word), "%s: %s", mistakes[i].text, why.text);
		config_free(config);
	}
}

Test(config, file_that_cannot_be_read_is_named)
{
	struct config *config = NULL;
	struct why why;

	cr_expect_eq(config_load("/nonexistent/ixd.conf", &config, &why), -ENOENT);
	cr_expect_not_null(strstr(why.text, "/nonexistent/ixd.conf"));
	cr_expect_eq(config_load("/tmp", &config, &why), -EISDIR);
}

/* Digits in texts, comments and names are not numbers. */
Test(config, only_numbers_are_checked_for_their_size)
{
	config_free(
	    config_of("// 99999999999\n/* 99999999999 */ interfaces = ( \"a\" ); # 99999999999\n"
		      "runtime_dir = \"/99999999999\\\"\"; limits = { tx_bytes_max = 0x7fffffff; };\n"));
}
