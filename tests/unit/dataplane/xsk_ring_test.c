/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping the rings of a socket of the kernel's.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/dataplane/xsk_ring.h"

#define SLOTS 64u

static int fd;

static void setup(void)
{
	const uint32_t slots = SLOTS;

	fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		cr_skip_test("no AF_XDP socket: %s", strerror(errno));
	cr_assert_eq(setsockopt(fd, SOL_XDP, XDP_RX_RING, &slots, sizeof(slots)), 0);
	cr_assert_eq(setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &slots, sizeof(slots)), 0);
}

static void teardown(void)
{
	close(fd);
}

TestSuite(xsk_ring, .init = setup, .fini = teardown);

Test(xsk_ring, is_mapped_and_empty)
{
	struct xsk_map rx_map, fill_map;
	struct xsk_ring rx, fill;

	cr_assert_eq(xsk_ring_map(&rx, &rx_map, fd, XSK_RING_RX, SLOTS), 0);
	cr_expect_eq(xsk_ring_waiting(&rx), 0);
	cr_assert_eq(xsk_ring_map(&fill, &fill_map, fd, XSK_RING_FILL, SLOTS), 0);
	cr_expect_eq(xsk_ring_room(&fill, SLOTS), SLOTS);
	for (uint32_t i = 0; i < SLOTS; i++)
		*xsk_ring_addr(&fill, fill.prod++) = i;
	xsk_ring_submit(&fill);
	cr_expect_eq(xsk_ring_backlog(&fill), SLOTS);
	cr_expect_eq(munmap(rx_map.base, rx_map.bytes), 0);
	cr_expect_eq(munmap(fill_map.base, fill_map.bytes), 0);
}

Test(xsk_ring, goes_on_where_a_process_before_left_off)
{
	struct xsk_map before_map, map;
	struct xsk_ring before, ring;

	cr_assert_eq(xsk_ring_map(&before, &before_map, fd, XSK_RING_FILL, SLOTS), 0);
	before.prod += 5;
	xsk_ring_submit(&before);
	munmap(before_map.base, before_map.bytes);
	cr_assert_eq(xsk_ring_map(&ring, &map, fd, XSK_RING_FILL, SLOTS), 0);
	cr_expect_eq(ring.prod, 5);
	cr_expect_eq(ring.cons, 0);
	munmap(map.base, map.bytes);
}

Test(xsk_ring, what_is_none_is_not_mapped)
{
	struct xsk_map map = {0};
	struct xsk_ring ring = {0};

	cr_expect_eq(xsk_ring_map(&ring, &map, fd, XSK_RING_RX, 0), -EINVAL);
	cr_expect_eq(xsk_ring_map(&ring, &map, fd, XSK_RING_RX, SLOTS - 1), -EINVAL);
	cr_expect_lt(xsk_ring_map(&ring, &map, fd, XSK_RING_TX, SLOTS), 0, "the socket has none");
	cr_expect_lt(xsk_ring_map(&ring, &map, -1, XSK_RING_RX, SLOTS), 0);
	cr_expect_eq(map.bytes, 0);
	cr_expect_null(ring.slots);
}
