/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a client: find the instance's socket, say hello, check the welcome, map the two memories, lay
 * the channels over them; and the way back.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client-lib/internal.h"

#define DEFAULT_TIMEOUT_MS 10000u
#define FDS_MAX            (2 + IX_CORES_MAX)

/* No memory is larger; below it, sums of a few sizes and strides cannot overflow. */
#define MEMORY_MAX         ((uint64_t)1 << 48)

static _Thread_local char open_reason[512];

/* A welcome as it came, its descriptors still to be closed or kept. */
struct arrival {
	struct ix_welcome welcome;
	unsigned fd_count;
	int fds[FDS_MAX];
};

__attribute__((format(printf, 2, 3))) static int fail(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(open_reason, sizeof(open_reason), format, args);
	va_end(args);
	return error;
}

IX_EXPORT const char *ix_open_reason(void)
{
	return open_reason;
}

/* Where the instance's client socket lies. */
static int socket_path(const char *instance, struct sockaddr_un *address)
{
	const char *rundir = secure_getenv("IXD_RUNDIR");
	struct stat status;
	int length;

	address->sun_family = AF_UNIX;
	if (!instance || !*instance)
		instance = secure_getenv("IXD_INSTANCE");
	if (!instance || !*instance)
		instance = "default";
	if (!rundir || !*rundir)
		rundir = "/run/ixd";
	if (!strchr(instance, '/'))
		length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s/client.sock", rundir,
				  instance);
	else if (!stat(instance, &status) && S_ISDIR(status.st_mode))
		length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/client.sock", instance);
	else
		length = snprintf(address->sun_path, sizeof(address->sun_path), "%s", instance);
	if (length < 0 || (size_t)length >= sizeof(address->sun_path))
		return fail(-ENAMETOOLONG,
			    "the client socket of instance \"%s\" has a path of %d bytes; %zu is the "
			    "limit: use a shorter runtime directory",
			    instance, length, sizeof(address->sun_path) - 1);
	return 0;
}

static int connect_failed(int error, const char *path)
{
	switch (error) {
	case ENOENT:
		return fail(-error, "no ixd instance at %s: start ixd, or name the instance ($IXD_INSTANCE)",
			    path);
	case ECONNREFUSED:
		return fail(-error, "%s is there, but no ixd listens on it: start ixd", path);
	case EACCES:
	case EPERM:
		return fail(-error, "no permission to use %s: see the mode of the socket and its directory",
			    path);
	case EAGAIN:
		return fail(-ETIMEDOUT, "ixd does not answer at %s: its backlog stayed full", path);
	default:
		return fail(-error, "cannot connect to %s: %s", path, strerror(error));
	}
}

static int socket_connect(const struct sockaddr_un *address, uint32_t timeout_ms)
{
	struct timeval timeout = {
	    .tv_sec = timeout_ms / 1000,
	    .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000,
	};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int error;

	if (sock < 0)
		return fail(-errno, "cannot make a socket: %s", strerror(errno));
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    connect(sock, (const struct sockaddr *)address, sizeof(*address))) {
		error = connect_failed(errno, address->sun_path);
		close(sock);
		return error;
	}
	return sock;
}

static int hello_send(int sock, const struct ix_open_params *params)
{
	struct ix_hello hello = {
	    .magic = IX_ABI_MAGIC,
	    .version = IX_ABI_VERSION,
	    .rx_bytes = params->rx_bytes,
	    .tx_bytes = params->tx_bytes,
	    .cmd_slots = params->cmd_slots,
	    .evt_slots = params->evt_slots,
	};

	if (send(sock, &hello, sizeof(hello), MSG_NOSIGNAL) == (ssize_t)sizeof(hello))
		return 0;
	if (errno == EAGAIN)
		return fail(-ETIMEDOUT, "ixd does not take the hello");
	return fail(-errno, "cannot send the hello: %s", strerror(errno));
}

