/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server that does what its peers order, byte by byte, so that a test can bring a connection into any
 * state: `s` sends four bytes, `f` ends the sending direction, `c` closes, `r` resets; `1` to `3` choose
 * cubic, newreno and dctcp for the connection, `k` turns keepalives on, `d` takes the DiffServ code point 46.
 * `u` prints how many of the bytes behind it are urgent. Every other byte is taken and forgotten. orders.py
 * does the same on the kernel, but for `d` and `u`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/ixev.h>

static const char *address;

static void say_urgent(struct ixev_conn *conn, void *arg)
{
	(void)arg;
	printf("urgent: %llu\n", (unsigned long long)ixev_urgent(conn));
	fflush(stdout);
}

static void obey(struct ixev_conn *conn, char order)
{
	struct ix_options options = {0};

	switch (order) {
	case 's':
		ixev_write(conn, "data", 4);
		return;
	case 'f':
		ixev_shutdown(conn);
		return;
	case 'c':
		ixev_close(conn);
		return;
	case 'r':
		ixev_abort(conn);
		return;
	case 'u':
		say_urgent(conn, NULL);
		return;
	case 'k':
	case 'd':
	case '1':
	case '2':
	case '3':
		if (order == 'k')
			options.flags = IX_KEEPALIVE;
		else if (order == 'd')
			options.flags = IX_DSCP(46);
		else
			options.cc = (uint8_t)(order - '0');
		if (ixev_setopt(conn, &options) != 0)
			abort();
		return;
	default:
		return;
	}
}

static void on_readable(struct ixev_conn *conn, void *arg)
{
	char orders[256];
	size_t count;

	(void)arg;
	while ((count = ixev_read(conn, orders, sizeof(orders))) > 0)
		for (size_t i = 0; i < count; i++)
			obey(conn, orders[i]);
}

static const struct ixev_handlers handlers = {.on_readable = on_readable, .on_urgent = say_urgent};

static int on_accept(struct ixev_listener *listener, struct ixev_conn *conn, void *arg)
{
	(void)listener;
	(void)arg;
	ixev_set_handlers(conn, &handlers, NULL);
	return 0;
}

static void on_listening(struct ixev_listener *listener, void *arg, int outcome)
{
	(void)listener;
	(void)arg;
	if (outcome != 0) {
		fprintf(stderr, "cannot listen on %s: %s\n", address, ix_strerror(outcome));
		exit(1);
	}
	printf("listening on %s\n", address);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct ixev_listener_handlers listening = {.on_listening = on_listening,
								.on_accept = on_accept};
	struct ix_open_params params = {.spin_us = 50};
	struct ix_options options = {.cc = IX_CC_DEFAULT};
	struct ixev_listener *listener;
	struct ixev_loop *loop;
	struct ix_client *client;
	struct ix_addr local;

	address = argc >= 2 ? argv[1] : "";
	if (argc < 2 || argc > 4 || ix_addr_parse(address, &local) != 0) {
		fprintf(stderr, "usage: ix-orders ADDRESS:PORT [CC [DSCP]]\n");
		return 2;
	}
	if (argc >= 3)
		options.cc = (uint8_t)atoi(argv[2]);
	if (argc == 4)
		options.flags = IX_DSCP(atoi(argv[3]));
	if (ix_open(NULL, &params, &client) != 0) {
		fprintf(stderr, "%s\n", ix_open_reason());
		return 1;
	}
	if (ixev_loop_new(client, 0, 0, &loop) != 0 ||
	    ixev_listen(loop, &local, &options, &listening, NULL, &listener) != 0)
		return 1;
	return ixev_run(loop) != 0;
}
