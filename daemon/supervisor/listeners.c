/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who listens where. A listen is decided here: policy, address, limits; a kernel socket holds the port; then
 * the cores install it; the owned map is written last, so that no packet is steered to a core that would
 * refuse it. At the end the port stays owned until its connections are over: the kernel would reset them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/supervisor.h"

#define DRAIN_LOOK_NS (200 * NS_PER_MS)

static const uint8_t any_addr[16];
static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_any(const uint8_t addr[16])
{
	return memcmp(addr, any_addr, 16) == 0 ||
	       (memcmp(addr, v4_prefix, 12) == 0 && memcmp(addr + 12, any_addr, 4) == 0);
}

/* Its last four bytes: those of an IPv4 address, or of none. */
static const char *addr_text(const uint8_t addr[16], char text[INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, addr + 12, text, INET_ADDRSTRLEN);
}

static uint32_t listener_index(const struct supervisor *supervisor, const struct listener *listener)
{
	return (uint32_t)(listener - supervisor->listeners);
}

static struct listener *listener_find(struct supervisor *supervisor, const uint8_t addr[16], uint16_t port)
{
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++) {
		struct listener *listener = &supervisor->listeners[i];
		if (listener->is_used && listener->port == port && memcmp(listener->addr, addr, 16) == 0)
			return listener;
	}
	return NULL;
}

/* A kernel socket that is bound and never listens: bind() refuses where the kernel uses the port, and while
 * it is open the kernel gives the port to nobody. Without SO_REUSEADDR: connections of the kernel's own that
 * still live on this port would be steered away from it. */
static int port_hold(const uint8_t addr[16], uint16_t port)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	memcpy(&local.sin_addr, addr + 12, 4); /* all zero for any */
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)) != 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static void listener_free(struct supervisor *supervisor, struct listener *listener)
{
	uint32_t index = listener_index(supervisor, listener);

	if (listener->is_owned)
		bpf_set_owned_del(supervisor->bpf, listener->addr, listener->port, listener->vlan);
	close(listener->hold_fd);
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		free(listener->asked[i]);
	memset(listener, 0, sizeof(*listener));
	listener->hold_fd = -1;
	publish_listener(supervisor, index);
}

/* Marks the listeners of which the dataplane still has connections, in one walk however many are asked for: a
 * client could make us look at all of it for each of its own. The memory is read without trust: a lie keeps a
 * port held and harms nobody else. */
static void mark_connected(const struct supervisor *supervisor, bool has_connections[IXD_LISTENERS_MAX])
{
	const struct static_config *fixed = &supervisor->config->fixed;
	const uint8_t *state = supervisor->state.area;

	for (uint32_t core = 0; core < fixed->cores; core++) {
		const struct conn_record *records =
		    (const struct conn_record *)(const void *)(state + supervisor->layout.core_off[core] +
							       supervisor->layout.conn_off);
		for (uint32_t i = 0; i < fixed->conns_per_core; i++) {
			uint32_t index = __atomic_load_n(&records[i].listener, __ATOMIC_RELAXED);

			/* What the engine has forgotten needs no port any more. */
			if (index < IXD_LISTENERS_MAX &&
			    __atomic_load_n(&records[i].phase, __ATOMIC_RELAXED) != CONN_FREE &&
			    !(__atomic_load_n(&records[i].owed, __ATOMIC_RELAXED) & CONN_OWED_DEAD))
				has_connections[index] = true;
		}
	}
}

static void on_drain_time(void *arg)
{
	struct supervisor *supervisor = arg;
	bool is_left = false, has_connections[IXD_LISTENERS_MAX] = {false};

	mark_connected(supervisor, has_connections);
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++) {
		struct listener *listener = &supervisor->listeners[i];
		if (!listener->is_used || !listener->is_draining)
			continue;
		/* A dataplane that is not there cannot have heard of the unlisten yet. */
		if (supervisor->dataplane.is_ready && !has_connections[i])
			listener_free(supervisor, listener);
		else
			is_left = true;
	}
	if (is_left)
		loop_timer_set(&supervisor->loop, &supervisor->drain_timer, monotonic_ns() + DRAIN_LOOK_NS);
}

static void listener_drain(struct supervisor *supervisor, struct listener *listener)
{
	listener->is_draining = true;
	publish_listener(supervisor, listener_index(supervisor, listener));
	if (supervisor->drain_timer.at_ns == 0)
		loop_timer_set(&supervisor->loop, &supervisor->drain_timer, monotonic_ns() + DRAIN_LOOK_NS);
}

static void tell_done(struct supervisor *supervisor, const struct msg_listen *ask, uint32_t listener,
		      int outcome)
{
	struct msg m = {.type = MSG_DP_LISTEN_DONE, .listen = *ask};

	m.listen.listener = listener;
	m.listen.outcome = outcome;
	dataplane_tell(supervisor, &m, NULL, 0);
}

