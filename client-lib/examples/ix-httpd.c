/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-httpd: static files over HTTP/1.1, through ixd. Files are kept in TX memory and sent from there; what
 * does not fit is read straight into it, time and again. Uploads to the sink are counted, and summed on
 * request, straight from RX memory.
 *
 * A connection works on one request after the other: its head is collected, answered, and only when the
 * answer is written does the next begin. What cannot be written now goes on in on_writable, what has not come
 * yet in on_readable; both lead to run(), which does whatever is possible.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ix/ixev.h>

#include "client-lib/examples/file_cache.h"
#include "client-lib/examples/http.h"
#include "client-lib/examples/options.h"
#include "client-lib/examples/upload.h"

#define NS_PER_S        UINT64_C(1000000000)
#define FILE_READ_BYTES 65536u

/* Of a file in memory so much is given to ixd in advance: more than the default limit of what may be
 * unacknowledged, 4 MiB. */
#define AHEAD_BYTES     (6u << 20)
/* Pieces that are read into memory in a row; in between others have their turn. */
#define READS_PER_RUN   4u

enum stage {
	STAGE_HEAD,   /* collecting a request's head */
	STAGE_BODY,   /* taking an upload */
	STAGE_ANSWER, /* writing: first `out`, then the file */
	STAGE_CLOSED,
};

struct visitor {
	struct ixev_conn *conn;
	struct ixev_timer *idle;
	uint64_t active_ns; /* when something last happened */
	enum stage stage;
	bool is_last; /* close after this answer */

	char head[HTTP_HEAD_MAX_BYTES];
	size_t head_bytes;

	char out[1024];
	size_t out_bytes, out_done;
	int file;                   /* -1: none */
	struct cached_file *cached; /* NULL: it is not kept in memory */
	uint64_t file_off, file_left;

	struct upload upload;
};

static struct {
	const char *listen;
	const char *instance;
	const char *root;
	const char *sink;
	uint32_t spin_us;
	uint32_t idle_s;
	uint32_t memory_mb;
	bool has_sha256;
	bool has_threads;
	int root_fd;
} config = {.listen = "*:80", .root = ".", .spin_us = 50, .idle_s = 60};

/* Of this thread. Three quarters of its TX memory: the rest is for heads, and for what is not kept. */
static _Thread_local struct file_cache *cache;

/* ---- Answers */

__attribute__((format(printf, 2, 3))) static void out_add(struct visitor *visitor, const char *format, ...)
{
	size_t room = sizeof(visitor->out) - visitor->out_bytes;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(visitor->out + visitor->out_bytes, room, format, args);
	va_end(args);
	/* The parts of an answer are bounded; what were too long would be cut, never written beyond. */
	if (length > 0)
		visitor->out_bytes += (size_t)length < room ? (size_t)length : room - 1;
}

static void answer_begin(struct visitor *visitor, int status, uint64_t length)
{
	char date[HTTP_DATE_CHARS];

	visitor->out_bytes = visitor->out_done = 0;
	visitor->stage = STAGE_ANSWER;
	out_add(visitor, "HTTP/1.1 %d %s\r\nServer: ix-httpd\r\nDate: %s\r\n", status,
		http_status_words(status), http_date(time(NULL), date));
	if (status != 304)
		out_add(visitor, "Content-Length: %" PRIu64 "\r\n", length);
	if (visitor->is_last)
		out_add(visitor, "Connection: close\r\n");
}

/* An answer that is words only. */
static void answer_words(struct visitor *visitor, int status, bool is_head)
{
	char words[64];
	int length = snprintf(words, sizeof(words), "%d %s\n", status, http_status_words(status));

	answer_begin(visitor, status, (uint64_t)length);
	if (status == 405)
		out_add(visitor, "Allow: GET, HEAD%s\r\n", config.sink ? ", PUT, POST" : "");
	out_add(visitor, "Content-Type: text/plain\r\n\r\n%s", is_head ? "" : words);
}

