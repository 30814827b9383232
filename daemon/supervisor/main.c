/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ixd: options, start, the loop, the end. All that can fail for a reason that the operator must know fails
 * here with one sentence, and leaves nothing behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/common/rights.h"
#include "daemon/supervisor/privileges.h"
#include "daemon/supervisor/supervisor.h"

/* Too large for the stack, and there is one. */
static struct supervisor the_supervisor = {.state = {.fd = -1, .readonly_fd = -1},
					   .keys = {.fd = -1, .readonly_fd = -1},
					   .stats = {.fd = -1, .readonly_fd = -1},
					   .mirror = {.fd = -1, .readonly_fd = -1},
					   .view = {.fd = -1, .readonly_fd = -1},
					   .umem = {.fd = -1},
					   .instance = {.lock_fd = -1},
					   .pin_dir_fd = -1,
					   .client_listener_fd = -1,
					   .control_listener_fd = -1,
					   .signal_fd = -1};

struct options {
	const char *config_path;
	const char *instance;
	bool is_check_only;
	unsigned debug;
};

static const struct {
	struct option option;
	const char *argument;
	const char *doc;
} option_rows[] = {
    {{"check", no_argument, NULL, 'n'}, "", "check the configuration and exit"},
    {{"config", required_argument, NULL, 'c'}, " FILE", "configuration file"},
    {{"instance", required_argument, NULL, 'i'}, " NAME", "name of the instance (default)"},
    {{"debug", no_argument, NULL, 'd'}, "", "log more, whatever the configuration says"},
    {{"help", no_argument, NULL, 'h'}, "", "show this help"},
    {{"version", no_argument, NULL, 'V'}, "", "show the version"},
};
#define OPTION_COUNT (sizeof(option_rows) / sizeof(option_rows[0]))

static void usage(FILE *out)
{
	fputs("usage: ixd [-n] [-c FILE] [-i NAME] [-d]\n\n"
	      "Serves TCP connections of the configured interfaces to unprivileged programs.\n\n",
	      out);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[64];
		snprintf(left, sizeof(left), "-%c, --%s%s", option_rows[i].option.val,
			 option_rows[i].option.name, option_rows[i].argument);
		fprintf(out, "  %-24s %s\n", left, option_rows[i].doc);
	}
	fputs("\nThe configuration of instance NAME is " IXD_SYSCONFDIR "/ixd/NAME.conf, see ixd.conf(5).\n",
	      out);
}

static void options_parse(int argc, char **argv, struct options *options)
{
	struct option table[OPTION_COUNT + 1] = {0};
	int letter;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		table[i] = option_rows[i].option;
	while ((letter = getopt_long(argc, argv, "nc:i:dhV", table, NULL)) != -1) {
		switch (letter) {
		case 'n':
			options->is_check_only = true;
			break;
		case 'c':
			options->config_path = optarg;
			break;
		case 'i':
			options->instance = optarg;
			break;
		case 'd':
			options->debug++;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			puts("ixd " IXD_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind == argc)
		return;
	fprintf(stderr, "ixd: \"%s\" is no option\n", argv[optind]);
	usage(stderr);
	exit(2);
}

/* Sockets that systemd opened for us, by their names. They are not ours to remove. */
static void sockets_from_systemd(struct supervisor *supervisor)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		/* systemd's are blocking: an accept that finds nobody would stop the whole loop. */
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
		rights_refuse(fd);
		if (strcmp(names[i], "client") == 0 && sd_is_socket(fd, AF_UNIX, SOCK_SEQPACKET, 1) > 0)
			supervisor->client_listener_fd = fd;
		else if (strcmp(names[i], "control") == 0 && sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0)
			supervisor->control_listener_fd = fd;
		else {
			log_warning(
			    "socket \"%s\" from systemd is neither client (SOCK_SEQPACKET) nor control "
			    "(SOCK_STREAM); closing it",
			    names[i]);
			close(fd);
		}
		free(names[i]);
	}
	free(names);
}

static int sockets_open(struct supervisor *supervisor, struct why *why)
{
	const struct config *config = supervisor->config;

	sockets_from_systemd(supervisor);
	if (supervisor->client_listener_fd < 0) {
		supervisor->client_listener_fd =
		    instance_socket_open(supervisor->instance.client_socket, SOCK_SEQPACKET,
					 config->client_socket_mode, CONFIG_NO_ID, why);
		if (supervisor->client_listener_fd < 0)
			return supervisor->client_listener_fd;
		supervisor->is_client_socket_ours = true;
	}
	if (supervisor->control_listener_fd < 0) {
		supervisor->control_listener_fd =
		    instance_socket_open(supervisor->instance.control_socket, SOCK_STREAM,
					 config->control_socket_mode, config->socket_gid, why);
		if (supervisor->control_listener_fd < 0)
			return supervisor->control_listener_fd;
		supervisor->is_control_socket_ours = true;
	}
	return 0;
}

