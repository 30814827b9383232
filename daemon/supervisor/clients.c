/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients: who connects, says hello and is allowed gets memories and rings, is told to the dataplane, and is
 * welcomed when every core has mapped them. The end of its socket is the end of the client.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/common/rights.h"
#include "daemon/supervisor/supervisor.h"

#define ACCEPT_BURST   64
#define STRANGER_SLOTS 8  /* connections that a user may have beyond the clients it is allowed */
#define STRANGERS_MAX  32 /* and all the users together that no policy admits */
#define ACCEPT_REST_NS (200 * NS_PER_MS)

static void on_client_readable(void *arg);

void log_stranger(struct supervisor *supervisor, const char *format, ...)
{
	uint64_t left_out = 0;
	char text[640];
	va_list args;

	if (!log_budget_take(&supervisor->log_budget, monotonic_ns(), &left_out))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (left_out > 0)
		log_info("%llu lines about clients were left out", (unsigned long long)left_out);
	log_info("%s", text);
}

static uint32_t client_index(const struct client *client)
{
	return (uint32_t)(client - client->supervisor->clients);
}

const struct config_policy *client_policy(const struct supervisor *supervisor, const struct client *client)
{
	return config_policy_for(supervisor->config, client->uid, client->gids, client->gids_count);
}

static void peer_fds_close(struct client *client)
{
	for (uint32_t i = 0; i < client->peer_fds_count; i++)
		close(client->peer_fds[i]);
	client->peer_fds_count = 0;
}

static void client_disconnect(struct client *client)
{
	if (client->socket_fd < 0)
		return;
	loop_watch_remove(&client->supervisor->loop, client->watch);
	client->watch = NULL;
	close(client->socket_fd);
	client->socket_fd = -1;
	peer_fds_close(client);
}

static void client_free(struct client *client)
{
	struct supervisor *supervisor = client->supervisor;

	client_disconnect(client);
	client_memory_close(&client->memory);
	free(client->gids);
	memset(client, 0, sizeof(*client));
	client->supervisor = supervisor;
	client->socket_fd = -1;
	memset(&client->memory, 0xff, sizeof(client->memory));
	client->memory.cores = 0;
	publish_client(supervisor, client_index(client));
}

/* A client that is known to the dataplane stays until that has let go of its memories. */
static void client_leave(struct client *client)
{
	struct supervisor *supervisor = client->supervisor;
	struct msg m = {.type = MSG_DP_CLIENT_DEL, .client = client_index(client)};

	client_disconnect(client);
	if (!client->was_added) {
		client_free(client);
		return;
	}
	if (client->state == CLIENT_LEAVING)
		return;
	client->state = CLIENT_LEAVING;
	listeners_forget_client(supervisor, m.client);
	dataplane_tell(supervisor, &m, NULL, 0);
	publish_client(supervisor, m.client);
}

/* The client hears in words why not; what does not reach it would not have been read. */
static void refusal_send(struct supervisor *supervisor, int fd, int error, const char *reason)
{
	struct ix_welcome welcome = {.magic = IX_ABI_MAGIC, .version = IX_ABI_VERSION, .status = error};

	memcpy(welcome.instance, supervisor->instance.name, sizeof(welcome.instance));
	snprintf(welcome.reason, sizeof(welcome.reason), "%s", reason);
	send(fd, &welcome, sizeof(welcome), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void client_refuse(struct client *client, int error, const char *reason)
{
	log_stranger(client->supervisor, "client of user %u, process %u, is refused: %s", client->uid,
		     client->pid, reason);
	refusal_send(client->supervisor, client->socket_fd, error, reason);
	client_leave(client);
}

static uint32_t clients_of_user(const struct supervisor *supervisor, uint32_t uid, enum client_state from)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		count += supervisor->clients[i].state >= from &&
			 supervisor->clients[i].state != CLIENT_FREE && supervisor->clients[i].uid == uid;
	return count;
}

/* Connections of users that no policy admits: each hears why, and whoever may take many user ids must not
 * take all slots with them. */
static uint32_t strangers(const struct supervisor *supervisor)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		count += supervisor->clients[i].state == CLIENT_HELLO &&
			 client_policy(supervisor, &supervisor->clients[i]) == NULL;
	return count;
}

static void message_client_add(const struct supervisor *supervisor, const struct client *client,
			       struct msg *m)
{
	const struct config_policy *policy = client_policy(supervisor, client);