static void tell_unlisten(struct supervisor *supervisor, const struct listener *listener, uint32_t client)
{
	struct msg m = {.type = MSG_DP_UNLISTEN};

	m.listen.client = client;
	m.listen.listener = listener_index(supervisor, listener);
	memcpy(m.listen.addr, listener->addr, 16);
	m.listen.port = listener->port;
	m.listen.vlan = listener->vlan;
	m.listen.is_last = listener->members == 0;
	dataplane_tell(supervisor, &m, NULL, 0);
}

static void tell_listen(struct supervisor *supervisor, const struct listener *listener, uint32_t client)
{
	struct msg m = {.type = MSG_DP_LISTEN, .listen = *listener->asked[client]};

	m.listen.listener = listener_index(supervisor, listener);
	m.listen.is_first = 1;
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		if (listener->member[i] == MEMBER_ACTIVE)
			m.listen.is_first = 0;
	dataplane_tell(supervisor, &m, NULL, 0);
}

static void member_remove(struct supervisor *supervisor, struct listener *listener, uint32_t client)
{
	if (listener->member[client] == MEMBER_NONE)
		return;
	listener->member[client] = MEMBER_NONE;
	free(listener->asked[client]);
	listener->asked[client] = NULL;
	listener->members--;
	supervisor->clients[client].listeners--;
	tell_unlisten(supervisor, listener, client);
	if (listener->members == 0)
		listener_drain(supervisor, listener);
	publish_listener(supervisor, listener_index(supervisor, listener));
	publish_client(supervisor, client);
}

/* Whether the request may be granted, before anything is made for it. */
static int ask_check(const struct supervisor *supervisor, const struct client *client,
		     const struct msg_listen *ask)
{
	const struct config_policy *policy = client_policy(supervisor, client);
	const uint8_t *addr = is_any(ask->addr) ? any_addr : ask->addr;
	const struct static_config *fixed = &supervisor->config->fixed;

	if (ask->port == 0)
		return -EINVAL;
	if (policy == NULL || !policy_rules_allow(policy->listen, policy->listen_count, addr, ask->port))
		return -EACCES;
	if (client->listeners >= client->limits.listeners_max)
		return -EMFILE;
	if (ask->port >= fixed->ephemeral_base && ask->port - fixed->ephemeral_base < fixed->ephemeral_span)
		return -EADDRINUSE; /* outgoing connections use these */
	if (!is_any(addr) &&
	    (memcmp(addr, v4_prefix, 12) != 0 || !mirror_addr_is_local(supervisor->mirror.area, addr)))
		return -EADDRNOTAVAIL;
	return 0;
}

static int listener_new(struct supervisor *supervisor, const struct client *client, const uint8_t addr[16],
			uint16_t port, struct listener **made)
{
	struct listener *listener = NULL;

	for (uint32_t i = 0; i < IXD_LISTENERS_MAX && listener == NULL; i++)
		if (!supervisor->listeners[i].is_used)
			listener = &supervisor->listeners[i];
	if (listener == NULL)
		return -ENFILE;
	int fd = port_hold(addr, port);
	if (fd < 0)
		return fd;
	memset(listener, 0, sizeof(*listener));
	listener->is_used = true;
	memcpy(listener->addr, addr, 16);
	listener->port = port;
	listener->uid = client->uid;
	listener->hold_fd = fd;
	*made = listener;
	return 0;
}

/* Finds or makes the listener and adds the client as one that has asked. */
static int listener_join(struct supervisor *supervisor, uint32_t client_index, const struct msg_listen *ask,
			 struct listener **joined)
{
	const uint8_t *addr = is_any(ask->addr) ? any_addr : ask->addr;
	struct client *client = &supervisor->clients[client_index];
	struct listener *listener = listener_find(supervisor, addr, ask->port);

	/* Only processes of one user share; each once. */
	if (listener != NULL &&
	    (listener->uid != client->uid || listener->member[client_index] != MEMBER_NONE))
		return -EADDRINUSE;
	struct msg_listen *kept = malloc(sizeof(*kept));
	int error = kept ? 0 : -ENOMEM;
	if (!error && listener == NULL)
		error = listener_new(supervisor, client, addr, ask->port, &listener);
	if (error) {
		free(kept);
		return error;
	}
	*kept = *ask;
	memcpy(kept->addr, addr, 16);
	kept->vlan = 0;
	listener->asked[client_index] = kept;
	listener->member[client_index] = MEMBER_ASKED;
	listener->members++;
	listener->is_draining = false;
	client->listeners++;
	*joined = listener;
	return 0;
}

