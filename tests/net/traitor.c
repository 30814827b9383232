/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for ixd-dataplane or ixd-control, as one that an attacker has taken over: says to the supervisor
 * whatever may be said and more. argv[0] tells which of the two it is; what it learns goes to standard error.
 */
#include <linux/bpf.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bpf/transmit.h"
#include "daemon/common/msg.h"
#include "tests/net/k.h"

#define FLOOD    20000
#define RUNS     3000
#define FILL_MAX 1024 /* bytes of a message that are made random */

static uint64_t seed;

static uint32_t random_number(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % below;
}

/* Small, just out of range, or anything. */
static uint32_t random_index(uint32_t limit)
{
	switch (random_number(4)) {
	case 0:
		return random_number(3);
	case 1:
		return limit + random_number(2);
	case 2:
		return random_number(limit);
	default:
		return UINT32_MAX - random_number(2);
	}
}

static bool say(const struct msg *m, size_t bytes, const int *fds, unsigned fds_count)
{
	union {
		char buffer[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = {.buffer = {0}};
	struct iovec part = {.iov_len = bytes};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	memcpy(&part.iov_base, &m, sizeof(m));
	if (fds_count > 0) {
		header.msg_control = control.buffer;
		header.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fds_count * sizeof(int));
	}
	return sendmsg(MSG_CHILD_FD, &header, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static size_t bytes_of(uint32_t type)
{
	const struct msg *m = NULL;
	size_t head = offsetof(struct msg, init);

	switch (type) {
	case MSG_SUP_ALIVE:
		return head + sizeof(m->alive);
	case MSG_SUP_CLIENT_READY:
	case MSG_SUP_CLIENT_GONE:
		return head + sizeof(m->client);
	case MSG_SUP_CLIENT_FAULT:
		return head + sizeof(m->fault);
	case MSG_SUP_LISTEN:
	case MSG_SUP_UNLISTEN:
	case MSG_SUP_LISTEN_READY:
		return head + sizeof(m->listen);
	case MSG_SUP_NEIGH:
		return head + sizeof(m->neigh);
	case MSG_SUP_REQUEST:
		return head + sizeof(m->request);
	default:
		return head;
	}
}

static void fill(struct msg *m)
{
	uint8_t *bytes = (uint8_t *)m;
	size_t end = sizeof(*m) < FILL_MAX ? sizeof(*m) : FILL_MAX;

	for (size_t i = offsetof(struct msg, init); i < end; i++)
		bytes[i] = (uint8_t)random_number(256);
	switch (m->type) {
	case MSG_SUP_CLIENT_READY:
	case MSG_SUP_CLIENT_GONE:
		m->client = random_index(IXD_CLIENTS_MAX);
		return;
	case MSG_SUP_CLIENT_FAULT:
		m->fault.client = random_index(IXD_CLIENTS_MAX);
		return;
	case MSG_SUP_LISTEN:
	case MSG_SUP_UNLISTEN:
	case MSG_SUP_LISTEN_READY:
		m->listen.client = random_index(IXD_CLIENTS_MAX);
		m->listen.listener = random_index(IXD_LISTENERS_MAX);
		m->listen.core = random_number(2);
		m->listen.outcome = random_number(2) ? 0 : -1;
		memset(m->listen.addr, 0, sizeof(m->listen.addr));
		m->listen.port =
		    (uint16_t)(random_number(2) ? 7100 + random_number(50) : random_number(65536));
		return;
	case MSG_SUP_NEIGH:
		memset(m->neigh.addr, 0, 10);
		memset(m->neigh.addr + 10, 0xff, 2);
		m->neigh.iface = random_index(1);
		m->neigh.vlan = random_number(3) ? 0 : random_index(4095);
		return;
	}
}

/* Well-formed messages with any content: none of them is a reason to end anybody. */
static void flood_well_formed(void)
{
	struct msg m;

	for (unsigned i = 0; i < FLOOD; i++) {
		m.type = MSG_SUP_READY + random_number(MSG_SUP_NEIGH - MSG_SUP_READY + 1);
		fill(&m);
		if (!say(&m, bytes_of(m.type), NULL, 0))
			exit(1);
	}
}

/* Types, sizes and descriptors that fit nothing. */
static void flood_malformed(void)
{
	const int fds[8] = {0, 1, 2, 0, 1, 2, 0, 1};
	struct msg m;

	for (unsigned i = 0; i < FLOOD; i++) {
		m.type = random_number(4) ? random_number(MSG_TYPE_COUNT + 2) : random_index(MSG_TYPE_COUNT);
		fill(&m);
		if (!say(&m, random_number(2) ? bytes_of(m.type) : random_number(sizeof(m)), fds,
			 random_number(3) ? 0 : random_number(9)) &&
		    errno != EPERM && errno != EINVAL)
			exit(1);
	}
}

static unsigned receive(struct msg *m, int *fds)
{
	char control[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
	struct iovec part = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr header = {
	    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

	if (recvmsg(MSG_CHILD_FD, &header, 0) <= 0)
		exit(0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	if (c == NULL || fds == NULL)
		return 0;
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

/* Asks for a change in the name of the best that it has at hand; the supervisor made all of these as root. */
static void ask_as(const char *what, int fd)
{
	struct msg m = {.type = MSG_SUP_REQUEST, .request = {.id = 7, .kind = REQUEST_RECONFIGURE}};

	if (!say(&m, bytes_of(MSG_SUP_REQUEST), &fd, 1))
		exit(1);
	do
		receive(&m, NULL);
	while (m.type != MSG_CTL_REPLY || !m.reply.is_last);
	fprintf(stderr, "traitor: as %s: outcome %d\n", what, m.reply.outcome);
}

static void control(void)
{
	struct msg m = {.type = MSG_NONE};
	int fds[MSG_FDS_MAX] = {0}, pair[2];

	receive(&m, fds);
	m.type = MSG_SUP_CTL_READY;
	say(&m, bytes_of(m.type), NULL, 0);
	ask_as("the socketpair", MSG_CHILD_FD);
	ask_as("the listener", fds[5]);
	ask_as("a memory", fds[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0)
		ask_as("itself", pair[0]);
	m.type = MSG_NONE;
	for (unsigned i = 0; i < 3; i++)
		say(&m, 0, NULL, 0);
	flood_malformed();
}

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* A UDP packet to ixd's own address, for everybody on the link: were it passed to the kernel, this would
 * count it. */
static void slot_fill(struct ixd_tx_slot *slot)
{
	static const uint8_t packet[] = {
	    255,  255, 255, 255, 255, 255, 2,    0, 0, 0,  0, 9, 8,  0,                      /* Ethernet */
	    0x45, 0,   0,   28,  0,   0,   0x40, 0, 1, 17, 0, 0, 10, 77, 0, 2, 10, 77, 0, 1, /* IPv4 */
	    0,    9,   0,   9,   0,   8,   0,    0};
	uint8_t *ip = slot->data + 14;
	uint32_t sum = 0;

	memcpy(slot->data, packet, sizeof(packet));
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	slot->port = random_number(4) ? random_index(IXD_IFACES_MAX) : random_number(64);
	slot->len = random_number(4) ? (uint32_t)sizeof(packet) + random_number(1400) : random_index(2040);
}

/* Maps of others by their numbers, as the one with the devices: they must not be had. */
static void maps_reach_for(int program_fd)
{
	uint32_t ids[16] = {0}; /* filled in by the kernel, unseen by tools */
	struct bpf_prog_info info = {.nr_map_ids = 16, .map_ids = (uintptr_t)ids};
	union bpf_attr attr = {
	    .info = {.bpf_fd = (uint32_t)program_fd, .info_len = sizeof(info), .info = (uintptr_t)&info}};

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
		return;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 16; i++) {
		memset(&attr, 0, sizeof(attr));
		attr.map_id = ids[i];
		if (bpf(BPF_MAP_GET_FD_BY_ID, &attr) >= 0)
			fprintf(stderr, "traitor: has a map by its number\n");
	}
}

/* Runs the transmit program in every way that comes to mind, outside the sandbox. */
static void transmit(int program_fd, int slots_fd, int cursors_fd)
{
	const size_t slots_bytes = sizeof(struct ixd_tx_slot) * IXD_TX_SLOTS;
	struct ixd_tx_slot *slots = mmap(NULL, slots_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slots_fd, 0);
	struct ixd_tx_cursor *cursors = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, cursors_fd, 0);
	unsigned done = 0;

	if (slots == MAP_FAILED || cursors == MAP_FAILED)
		k_die("traitor: maps: %s", strerror(errno));
	maps_reach_for(program_fd);
	for (unsigned run = 0; run < RUNS; run++) {
		struct ixd_tx_call call = {.core = random_number(3) ? 0 : random_index(IXD_CORES_MAX)};
		struct xdp_md context = {.data_end = sizeof(call), .ingress_ifindex = random_number(8)};
		union bpf_attr attr = {.test = {.prog_fd = (uint32_t)program_fd,
						.data_in = (uintptr_t)&call,
						.data_size_in = sizeof(call),
						.repeat = 1 + random_number(IXD_TX_SLOTS)}};

		for (unsigned i = 0; i < IXD_TX_SLOTS; i++)
			slot_fill(&slots[i]);
		cursors[0].next = random_number(4) ? 0 : random_index(IXD_TX_SLOTS);
		attr.test.flags = random_number(4) ? BPF_F_TEST_XDP_LIVE_FRAMES : 0;
		if (random_number(2)) {
			attr.test.ctx_in = (uintptr_t)&context;
			attr.test.ctx_size_in = sizeof(context);
		}
		done += bpf(BPF_PROG_TEST_RUN, &attr) == 0;
	}
	fprintf(stderr, "traitor: transmit: %u runs\n", done);
}

static void dataplane(void)
{
	struct msg m = {.type = MSG_NONE};
	int fds[MSG_FDS_MAX] = {0};

	if (receive(&m, fds) == MSG_DP_INIT_FDS + MSG_DP_TRANSMIT_FDS)
		transmit(fds[MSG_DP_INIT_FDS], fds[MSG_DP_INIT_FDS + 1], fds[MSG_DP_INIT_FDS + 2]);
	m.type = MSG_SUP_READY;
	say(&m, bytes_of(m.type), NULL, 0);
	fprintf(stderr, "traitor: dataplane, seed %llu\n", (unsigned long long)seed);
	switch (random_number(4)) {
	case 0:
		flood_malformed();
		return;
	case 1:
		/* Silent to the supervisor, and alive. */
		shutdown(MSG_CHILD_FD, SHUT_WR);
		pause();
		return;
	default:
		flood_well_formed();
		say(&m, 0, NULL, 0);
		flood_well_formed();
	}
}

int main(int argc, char **argv)
{
	(void)argc;
	seed = k_now_ns() | 1;
	if (strstr(argv[0], "control") != NULL)
		control();
	else
		dataplane();
	return 0;
}
