/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls out, answers in; a message ends with a zero byte.
 */
#include "ctl/varlink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX (64u << 20) /* far above anything ixd sends in one piece */
#define READ_BYTES        65536u

int varlink_open(struct varlink *v, const char *path, unsigned timeout_s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = timeout_s};
	int err;

	*v = (struct varlink){.fd = -1};
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (v->fd < 0)
		return -errno;
	if (setsockopt(v->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(v->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    connect(v->fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err = -errno;
		varlink_close(v);
		return err;
	}
	return 0;
}

void varlink_close(struct varlink *v)
{
	if (v->fd >= 0)
		close(v->fd);
	free(v->in);
	*v = (struct varlink){.fd = -1};
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		text += sent;
		len -= (size_t)sent;
	}
	return 0;
}

int varlink_call(struct varlink *v, const char *method, json_t *parameters, bool wants_more)
{
	json_t *call = json_pack("{s:s, s:O}", "method", method, "parameters", parameters);
	char *text = NULL;
	int err = -ENOMEM;

	if (call && (!wants_more || json_object_set_new(call, "more", json_true()) == 0))
		text = json_dumps(call, JSON_COMPACT);
	if (text)
		err = send_all(v->fd, text, strlen(text) + 1);
	/* A server that turns us away says why and closes without reading: its words are still to be had. */
	if (err == -EPIPE)
		err = 0;
	free(text);
	json_decref(call);
	return err;
}

static int read_more(struct varlink *v)
{
	ssize_t got;

	if (v->in_len == MESSAGE_BYTES_MAX)
		return -EMSGSIZE;
	if (v->in_size - v->in_len < READ_BYTES) {
		size_t size = 2 * v->in_size > READ_BYTES ? 2 * v->in_size : READ_BYTES;
		char *longer;

		if (size > MESSAGE_BYTES_MAX)
			size = MESSAGE_BYTES_MAX;
		longer = realloc(v->in, size);
		if (!longer)
			return -ENOMEM;
		v->in = longer;
		v->in_size = size;
	}
	do
		got = recv(v->fd, v->in + v->in_len, v->in_size - v->in_len, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (got == 0)
		return -ECONNRESET;
	v->in_len += (size_t)got;
	return 0;
}

static int parse_answer(struct varlink *v, const char *text, size_t len, json_t **parameters, char *error,
			size_t error_size)
{
	json_t *answer = json_loadb(text, len, 0, NULL);
	json_t *given = json_object_get(answer, "parameters");
	const char *name = json_string_value(json_object_get(answer, "error"));

	if (!json_is_object(answer) || (given && !json_is_object(given) && !json_is_null(given))) {
		json_decref(answer);
		return -EPROTO;
	}
	snprintf(error, error_size, "%s", name ? name : "");
	v->continues = !name && json_is_true(json_object_get(answer, "continues"));
	*parameters = json_is_object(given) ? json_incref(given) : json_object();
	json_decref(answer);
	return *parameters ? 0 : -ENOMEM;
}

int varlink_receive(struct varlink *v, json_t **parameters, char *error, size_t error_size)
{
	size_t seen = 0;
	char *end;
	int err;

	while (!(end = v->in_len > seen ? memchr(v->in + seen, '\0', v->in_len - seen) : NULL)) {
		seen = v->in_len;
		err = read_more(v);
		if (err)
			return err;
	}
	size_t len = (size_t)(end - v->in);
	err = parse_answer(v, v->in, len, parameters, error, error_size);
	v->in_len -= len + 1;
	memmove(v->in, v->in + len + 1, v->in_len);
	return err;
}