static void arrival_close(struct arrival *arrival)
{
	for (unsigned i = 0; i < arrival->fd_count; i++)
		if (arrival->fds[i] >= 0)
			close(arrival->fds[i]);
	arrival->fd_count = 0;
}

/* Keeps the descriptors of a control message, whatever else is wrong with it, so that none is leaked. */
static void take_fds(struct msghdr *message, struct arrival *arrival)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count && arrival->fd_count < FDS_MAX; i++)
			memcpy(&arrival->fds[arrival->fd_count++], CMSG_DATA(c) + i * sizeof(int),
			       sizeof(int));
	}
}

static int welcome_receive(int sock, uint32_t timeout_ms, struct arrival *arrival)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct iovec part = {.iov_base = &arrival->welcome, .iov_len = sizeof(arrival->welcome)};
	struct msghdr message = {
	    .msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes),
	};
	ssize_t got;

	do
		got = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return fail(-ETIMEDOUT, "ixd did not answer within %u ms: see `ixctl status`", timeout_ms);
	if (got < 0)
		return fail(-errno, "cannot receive the welcome: %s", strerror(errno));
	take_fds(&message, arrival);
	if (!got)
		return fail(-ECONNRESET, "ixd closed the connection without an answer: see its log");
	if (message.msg_flags & MSG_CTRUNC)
		return fail(-EMFILE,
			    "no room for ixd's file descriptors: raise the limit of open files (ulimit -n)");
	if ((size_t)got != sizeof(arrival->welcome) || message.msg_flags & MSG_TRUNC)
		return fail(-EPROTO,
			    "ixd's welcome has %zd bytes instead of %zu: library and ixd do not match", got,
			    sizeof(arrival->welcome));
	return 0;
}

static bool fits(uint64_t off, uint64_t len, uint64_t limit)
{
	return off <= limit && len <= limit - off;
}

/* `cores` areas of `len` bytes, `stride` apart from `off` on, aligned to cache lines, inside `limit` bytes.
 */
static bool areas_fit(uint64_t off, uint64_t stride, uint64_t len, uint32_t cores, uint64_t limit)
{
	return off % 64 == 0 && stride % 64 == 0 && stride >= len && stride <= limit &&
	       fits(off, stride * (cores - 1) + len, limit);
}

static bool is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

static bool welcome_is_sane(const struct ix_welcome *w)
{
	return w->cores && w->cores <= IX_CORES_MAX && is_power_of_two(w->cmd_slots) &&
	       is_power_of_two(w->evt_slots) && w->daemon_bytes && w->client_bytes &&
	       w->daemon_bytes <= MEMORY_MAX && w->client_bytes <= MEMORY_MAX &&
	       areas_fit(w->daemon_core_off, w->daemon_core_stride, sizeof(struct ix_daemon_core), w->cores,
			 w->daemon_bytes) &&
	       areas_fit(w->evt_off, w->evt_stride, (uint64_t)w->evt_slots * sizeof(struct ix_event),
			 w->cores, w->daemon_bytes) &&
	       areas_fit(w->client_core_off, w->client_core_stride, sizeof(struct ix_client_core), w->cores,
			 w->client_bytes) &&
	       areas_fit(w->cmd_off, w->cmd_stride, (uint64_t)w->cmd_slots * sizeof(struct ix_cmd), w->cores,
			 w->client_bytes) &&
	       fits(w->rx_off, w->rx_bytes, w->daemon_bytes) &&
	       fits(w->tx_off, w->tx_bytes, w->client_bytes) && w->tx_off % 64 == 0;
}