/* Where to look for what has the port. */
static const char *in_use_hint(struct supervisor *supervisor, const struct msg_listen *ask)
{
	const struct static_config *fixed = &supervisor->config->fixed;
	const uint8_t *addr = is_any(ask->addr) ? any_addr : ask->addr;

	if (listener_find(supervisor, addr, ask->port) != NULL)
		return " (another client of ixd, or itself, listens there: see ixctl listeners)";
	if (ask->port >= fixed->ephemeral_base && ask->port - fixed->ephemeral_base < fixed->ephemeral_span)
		return " (it is one of ephemeral_first to ephemeral_last)";
	return " (see ss -tan sport = that port, TIME-WAIT counts)";
}

static void report_refusal(struct supervisor *supervisor, const struct client *client,
			   const struct msg_listen *ask, int error)
{
	char text[INET_ADDRSTRLEN];

	log_stranger(supervisor, "client of process %u (%s, user %u) may not listen on %s:%u: %s%s",
		     client->pid, client->comm, client->uid, addr_text(ask->addr, text), ask->port,
		     strerror(-error), error == -EADDRINUSE ? in_use_hint(supervisor, ask) : "");
}

void listener_on_ask(struct supervisor *supervisor, const struct msg_listen *ask)
{
	struct client *client = ask->client < IXD_CLIENTS_MAX ? &supervisor->clients[ask->client] : NULL;
	struct listener *listener = NULL;

	if (client == NULL || client->state != CLIENT_READY || ask->core >= supervisor->config->fixed.cores)
		return; /* it left meanwhile, or this makes no sense */
	int error = ask_check(supervisor, client, ask);
	if (!error)
		error = listener_join(supervisor, ask->client, ask, &listener);
	if (error) {
		report_refusal(supervisor, client, ask, error);
		tell_done(supervisor, ask, 0, error);
		return;
	}
	tell_listen(supervisor, listener, ask->client);
	publish_listener(supervisor, listener_index(supervisor, listener));
	publish_client(supervisor, ask->client);
}

void listener_on_unask(struct supervisor *supervisor, const struct msg_listen *ask)
{
	if (ask->client >= IXD_CLIENTS_MAX || ask->listener >= IXD_LISTENERS_MAX)
		return;
	struct listener *listener = &supervisor->listeners[ask->listener];
	if (listener->is_used && listener->member[ask->client] == MEMBER_ACTIVE)
		member_remove(supervisor, listener, ask->client);
}

void listener_on_ready(struct supervisor *supervisor, const struct msg_listen *ready)
{
	if (ready->client >= IXD_CLIENTS_MAX || ready->listener >= IXD_LISTENERS_MAX)
		return;
	struct listener *listener = &supervisor->listeners[ready->listener];
	if (!listener->is_used || listener->member[ready->client] != MEMBER_ASKED)
		return; /* the client left meanwhile */
	struct msg_listen ask = *listener->asked[ready->client];
	int error = ready->outcome < 0 ? ready->outcome : 0;
	if (!error && !listener->is_owned) {
		error = bpf_set_owned_add(supervisor->bpf, listener->addr, listener->port, listener->vlan,
					  ready->listener);
		listener->is_owned = error == 0;
	}
	if (error) {
		member_remove(supervisor, listener, ready->client);
		tell_done(supervisor, &ask, 0, error);
		return;
	}
	free(listener->asked[ready->client]);
	listener->asked[ready->client] = NULL;
	listener->member[ready->client] = MEMBER_ACTIVE;
	tell_done(supervisor, &ask, ready->listener, 0);
	char text[INET_ADDRSTRLEN];
	log_stranger(supervisor, "client %u listens on %s:%u", ready->client, addr_text(listener->addr, text),
		     listener->port);
}

void listeners_forget_client(struct supervisor *supervisor, uint32_t client)
{
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++)
		if (supervisor->listeners[i].is_used)
			member_remove(supervisor, &supervisor->listeners[i], client);
}

/* A new dataplane has the listeners of the one before from its records; what was under way is said again.
 * What we gave up meanwhile the one before may never have heard, or not have done, so that is said of every
 * place that nobody has: a listener left there would stand in the way of the next. */
void listeners_introduce(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++) {
		struct listener *listener = &supervisor->listeners[i];

		if (!listener->is_used || listener->members == 0)
			tell_unlisten(supervisor, listener, IXD_CLIENTS_MAX);
		for (uint32_t client = 0; client < IXD_CLIENTS_MAX; client++)
			if (listener->member[client] == MEMBER_ASKED)
				tell_listen(supervisor, listener, client);
	}
}

void listeners_init(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++)
		supervisor->listeners[i].hold_fd = -1;
	supervisor->drain_timer.on_time = on_drain_time;
	supervisor->drain_timer.arg = supervisor;
}

void listeners_fini(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < IXD_LISTENERS_MAX; i++)
		if (supervisor->listeners[i].is_used)
			listener_free(supervisor, &supervisor->listeners[i]);
}
