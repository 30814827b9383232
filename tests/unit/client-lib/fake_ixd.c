/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's side of the handshake and of the rings, as ixd would play it.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/client-lib/fake_ixd.h"

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + 4095) & ~(uint64_t)4095;
}

static void lay_out(const struct fake_ixd *fake, struct ix_welcome *w)
{
	*w = (struct ix_welcome){
	    .magic = IX_ABI_MAGIC,
	    .version = IX_ABI_VERSION,
	    .cores = fake->cores,
	    .client_id = 7,
	    .cmd_slots = fake->cmd_slots,
	    .evt_slots = fake->evt_slots,
	    .daemon_core_stride = 192,
	    .evt_stride = (uint64_t)fake->evt_slots * 64,
	    .client_core_stride = 192,
	    .cmd_stride = (uint64_t)fake->cmd_slots * 64,
	    .rx_bytes = fake->rx_bytes,
	    .tx_bytes = fake->tx_bytes,
	    .instance = "fake",
	};
	w->evt_off = page_up(fake->cores * w->daemon_core_stride);
	w->rx_off = page_up(w->evt_off + fake->cores * w->evt_stride);
	w->daemon_bytes = page_up(w->rx_off + w->rx_bytes);
	w->cmd_off = page_up(fake->cores * w->client_core_stride);
	w->tx_off = page_up(w->cmd_off + fake->cores * w->cmd_stride);
	w->client_bytes = page_up(w->tx_off + w->tx_bytes);
}

static int memory_make(const char *name, uint64_t bytes, uint8_t **memory)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	cr_assert(fd >= 0 && !ftruncate(fd, (off_t)bytes));
	*memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(*memory != MAP_FAILED);
	return fd;
}

static int read_only(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void cores_attach(struct fake_ixd *fake, const struct ix_welcome *w)
{
	fake->rx = fake->daemon_memory + w->rx_off;
	fake->tx = fake->client_memory + w->tx_off;
	for (unsigned i = 0; i < fake->cores; i++) {
		struct fake_core *core = &fake->core[i];

		core->daemon = (void *)(fake->daemon_memory + w->daemon_core_off + i * w->daemon_core_stride);
		core->events = (void *)(fake->daemon_memory + w->evt_off + i * w->evt_stride);
		core->client = (void *)(fake->client_memory + w->client_core_off + i * w->client_core_stride);
		core->cmds = (void *)(fake->client_memory + w->cmd_off + i * w->cmd_stride);
	}
}

/* Makes the welcome wrong in the wanted way. Returns how many bytes and descriptors of it are sent. */
static size_t spoil(const struct fake_ixd *fake, struct ix_welcome *w, int memory, unsigned *fd_count)
{
	switch (fake->fault) {
	case FAKE_REFUSES:
		w->status = -EACCES;
		snprintf(w->reason, sizeof(w->reason),
			 "user 1000 may not connect: see `clients` in the config");
		*fd_count = 0;
		break;
	case FAKE_OTHER_VERSION:
		w->version++;
		break;
	case FAKE_NOT_IXD:
		w->magic = 0x12345678;
		break;
	case FAKE_FEW_FDS:
		--*fd_count;
		break;
	case FAKE_SHORT_MEMORY:
		cr_assert(!ftruncate(memory, 4096));
		break;
	case FAKE_INSANE_OFFSET:
		w->evt_off = w->daemon_bytes - 64;
		break;
	case FAKE_INSANE_SLOTS:
		w->cmd_slots = 100;
		break;
	case FAKE_INSANE_CORES:
		w->cores = IX_CORES_MAX + 1;
		break;
	case FAKE_TRUNCATED:
		return sizeof(*w) / 2;
	default:
		break;
	}
	return sizeof(*w);
}

static void welcome_send(struct fake_ixd *fake)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * (2 + IX_CORES_MAX))];
	} control = {0};
	struct ix_welcome w;
	struct iovec part = {.iov_base = &w};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	unsigned fd_count = 2 + fake->cores;
	int fds[2 + IX_CORES_MAX];
	int memory;

	lay_out(fake, &w);
	memory = memory_make("daemon", w.daemon_bytes, &fake->daemon_memory);
	fds[0] = read_only(memory);
	fds[1] = memory_make("client", w.client_bytes, &fake->client_memory);
	for (unsigned i = 0; i < fake->cores; i++) {
		int pair[2];

		cr_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
		fake->core[i].doorbell = pair[0];
		fds[2 + i] = pair[1];
	}
	cores_attach(fake, &w);
	part.iov_len = spoil(fake, &w, memory, &fd_count);
	if (fd_count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
	}
	cr_assert(sendmsg(fake->sock, &message, MSG_NOSIGNAL) > 0);
	close(memory);
	for (unsigned i = 0; i < 2 + fake->cores; i++)
		close(fds[i]);
}

