/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Children that die in every state: before and in the middle of the hello, with the welcome unread, with a
 * listen asked for, while connecting, with data under way both ways, half closed, closed.
 */
#include <sys/wait.h>

#include "tests/hostile/raw.h"

enum stage {
	STAGE_CONNECTED,
	STAGE_HALF_HELLO,
	STAGE_HELLO,
	STAGE_WELCOME,
	STAGE_LISTEN,
	STAGE_CONNECTING,
	STAGE_OPEN,
	STAGE_SENDING,
	STAGE_RECEIVING,
	STAGE_SHUTDOWN,
	STAGE_CLOSED,
	STAGE_COUNT
};

/* What comes after the welcome. */
static void live(struct raw *r, enum stage stage)
{
	struct ix_event event;
	uint64_t handle;

	if (stage == STAGE_LISTEN) {
		raw_cmd(r, (struct ix_cmd){.op = IX_OP_LISTEN, .cookie = 1, .open = {.port = 7300}});
		return;
	}
	if (stage == STAGE_CONNECTING) {
		raw_cmd(r, raw_connect_cmd(1));
		return;
	}
	handle = raw_connect(r, 1);
	if (stage == STAGE_OPEN)
		return;
	for (unsigned i = 0; i < 4; i++)
		raw_cmd(r, raw_sendv_cmd(handle, 0, 16384));
	if (stage == STAGE_RECEIVING)
		raw_wait(r, IX_EV_RECV, 5000, &event);
	if (stage == STAGE_SHUTDOWN)
		raw_cmd(r, (struct ix_cmd){.op = IX_OP_SHUTDOWN, .handle = handle});
	if (stage == STAGE_CLOSED)
		raw_cmd(r, (struct ix_cmd){.op = IX_OP_CLOSE, .handle = handle});
}

static void child(enum stage stage)
{
	struct raw r;

	if (stage >= STAGE_WELCOME) {
		raw_open(&r);
		if (stage > STAGE_WELCOME)
			live(&r, stage);
		kill(getpid(), SIGKILL);
	}
	r.socket = raw_socket();
	if (stage == STAGE_HALF_HELLO)
		(void)!send(r.socket, "half", 4, MSG_NOSIGNAL);
	if (stage == STAGE_HELLO)
		raw_hello(r.socket);
	kill(getpid(), SIGKILL);
}

int main(void)
{
	struct raw r;

	k_limit_time(60);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned stage = 0; stage < STAGE_COUNT; stage++) {
			pid_t pid = fork();
			int status;

			if (pid == 0) {
				k_limit_time(20);
				child((enum stage)stage);
			}
			if (pid < 0 || waitpid(pid, &status, 0) != pid)
				k_die("fork or wait: %s", strerror(errno));
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
				k_die("stage %u did not get so far", stage);
		}
	}
	raw_open(&r);
	raw_connect(&r, 1);
	return 0;
}
