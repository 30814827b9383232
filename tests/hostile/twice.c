/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * twice ADDRESS:PORT: one client asks for the same listener twice. The first is there, the second is refused
 * by name, and the port can be had again once the first is given up. Not hostile, only forgetful.
 */
#include <errno.h>
#include <ix/ix.h>

#include "tests/net/k.h"

#define PATIENCE_NS UINT64_C(20000000000)

/* Asks, and waits for the answer. */
static int outcome_of_listen(struct ix_channel *channel, uint64_t cookie, const struct ix_addr *local,
			     uint64_t *handle)
{
	struct ix_event event;

	if (ix_listen(channel, cookie, local, NULL) != 0)
		k_die("no room for a command");
	ix_flush(channel);
	for (;;) {
		int count = ix_poll(channel, &event, 1);

		if (count < 0)
			k_die("ixd has gone: %s", ix_strerror(count));
		if (count == 0)
			ix_wait(channel, PATIENCE_NS);
		else if (event.type == IX_EV_LISTENING && event.cookie == cookie) {
			*handle = event.handle;
			return event.outcome;
		}
	}
}

int main(int argc, char **argv)
{
	struct ix_client *client;
	struct ix_channel *channel;
	struct ix_addr local;
	uint64_t first = 0, second = 0;
	int outcome;

	if (argc != 2) {
		puts("needs an address");
		return 77;
	}
	k_limit_time(60);
	if (ix_open(NULL, NULL, &client) != 0)
		k_die("%s", ix_open_reason());
	channel = ix_channel(client, 0);
	if (ix_addr_parse(argv[1], &local) != 0)
		k_die("%s: no address", argv[1]);
	outcome = outcome_of_listen(channel, 1, &local, &first);
	if (outcome != 0)
		k_die("first: %s", ix_strerror(outcome));
	outcome = outcome_of_listen(channel, 2, &local, &second);
	if (outcome != -EADDRINUSE)
		k_die("second: %d (%s), not -EADDRINUSE", outcome, ix_strerror(outcome));
	ix_unlisten(channel, first);
	outcome = outcome_of_listen(channel, 3, &local, &first);
	if (outcome != 0)
		k_die("after unlisten: %s", ix_strerror(outcome));
	ix_close(client);
	puts("refused the second time");
	return 0;
}