/* Refuses a request behind which the next one cannot be found. */
static void answer_fatal(struct visitor *visitor, int status)
{
	visitor->is_last = true;
	answer_words(visitor, status, false);
}

/* ---- Files */

/* Opens a file below the root: the kernel itself refuses paths and symbolic links that lead out of it. */
static int open_below(const char *path, struct stat *status)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	char relative[HTTP_HEAD_MAX_BYTES + 16];
	bool is_directory = path[strlen(path) - 1] == '/';
	int fd;

	path += strspn(path, "/");
	snprintf(relative, sizeof(relative), "%s%s", path, is_directory ? "index.html" : "");
	fd = (int)syscall(SYS_openat2, config.root_fd, relative, &how, sizeof(how));
	if (fd < 0)
		return -1;
	if (!fstat(fd, status) && S_ISREG(status->st_mode))
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

static void answer_file(struct visitor *visitor, const struct http_request *request)
{
	char etag[64], date[HTTP_DATE_CHARS];
	uint64_t first, count;
	struct stat file;
	int fd = open_below(request->path, &file), status;

	if (fd < 0) {
		status = errno == EACCES || errno == EXDEV ? 403 : 404;
		answer_words(visitor, status, request->method == HTTP_HEAD);
		return;
	}
	count = (uint64_t)file.st_size;
	snprintf(etag, sizeof(etag), "\"%llx-%lx-%llx\"", (unsigned long long)file.st_mtim.tv_sec,
		 file.st_mtim.tv_nsec, (unsigned long long)file.st_size);
	http_date(file.st_mtim.tv_sec, date);
	status = http_select(request, etag, file.st_mtim.tv_sec, &first, &count);
	if (status == 416)
		count = 0;
	answer_begin(visitor, status, count);
	if (status == 206)
		out_add(visitor, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%lld\r\n", first,
			first + count - 1, (long long)file.st_size);
	else if (status == 416)
		out_add(visitor, "Content-Range: bytes */%lld\r\n", (long long)file.st_size);
	out_add(visitor, "Last-Modified: %s\r\nETag: %s\r\nAccept-Ranges: bytes\r\nContent-Type: %s\r\n\r\n",
		date, etag, http_media_type(request->path));
	if (request->method == HTTP_HEAD || status == 304 || !count) {
		close(fd);
		return;
	}
	visitor->file = fd;
	visitor->cached = file_cache_get(cache, &file, time(NULL));
	visitor->file_off = first;
	visitor->file_left = count;
}

/* ---- Uploads */

static void body_begin(struct visitor *visitor, const struct http_request *request)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	size_t room;
	void *to;

	upload_begin(&visitor->upload, request, config.has_sha256);
	visitor->stage = STAGE_BODY;
	/* Whole or not at all: a client that does not hear it sends its body anyway. */
	to = request->expects_continue ? ixev_reserve(visitor->conn, sizeof(go_on) - 1, &room) : NULL;
	if (to && room == sizeof(go_on) - 1) {
		memcpy(to, go_on, room);
		ixev_commit(visitor->conn, room);
	}
}

static void body_end(struct visitor *visitor)
{
	char text[UPLOAD_REPORT_CHARS];
	size_t length = upload_report(&visitor->upload, text);

	answer_begin(visitor, 200, length);
	out_add(visitor, "Content-Type: text/plain\r\n\r\n%s", text);
}

/* ---- A connection's progress. Each step returns whether it came to its end. */

static bool step_body(struct visitor *visitor)
{
	while (!visitor->upload.is_complete) {
		const void *bytes;
		size_t len = ixev_peek(visitor->conn, &bytes);
		long used;

		if (!len)
			return false;
		used = upload_take(&visitor->upload, bytes, len);
		if (used < 0) {
			answer_fatal(visitor, 400);
			return true;
		}
		ixev_consume(visitor->conn, (size_t)used);
	}
	body_end(visitor);
	return true;
}

