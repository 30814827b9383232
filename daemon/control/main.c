/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control process: takes what the supervisor gives it, shuts itself in, and answers questions.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/common/sandbox.h"
#include "daemon/control/server.h"

#define INIT_WAIT_MS 10000

/* Static: the copies in it are too large for a stack. */
static struct server server;
static struct sources sources;

static void receive_init(struct msg *m, int *fds, unsigned *fds_count)
{
	struct pollfd ready = {.fd = MSG_CHILD_FD, .events = POLLIN};
	struct stat st;
	int got;

	if (fstat(MSG_CHILD_FD, &st) || !S_ISSOCK(st.st_mode))
		fatal("descriptor %d is no socket: this program is started by ixd, not by hand",
		      MSG_CHILD_FD);
	if (poll(&ready, 1, INIT_WAIT_MS) != 1)
		fatal("no message from the supervisor within %d ms", INIT_WAIT_MS);
	got = msg_recv(MSG_CHILD_FD, m, fds, fds_count);
	if (got != 1)
		fatal("no message from the supervisor: %s",
		      got ? strerror(-got) : "it has closed the connection");
	if (m->type != MSG_CTL_INIT)
		fatal("the first message is %s, not %s", msg_type_name(m->type), msg_type_name(MSG_CTL_INIT));
}

/* The JSON library seeds its hash tables, which strangers fill, from a file; there is none in the sandbox. */
static void seed_json(void)
{
	size_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed) || seed == 0)
		fatal("cannot get random bytes: %s", strerror(errno));
	json_object_seed(seed);
}

static void shut_in(const int *fds)
{
	const int keep[] = {MSG_CHILD_FD, fds[SOURCE_FD_LISTENER], sources.verdicts_fd,
			    sources.flow_groups_fd};
	enum sandbox_root root;
	int err;

	err = sandbox_close_fds(keep, sizeof(keep) / sizeof(keep[0]));
	if (!err)
		err = sandbox_enter(&root);
	if (err)
		fatal("cannot enter the sandbox: %s; it needs a user other than root and either user "
		      "namespaces or "
		      "Landlock in the kernel",
		      strerror(-err));
	log_debug("sandbox: %s", sandbox_root_name(root));
}

int main(void)
{
	int fds[MSG_FDS_MAX], err;
	unsigned fds_count;
	static struct msg m;

	log_init("control", "");
	receive_init(&m, fds, &fds_count);
	err = sources_init(&sources, &m.init, fds, fds_count);
	if (err)
		fatal("cannot take over the supervisor's memories: %s", strerror(-err));
	log_init("control", sources.instance);
	if (m.init.config.log_level <= LOG_LEVEL_DEBUG)
		log_set_level((enum log_level)m.init.config.log_level);
	seed_json();
	signal(SIGPIPE, SIG_IGN);
	/* Ends by the supervisor's word alone, so that a signal to the whole group does not look like a
	 * crash. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	shut_in(fds);

	err = server_init(&server, &sources, MSG_CHILD_FD, fds[SOURCE_FD_LISTENER]);
	if (err)
		fatal("cannot serve: %s", strerror(-err));
	m = (struct msg){.type = MSG_SUP_CTL_READY};
	err = msg_send(MSG_CHILD_FD, &m, NULL, 0);
	if (err)
		fatal("cannot talk to the supervisor: %s", strerror(-err));
	err = server_run(&server);
	server_fini(&server);
	sources_fini(&sources);
	if (err)
		fatal("stopped: %s", strerror(-err));
	return EXIT_SUCCESS;
}
