/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting, accepting, and giving each connection its turn.
 */
#include "daemon/control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/control/methods.h"

#define TAG_SUPERVISOR   UINT32_MAX
#define TAG_LISTENER     (UINT32_MAX - 1)
#define EVENTS_MAX       32
/* Deadlines are looked at this often while there are connections; they are seconds long. */
#define DEADLINE_TURN_MS 1000

/* What the kernel calls every user in a user namespace that maps none, such as the sandbox's: its
 * overflowuid. The supervisor, outside, is asked who it is. */
#define UID_UNMAPPED     ((uid_t)65534)
#define UID_UNKNOWN      ((uid_t)-1)

static int watch(struct server *server, int fd, uint32_t tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
	    epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	return 0;
}

int server_init(struct server *server, struct sources *sources, int supervisor_fd, int listener_fd)
{
	int err;

	memset(server, 0, sizeof(*server));
	server->sources = sources;
	server->supervisor_fd = supervisor_fd;
	server->listener_fd = listener_fd;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return -errno;
	err = watch(server, supervisor_fd, TAG_SUPERVISOR);
	if (!err)
		err = watch(server, listener_fd, TAG_LISTENER);
	if (err)
		close(server->epoll_fd);
	return err;
}

/* Closing alone does not end epoll's interest while the supervisor holds a copy of the descriptor: what
 * happens to the socket would then be told of whoever has the place next. */
static void drop(struct server *server, struct connection *c)
{
	(void)epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	connection_close(c);
}

void server_fini(struct server *server)
{
	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		if (server->connections[i].state != CONNECTION_FREE)
			drop(server, &server->connections[i]);
	close(server->epoll_fd);
}

static uid_t peer_uid(int fd)
{
	struct ucred cred = {.uid = (uid_t)-1};
	socklen_t len = sizeof(cred);

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	return cred.uid;
}

static struct connection *find_place(struct server *server)
{
	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		if (server->connections[i].state == CONNECTION_FREE)
			return &server->connections[i];
	return NULL;
}

/* Whether a user has as many connections as one may have. */
static bool has_enough(const struct server *server, uid_t uid)
{
	unsigned same_uid = 0;

	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		same_uid +=
		    server->connections[i].state != CONNECTION_FREE && server->connections[i].uid == uid;
	return uid != 0 && same_uid >= SERVER_CONNECTIONS_PER_UID;
}

/* Said once and without waiting; whoever does not hear it sees the end of the connection. Takes over the
 * parameters. */
static void turn_away(int fd, const char *name, json_t *parameters)
{
	json_t *error = varlink_error(name, parameters);
	char *text = error ? json_dumps(error, JSON_COMPACT) : NULL;

	if (text)
		(void)send(fd, text, strlen(text) + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	json_decref(error);
}

static void turn_away_full(int fd, unsigned limit)
{
	turn_away(fd, VARLINK_IXD ".TooManyConnections", json_pack("{s:i}", "limit", (int)limit));
}

/* 0, or the limit that is in its way, or negative errno: fd is still the caller's then. */
static int take_in(struct server *server, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct connection *c = find_place(server);
	uid_t uid = peer_uid(fd);
	int err;

	if (!c)
		return SERVER_CONNECTIONS_MAX;
	if (uid != UID_UNMAPPED && has_enough(server, uid))
		return SERVER_CONNECTIONS_PER_UID;
	event.data.u32 = (uint32_t)(c - server->connections);
	err = epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
	if (!err)
		err = connection_open(c, fd, uid == UID_UNMAPPED ? UID_UNKNOWN : uid, server->now_ns);
	if (err)
		return err;
	c->events = event.events;
	if (c->uid == UID_UNKNOWN && server_ask_supervisor(server, c, REQUEST_WHO)) {
		turn_away(fd, VARLINK_IXD ".Busy", json_pack("{s:s}", "what", "the supervisor"));
		drop(server, c);
	}
	return 0;
}

static void accept_one(struct server *server)
{
	int fd = accept4(server->listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int limit;

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_warning("cannot accept a control connection: %s", strerror(errno));
		return;
	}
	limit = take_in(server, fd);
	if (limit > 0)
		turn_away_full(fd, (unsigned)limit);
	if (limit != 0)
		close(fd);
}

/* The supervisor has said who it is. */
static void identified(struct server *server, struct connection *c, uid_t uid)
{
	if (uid == UID_UNKNOWN) {
		drop(server, c);
	} else if (has_enough(server, uid)) {
		turn_away_full(c->fd, SERVER_CONNECTIONS_PER_UID);
		drop(server, c);
	} else {
		c->uid = uid;
		c->state = CONNECTION_IDLE;
		c->deadline_ns = server->now_ns + CONNECTION_CALL_NS;
	}
}

int server_ask_supervisor(struct server *server, struct connection *c, enum request_kind kind)
{
	struct msg m = {.type = MSG_SUP_REQUEST};
	int err;

	m.request.id = ++server->last_request;
	m.request.kind = kind;
	err = msg_send(server->supervisor_fd, &m, &c->fd, 1);
	if (err)
		return err;
	c->request_id = m.request.id;
	c->report_len = 0;
	c->state = CONNECTION_WAITING;
	c->deadline_ns = server->now_ns + CONNECTION_SUPERVISOR_NS;
	return 0;
}

static struct connection *find_request(struct server *server, uint32_t id)
{
	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
		struct connection *c = &server->connections[i];
		if (c->state == CONNECTION_WAITING && c->request_id == id)
			return c;
	}
	return NULL; /* the asker has gone, or its time was over */
}