/* ixd is trusted; these checks turn a mismatch of versions into words instead of a crash. */
static int welcome_check(struct arrival *arrival)
{
	struct ix_welcome *w = &arrival->welcome;

	w->reason[sizeof(w->reason) - 1] = 0;
	w->instance[sizeof(w->instance) - 1] = 0;
	if (w->magic != IX_ABI_MAGIC)
		return fail(-EPROTO, "what listens there is not ixd (magic %#x)", w->magic);
	if (w->status)
		return fail(w->status < 0 ? w->status : -EPROTO, "%s",
			    w->reason[0] ? w->reason : ix_strerror(w->status));
	if (w->version != IX_ABI_VERSION)
		return fail(-EPROTONOSUPPORT,
			    "ixd speaks version %u of the client interface, this library %u: "
			    "install the libixclient that belongs to the running ixd",
			    w->version, IX_ABI_VERSION);
	if (!welcome_is_sane(w))
		return fail(-EPROTO, "ixd's welcome makes no sense: library and ixd do not match");
	if (arrival->fd_count != 2 + w->cores)
		return fail(-EPROTO, "ixd sent %u file descriptors for %u cores instead of %u",
			    arrival->fd_count, w->cores, 2 + w->cores);
	return 0;
}

/* Maps a memory of at least `bytes`: a shorter file would turn a mismatch into SIGBUS later. */
static int map_memory(int fd, uint64_t bytes, int protection, uint8_t **memory)
{
	struct stat status;
	void *at;

	if (fstat(fd, &status))
		return fail(-errno, "cannot look at ixd's memory: %s", strerror(errno));
	if (status.st_size < 0 || (uint64_t)status.st_size < bytes)
		return fail(-EPROTO, "ixd's memory has %lld bytes instead of %llu", (long long)status.st_size,
			    (unsigned long long)bytes);
	at = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return fail(-errno, "cannot map %llu bytes of ixd's memory: %s", (unsigned long long)bytes,
			    strerror(errno));
	*memory = at;
	return 0;
}

/* Lays channel `core` over the memories. Indices resume from the shared words: both start at zero. */
static int channel_init(struct ix_client *client, const struct ix_welcome *w, unsigned core, int doorbell)
{
	struct ix_channel *channel = &client->channels[core];
	uint64_t share_bytes = w->tx_bytes / w->cores & ~(uint64_t)4095;

	/* Sub-arenas begin on pages of their own; memory too small for that is cut into cache lines. */
	if (!share_bytes)
		share_bytes = w->tx_bytes / w->cores & ~(uint64_t)63;
	channel->client = client;
	channel->core = core;
	channel->doorbell = doorbell;
	channel->cmd_slots = w->cmd_slots;
	channel->evt_slots = w->evt_slots;
	channel->daemon =
	    (const void *)(client->daemon_memory + w->daemon_core_off + core * w->daemon_core_stride);
	channel->events = (const void *)(client->daemon_memory + w->evt_off + core * w->evt_stride);
	channel->rx_memory = client->daemon_memory + w->rx_off;
	channel->mine = (void *)(client->client_memory + w->client_core_off + core * w->client_core_stride);
	channel->cmds = (void *)(client->client_memory + w->cmd_off + core * w->cmd_stride);
	channel->tx_memory = client->client_memory + w->tx_off;
	channel->tx_bytes = w->tx_bytes;
	channel->cmd_prod = channel->cmd_published = channel->mine->cmd_prod;
	channel->cmd_cons = ix_ring_load(&channel->daemon->cmd_cons);
	channel->evt_cons = channel->evt_prod = channel->mine->evt_cons;
	return tx_init(&channel->tx, channel->tx_memory + core * share_bytes, share_bytes);
}