static void *answer(void *arg)
{
	struct fake_ixd *fake = arg;

	fake->sock = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert(fake->sock >= 0);
	cr_assert(recv(fake->sock, &fake->hello, sizeof(fake->hello), 0) == (ssize_t)sizeof(fake->hello));
	if (fake->fault == FAKE_HANGS_UP) {
		close(fake->sock);
		fake->sock = -1;
	} else if (fake->fault != FAKE_SAYS_NOTHING) {
		welcome_send(fake);
	}
	return NULL;
}

void fake_start(struct fake_ixd *fake)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!fake->cores)
		fake->cores = 1;
	if (!fake->cmd_slots)
		fake->cmd_slots = 16;
	if (!fake->evt_slots)
		fake->evt_slots = 16;
	if (!fake->rx_bytes)
		fake->rx_bytes = 65536;
	if (!fake->tx_bytes)
		fake->tx_bytes = 1048576;
	fake->sock = -1;
	for (unsigned i = 0; i < IX_CORES_MAX; i++)
		fake->core[i].doorbell = -1;
	snprintf(fake->dir, sizeof(fake->dir), "/tmp/ix-fake-XXXXXX");
	cr_assert(mkdtemp(fake->dir));
	snprintf(fake->path, sizeof(fake->path), "%s/client.sock", fake->dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert(!bind(fake->listener, (struct sockaddr *)&address, sizeof(address)));
	cr_assert(!listen(fake->listener, 4));
	cr_assert(!pthread_create(&fake->thread, NULL, answer, fake));
}

void fake_join(struct fake_ixd *fake)
{
	cr_assert(!pthread_join(fake->thread, NULL));
}

struct ix_client *fake_open(struct fake_ixd *fake)
{
	struct ix_client *client;
	int error;

	fake_start(fake);
	error = ix_open(fake->path, NULL, &client);
	cr_assert(error == 0, "%s", ix_open_reason());
	fake_join(fake);
	return client;
}

void fake_hang_up(struct fake_ixd *fake)
{
	if (fake->sock >= 0)
		close(fake->sock);
	fake->sock = -1;
	for (unsigned i = 0; i < fake->cores; i++) {
		if (fake->core[i].doorbell >= 0)
			close(fake->core[i].doorbell);
		fake->core[i].doorbell = -1;
	}
}

void fake_stop(struct fake_ixd *fake)
{
	fake_hang_up(fake);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->dir);
}

bool fake_take(struct fake_ixd *fake, unsigned core, struct ix_cmd *cmd)
{
	struct fake_core *c = &fake->core[core];

	if (ix_ring_load(&c->client->cmd_prod) == c->cmd_cons)
		return false;
	*cmd = c->cmds[c->cmd_cons & (fake->cmd_slots - 1)];
	ix_ring_store(&c->daemon->cmd_cons, ++c->cmd_cons);
	return true;
}

struct ix_cmd fake_expect(struct fake_ixd *fake, unsigned core, enum ix_op op)
{
	struct ix_cmd cmd;

	cr_assert(fake_take(fake, core, &cmd), "no command where op %d was expected", op);
	cr_assert(cmd.op == op, "op %d where %d was expected", cmd.op, op);
	return cmd;
}

void fake_post(struct fake_ixd *fake, unsigned core, const struct ix_event *event)
{
	struct fake_core *c = &fake->core[core];

	cr_assert(c->evt_prod - ix_ring_load(&c->client->evt_cons) < fake->evt_slots, "event ring full");
	c->events[c->evt_prod & (fake->evt_slots - 1)] = *event;
	ix_ring_store(&c->daemon->evt_prod, ++c->evt_prod);
	if (!ix_ring_peer_sleeps(&c->client->is_sleeping))
		return;
	if (ix_ring_load(&c->client->is_sleeping) == IX_SLEEP_FUTEX)
		syscall(SYS_futex, &c->daemon->evt_prod, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	else
		send(c->doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void fake_post_recv(struct fake_ixd *fake, unsigned core, uint64_t cookie, uint64_t off, const void *data,
		    uint32_t len)
{
	memcpy(fake->rx + off, data, len);
	fake_post(fake, core,
		  &(struct ix_event){.type = IX_EV_RECV, .cookie = cookie, .off = off, .recv.len = len});
}

void fake_post_sent(struct fake_ixd *fake, unsigned core, uint64_t cookie, uint64_t acked, uint64_t limit)
{
	fake_post(fake, core,
		  &(struct ix_event){
		      .type = IX_EV_SENT, .cookie = cookie, .acked_total = acked, .sent.send_limit = limit});
}

unsigned fake_drain_doorbell(struct fake_ixd *fake, unsigned core)
{
	char bytes[64];
	ssize_t got = recv(fake->core[core].doorbell, bytes, sizeof(bytes), MSG_DONTWAIT);

	return got > 0 ? (unsigned)got : 0;
}

unsigned fake_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	cr_assert(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}