static void sockets_close(struct supervisor *supervisor)
{
	if (supervisor->client_listener_fd >= 0)
		close(supervisor->client_listener_fd);
	if (supervisor->control_listener_fd >= 0)
		close(supervisor->control_listener_fd);
	if (supervisor->is_client_socket_ours)
		unlink(supervisor->instance.client_socket);
	if (supervisor->is_control_socket_ours)
		unlink(supervisor->instance.control_socket);
}

static void say_into_log(void *arg, const char *text)
{
	(void)arg;
	log_notice("reconfigure: %s", text);
}

static void on_signal(void *arg)
{
	struct supervisor *supervisor = arg;
	struct signalfd_siginfo info;

	while (read(supervisor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			reconfigure(supervisor, say_into_log, NULL);
			continue;
		}
		log_notice("stopping on signal %s", sigabbrev_np((int)info.ssi_signo));
		processes_stop(supervisor);
	}
}

static int signals_open(struct supervisor *supervisor, struct why *why)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	supervisor->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->signal_fd >= 0)
		supervisor->signal_watch =
		    loop_watch_add(&supervisor->loop, supervisor->signal_fd, on_signal, supervisor);
	return supervisor->signal_watch ? 0 : why_set(why, -errno, "signals: %s", strerror(errno));
}

static int start(struct supervisor *supervisor, struct why *why)
{
	/* From the first thing that is made on, a signal takes everything back. */
	int error = signals_open(supervisor, why);

	if (!error)
		error = instance_lock(&supervisor->instance, why);
	if (!error)
		error = claims_init(&supervisor->claims, &supervisor->instance, why);
	/* The sockets' group is set with a right that is given up before anything else is done. */
	if (!error)
		error = sockets_open(supervisor, why);
	if (!error)
		error = privileges_reduce(why);
	if (!error)
		error = setup_all(supervisor, why);
	if (error)
		return error;
	listeners_init(supervisor);
	if (clients_init(supervisor) != 0)
		return why_set(why, -ENOMEM, "out of memory");
	if (supervisor->config->policies_count == 0)
		log_warning("%s: there is no policy: no client is admitted", supervisor->config_path);
	return processes_start(supervisor, why);
}

static int run(struct supervisor *supervisor)
{
	struct why why = {""};
	int error = loop_init(&supervisor->loop);

	if (error) {
		log_error("io_uring: %s; is it disabled (see /proc/sys/kernel/io_uring_disabled)?",
			  strerror(-error));
		return 1;
	}
	supervisor->claims.ports_fd = -1;
	supervisor->claims.instance = &supervisor->instance;
	error = start(supervisor, &why);
	if (error) {
		log_error("%s", why.text);
		supervisor->exit_code = 1;
	} else {
		error = loop_run(&supervisor->loop);
		if (error) {
			log_error("io_uring: %s", strerror(-error));
			supervisor->exit_code = 1;
		}
	}
	processes_undo(supervisor);
	if (supervisor->bpf != NULL)
		listeners_fini(supervisor);
	if (supervisor->view.area != NULL)
		clients_fini(supervisor);
	loop_watch_remove(&supervisor->loop, supervisor->signal_watch);
	sockets_close(supervisor);
	setup_undo(supervisor);
	loop_fini(&supervisor->loop);
	config_free(supervisor->config);
	return supervisor->exit_code;
}

int main(int argc, char **argv)
{
	struct options options = {.instance = "default"};
	struct supervisor *supervisor = &the_supervisor;
	static char path[512];
	struct why why = {""};

	options_parse(argc, argv, &options);
	log_init("ixd", options.instance);
	umask(022);
	if (instance_name_check(options.instance, &why) != 0)
		fatal("%s", why.text);
	if (options.config_path == NULL) {
		snprintf(path, sizeof(path), "%s/ixd/%s.conf", IXD_SYSCONFDIR, options.instance);
		options.config_path = path;
	}
	supervisor->config_path = options.config_path;
	if (config_load(options.config_path, &supervisor->config, &why) != 0 || supervisor->config == NULL)
		fatal("%s", why.text);
	if (instance_init(&supervisor->instance, options.instance, supervisor->config, &why) != 0)
		fatal("%s", why.text);
	if (options.is_check_only) {
		printf("%s: configuration is valid\n", options.config_path);
		config_free(supervisor->config);
		return 0;
	}
	supervisor->frames_per_core_said = supervisor->config->fixed.frames_per_core;
	supervisor->log_level_said = supervisor->config->runtime.log_level;
	supervisor->is_debug = options.debug > 0;
	if (supervisor->is_debug)
		supervisor->config->runtime.log_level = LOG_LEVEL_DEBUG;
	log_set_level((enum log_level)supervisor->config->runtime.log_level);
	if (privileges_check(&why) != 0)
		fatal("%s", why.text);
	if (privileges_raise_files(&why) != 0)
		fatal("%s", why.text);
	return run(supervisor);
}
