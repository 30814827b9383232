/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client made of nothing but the ABI, so that it can say what the library never would. One channel, core 0;
 * the server that it may connect to echoes at $PEER_ADDR port 7200.
 */
#ifndef TESTS_HOSTILE_RAW_H
#define TESTS_HOSTILE_RAW_H

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>

#include <ix/abi.h>
#include <ix/ring.h>

#include "tests/net/k.h"

#define RAW_FAR_PORT 7200

struct raw {
	int socket, daemon_fd, client_fd, doorbell;
	struct ix_welcome w;
	const struct ix_daemon_core *theirs;
	struct ix_client_core *mine;
	const struct ix_event *evts;
	struct ix_cmd *cmds;
	const uint8_t *rx;
	uint8_t *memory, *tx;
	uint32_t cmd_prod, evt_cons, seq;
};

static inline int raw_socket(void)
{
	const char *rundir = getenv("IXD_RUNDIR"), *instance = getenv("IXD_INSTANCE");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s/client.sock",
		 rundir ? rundir : "/run/ixd", instance ? instance : "default");
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		k_die("%s: %s", address.sun_path, strerror(errno));
	return fd;
}

static inline void raw_hello(int fd)
{
	struct ix_hello hello = {.magic = IX_ABI_MAGIC, .version = IX_ABI_VERSION};

	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello))
		k_die("hello: %s", strerror(errno));
}

static inline void raw_welcome(struct raw *r)
{
	int fds[2 + IX_CORES_MAX];
	char control[CMSG_SPACE(sizeof(fds))];
	struct iovec part = {.iov_base = &r->w, .iov_len = sizeof(r->w)};
	struct msghdr message = {
	    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *head;

	if (recvmsg(r->socket, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(r->w) || r->w.status != 0)
		k_die("welcome: status %d %s", r->w.status, r->w.reason);
	head = CMSG_FIRSTHDR(&message);
	if (head == NULL || head->cmsg_len < CMSG_LEN(3 * sizeof(int)))
		k_die("welcome without descriptors");
	memcpy(fds, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
	r->daemon_fd = fds[0];
	r->client_fd = fds[1];
	r->doorbell = fds[2];
}

static inline void raw_open(struct raw *r)
{
	const uint8_t *daemon_memory;

	memset(r, 0, sizeof(*r));
	r->socket = raw_socket();
	raw_hello(r->socket);
	raw_welcome(r);
	daemon_memory = mmap(NULL, r->w.daemon_bytes, PROT_READ, MAP_SHARED, r->daemon_fd, 0);
	r->memory = mmap(NULL, r->w.client_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->client_fd, 0);
	if (daemon_memory == MAP_FAILED || r->memory == MAP_FAILED)
		k_die("mmap: %s", strerror(errno));
	r->theirs = (const void *)(daemon_memory + r->w.daemon_core_off);
	r->evts = (const void *)(daemon_memory + r->w.evt_off);
	r->rx = daemon_memory + r->w.rx_off;
	r->mine = (void *)(r->memory + r->w.client_core_off);
	r->cmds = (void *)(r->memory + r->w.cmd_off);
	r->tx = r->memory + r->w.tx_off;
}

/* Waits up to a second for room; a ring that stays full drops the command. */
static inline void raw_cmd(struct raw *r, struct ix_cmd cmd)
{
	uint64_t end_ns = k_now_ns() + 1000000000u;

	while (r->cmd_prod - ix_ring_load(&r->theirs->cmd_cons) >= r->w.cmd_slots)
		if (k_now_ns() > end_ns)
			return;
	cmd.seq = ++r->seq;
	r->cmds[r->cmd_prod & (r->w.cmd_slots - 1)] = cmd;
	ix_ring_store(&r->mine->cmd_prod, ++r->cmd_prod);
	if (ix_ring_peer_sleeps(&r->theirs->is_sleeping))
		(void)!send(r->doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static inline bool raw_event(struct raw *r, struct ix_event *event)
{
	if (ix_ring_load(&r->theirs->evt_prod) == r->evt_cons)
		return false;
	*event = r->evts[r->evt_cons & (r->w.evt_slots - 1)];
	ix_ring_store(&r->mine->evt_cons, ++r->evt_cons);
	return true;
}

/* The next event of a type, others passed over; false after `ms`. */
static inline bool raw_wait(struct raw *r, uint8_t type, unsigned ms, struct ix_event *event)
{
	uint64_t end_ns = k_now_ns() + ms * UINT64_C(1000000);

	*event = (struct ix_event){.outcome = -ETIMEDOUT};
	while (k_now_ns() < end_ns)
		if (raw_event(r, event) && event->type == type)
			return true;
	return false;
}

static inline struct ix_cmd raw_connect_cmd(uint64_t cookie)
{
	struct ix_cmd cmd = {.op = IX_OP_CONNECT, .cookie = cookie};
	const char *peer = getenv("PEER_ADDR");

	cmd.open.addr[10] = cmd.open.addr[11] = 0xff;
	if (inet_pton(AF_INET, peer ? peer : "10.77.0.2", cmd.open.addr + 12) != 1)
		k_die("PEER_ADDR is no address");
	cmd.open.port = RAW_FAR_PORT;
	return cmd;
}

static inline uint64_t raw_connect(struct raw *r, uint64_t cookie)
{
	struct ix_event event;

	raw_cmd(r, raw_connect_cmd(cookie));
	if (!raw_wait(r, IX_EV_CONNECTED, 10000, &event) || event.outcome != 0)
		k_die("connect: outcome %d", event.outcome);
	return event.handle;
}

static inline struct ix_cmd raw_sendv_cmd(uint64_t handle, uint64_t off, uint32_t len)
{
	return (struct ix_cmd){
	    .op = IX_OP_SENDV, .sg_count = 1, .handle = handle, .sg = {{.off = off, .len = len}}};
}

/* True when ixd ends this client within `ms`. */
static inline bool raw_is_thrown_out(struct raw *r, unsigned ms)
{
	struct pollfd fd = {.fd = r->socket, .events = POLLIN};

	return poll(&fd, 1, (int)ms) == 1;
}

/* Wakes the core whether or not it sleeps. */
static inline void raw_ring(struct raw *r)
{
	(void)!send(r->doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Fast, and from a seed that is printed: a failure can be repeated. */
static inline uint64_t raw_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

#endif