static void serve(struct visitor *visitor, const struct http_request *request)
{
	bool has_body = request->is_chunked || request->length;

	visitor->is_last = !request->is_keepalive;
	if (request->method == HTTP_PUT || request->method == HTTP_POST) {
		if (!config.sink || strcmp(request->path, config.sink) != 0)
			answer_fatal(visitor, 405);
		else if (!request->is_chunked && !request->has_length)
			answer_fatal(visitor, 411);
		else
			body_begin(visitor, request);
	} else if (has_body) {
		answer_fatal(visitor, 400);
	} else if (request->method == HTTP_OTHER) {
		answer_words(visitor, 405, false);
	} else {
		answer_file(visitor, request);
	}
}

static bool step_head(struct visitor *visitor)
{
	for (;;) {
		struct http_request request;
		size_t before = visitor->head_bytes, room = sizeof(visitor->head) - before, length;
		const void *bytes;
		size_t len = ixev_peek(visitor->conn, &bytes);
		int status;

		if (!len)
			return false;
		if (len > room)
			len = room;
		memcpy(visitor->head + before, bytes, len);
		length = http_head_length(visitor->head, before + len);
		if (!length) {
			visitor->head_bytes += len;
			ixev_consume(visitor->conn, len);
			if (visitor->head_bytes < sizeof(visitor->head))
				continue;
			answer_fatal(visitor, 431);
			return true;
		}
		/* What lies behind the head stays with ixd until its turn comes. */
		ixev_consume(visitor->conn, length - before);
		visitor->head_bytes = 0;
		status = http_parse(visitor->head, length, &request);
		if (status)
			answer_fatal(visitor, status);
		else
			serve(visitor, &request);
		return true;
	}
}

static void file_end(struct visitor *visitor)
{
	if (visitor->file >= 0)
		close(visitor->file);
	visitor->file = -1;
	if (visitor->cached)
		cached_file_put(visitor->cached);
	visitor->cached = NULL;
}

/* The file shrank or the disk failed after the length was promised: only a reset is honest. */
static bool file_fail(struct visitor *visitor)
{
	ixev_abort(visitor->conn);
	visitor->stage = STAGE_CLOSED;
	return false;
}

/* Lends what is in memory, or can be; on_sent goes on with what is too much for now. True: the rest, if there
 * is any, is to be copied. */
static bool step_cached(struct visitor *visitor)
{
	unsigned reads = 0;

	while (visitor->file_left) {
		const uint8_t *bytes;
		size_t pending = ixev_pending(visitor->conn), len;

		if (pending >= AHEAD_BYTES)
			return false;
		if (!cached_file_has(visitor->cached, visitor->file_off) && reads++ == READS_PER_RUN &&
		    pending)
			return false;
		bytes = cached_file_at(visitor->cached, visitor->file, visitor->file_off, &len);
		if (!bytes)
			return errno == ENOMEM || file_fail(visitor);
		if (len > visitor->file_left)
			len = (size_t)visitor->file_left;
		if (!ixev_lend(visitor->conn, bytes, len, cached_file_loan(visitor->cached))) {
			cached_file_put(visitor->cached);
			return file_fail(visitor);
		}
		visitor->file_off += len;
		visitor->file_left -= len;
	}
	return true;
}

/* Sends the file as far as that is possible now: from memory, else by reading it there. */
static bool step_file(struct visitor *visitor)
{
	if (visitor->cached && !step_cached(visitor))
		return false;
	while (visitor->file_left) {
		size_t room, want = visitor->file_left < FILE_READ_BYTES ? (size_t)visitor->file_left
									 : FILE_READ_BYTES;
		void *to = ixev_reserve(visitor->conn, want, &room);
		ssize_t got;

		if (!to)
			return false;
		got = pread(visitor->file, to, room, (off_t)visitor->file_off);
		if (got <= 0)
			return file_fail(visitor);
		ixev_commit(visitor->conn, (size_t)got);
		visitor->file_off += (uint64_t)got;
		visitor->file_left -= (uint64_t)got;
	}
	return true;
}

