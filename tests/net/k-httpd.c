/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A static HTTP/1.1 server on the kernel's TCP, one thread, epoll and sendfile: the contender of ix-httpd.
 * GET and HEAD serve files of one folder; PUT and POST to /sink are counted and answered with the count.
 * It is for measurements and trusts its peer.
 */
#include <getopt.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "tests/net/k-accept.h"

#define HEAD_BYTES 4096
#define CONNS_MAX  16384

struct conn {
	char head[HEAD_BYTES];
	size_t head_len;
	int file_fd; /* -1: no file is being sent */
	off_t file_off;
	off_t file_end;
	uint64_t body_left, body_bytes; /* of an upload */
};

static struct conn *conns[CONNS_MAX];
static struct k_server server;
static int root_fd;

static void conn_close(int fd)
{
	if (conns[fd]->file_fd >= 0)
		close(conns[fd]->file_fd);
	free(conns[fd]);
	conns[fd] = NULL;
	close(fd);
}

static bool conn_open(int fd)
{
	conns[fd] = calloc(1, sizeof(struct conn));
	if (conns[fd] == NULL)
		return false;
	conns[fd]->file_fd = -1;
	return true;
}

/* Headers and the sink's answers are far smaller than an empty send buffer, so they are sent whole. */
static void reply(int fd, const char *status, uint64_t len, const char *body, int flags)
{
	char text[512];
	int used = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %llu\r\n\r\n%s", status,
			    (unsigned long long)len, body);

	if (send(fd, text, (size_t)used, flags) != used)
		shutdown(fd, SHUT_RDWR);
}

static void sink_done(int fd)
{
	char body[32];
	int len = snprintf(body, sizeof(body), "%llu\n", (unsigned long long)conns[fd]->body_bytes);

	reply(fd, "200 OK", (uint64_t)len, body, 0);
}

static void file_send(int fd)
{
	struct conn *conn = conns[fd];

	while (conn->file_off < conn->file_end) {
		size_t left = (size_t)(conn->file_end - conn->file_off);

		if (sendfile(fd, conn->file_fd, &conn->file_off, left) <= 0) {
			if (errno == EAGAIN)
				k_watch(&server, fd, EPOLLOUT, EPOLL_CTL_MOD);
			else
				shutdown(fd, SHUT_RDWR);
			return;
		}
	}
	close(conn->file_fd);
	conn->file_fd = -1;
	k_watch(&server, fd, EPOLLIN, EPOLL_CTL_MOD);
}

static void file_open(int fd, const char *path, bool is_head)
{
	struct conn *conn = conns[fd];
	struct stat status;
	int file_fd = openat(root_fd, path[0] == '/' ? path + 1 : path, O_RDONLY | O_CLOEXEC);

	if (file_fd < 0 || fstat(file_fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		if (file_fd >= 0)
			close(file_fd);
		reply(fd, "404 Not Found", 0, "", 0);
		return;
	}
	reply(fd, "200 OK", (uint64_t)status.st_size, "", is_head ? 0 : MSG_MORE);
	if (is_head) {
		close(file_fd);
		return;
	}
	conn->file_fd = file_fd;
	conn->file_off = 0;
	conn->file_end = status.st_size;
	file_send(fd);
}

static void body_take(int fd, size_t len)
{
	struct conn *conn = conns[fd];

	conn->body_left -= len;
	conn->body_bytes += len;
	if (conn->body_left == 0)
		sink_done(fd);
}

/* One request whose head is complete; what follows it in the buffer is body. */
static void request(int fd, size_t head_end)
{
	struct conn *conn = conns[fd];
	char method[8], path[1024];
	const char *length = strcasestr(conn->head, "\r\nContent-Length:");
	size_t rest = conn->head_len - head_end;

	if (sscanf(conn->head, "%7s %1023s", method, path) != 2) {
		shutdown(fd, SHUT_RDWR);
		return;
	}
	conn->head_len = 0;
	if (strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0) {
		conn->body_left = length == NULL ? 0 : strtoull(length + 17, NULL, 10);
		conn->body_bytes = 0;
		if (strcasestr(conn->head, "\r\nExpect: 100-continue") != NULL)
			send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, 0);
		body_take(fd, rest);
		return;
	}
	file_open(fd, path, strcmp(method, "HEAD") == 0);
}

static void conn_read(int fd)
{
	static uint8_t sink[262144];
	struct conn *conn = conns[fd];
	const char *end;
	ssize_t got;

	if (conn->body_left > 0) {
		size_t most = conn->body_left < sizeof(sink) ? (size_t)conn->body_left : sizeof(sink);

		got = recv(fd, sink, most, 0);
	} else {
		got = recv(fd, conn->head + conn->head_len, HEAD_BYTES - 1 - conn->head_len, 0);
	}
	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			conn_close(fd);
		return;
	}
	if (conn->body_left > 0) {
		body_take(fd, (size_t)got);
		return;
	}
	conn->head_len += (size_t)got;
	conn->head[conn->head_len] = '\0';
	end = strstr(conn->head, "\r\n\r\n");
	if (end != NULL)
		request(fd, (size_t)(end + 4 - conn->head));
	else if (conn->head_len == HEAD_BYTES - 1)
		conn_close(fd);
}

static void conn_turn(int fd)
{
	if (conns[fd]->file_fd >= 0)
		file_send(fd);
	else
		conn_read(fd);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"root", required_argument, NULL, 'r'},
	    {"spin", no_argument, NULL, 's'},
	    {"timeout", required_argument, NULL, 't'},
	    {0},
	};
	const char *where = NULL, *root = ".";
	unsigned timeout_s = 60;
	int option, wait_ms = -1;

	while ((option = getopt_long(argc, argv, "l:r:st:", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			where = optarg;
			break;
		case 'r':
			root = optarg;
			break;
		case 's':
			wait_ms = 0;
			break;
		case 't':
			timeout_s = (unsigned)k_number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (where == NULL || optind != argc)
		k_die("usage: k-httpd --listen ADDRESS:PORT [--root FOLDER] [--spin] [--timeout SECONDS]");
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		k_die("%s: %s", root, strerror(errno));
	k_limit_time(timeout_s);
	server.fds_max = CONNS_MAX;
	server.on_accept = conn_open;
	server.on_ready = conn_turn;
	k_serve(&server, where, wait_ms);
}
