/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection through ixd that sends or receives the pattern: what k-client and k-sink are for the kernel,
 * with as many processes and copies, so that the goodput of both can be compared.
 *
 *	ix-pattern listen|connect ADDRESS:PORT send|receive BYTES [SECONDS]
 *
 * The receiver checks every byte and the number of them, and ends its own direction only then.
 */
#include <ix/ixev.h>

#include "tests/net/k.h"

#define LIMIT_S     180
#define PIECE_BYTES 65536u

static struct {
	struct ixev_loop *loop;
	struct ixev_conn *conn;
	struct ixev_listener *listener;
	uint64_t bytes, off; /* of the whole stream; done so far */
	bool is_sending;
	int status;
} pattern = {.status = 1};

static void send_some(struct ixev_conn *conn)
{
	while (pattern.off < pattern.bytes) {
		uint64_t left = pattern.bytes - pattern.off;
		size_t room;
		void *to = ixev_reserve(conn, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, &room);

		if (!to)
			return; /* until on_writable */
		k_pattern_fill(to, pattern.off, room);
		ixev_commit(conn, room);
		pattern.off += room;
	}
	ixev_shutdown(conn);
}

static void on_open(struct ixev_conn *conn, void *arg)
{
	(void)arg;
	if (pattern.listener)
		ixev_unlisten(pattern.listener);
	if (pattern.is_sending)
		send_some(conn);
}

static void on_writable(struct ixev_conn *conn, void *arg)
{
	(void)arg;
	if (pattern.is_sending && pattern.off < pattern.bytes)
		send_some(conn);
}

static void on_readable(struct ixev_conn *conn, void *arg)
{
	const void *data;
	size_t len;

	(void)arg;
	while ((len = ixev_peek(conn, &data))) {
		size_t good = pattern.is_sending ? 0 : k_pattern_check(data, pattern.off, len);

		if (good < len)
			k_die("wrong byte at offset %llu", (unsigned long long)(pattern.off + good));
		pattern.off += len;
		ixev_consume(conn, len);
	}
}

static void on_eof(struct ixev_conn *conn, void *arg)
{
	(void)arg;
	if (pattern.off != pattern.bytes)
		k_die("the other side ended after %llu of %llu bytes", (unsigned long long)pattern.off,
		      (unsigned long long)pattern.bytes);
	ixev_close(conn);
}

static void on_dead(struct ixev_conn *conn, void *arg, enum ix_reason reason)
{
	(void)arg;
	if (reason != IX_REASON_CLOSED)
		k_die("after %llu bytes: %s", (unsigned long long)pattern.off,
		      ixev_error(conn) ? ix_strerror(ixev_error(conn)) : ix_reason_name(reason));
	printf("%s %llu bytes, orderly end\n", pattern.is_sending ? "sent" : "received",
	       (unsigned long long)pattern.off);
	pattern.status = 0;
	ixev_stop(pattern.loop);
}

static const struct ixev_handlers handlers = {
    .on_open = on_open,
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_eof = on_eof,
    .on_dead = on_dead,
};

static int on_accept(struct ixev_listener *listener, struct ixev_conn *conn, void *arg)
{
	(void)arg;
	if (pattern.conn)
		return -EBUSY;
	pattern.listener = listener;
	pattern.conn = conn;
	ixev_set_handlers(conn, &handlers, NULL);
	return 0;
}

static void on_listening(struct ixev_listener *listener, void *arg, int outcome)
{
	(void)listener;
	if (outcome)
		k_die("cannot listen: %s", ix_strerror(outcome));
	/* Tests wait for this line. */
	printf("listening on %s\n", (const char *)arg);
	fflush(stdout);
}

static const struct ixev_listener_handlers listener_handlers = {on_listening, on_accept};

int main(int argc, char **argv)
{
	struct ix_client *client;
	struct ix_addr addr;
	int error;

	if (argc < 5 || argc > 6 || ix_addr_parse(argv[2], &addr))
		k_die("usage: ix-pattern listen|connect ADDRESS:PORT send|receive BYTES [SECONDS]");
	k_limit_time(argc == 6 ? (unsigned)k_number(argv[5]) : LIMIT_S);
	pattern.is_sending = strcmp(argv[3], "send") == 0;
	pattern.bytes = k_number(argv[4]);
	if (ix_open(NULL, NULL, &client))
		k_die("%s", ix_open_reason());
	if (ixev_loop_new(client, 0, 0, &pattern.loop))
		k_die("no memory for a loop");
	if (strcmp(argv[1], "listen") == 0)
		error = ixev_listen(pattern.loop, &addr, NULL, &listener_handlers, argv[2], NULL);
	else
		error = ixev_connect(pattern.loop, 0, &addr, NULL, NULL, &handlers, NULL, &pattern.conn);
	if (error)
		k_die("%s: %s", argv[2], ix_strerror(error));
	error = ixev_run(pattern.loop);
	if (error)
		k_die("ixd has gone: %s", ix_strerror(error));
	ixev_loop_free(pattern.loop);
	ix_close(client);
	return pattern.status;
}
