/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * k-uring-httpd: the HTTP server on the kernel's TCP by io_uring, what k-httpd is on epoll and sendfile. GET
 * and HEAD serve files of one folder from memory, where a file is read when it is first asked for; PUT and
 * POST to /sink are counted and answered with the count. With --zero-copy the kernel is asked to send files
 * from where they lie, and the server says whether it did. It is for measurements and trusts its peer.
 */
#include <getopt.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/bench/uring/loop.h"
#include "tests/net/k.h"

#define HEAD_BYTES    4096u
#define RECEIVE_BYTES 65536u
#define PATH_BYTES    256u
#define SEND_MAX      (1u << 30) /* of one send, and of memory that can be lent */

struct file {
	char path[PATH_BYTES];
	struct stat status;
	uint8_t *bytes;
	uint8_t lent_id;
};

struct conn {
	char head[HEAD_BYTES];
	size_t head_len;
	uint64_t body_left, body_bytes; /* of an upload */
};

static struct conn *conns[URING_FDS_MAX];
static struct file files[URING_LENT_MAX]; /* never forgotten: sends may be under way */
static unsigned file_count;
static int root_fd;
static bool is_zero_copy;

static void conn_open(int fd)
{
	conns[fd] = calloc(1, sizeof(struct conn));
	if (conns[fd] == NULL)
		k_die("out of memory");
}

static void conn_close(int fd)
{
	free(conns[fd]);
	conns[fd] = NULL;
}

static void reply(int fd, const char *status, uint64_t len, const char *body)
{
	struct uring_piece *piece = uring_piece_make(512);
	int used;

	if (piece == NULL)
		k_die("out of memory");
	used = snprintf((char *)piece->at, piece->len, "HTTP/1.1 %s\r\nContent-Length: %llu\r\n\r\n%s",
			status, (unsigned long long)len, body);
	piece->len = (uint32_t)used;
	uring_send(fd, piece);
}

static void sink_done(int fd)
{
	char body[32];
	int len = snprintf(body, sizeof(body), "%llu\n", (unsigned long long)conns[fd]->body_bytes);

	reply(fd, "200 OK", (uint64_t)len, body);
}

static bool file_is_same(const struct file *file, const char *path, const struct stat *status)
{
	return strcmp(file->path, path) == 0 && file->status.st_ino == status->st_ino &&
	       file->status.st_dev == status->st_dev && file->status.st_size == status->st_size &&
	       file->status.st_mtim.tv_sec == status->st_mtim.tv_sec &&
	       file->status.st_mtim.tv_nsec == status->st_mtim.tv_nsec;
}

/* Into memory of its own: what is lent must not be a file's, and huge pages are quicker. */
static uint8_t *bytes_read(int fd, size_t size)
{
	uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at = 0;

	if (bytes == MAP_FAILED)
		return NULL;
	madvise(bytes, size, MADV_HUGEPAGE);
	while (at < size) {
		ssize_t got = read(fd, bytes + at, size - at);

		if (got <= 0) {
			munmap(bytes, size);
			return NULL;
		}
		at += (size_t)got;
	}
	return bytes;
}

static const struct file *file_read(int fd, const char *path, const struct stat *status)
{
	struct file *file = &files[file_count];

	if (file_count == URING_LENT_MAX)
		return NULL;
	*file = (struct file){.status = *status};
	snprintf(file->path, sizeof(file->path), "%s", path);
	if (status->st_size > 0)
		file->bytes = bytes_read(fd, (size_t)status->st_size);
	if (file->bytes == NULL && status->st_size > 0)
		return NULL;
	if (is_zero_copy && status->st_size > 0 && status->st_size <= SEND_MAX)
		file->lent_id = uring_lend(file->bytes, (size_t)status->st_size);
	file_count++;
	return file;
}

/* The file in memory, as it is now; NULL: there is none, or too many were asked for. */
static const struct file *file_find(const char *path)
{
	int fd = openat(root_fd, path[0] == '/' ? path + 1 : path, O_RDONLY | O_CLOEXEC);
	const struct file *file = NULL;
	struct stat status;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
		for (unsigned i = 0; i < file_count && file == NULL; i++)
			file = file_is_same(&files[i], path, &status) ? &files[i] : NULL;
		if (file == NULL)
			file = file_read(fd, path, &status);
	}
	close(fd);
	return file;
}