	memset(m, 0, sizeof(*m));
	m->type = MSG_DP_CLIENT_ADD;
	m->client_add.client = client_index(client);
	m->client_add.uid = client->uid;
	m->client_add.gid = client->gid;
	m->client_add.pid = client->pid;
	m->client_add.is_restart = client->was_added;
	m->client_add.limits = client->limits;
	m->client_add.layout = client->welcome;
	if (policy != NULL) {
		m->client_add.rules_count = policy->connect_count;
		memcpy(m->client_add.rules, policy->connect, sizeof(policy->connect));
	}
}

static void client_tell_dataplane(struct client *client)
{
	struct supervisor *supervisor = client->supervisor;
	int fds[2 + IXD_CORES_MAX];
	struct msg m;

	if (!supervisor->dataplane.is_ready)
		return; /* clients_introduce() follows */
	message_client_add(supervisor, client, &m);
	fds[0] = client->memory.daemon_fd;
	fds[1] = client->memory.client_fd;
	memcpy(fds + 2, client->memory.doorbell_fd, client->memory.cores * sizeof(int));
	client->was_added |= dataplane_tell(supervisor, &m, fds, 2 + client->memory.cores);
}

static int hello_check(const struct ix_hello *hello, ssize_t length, struct why *why)
{
	static const uint8_t zeros[sizeof(hello->reserved)];

	if (length != (ssize_t)sizeof(*hello) || hello->magic != IX_ABI_MAGIC)
		return why_set(why, -EPROTO, "this is not a hello of libixclient");
	if (hello->version != IX_ABI_VERSION)
		return why_set(
		    why, -EPROTONOSUPPORT,
		    "the program speaks ABI version %u, ixd speaks %u; build it with the libixclient of this "
		    "ixd",
		    hello->version, IX_ABI_VERSION);
	if (memcmp(hello->reserved, zeros, sizeof(zeros)) != 0)
		return why_set(why, -EINVAL, "reserved bytes of the hello are not zero");
	return 0;
}

static int client_admit(struct client *client, const struct ix_hello *hello, struct why *why)
{
	struct supervisor *supervisor = client->supervisor;
	const struct config_policy *policy = client_policy(supervisor, client);
	uint32_t cores = supervisor->config->fixed.cores;

	if (policy == NULL)
		return why_set(
		    why, -EACCES,
		    "no policy of instance %s admits user %u; add an entry to `policy' in its configuration",
		    supervisor->instance.name, client->uid);
	if (clients_of_user(supervisor, client->uid, CLIENT_ADDING) >= policy->grants.clients_max)
		return why_set(
		    why, -EUSERS,
		    "user %u has %u clients already, the most that its policy allows; end one or raise "
		    "`clients'",
		    client->uid, policy->grants.clients_max);
	int error = client_limits_decide(hello, &policy->grants, cores, &client->limits, why);
	if (error)
		return error;
	client->welcome = (struct ix_welcome){
	    .magic = IX_ABI_MAGIC, .version = IX_ABI_VERSION, .client_id = client_index(client)};
	memcpy(client->welcome.instance, supervisor->instance.name, sizeof(client->welcome.instance));
	client_layout_compute(&client->limits, cores, &client->welcome);
	error = client_memory_create(&client->memory, &client->welcome, client->peer_fds);
	if (error)
		return why_set(why, error, "memories for the client cannot be made: %s", strerror(-error));
	client->peer_fds_count = 2 + cores;
	return 0;
}

static void client_hello(struct client *client)
{
	struct ix_hello hello;
	struct why why = {""};
	/* MSG_TRUNC: the real length, so that a longer message is seen as one. */
	ssize_t length =
	    rights_recv(client->socket_fd, &hello, sizeof(hello), MSG_DONTWAIT | MSG_TRUNC, NULL);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length <= 0) {
		client_leave(client);
		return;
	}
	int error = hello_check(&hello, length, &why);
	if (!error)
		error = client_admit(client, &hello, &why);
	if (error) {
		client_refuse(client, error, why.text);
		return;
	}
	client->state = CLIENT_ADDING;
	publish_client(client->supervisor, client_index(client));
	client_tell_dataplane(client);
}

