/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client may have, how its memories are laid out, and what it cannot do to them.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/client_memory.h"
#include "daemon/supervisor/memory.h"

static const struct config_grants grants = {.rx_bytes = 1u << 20,
					    .rx_bytes_max = 4u << 20,
					    .tx_bytes = 1u << 20,
					    .tx_bytes_max = 4u << 20,
					    .cmd_slots = 64,
					    .cmd_slots_max = 256,
					    .evt_slots = 128,
					    .evt_slots_max = 256,
					    .connections_max = 10,
					    .listeners_max = 2,
					    .clients_max = 1};

static int decide(struct ix_hello hello, uint32_t cores, struct client_limits *limits, struct why *why)
{
	memset(limits, 0, sizeof(*limits));
	return client_limits_decide(&hello, &grants, cores, limits, why);
}

Test(client_memory, zero_asks_for_the_default)
{
	struct client_limits limits;
	struct why why;

	cr_assert_eq(decide((struct ix_hello){0}, 2, &limits, &why), 0);
	cr_expect_eq(limits.rx_bytes, 1u << 20);
	cr_expect_eq(limits.cmd_slots, 64);
	cr_expect_eq(limits.evt_slots, 128);
	cr_expect_eq(limits.conns_max, 10);
	cr_expect_eq(limits.listeners_max, 2);
}

Test(client_memory, more_than_the_limit_is_refused_with_the_limit)
{
	struct client_limits limits;
	struct why why;

	cr_expect_eq(decide((struct ix_hello){.rx_bytes = 5u << 20}, 1, &limits, &why), -EDQUOT);
	cr_expect_not_null(strstr(why.text, "4194304"));
	cr_expect_eq(decide((struct ix_hello){.tx_bytes = UINT64_MAX}, 1, &limits, &why), -EDQUOT);
	cr_expect_eq(decide((struct ix_hello){.cmd_slots = 512}, 1, &limits, &why), -EDQUOT);
	cr_expect_eq(decide((struct ix_hello){.cmd_slots = 100}, 1, &limits, &why), -EINVAL);
	cr_expect_eq(decide((struct ix_hello){.evt_slots = 8}, 1, &limits, &why), -EINVAL);
	cr_expect_eq(decide((struct ix_hello){.rx_bytes = 1}, 1, &limits, &why), -EINVAL);
}

static bool is_apart(uint64_t off, uint64_t bytes, uint64_t other_off, uint64_t other_bytes)
{
	return off + bytes <= other_off || other_off + other_bytes <= off;
}

Test(client_memory, parts_do_not_overlap)
{
	for (uint32_t cores = 1; cores <= IXD_CORES_MAX; cores++) {
		struct client_limits limits = {
		    .rx_bytes = 4u << 20, .tx_bytes = 4u << 20, .cmd_slots = 64, .evt_slots = 256};
		struct ix_welcome l = {0};

		client_layout_compute(&limits, cores, &l);
		cr_expect(is_apart(l.daemon_core_off, cores * l.daemon_core_stride, l.evt_off,
				   cores * l.evt_stride));
		cr_expect(is_apart(l.evt_off, cores * l.evt_stride, l.rx_off, l.rx_bytes));
		cr_expect(l.rx_off + l.rx_bytes <= l.daemon_bytes);
		cr_expect(l.evt_stride >= l.evt_slots * sizeof(struct ix_event));
		cr_expect(is_apart(l.client_core_off, cores * l.client_core_stride, l.cmd_off,
				   cores * l.cmd_stride));
		cr_expect(is_apart(l.cmd_off, cores * l.cmd_stride, l.tx_off, l.tx_bytes));
		cr_expect(l.tx_off + l.tx_bytes <= l.client_bytes);
		cr_expect(l.cmd_stride >= l.cmd_slots * sizeof(struct ix_cmd));
	}
}

Test(client_memory, client_can_neither_write_nor_resize)
{
	struct client_limits limits = {
	    .rx_bytes = 1u << 17, .tx_bytes = 1u << 16, .cmd_slots = 16, .evt_slots = 16};
	struct ix_welcome layout = {0};
	struct client_memory memory;
	int peer_fds[2 + IXD_CORES_MAX];
	struct stat status;

	client_layout_compute(&limits, 2, &layout);
	cr_assert_eq(client_memory_create(&memory, &layout, peer_fds), 0);
	cr_expect_eq(fcntl(peer_fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	cr_expect_eq(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, peer_fds[0], 0), MAP_FAILED);
	cr_expect_neq(ftruncate(peer_fds[1], 0), 0);
	cr_expect_neq(ftruncate(peer_fds[1], (off_t)layout.client_bytes * 2), 0);
	cr_expect_eq(fcntl(peer_fds[1], F_ADD_SEALS, F_SEAL_WRITE), -1);
	cr_assert_eq(fstat(peer_fds[0], &status), 0);
	cr_expect_eq(status.st_mode & 0777, 0600);
	cr_expect_eq((uint64_t)status.st_size, layout.daemon_bytes);
	/* A restarted dataplane must be able to map both for writing. */
	void *area = memory_map(memory.daemon_fd, layout.daemon_bytes, PROT_READ | PROT_WRITE);
	cr_expect_not_null(area);
	for (uint32_t i = 0; i < 4; i++)
		close(peer_fds[i]);
	client_memory_close(&memory);
	cr_expect_eq(memory.daemon_fd, -1);
}