static int client_build(struct arrival *arrival, int sock, uint32_t spin_us, struct ix_client **result)
{
	const struct ix_welcome *w = &arrival->welcome;
	size_t size = sizeof(struct ix_client) + w->cores * sizeof(struct ix_channel);
	struct ix_client *client = aligned_alloc(64, (size + 63) & ~(size_t)63);
	uint8_t *daemon_memory = NULL;
	int error;

	if (!client)
		return fail(-ENOMEM, "out of memory");
	memset(client, 0, size);
	client->sock = -1; /* ours only after success */
	client->id = w->client_id;
	client->spin_us = spin_us;
	client->daemon_bytes = w->daemon_bytes;
	client->client_bytes = w->client_bytes;
	memcpy(client->instance, w->instance, sizeof(client->instance));
	error = map_memory(arrival->fds[0], w->daemon_bytes, PROT_READ, &daemon_memory);
	client->daemon_memory = daemon_memory;
	if (!error)
		error = map_memory(arrival->fds[1], w->client_bytes, PROT_READ | PROT_WRITE,
				   &client->client_memory);
	for (unsigned i = 0; !error && i < w->cores; i++) {
		error = channel_init(client, w, i, arrival->fds[2 + i]);
		if (error)
			fail(error, "out of memory");
		arrival->fds[2 + i] = -1; /* the channel's from here on */
		client->cores = i + 1;
	}
	if (error) {
		ix_close(client);
		return error;
	}
	client->sock = sock;
	*result = client;
	return 0;
}

IX_EXPORT int ix_open(const char *instance, const struct ix_open_params *params, struct ix_client **client)
{
	static const struct ix_open_params defaults;
	struct sockaddr_un address = {0};
	struct arrival arrival;
	uint32_t timeout_ms;
	int sock, error;

	open_reason[0] = 0;
	*client = NULL;
	arrival.fd_count = 0;
	if (!params)
		params = &defaults;
	timeout_ms = params->timeout_ms ? params->timeout_ms : DEFAULT_TIMEOUT_MS;
	error = socket_path(instance, &address);
	if (error)
		return error;
	sock = socket_connect(&address, timeout_ms);
	if (sock < 0)
		return sock;
	error = hello_send(sock, params);
	if (!error)
		error = welcome_receive(sock, timeout_ms, &arrival);
	if (!error)
		error = welcome_check(&arrival);
	if (!error)
		error = client_build(&arrival, sock, params->spin_us, client);
	/* The mappings stay; their descriptors, and after an error all others, are not needed any more. */
	arrival_close(&arrival);
	if (error)
		close(sock);
	return error;
}

IX_EXPORT void ix_close(struct ix_client *client)
{
	if (!client)
		return;
	for (unsigned i = 0; i < client->cores; i++) {
		/* What was appended belongs to the application's wishes: a close just before the end counts.
		 */
		if (client->sock >= 0)
			ix_flush(&client->channels[i]);
		close(client->channels[i].doorbell);
		tx_fini(&client->channels[i].tx);
	}
	if (client->daemon_memory)
		munmap((void *)(uintptr_t)client->daemon_memory, client->daemon_bytes);
	if (client->client_memory)
		munmap(client->client_memory, client->client_bytes);
	if (client->sock >= 0)
		close(client->sock);
	for (struct leftover *next, *at = client->leftovers; at; at = next) {
		next = at->next;
		free(at);
	}
	free(client);
}

IX_EXPORT unsigned ix_cores(const struct ix_client *client)
{
	return client->cores;
}

IX_EXPORT uint32_t ix_client_id(const struct ix_client *client)
{
	return client->id;
}

IX_EXPORT const char *ix_instance(const struct ix_client *client)
{
	return client->instance;
}

IX_EXPORT int ix_client_fd(const struct ix_client *client)
{
	return client->sock;
}

IX_EXPORT void ix_set_spin(struct ix_client *client, uint32_t spin_us)
{
	client->spin_us = spin_us;
}

IX_EXPORT struct ix_channel *ix_channel(struct ix_client *client, unsigned core)
{
	return core < client->cores ? &client->channels[core] : NULL;
}

IX_EXPORT unsigned ix_channel_core(const struct ix_channel *channel)
{
	return channel->core;
}

IX_EXPORT uint32_t ix_epoch(const struct ix_channel *channel)
{
	return __atomic_load_n(&channel->daemon->epoch, __ATOMIC_RELAXED);
}

IX_EXPORT const void *ix_rx_ptr(const struct ix_channel *channel, uint64_t off)
{
	return channel->rx_memory + off;
}