static bool step_answer(struct visitor *visitor)
{
	visitor->out_done += ixev_write(visitor->conn, visitor->out + visitor->out_done,
					visitor->out_bytes - visitor->out_done);
	if (visitor->out_done < visitor->out_bytes)
		return false;
	if (visitor->file >= 0 && !step_file(visitor))
		return false;
	file_end(visitor);
	visitor->stage = STAGE_HEAD;
	if (visitor->is_last) {
		visitor->stage = STAGE_CLOSED;
		ixev_close(visitor->conn);
	}
	return true;
}

static void run(struct visitor *visitor)
{
	static bool (*const steps[])(struct visitor *) = {
	    [STAGE_HEAD] = step_head,
	    [STAGE_BODY] = step_body,
	    [STAGE_ANSWER] = step_answer,
	};

	visitor->active_ns = ixev_now_ns(ixev_conn_loop(visitor->conn));
	while (visitor->stage != STAGE_CLOSED && steps[visitor->stage](visitor))
		;
	/* Nothing more will come for a head or a body; an answer that is being written is still wanted. */
	if (ixev_is_eof(visitor->conn) && (visitor->stage == STAGE_HEAD || visitor->stage == STAGE_BODY)) {
		visitor->stage = STAGE_CLOSED;
		ixev_close(visitor->conn);
	}
}

/* ---- Handlers */

static void on_run(struct ixev_conn *conn, void *arg)
{
	(void)conn;
	run(arg);
}

static void on_dead(struct ixev_conn *conn, void *arg, enum ix_reason reason)
{
	struct visitor *visitor = arg;

	(void)conn;
	(void)reason;
	file_end(visitor);
	ixev_timer_free(visitor->idle);
	free(visitor);
}

static const struct ixev_handlers visitor_handlers = {
    .on_readable = on_run,
    .on_writable = on_run,
    .on_sent = on_run,
    .on_eof = on_run,
    .on_dead = on_dead,
};

static void on_idle(struct ixev_timer *timer, void *arg)
{
	struct visitor *visitor = arg;
	uint64_t end_ns = visitor->active_ns + config.idle_s * NS_PER_S;
	uint64_t now_ns = ixev_now_ns(ixev_conn_loop(visitor->conn));

	/* Set once, not per request: it looks when something last happened. */
	if (now_ns < end_ns)
		ixev_timer_set(timer, end_ns - now_ns);
	else
		ixev_abort(visitor->conn);
}

static int on_accept(struct ixev_listener *listener, struct ixev_conn *conn, void *arg)
{
	struct visitor *visitor = malloc(sizeof(*visitor));
	struct ixev_loop *loop = ixev_conn_loop(conn);

	(void)listener;
	(void)arg;
	if (!visitor)
		return -ENOMEM;
	/* Not all of it: the buffers need no clearing. */
	visitor->conn = conn;
	visitor->stage = STAGE_HEAD;
	visitor->is_last = false;
	visitor->head_bytes = 0;
	visitor->file = -1;
	visitor->cached = NULL;
	visitor->file_left = 0;
	visitor->active_ns = ixev_now_ns(loop);
	if (ixev_timer_new(loop, on_idle, visitor, &visitor->idle)) {
		free(visitor);
		return -ENOMEM;
	}
	ixev_timer_set(visitor->idle, config.idle_s * NS_PER_S);
	ixev_set_handlers(conn, &visitor_handlers, visitor);
	return 0;
}

static void on_listening(struct ixev_listener *listener, void *arg, int outcome)
{
	struct ix_addr addr;
	char text[IX_ADDR_STRLEN];

	(void)listener;
	(void)arg;
	if (outcome)
		die("cannot listen on %s: %s", config.listen, ix_strerror(outcome));
	ix_addr_parse(config.listen, &addr);
	printf("listening on %s\n", ix_addr_format(&addr, text));
	fflush(stdout);
}

