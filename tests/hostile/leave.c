/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leave ADDRESS:PORT BYTES: connects, gives BYTES of the pattern to ixd in one piece, closes, and exits at
 * once, while nearly nothing has been sent: ixd has to deliver the rest. Not hostile, only impatient.
 */
#include <ix/ix.h>

#include "tests/net/k.h"

#define PATIENCE_NS UINT64_C(20000000000)

/* Waits for an event of a type; others do not matter here. */
static struct ix_event wait_event(struct ix_channel *channel, unsigned type)
{
	struct ix_event event;

	for (;;) {
		int count = ix_poll(channel, &event, 1);

		if (count < 0)
			k_die("ixd has gone: %s", ix_strerror(count));
		if (count == 0) {
			ix_wait(channel, PATIENCE_NS);
			continue;
		}
		if (event.type == type)
			return event;
		if (event.type == IX_EV_DEAD || event.type == IX_EV_ERROR)
			k_die("no connection");
	}
}

int main(int argc, char **argv)
{
	struct ix_client *client;
	struct ix_channel *channel;
	struct ix_addr remote;
	struct ix_event event;
	uint64_t bytes;
	uint8_t *memory;

	if (argc != 3) {
		puts("needs an address and a number of bytes");
		return 77;
	}
	k_limit_time(60);
	bytes = k_number(argv[2]);
	if (ix_open(NULL, NULL, &client) != 0)
		k_die("%s", ix_open_reason());
	channel = ix_channel(client, 0);
	memory = ix_tx_alloc(channel, bytes);
	if (memory == NULL || ix_addr_parse(argv[1], &remote) != 0)
		k_die("%s, %s: no memory, or no address", argv[1], argv[2]);
	k_pattern_fill(memory, 0, bytes);
	ix_connect(channel, 1, &remote, NULL, NULL);
	ix_flush(channel);
	event = wait_event(channel, IX_EV_CONNECTED);
	if (event.outcome != 0)
		k_die("connect: %s", ix_strerror(event.outcome));
	if (event.open.send_limit < bytes)
		k_die("only %llu bytes may be sent", (unsigned long long)event.open.send_limit);
	ix_sendv(channel, event.handle,
		 &(struct ix_sg){.off = ix_tx_off(channel, memory), .len = (uint32_t)bytes}, 1);
	ix_close_conn(channel, event.handle);
	ix_flush(channel);
	_exit(0);
}
