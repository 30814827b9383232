/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ixctl: asks a running ixd over its control socket.
 */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/varlink.h"

#define EXIT_USAGE     2
#define TIMEOUT_S      40 /* longer than ixd itself waits for any part of itself */
#define SOCKET_SIZE    256
#define ERROR_SIZE     128
#define RUN_DIR        "/run/ixd"
#define INSTANCE_FIRST "default"

static const struct option_row global_options[] = {
    {.letter = 'i',
     .name = "instance",
     .argument = "NAME",
     .help = "which ixd to ask (otherwise $IXD_INSTANCE, else \"" INSTANCE_FIRST "\")"},
    {.letter = 'S', .name = "socket", .argument = "PATH", .help = "the control socket itself"},
    {.letter = 'j', .name = "json", .help = "print the answer as JSON"},
    {.letter = 'V', .name = "version", .help = "print the version of ixctl"},
    {.letter = 'h', .name = "help", .help = "print this help"},
    {.name = NULL},
};

struct target {
	const char *instance;
	char path[SOCKET_SIZE];
};

static void print_usage(FILE *out)
{
	fprintf(out,
		"Usage: ixctl [OPTION]... COMMAND [OPTION]...\nAsk a running ixd, or tell it something.\n\n"
		"Commands ('ixctl COMMAND --help' says more):\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-28s %s\n", c->name, c->summary);
	fputs("\nOptions:\n", out);
	options_print_help(global_options, out);
}

static void print_command_help(const struct command *c)
{
	printf("Usage: ixctl [OPTION]... %s [OPTION]...\n%s: %s.\n", c->name, c->name, c->summary);
	if (c->description)
		printf("\n%s\n", c->description);
	puts("\nOptions:");
	options_print_help(c->options, stdout);
}

/* The name becomes a folder: what ixd does not accept as an instance's name cannot lead elsewhere. */
static int find_target(struct target *t, const struct options *global)
{
	const char *instance = options_get(global, 'i'), *path = options_get(global, 'S');
	const char *run_dir = getenv("IXD_RUNDIR");
	int len;

	if (!instance)
		instance = getenv("IXD_INSTANCE");
	if (!instance || !*instance)
		instance = INSTANCE_FIRST;
	t->instance = instance;
	if (!path && (strchr(instance, '/') || instance[0] == '.')) {
		fprintf(stderr,
			"ixctl: '%s' is no name of an instance: it may not contain '/' or begin with '.'.\n",
			instance);
		return -1;
	}
	if (path)
		len = snprintf(t->path, sizeof(t->path), "%s", path);
	else
		len = snprintf(t->path, sizeof(t->path), "%s/%s/control.sock",
			       run_dir && *run_dir ? run_dir : RUN_DIR, instance);
	if (len < 0 || (size_t)len >= sizeof(t->path)) {
		fprintf(stderr, "ixctl: the path of the control socket is longer than %zu bytes.\n",
			sizeof(t->path) - 1);
		return -1;
	}
	return 0;
}

static void explain_start(const struct target *t)
{
	if (strcmp(t->instance, INSTANCE_FIRST) == 0)
		fputs("Start it with 'systemctl start ixd', or by hand with 'ixd'.\n", stderr);
	else
		fprintf(stderr, "Start it with 'systemctl start ixd@%s', or by hand with 'ixd -i %s'.\n",
			t->instance, t->instance);
}

static void explain_access(const struct target *t)
{
	struct stat st;
	struct group *group = stat(t->path, &st) == 0 ? getgrgid(st.st_gid) : NULL;

	fprintf(stderr, "ixctl: you may not use %s.\n", t->path);
	if (group)
		fprintf(stderr,
			"It is open to root and to group '%s': 'usermod -aG %s USER', then log in again.\n",
			group->gr_name, group->gr_name);
	else
		fputs("It is open to root, and to a group that the configuration may name.\n", stderr);
}

static void explain_connect(const struct target *t, int err)
{
	if (err == -ENOENT) {
		fprintf(stderr, "ixctl: ixd instance '%s' is not running: there is no %s.\n", t->instance,
			t->path);
		explain_start(t);
	} else if (err == -ECONNREFUSED) {
		fprintf(stderr, "ixctl: ixd instance '%s' is not running: nobody answers at %s.\n",
			t->instance, t->path);
		explain_start(t);
	} else if (err == -EACCES || err == -EPERM) {
		explain_access(t);
	} else {
		fprintf(stderr, "ixctl: cannot reach %s: %s.\n", t->path, strerror(-err));
	}
}

static void explain_answer(const struct target *t, int err)
{
	if (err == -ECONNRESET)
		fprintf(stderr,
			"ixctl: ixd instance '%s' closed the connection without an answer; its log may say "
			"why.\n",
			t->instance);
	else if (err == -ETIMEDOUT)
		fprintf(stderr, "ixctl: ixd instance '%s' has not answered for %d seconds.\n", t->instance,
			TIMEOUT_S);
	else if (err == -EPROTO || err == -EMSGSIZE)
		fprintf(stderr, "ixctl: what answers at %s does not speak Varlink.\n", t->path);
	else
		fprintf(stderr, "ixctl: talking to %s: %s.\n", t->path, strerror(-err));
}

