/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded buffers and time for one asker.
 */
#include "daemon/control/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/rights.h"

int connection_open(struct connection *c, int fd, uid_t uid, uint64_t now_ns)
{
	memset(c, 0, sizeof(*c));
	c->in = malloc(CONNECTION_CALL_BYTES_MAX);
	if (!c->in)
		return -ENOMEM;
	c->state = CONNECTION_IDLE;
	c->fd = fd;
	c->uid = uid;
	c->deadline_ns = now_ns + CONNECTION_CALL_NS;
	return 0;
}

void connection_close(struct connection *c)
{
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c->report);
	sockets_query_fini(&c->sockets);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

int connection_read(struct connection *c, uint64_t now_ns)
{
	size_t room = CONNECTION_CALL_BYTES_MAX - c->in_len;
	ssize_t got = rights_recv(c->fd, c->in + c->in_len, room, MSG_DONTWAIT, NULL);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (got == 0) {
		c->is_eof = true;
		return 0;
	}
	/* The clock of a call starts with its first byte and does not restart with each further one. */
	if (c->in_len == 0)
		c->deadline_ns = now_ns + CONNECTION_CALL_NS;
	c->in_len += (size_t)got;
	return 0;
}

int connection_take_call(struct connection *c, struct varlink_call *call, uint64_t now_ns)
{
	const char *end = memchr(c->in, '\0', c->in_len);
	size_t len;
	int err;

	if (!end)
		return c->in_len == CONNECTION_CALL_BYTES_MAX ? -EMSGSIZE : 0;
	len = (size_t)(end - c->in);
	err = varlink_call_parse(call, c->in, len);
	c->in_len -= len + 1;
	memmove(c->in, c->in + len + 1, c->in_len);
	c->deadline_ns = now_ns + (c->in_len ? CONNECTION_CALL_NS : CONNECTION_IDLE_NS);
	return err ? err : 1;
}

int connection_send(struct connection *c, json_t *message, uint64_t now_ns)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t len;

	json_decref(message);
	if (!text)
		return -ENOMEM;
	len = strlen(text) + 1; /* the zero byte ends a message */
	if (!c->out) {
		c->out = text;
		c->out_len = len;
		c->out_sent = 0;
		c->deadline_ns = now_ns + CONNECTION_CALL_NS;
		return 0;
	}
	char *longer = realloc(c->out, c->out_len + len);
	if (longer) {
		memcpy(longer + c->out_len, text, len);
		c->out = longer;
		c->out_len += len;
	}
	free(text);
	return longer ? 0 : -ENOMEM;
}

int connection_write(struct connection *c, uint64_t now_ns)
{
	while (c->out && c->out_sent < c->out_len) {
		ssize_t sent =
		    send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->out_sent += (size_t)sent;
	}
	if (c->out) {
		free(c->out);
		c->out = NULL;
		c->deadline_ns = now_ns + (c->in_len ? CONNECTION_CALL_NS : CONNECTION_IDLE_NS);
	}
	return 0;
}

static void answer(struct connection *c, json_t *message, uint64_t now_ns)
{
	if (c->is_oneway) {
		json_decref(message);
		return;
	}
	if (connection_send(c, message, now_ns))
		c->is_closing = true; /* half an answer is worse than none */
}

void connection_reply(struct connection *c, json_t *parameters, bool continues, uint64_t now_ns)
{
	if (!parameters) {
		c->is_closing = true;
		return;
	}
	answer(c, varlink_reply(parameters, continues), now_ns);
}

void connection_error(struct connection *c, const char *name, json_t *parameters, uint64_t now_ns)
{
	c->is_answered = true;
	answer(c, varlink_error(name, parameters), now_ns);
}

uint32_t connection_events(const struct connection *c)
{
	uint32_t events = 0;

	if (c->out)
		events |= EPOLLOUT;
	else if (c->state == CONNECTION_IDLE && !c->is_eof && !c->is_closing)
		events |= EPOLLIN;
	return events;
}