static const struct ixev_listener_handlers listener_handlers = {on_listening, on_accept};

/* What a thread runs, and where its memory comes from. */
struct server {
	struct ixev_loop *loop;
	struct ix_channel *channel;
};

static void *server_run(void *arg)
{
	const struct server *server = arg;
	int error;

	cache = file_cache_new(server->channel, ix_tx_total(server->channel) / 4 * 3);
	if (!cache)
		die("out of memory");
	error = ixev_run(server->loop);
	if (error)
		die("ixd has gone: %s", ix_strerror(error));
	return NULL;
}

static void listen_and_run(struct ix_client *client)
{
	unsigned threads = config.has_threads ? ix_cores(client) : 1;
	struct server servers[IX_CORES_MAX];
	struct ix_addr local;
	pthread_t thread;
	int error;

	if (ix_addr_parse(config.listen, &local))
		die("\"%s\" is no address: use ADDRESS:PORT, like 192.0.2.1:80 or *:80", config.listen);
	for (unsigned i = 0; i < threads; i++) {
		servers[i].channel = ix_channel(client, i);
		if (ixev_loop_new(client, i, config.has_threads ? 1 : 0, &servers[i].loop))
			die("out of memory");
	}
	error = ixev_listen(servers[0].loop, &local, NULL, &listener_handlers, NULL, NULL);
	if (error)
		die("cannot listen on %s: %s", config.listen, ix_strerror(error));
	for (unsigned i = 1; i < threads; i++) {
		error = pthread_create(&thread, NULL, server_run, &servers[i]);
		if (error)
			die("cannot start a thread: %s", strerror(error));
	}
	server_run(&servers[0]);
}

int main(int argc, char *argv[])
{
	const struct option_row rows[] = {
	    {'l', "listen", "ADDRESS:PORT", "where to listen (default *:80)", OPTION_TEXT, &config.listen, 0,
	     0},
	    {'r', "root", "DIRECTORY", "what to serve (default .)", OPTION_TEXT, &config.root, 0, 0},
	    {0, "sink", "PATH", "take uploads (PUT, POST) to PATH, like /sink, and answer with their size",
	     OPTION_TEXT, &config.sink, 0, 0},
	    {0, "sha256", NULL, "answer uploads with their SHA-256 as well", OPTION_FLAG, &config.has_sha256,
	     0, 0},
	    {'i', "instance", "NAME", "ixd instance, or path of its socket", OPTION_TEXT, &config.instance, 0,
	     0},
	    {'s', "spin", "MICROSECONDS", "spin this long before sleeping (default 50)", OPTION_U32,
	     &config.spin_us, 0, UINT32_MAX},
	    {'m', "memory", "MEGABYTES",
	     "ask ixd for so much TX memory; three quarters keep files (default: its)", OPTION_U32,
	     &config.memory_mb, 0, 1048576},
	    {'t', "threads", NULL, "one thread per ixd core instead of one for all", OPTION_FLAG,
	     &config.has_threads, 0, 0},
	    {0, "idle", "SECONDS", "end connections that are idle for so long (default 60)", OPTION_U32,
	     &config.idle_s, 1, 86400},
	    {0},
	};
	const struct options options = {"[OPTION...]", "Serves files over HTTP/1.1, through ixd.", rows};
	struct ix_open_params params = {0};
	struct ix_client *client;

	if (options_parse(&options, argc, argv) != argc)
		die("unexpected argument; see --help");
	config.root_fd = open(config.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (config.root_fd < 0)
		die("cannot serve %s: %s", config.root, strerror(errno));
	params.spin_us = config.spin_us;
	params.tx_bytes = (uint64_t)config.memory_mb << 20;
	if (ix_open(config.instance, &params, &client))
		die("%s", ix_open_reason());
	listen_and_run(client);
	return 0;
}
