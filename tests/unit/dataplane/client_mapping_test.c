/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's memories are mapped only when layout, sizes and descriptors agree.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/dataplane/client_mapping.h"

#define PAGE 4096u

static int fds[4];
static struct msg_client_add m;

static void setup(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fds[0] = memfd_create("daemon", 0);
	fds[1] = memfd_create("client", 0);
	fds[2] = pair[0];
	fds[3] = pair[1];
	cr_assert_eq(ftruncate(fds[0], 8 * PAGE) + ftruncate(fds[1], 8 * PAGE), 0);
	m = (struct msg_client_add){.client = 5, .uid = 77, .rules_count = 1, .limits = {.conns_max = 9}};
	m.layout = (struct ix_welcome){.cores = 2,
				       .cmd_slots = 16,
				       .evt_slots = 16,
				       .daemon_bytes = 8 * PAGE,
				       .client_bytes = 8 * PAGE,
				       .daemon_core_stride = 192,
				       .evt_off = PAGE,
				       .evt_stride = 1024,
				       .rx_off = 4 * PAGE,
				       .rx_bytes = 4 * PAGE,
				       .client_core_stride = 192,
				       .cmd_off = PAGE,
				       .cmd_stride = 1024,
				       .tx_off = 4 * PAGE,
				       .tx_bytes = 4 * PAGE};
}

TestSuite(client_mapping, .init = setup);

static int try_open(void)
{
	struct client_mapping *mapping;
	int r = client_mapping_open(&m, 2, fds, 4, &mapping);

	if (r == 0)
		client_mapping_close(mapping, 2);
	return r;
}

Test(client_mapping, good)
{
	struct client_mapping *mapping;

	cr_assert_eq(client_mapping_open(&m, 2, fds, 4, &mapping), 0);
	cr_assert_eq(mapping->client, 5);
	cr_assert_eq(mapping->policy[1]->limits.conns_max, 9);
	cr_assert_neq(mapping->policy[0], mapping->policy[1]);
	mapping->daemon_memory[8 * PAGE - 1] = 1;
	cr_assert_eq(mapping->client_memory[8 * PAGE - 1], 0);
	client_mapping_close(mapping, 2);
	cr_assert_eq(write(fds[2], "x", 1), -1); /* the doorbells went with it */
}

Test(client_mapping, memory_shorter_than_its_layout)
{
	cr_assert_eq(ftruncate(fds[1], 7 * PAGE), 0);
	cr_assert_eq(try_open(), -EPROTO);
}

Test(client_mapping, descriptors_missing)
{
	struct client_mapping *mapping;

	cr_assert_eq(client_mapping_open(&m, 2, fds, 3, &mapping), -EPROTO);
}

#define REFUSED(name, change)                                                                                \
	Test(client_mapping, name)                                                                           \
	{                                                                                                    \
		change;                                                                                      \
		cr_assert_eq(try_open(), -EPROTO);                                                           \
	}

REFUSED(client_index, m.client = IXD_CLIENTS_MAX)
REFUSED(other_cores, m.layout.cores = 3)
REFUSED(slots_not_a_power_of_two, m.layout.cmd_slots = 15)
REFUSED(no_slots, m.layout.evt_slots = 0)
REFUSED(arena_beyond_the_end, m.layout.tx_bytes = 4 * PAGE + 1)
REFUSED(arena_wraps, m.layout.rx_off = UINT64_MAX - 63)
REFUSED(ring_beyond_the_end, m.layout.evt_off = 8 * PAGE - 1024)
REFUSED(rings_overlap, m.layout.cmd_stride = 512)
REFUSED(stride_wraps, m.layout.evt_stride = UINT64_MAX - 63)
REFUSED(unaligned, m.layout.cmd_off = PAGE + 8)
