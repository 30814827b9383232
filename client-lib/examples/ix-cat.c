/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-cat: standard input to a connection, the connection to standard output, like nc, through ixd.
 *
 * Both directions hold back: standard input is read only while there is TX memory, and what standard output
 * does not take stays with ixd, unacknowledged by recv_done, so that the sender is slowed down.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ix/ixev.h>

#include "client-lib/examples/options.h"

#define NS_PER_S         UINT64_C(1000000000)
#define STDIN_READ_BYTES 65536u

static struct {
	const char *address, *source, *instance;
	uint32_t spin_us, timeout_s;
	bool is_listening, keeps_open, has_no_stdin, ends_on_eof, is_verbose;
	bool is_fast_open;
	const char *congestion;
	bool is_half_closing; /* what nc calls -N; it is the default here */
} config;

static struct {
	struct ixev_loop *loop;
	struct ixev_conn *conn;
	struct ixev_listener *listener;
	struct ixev_timer *patience;
	bool is_open;
	bool stdin_ended;
	bool stdout_is_file; /* never makes anybody wait: written without asking poll() */
	uint64_t active_ns;
	int status;
} cat;

static void say(const char *what, const struct ix_addr *addr)
{
	char text[IX_ADDR_STRLEN];

	if (config.is_verbose)
		fprintf(stderr, "%s %s\n", what, ix_addr_format(addr, text));
}

/* Closes once both directions are through. */
static void end_if_done(void)
{
	bool is_written = !ixev_readable(cat.conn);

	if (ixev_is_eof(cat.conn) && is_written &&
	    (cat.stdin_ended || config.has_no_stdin || config.ends_on_eof)) {
		ixev_unwatch(cat.loop, STDIN_FILENO);
		ixev_close(cat.conn);
	}
}

static void on_stdin(int fd, short events, void *arg)
{
	size_t room;
	void *to = ixev_reserve(cat.conn, STDIN_READ_BYTES, &room);
	ssize_t got;

	(void)events;
	(void)arg;
	if (!to) {
		/* Paused until on_writable. */
		ixev_watch(cat.loop, fd, 0, on_stdin, NULL);
		return;
	}
	got = read(fd, to, room);
	if (got > 0) {
		ixev_commit(cat.conn, (size_t)got);
		cat.active_ns = ixev_now_ns(cat.loop);
		return;
	}
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got < 0)
		fprintf(stderr, "ix-cat: cannot read standard input: %s\n", strerror(errno));
	ixev_unwatch(cat.loop, fd);
	cat.stdin_ended = true;
	if (!config.keeps_open)
		ixev_shutdown(cat.conn);
	end_if_done();
}

/* Writes what has come, as long as standard output takes it. */
static void on_stdout(int fd, short events, void *arg)
{
	const void *data;
	size_t len;

	(void)events;
	(void)arg;
	while ((len = ixev_peek(cat.conn, &data))) {
		ssize_t put;

		/* poll() promises room for this much, and a pipe is not to block the other direction. */
		if (!cat.stdout_is_file && len > PIPE_BUF)
			len = PIPE_BUF;
		put = write(fd, data, len);
		if (put < 0 && errno != EINTR && errno != EAGAIN)
			die("cannot write standard output: %s", strerror(errno));
		if (put > 0)
			ixev_consume(cat.conn, (size_t)put);
		if (!cat.stdout_is_file)
			break;
	}
	if (!ixev_readable(cat.conn)) {
		ixev_unwatch(cat.loop, fd);
		end_if_done();
	}
}

static void on_open(struct ixev_conn *conn, void *arg)
{
	struct ix_addr remote;

	(void)arg;
	ixev_remote(conn, &remote);
	say(config.is_listening ? "connection from" : "connected to", &remote);
	cat.is_open = true;
	/* Not before: an unlisten ends connections that are not yet taken. */
	if (cat.listener)
		ixev_unlisten(cat.listener);
	if (!config.has_no_stdin && !cat.stdin_ended &&
	    ixev_watch(cat.loop, STDIN_FILENO, POLLIN, on_stdin, NULL))
		die("out of memory");
}

static void on_readable(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	cat.active_ns = ixev_now_ns(cat.loop);
	if (cat.stdout_is_file)
		on_stdout(STDOUT_FILENO, POLLOUT, NULL);
	else if (ixev_watch(cat.loop, STDOUT_FILENO, POLLOUT, on_stdout, NULL))
		die("out of memory");
}

static void on_writable(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	if (!cat.stdin_ended && !config.has_no_stdin)
		ixev_watch(cat.loop, STDIN_FILENO, POLLIN, on_stdin, NULL);
}

static void on_eof(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	end_if_done();
}

static void on_dead(struct ixev_conn *conn, void *arg, enum ix_reason reason)
{
	(void)arg;
	if (reason != IX_REASON_CLOSED) {
		fprintf(stderr, "ix-cat: %s: %s\n", config.address,
			ixev_error(conn) ? ix_strerror(ixev_error(conn)) : ix_reason_name(reason));
		cat.status = 1;
	}
	cat.conn = NULL;
	ixev_stop(cat.loop);
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
	/* The first connection only. */
	if (cat.conn)
		return -EBUSY;
	cat.listener = listener;
	cat.conn = conn;
	cat.active_ns = ixev_now_ns(cat.loop);
	ixev_set_handlers(conn, &handlers, NULL);
	return 0;
}