static void file_send(int fd, const char *path, bool is_head)
{
	const struct file *file = file_find(path);
	uint64_t size;

	if (file == NULL) {
		reply(fd, "404 Not Found", 0, "");
		return;
	}
	size = (uint64_t)file->status.st_size;
	reply(fd, "200 OK", size, "");
	for (uint64_t off = 0; off < size && !is_head; off += SEND_MAX) {
		struct uring_piece *piece = uring_piece_make(0);

		if (piece == NULL)
			k_die("out of memory");
		piece->at = file->bytes + off;
		piece->len = (uint32_t)(size - off < SEND_MAX ? size - off : SEND_MAX);
		piece->lent_id = file->lent_id;
		uring_send(fd, piece);
	}
}

/* One request whose head is complete. False: it is none. */
static bool request(int fd)
{
	struct conn *conn = conns[fd];
	char method[8], path[PATH_BYTES];
	const char *length = strcasestr(conn->head, "\r\nContent-Length:");

	if (sscanf(conn->head, "%7s %255s", method, path) != 2)
		return false;
	conn->head_len = 0;
	if (strcmp(method, "PUT") != 0 && strcmp(method, "POST") != 0) {
		file_send(fd, path, strcmp(method, "HEAD") == 0);
		return true;
	}
	conn->body_left = length == NULL ? 0 : strtoull(length + 17, NULL, 10);
	conn->body_bytes = 0;
	if (conn->body_left == 0)
		sink_done(fd);
	return true;
}

static size_t body_take(int fd, size_t len)
{
	struct conn *conn = conns[fd];
	size_t part = len < conn->body_left ? len : (size_t)conn->body_left;

	conn->body_left -= part;
	conn->body_bytes += part;
	if (conn->body_left == 0)
		sink_done(fd);
	return part;
}

/* Takes what belongs to a head, and runs the request when that is whole. Returns how much that was; 0: the
 * client has to go. */
static size_t head_take(int fd, const uint8_t *from, size_t len)
{
	struct conn *conn = conns[fd];
	size_t had = conn->head_len, room = HEAD_BYTES - 1 - had, part = len < room ? len : room;
	const char *end;

	memcpy(conn->head + had, from, part);
	conn->head_len += part;
	conn->head[conn->head_len] = '\0';
	end = strstr(conn->head, "\r\n\r\n");
	if (end == NULL)
		return part;
	part = (size_t)(end + 4 - conn->head) - had;
	return request(fd) ? part : 0;
}

static bool on_bytes(int fd, struct uring_piece *piece)
{
	const uint8_t *at = piece->at;
	size_t left = piece->len, part = 1;

	while (left > 0 && part > 0) {
		part = conns[fd]->body_left > 0 ? body_take(fd, left) : head_take(fd, at, left);
		at += part;
		left -= part;
	}
	uring_piece_drop(piece);
	return part > 0;
}

/* Once, when the first file that was lent has arrived. */
static void say_what_was_copied(void)
{
	static bool is_said;
	struct uring_lent lent = uring_lent();

	if (is_said || lent.sent == 0)
		return;
	is_said = true;
	printf("zero-copy sends: %s\n", lent.copied > 0 ? "the kernel copied all the same" : "not copied");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct uring_service service = {conn_open, on_bytes, conn_close, RECEIVE_BYTES};
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},  {"root", required_argument, NULL, 'r'},
	    {"spin", no_argument, NULL, 's'},          {"zero-copy", no_argument, NULL, 'z'},
	    {"timeout", required_argument, NULL, 't'}, {0},
	};
	const char *where = NULL, *root = ".";
	unsigned timeout_s = 60;
	bool is_spinning = false;
	int option;

	while ((option = getopt_long(argc, argv, "l:r:szt:", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			where = optarg;
			break;
		case 'r':
			root = optarg;
			break;
		case 's':
			is_spinning = true;
			break;
		case 'z':
			is_zero_copy = true;
			break;
		case 't':
			timeout_s = (unsigned)k_number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (where == NULL || optind != argc)
		k_die("usage: k-uring-httpd --listen ADDRESS:PORT [--root FOLDER] [--spin] [--zero-copy] "
		      "[--timeout SECONDS]");
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		k_die("%s: %s", root, strerror(errno));
	k_limit_time(timeout_s);
	uring_open(&service);
	uring_accept(k_listen(where));
	for (;;) {
		uring_turn(is_spinning);
		say_what_was_copied();
	}
}