static void append_report(struct connection *c, const char *text, size_t len)
{
	char *longer;

	if (len > SERVER_REPORT_BYTES_MAX - c->report_len)
		len = SERVER_REPORT_BYTES_MAX - c->report_len;
	longer = realloc(c->report, c->report_len + len + 1);
	if (!longer)
		return;
	memcpy(longer + c->report_len, text, len);
	c->report = longer;
	c->report_len += len;
	c->report[c->report_len] = '\0';
}

static void on_reply(struct server *server, const struct msg_reply *reply)
{
	struct connection *c = find_request(server, reply->id);

	if (!c)
		return;
	if (c->uid == UID_UNKNOWN) {
		identified(server, c, (uid_t)reply->outcome);
		return;
	}
	append_report(c, reply->text,
		      reply->text_len < sizeof(reply->text) ? reply->text_len : sizeof(reply->text));
	if (reply->is_last) {
		c->state = CONNECTION_IDLE;
		method_finish_request(server, c, reply->outcome);
	}
}

static int on_supervisor(struct server *server)
{
	int fds[MSG_FDS_MAX];
	unsigned fds_count;
	struct msg m;

	for (;;) {
		int got = msg_recv(server->supervisor_fd, &m, fds, &fds_count);
		if (got == -EAGAIN)
			return 0;
		if (got < 0)
			return got;
		for (unsigned i = 0; i < fds_count; i++)
			close(fds[i]);
		if (got == 0 || m.type == MSG_CTL_STOP) {
			server->must_stop = true;
			return 0;
		}
		if (m.type == MSG_CTL_REPLY)
			on_reply(server, &m.reply);
		else if (m.type == MSG_CTL_CONFIG && m.config.log_level <= LOG_LEVEL_DEBUG)
			log_set_level((enum log_level)m.config.log_level);
	}
}

/* Runs calls until one has an answer to be taken, or no whole call is left. */
static void run_calls(struct server *server, struct connection *c)
{
	struct varlink_call call;

	while (c->state == CONNECTION_IDLE && !c->out && !c->is_closing) {
		int got = connection_take_call(c, &call, server->now_ns);
		if (got == 0)
			return;
		if (got < 0) {
			log_debug("a control connection of user %u sent no Varlink call", (unsigned)c->uid);
			c->is_closing = true;
			return;
		}
		c->wants_more = call.wants_more;
		c->is_oneway = call.is_oneway;
		method_run(server, c, &call);
		varlink_call_fini(&call);
		if (c->out && connection_write(c, server->now_ns))
			c->is_closing = true;
	}
}

static bool is_late(struct server *server, struct connection *c)
{
	if (server->now_ns < c->deadline_ns)
		return false;
	if (c->state == CONNECTION_WAITING && !c->out) {
		c->state = CONNECTION_IDLE;
		c->is_closing = true;
		connection_error(c, VARLINK_IXD ".TimedOut", json_pack("{s:s}", "what", "the supervisor"),
				 server->now_ns);
		return false;
	}
	return true;
}

/* A connection's share of a turn; false when it is over. */
static bool connection_turn(struct server *server, struct connection *c)
{
	if (is_late(server, c) || connection_write(c, server->now_ns))
		return false;
	if (c->state == CONNECTION_STREAMING && !c->out) {
		method_continue(server, c);
		if (connection_write(c, server->now_ns))
			return false;
	}
	run_calls(server, c);
	if (c->out)
		return true;
	return !c->is_closing && !(c->is_eof && c->state == CONNECTION_IDLE);
}

static bool has_work(const struct connection *c)
{
	return c->state == CONNECTION_STREAMING && !c->out;
}

static void set_interest(struct server *server, struct connection *c)
{
	struct epoll_event event = {.events = connection_events(c)};

	event.data.u32 = (uint32_t)(c - server->connections);
	if (event.events != c->events && epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0)
		c->events = event.events;
}

/* Gives every connection its share; returns how long the next wait may last. */
static int connections_turn(struct server *server)
{
	int timeout_ms = -1;

	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
		struct connection *c = &server->connections[i];
		if (c->state == CONNECTION_FREE)
			continue;
		if (!connection_turn(server, c)) {
			drop(server, c);
			continue;
		}
		set_interest(server, c);
		if (has_work(c))
			timeout_ms = 0;
		else if (timeout_ms < 0)
			timeout_ms = DEADLINE_TURN_MS;
	}
	return timeout_ms;
}

static void on_connection(struct server *server, uint32_t index, uint32_t events)
{
	struct connection *c = &server->connections[index];

	if (c->state == CONNECTION_FREE)
		return; /* closed earlier in this turn */
	/* After a hang-up nobody can take an answer. What came before it is not worth running either. */
	if ((events & (EPOLLHUP | EPOLLERR)) || ((events & EPOLLIN) && connection_read(c, server->now_ns)))
		drop(server, c);
}

int server_turn(struct server *server, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count, own_timeout_ms;

	server->now_ns = sources_now_ns();
	own_timeout_ms = connections_turn(server);
	if (timeout_ms < 0 || (own_timeout_ms >= 0 && own_timeout_ms < timeout_ms))
		timeout_ms = own_timeout_ms;
	count = epoll_wait(server->epoll_fd, events, EVENTS_MAX, timeout_ms);
	if (count < 0 && errno != EINTR)
		return -errno;
	server->now_ns = sources_now_ns();
	for (int i = 0; i < count; i++) {
		int err = 0;

		if (events[i].data.u32 == TAG_SUPERVISOR)
			err = on_supervisor(server);
		else if (events[i].data.u32 == TAG_LISTENER)
			accept_one(server);
		else
			on_connection(server, events[i].data.u32, events[i].events);
		if (err)
			return err;
	}
	return 0;
}

int server_run(struct server *server)
{
	int err = 0;

	while (!server->must_stop && !err)
		err = server_turn(server, -1);
	return err;
}