/* After the hello a client has nothing to say here: end of file is its end, anything else a fault. */
static void on_client_readable(void *arg)
{
	struct client *client = arg;
	char byte;

	if (client->state == CLIENT_HELLO) {
		client_hello(client);
		return;
	}
	ssize_t length = rights_recv(client->socket_fd, &byte, 1, MSG_DONTWAIT, NULL);
	if (length < 0 && errno == EAGAIN)
		return;
	if (length > 0)
		log_stranger(client->supervisor,
			     "client %u (process %u) speaks after its hello; disconnecting it",
			     client_index(client), client->pid);
	client_leave(client);
}

/* The name of a process is its own to choose. */
static void comm_read(uint32_t pid, char comm[16])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, comm, 15);
	if (fd >= 0)
		close(fd);
	comm[length > 0 ? length : 0] = '\0';
	for (char *c = comm; *c != '\0'; c++)
		if (*c == '\n')
			*c = '\0';
		else if (!isprint((unsigned char)*c))
			*c = '?';
}

static struct client *slot_find(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		if (supervisor->clients[i].state == CLIENT_FREE)
			return &supervisor->clients[i];
	return NULL;
}

static void on_hello_time(void *arg)
{
	struct supervisor *supervisor = arg;
	uint64_t limit_ns = supervisor->config->hello_timeout_ms * NS_PER_MS, now_ns = monotonic_ns(),
		 next_ns = 0;

	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++) {
		struct client *client = &supervisor->clients[i];
		if (client->state != CLIENT_HELLO)
			continue;
		uint64_t at_ns = client->since_ns + limit_ns;
		if (at_ns <= now_ns)
			client_refuse(client, -ETIMEDOUT, "no hello within the time limit");
		else if (next_ns == 0 || at_ns < next_ns)
			next_ns = at_ns;
	}
	if (next_ns != 0)
		loop_timer_set(&supervisor->loop, &supervisor->hello_timer, next_ns);
}

/* Takes over fd. */
static void client_connect(struct supervisor *supervisor, int fd)
{
	struct client *client = slot_find(supervisor);
	struct client found = {.supervisor = supervisor, .state = CLIENT_HELLO, .socket_fd = fd};
	const char *refusal = NULL;

	if (peer_identify(fd, &found.pid, &found.uid, &found.gid, &found.gids, &found.gids_count) != 0)
		refusal = "the peer cannot be identified";
	const struct config_policy *policy = refusal ? NULL : client_policy(supervisor, &found);
	uint32_t most = (policy ? policy->grants.clients_max : 0) + STRANGER_SLOTS;
	/* Before anything of it is read: nobody may fill all slots by connecting and saying nothing. */
	if (!refusal && clients_of_user(supervisor, found.uid, CLIENT_HELLO) >= most)
		refusal = "this user has too many connections already";
	else if (!refusal && policy == NULL && strangers(supervisor) >= STRANGERS_MAX)
		refusal = "no policy admits this user, and ixd is busy saying so to others";
	else if (!refusal && client == NULL)
		refusal = "ixd has as many clients as it can have";
	if (refusal) {
		refusal_send(supervisor, fd, -EUSERS, refusal);
		close(fd);
		free(found.gids);
		return;
	}
	memset(&found.memory, 0xff, sizeof(found.memory));
	found.memory.cores = 0;
	found.since_ns = monotonic_ns();
	comm_read(found.pid, found.comm);
	*client = found;
	client->watch = loop_watch_add(&supervisor->loop, fd, on_client_readable, client);
	if (client->watch == NULL) {
		client_leave(client);
		return;
	}
	if (supervisor->hello_timer.at_ns == 0)
		loop_timer_set(&supervisor->loop, &supervisor->hello_timer,
			       client->since_ns + supervisor->config->hello_timeout_ms * NS_PER_MS);
}

static void on_connect(void *arg);

static void on_accept_time(void *arg)
{
	struct supervisor *supervisor = arg;

	supervisor->client_listener_watch =
	    loop_watch_add(&supervisor->loop, supervisor->client_listener_fd, on_connect, supervisor);
	if (supervisor->client_listener_watch == NULL)
		loop_timer_set(&supervisor->loop, &supervisor->accept_timer, monotonic_ns() + ACCEPT_REST_NS);
}

/* Who waits to be accepted keeps the socket readable: without a rest the loop would turn for nothing until
 * descriptors are free. */
static void accept_rest(struct supervisor *supervisor, int error)
{
	log_stranger(supervisor, "a client cannot be accepted now: %s; see LimitNOFILE= and ulimit -n",
		     strerror(error));
	loop_watch_remove(&supervisor->loop, supervisor->client_listener_watch);
	supervisor->client_listener_watch = NULL;
	loop_timer_set(&supervisor->loop, &supervisor->accept_timer, monotonic_ns() + ACCEPT_REST_NS);
}