static void on_listening(struct ixev_listener *listener, void *arg, int outcome)
{
	struct ix_addr *local = arg;
	char text[IX_ADDR_STRLEN];

	(void)listener;
	if (outcome)
		die("cannot listen on %s: %s", config.address, ix_strerror(outcome));
	/* Not on standard output, which is for the connection's bytes. */
	fprintf(stderr, "listening on %s\n", ix_addr_format(local, text));
}

static const struct ixev_listener_handlers listener_handlers = {on_listening, on_accept};

static void on_patience(struct ixev_timer *timer, void *arg)
{
	uint64_t end_ns = cat.active_ns + config.timeout_s * NS_PER_S, now_ns = ixev_now_ns(cat.loop);

	(void)arg;
	if (!cat.conn && config.is_listening)
		return; /* waiting for somebody has no limit */
	if (now_ns < end_ns) {
		ixev_timer_set(timer, end_ns - now_ns);
		return;
	}
	die("%s: %s for %u s", config.address,
	    cat.is_open ? "timed out, nothing happened" : "timed out, no connection", config.timeout_s);
}

static void start(struct ix_client *client, struct ix_addr *addr)
{
	struct ix_options options = {.flags = config.is_fast_open ? IX_FAST_OPEN : 0,
				     .cc = option_congestion(config.congestion)};
	struct ix_addr from;
	int error;

	if (ix_addr_parse(config.address, addr))
		die("\"%s\" is no address: use ADDRESS:PORT, like 192.0.2.1:80", config.address);
	if (config.source && (ix_addr_parse(config.source, &from) || from.port))
		die("\"%s\" is no source address: use ADDRESS:0, ixd chooses the port", config.source);
	if (ixev_loop_new(client, 0, 0, &cat.loop))
		die("out of memory");
	cat.active_ns = ix_now_ns();
	if (config.is_listening)
		error = ixev_listen(cat.loop, addr, &options, &listener_handlers, addr, NULL);
	else
		error = ixev_connect(cat.loop, 0, addr, config.source ? &from : NULL, &options, &handlers,
				     NULL, &cat.conn);
	if (error)
		die("%s: %s", config.address, ix_strerror(error));
	/* What is written before the first turn can go with the SYN. */
	if (cat.conn && config.is_fast_open && !config.has_no_stdin)
		on_stdin(STDIN_FILENO, POLLIN, NULL);
	if (!config.timeout_s)
		return;
	if (ixev_timer_new(cat.loop, on_patience, NULL, &cat.patience) ||
	    ixev_timer_set(cat.patience, config.timeout_s * NS_PER_S))
		die("out of memory");
}

int main(int argc, char *argv[])
{
	const struct option_row rows[] = {
	    {'l', "listen", NULL, "wait for one connection instead of making one", OPTION_FLAG,
	     &config.is_listening, 0, 0},
	    {'s', "source", "ADDRESS:0", "connect from this address", OPTION_TEXT, &config.source, 0, 0},
	    {'N', "half-close", NULL, "end the sending direction at the end of standard input (the default)",
	     OPTION_FLAG, &config.is_half_closing, 0, 0},
	    {'k', "keep-open", NULL, "keep the sending direction open at the end of standard input",
	     OPTION_FLAG, &config.keeps_open, 0, 0},
	    {'d', "no-stdin", NULL, "do not read standard input", OPTION_FLAG, &config.has_no_stdin, 0, 0},
	    {'c', "close-on-eof", NULL, "end when the peer sends nothing more", OPTION_FLAG,
	     &config.ends_on_eof, 0, 0},
	    {'w', "timeout", "SECONDS", "give up after so long without a connection or data", OPTION_U32,
	     &config.timeout_s, 1, 86400},
	    {'i', "instance", "NAME", "ixd instance, or path of its socket", OPTION_TEXT, &config.instance, 0,
	     0},
	    {0, "spin", "MICROSECONDS", "spin this long before sleeping (default 0)", OPTION_U32,
	     &config.spin_us, 0, UINT32_MAX},
	    {'F', "fast-open", NULL, "TCP Fast Open: take or send data with the SYN", OPTION_FLAG,
	     &config.is_fast_open, 0, 0},
	    {'C', "congestion", "NAME", "congestion control: cubic, newreno or dctcp", OPTION_TEXT,
	     &config.congestion, 0, 0},
	    {'v', "verbose", NULL, "say who is connected", OPTION_FLAG, &config.is_verbose, 0, 0},
	    {0},
	};
	const struct options options = {"[OPTION...] ADDRESS:PORT",
					"Standard input to a connection and back, through ixd.", rows};
	int first = options_parse(&options, argc, argv), error;
	struct ix_open_params params = {0};
	struct ix_client *client;
	struct ix_addr addr;
	struct stat status;

	if (first + 1 != argc)
		die("give one ADDRESS:PORT; see --help");
	if (config.keeps_open && config.is_half_closing)
		die("--half-close and --keep-open exclude each other");
	config.address = argv[first];
	cat.stdout_is_file = !fstat(STDOUT_FILENO, &status) && S_ISREG(status.st_mode);
	params.spin_us = config.spin_us;
	if (ix_open(config.instance, &params, &client))
		die("%s", ix_open_reason());
	start(client, &addr);
	error = ixev_run(cat.loop);
	if (error)
		die("ixd has gone: %s", ix_strerror(error));
	ixev_loop_free(cat.loop);
	ix_close(client);
	return cat.status;
}