/* An error with a reason has said it all. Otherwise its parameters are one or two words, and the last part of
 * its name says what happened. */
static void explain_error(const struct command *c, const char *error, json_t *parameters)
{
	const char *reason = json_string_value(json_object_get(parameters, "reason"));
	const char *name = strrchr(error, '.'), *key;
	char cell[TEXT_CELL_SIZE];
	json_t *value;

	if (reason && *reason) {
		fprintf(stderr, "ixctl: %s: ", c->name);
		text_print_safe(reason, stderr);
		if (reason[strlen(reason) - 1] != '\n')
			fputc('\n', stderr);
		return;
	}
	fprintf(stderr, "ixctl: %s: %s", c->name, name ? name + 1 : error);
	json_object_foreach(parameters, key, value)
	{
		fputs(": ", stderr);
		text_print_safe(json_is_string(value) ? json_string_value(value)
						      : text_value(value, TEXT_PLAIN, cell),
				stderr);
	}
	fputc('\n', stderr);
}

static int receive_answers(struct varlink *v, const struct target *t, struct output *o)
{
	char error[ERROR_SIZE];
	json_t *parameters;
	int err;

	do {
		err = varlink_receive(v, &parameters, error, sizeof(error));
		if (err) {
			explain_answer(t, err);
			return EXIT_FAILURE;
		}
		if (error[0])
			explain_error(o->command, error, parameters);
		else
			o->ops->piece(o, parameters);
		json_decref(parameters);
		if (error[0])
			return EXIT_FAILURE;
	} while (v->continues);
	o->ops->end(o);
	return EXIT_SUCCESS;
}

/* One call and its answers. */
static int ask(struct varlink *v, const struct target *t, struct output *o, json_t *parameters)
{
	int err = varlink_call(v, o->command->method, parameters, o->command->wants_more);

	if (err) {
		explain_answer(t, err);
		return EXIT_FAILURE;
	}
	if (receive_answers(v, t, o))
		return EXIT_FAILURE;
	if (fflush(stdout) || ferror(stdout)) {
		if (errno != EPIPE)
			fprintf(stderr, "ixctl: writing the answer: %s.\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int ask_again_and_again(struct varlink *v, const struct target *t, struct output *o,
			       json_t *parameters)
{
	int status = ask(v, t, o, parameters);

	while (status == EXIT_SUCCESS && o->interval_s > 0) {
		sleep(o->interval_s);
		output_restart(o);
		status = ask(v, t, o, parameters);
	}
	return status;
}

static int run(const struct target *t, const struct command *c, const struct options *options, bool is_json)
{
	const char *interval = options_get(options, 'w');
	json_t *parameters = json_object();
	struct output output;
	struct varlink v;
	int status = EXIT_FAILURE, err;

	output_init(&output, is_json ? &output_json : &output_text, c, options, stdout);
	output.interval_s = interval ? (unsigned)strtoul(interval, NULL, 10) : 0;
	err = varlink_open(&v, t->path, TIMEOUT_S);
	if (err) {
		explain_connect(t, err);
	} else if (!parameters || options_to_parameters(options, parameters)) {
		explain_answer(t, -ENOMEM);
	} else {
		status = ask_again_and_again(&v, t, &output, parameters);
	}
	output_fini(&output);
	json_decref(parameters);
	varlink_close(&v);
	return status;
}

static int run_command(const struct options *global, int argc, char **argv)
{
	const struct command *c = command_find(argv[0]);
	struct options options;
	char name[64];
	struct target t;

	if (!c) {
		fprintf(stderr, "ixctl: there is no command '%s'.\nTry 'ixctl --help'.\n", argv[0]);
		return EXIT_USAGE;
	}
	snprintf(name, sizeof(name), "ixctl %s", c->name);
	int next = options_parse(&options, c->options, name, argc, argv, stderr);
	if (next < 0)
		return EXIT_USAGE;
	if (options_has(&options, 'h')) {
		print_command_help(c);
		return EXIT_SUCCESS;
	}
	if (next < argc) {
		fprintf(stderr, "%s: takes no argument '%s'.\nTry '%s --help'.\n", name, argv[next], name);
		return EXIT_USAGE;
	}
	if (find_target(&t, global))
		return EXIT_USAGE;
	return run(&t, c, &options, options_has(global, 'j') || options_has(&options, 'j'));
}

int main(int argc, char **argv)
{
	struct options global;

	/* A reader that goes away (a pager, head) is a failed write, not a death in the middle of a line. */
	signal(SIGPIPE, SIG_IGN);
	int next = options_parse(&global, global_options, "ixctl", argc, argv, stderr);

	if (next < 0)
		return EXIT_USAGE;
	if (options_has(&global, 'h')) {
		print_usage(stdout);
		return EXIT_SUCCESS;
	}
	if (options_has(&global, 'V')) {
		printf("ixctl %s\n", IXD_VERSION);
		return EXIT_SUCCESS;
	}
	if (next == argc) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	return run_command(&global, argc - next, argv + next);
}