static void on_connect(void *arg)
{
	struct supervisor *supervisor = arg;

	for (unsigned i = 0; i < ACCEPT_BURST; i++) {
		int fd = accept4(supervisor->client_listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			client_connect(supervisor, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			accept_rest(supervisor, errno);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

int clients_init(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++) {
		supervisor->clients[i] = (struct client){.supervisor = supervisor, .socket_fd = -1};
		memset(&supervisor->clients[i].memory, 0xff, sizeof(supervisor->clients[i].memory));
		supervisor->clients[i].memory.cores = 0;
	}
	supervisor->accept_timer.on_time = on_accept_time;
	supervisor->accept_timer.arg = supervisor;
	supervisor->hello_timer.on_time = on_hello_time;
	supervisor->hello_timer.arg = supervisor;
	supervisor->client_listener_watch =
	    loop_watch_add(&supervisor->loop, supervisor->client_listener_fd, on_connect, supervisor);
	return supervisor->client_listener_watch ? 0 : -ENOMEM;
}

void clients_fini(struct supervisor *supervisor)
{
	loop_watch_remove(&supervisor->loop, supervisor->client_listener_watch);
	supervisor->client_listener_watch = NULL;
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		if (supervisor->clients[i].state != CLIENT_FREE)
			client_free(&supervisor->clients[i]);
}

/* One that left while no dataplane ran is introduced, too, and then removed: its records need an end. */
void clients_introduce(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++) {
		struct client *client = &supervisor->clients[i];
		struct msg m = {.type = MSG_DP_CLIENT_DEL, .client = i};

		if (client->state < CLIENT_ADDING)
			continue;
		client_tell_dataplane(client);
		if (client->state == CLIENT_LEAVING)
			dataplane_tell(supervisor, &m, NULL, 0);
	}
}

void client_on_ready(struct supervisor *supervisor, uint32_t index)
{
	struct client *client = index < IXD_CLIENTS_MAX ? &supervisor->clients[index] : NULL;

	if (client == NULL || client->state != CLIENT_ADDING || !client->was_added)
		return; /* left meanwhile, or welcomed before the dataplane was restarted */
	int error = rights_send(client->socket_fd, &client->welcome, sizeof(client->welcome),
				client->peer_fds, client->peer_fds_count, MSG_DONTWAIT);
	peer_fds_close(client);
	if (error) {
		log_stranger(supervisor, "client %u (process %u) cannot be welcomed: %s", index, client->pid,
			     strerror(-error));
		client_leave(client);
		return;
	}
	client->state = CLIENT_READY;
	log_stranger(supervisor, "client %u: process %u (%s) of user %u", index, client->pid, client->comm,
		     client->uid);
}

void client_on_gone(struct supervisor *supervisor, uint32_t index)
{
	if (index >= IXD_CLIENTS_MAX || supervisor->clients[index].state != CLIENT_LEAVING) {
		log_debug("dataplane says that client %u is gone, which it is not", index);
		return;
	}
	client_free(&supervisor->clients[index]);
}

void client_on_fault(struct supervisor *supervisor, uint32_t index, const char *reason)
{
	struct client *client = index < IXD_CLIENTS_MAX ? &supervisor->clients[index] : NULL;

	if (client == NULL || client->state < CLIENT_ADDING || client->state == CLIENT_LEAVING)
		return;
	log_stranger(supervisor, "client %u (process %u, %s, user %u) is disconnected: %s", index,
		     client->pid, client->comm, client->uid, reason);
	client_leave(client);
}

void clients_apply_policy(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++) {
		struct client *client = &supervisor->clients[i];
		const struct config_policy *policy = client_policy(supervisor, client);
		struct msg m;

		if (client->state != CLIENT_ADDING && client->state != CLIENT_READY)
			continue;
		/* Memories stay as they were granted; without a policy nothing new can be opened. */
		client->limits.conns_max = policy ? policy->grants.connections_max : 0;
		client->limits.listeners_max = policy ? policy->grants.listeners_max : 0;
		message_client_add(supervisor, client, &m);
		m.type = MSG_DP_CLIENT_POLICY;
		if (client->was_added)
			dataplane_tell(supervisor, &m, NULL, 0);
		publish_client(supervisor, i);
	}
}
