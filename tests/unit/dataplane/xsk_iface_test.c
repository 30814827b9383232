/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interface's sockets go: what becomes of every frame that they had.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/dataplane/packet_fixture.h"

static struct fixture f;

static void setup(void)
{
	fixture_init(&f);
}

static void teardown(void)
{
	fixture_fini(&f);
}

TestSuite(xsk_iface, .init = setup, .fini = teardown);

Test(xsk_iface, every_frame_comes_back)
{
	uint8_t data[60] = {0};
	uint64_t addrs[20];
	frame_index frame;
	uint32_t len;

	xsk_refill(f.core);
	for (uint32_t i = 0; i < 20; i++) {
		cr_assert(frame_alloc(f.core->frames, &frame));
		xsk_tx_put(f.core, 0, frame, 0, 60);
	}
	xsk_tx_burst(f.core);
	for (uint32_t i = 0; i < 20; i++)
		cr_assert_not_null(fixture_tx_take(&f, &len, &addrs[i]));
	for (uint32_t i = 0; i < 8; i++)
		fixture_complete(&f, addrs[i]);
	for (uint32_t i = 0; i < 5; i++)
		cr_assert(fixture_rx_put(&f, data, sizeof(data)));
	uint32_t before = f.core->frames->count;

	xsk_iface_detach(f.core, 0);
	cr_expect_eq(f.core->frames->count, before + 8, "what is complete is taken");
	cr_expect_eq(f.core->stats->drop_rx_closed, 5);
	cr_expect_eq(xsk_tx_room(f.core, 0, 1), 0);
	cr_expect_not(xsk_has_work(f.core));
	xsk_iface_release(f.core, 0);
	/* The driver has let go. */
	frame_reclaim(f.core->frames, 1);
	cr_expect_eq(f.core->frames->count, FIXTURE_FRAMES);
	cr_expect_eq(f.core->frames->rx_lent, 0);
}

Test(xsk_iface, frames_of_other_queues_stay_with_the_kernel)
{
	uint8_t owner[8] = {frame_byte(FRAME_KERNEL_RX, 3), frame_byte(FRAME_KERNEL_TX, 3),
			    frame_byte(FRAME_KERNEL_RX, 63), frame_byte(FRAME_KERNEL_TX, 4)};
	struct frame_pool *pool = frame_pool_new(owner, 0, 8);

	cr_assert_eq(pool->count, 4);
	cr_assert_eq(pool->rx_lent, 2);
	frame_reclaim(pool, 1ull << 3);
	cr_expect_eq(pool->count, 6);
	cr_expect_eq(owner[2], frame_byte(FRAME_KERNEL_RX, 63));
	frame_reclaim(pool, 1ull << 63);
	cr_expect_eq(pool->count, 7);
	cr_expect_eq(pool->rx_lent, 0);
	frame_reclaim(pool, ~(1ull << 4));
	cr_expect_eq(pool->count, 7);
	frame_pool_free(pool);
}

/* Two cores; the second has no socket and passes its packets to the first. */
Test(xsk_iface, packets_on_their_way_to_another_core_are_forgotten)
{
	struct core *other = aligned_alloc(64, sizeof(*other));
	frame_index frame;

	memset(other, 0, sizeof(*other));
	frame_exchange_free(f.dp.exchange);
	f.dp.exchange = frame_exchange_new(2, FIXTURE_FRAMES / 2);
	frame_pool_free(f.core->frames);
	f.core->frames = frame_pool_new(f.dp.frame_owner, 0, FIXTURE_FRAMES / 2);
	f.dp.cores = 2;
	f.dp.core[1] = other;
	((struct msg_init *)(uintptr_t)f.dp.init)->fixed.xsk_ring_slots = 64;
	other->dp = &f.dp;
	other->id = 1;
	other->wake_fd = -1;
	other->stats = calloc(2, sizeof(*other->stats));
	other->frames = frame_pool_new(f.dp.frame_owner, FIXTURE_FRAMES / 2, FIXTURE_FRAMES / 2);
	other->xsk = xsk_core_new();
	cr_assert_eq(xsk_iface_connect(other, 0, 1u << 0), 0);
	for (unsigned i = 0; i < 10; i++) {
		cr_assert_eq(xsk_tx_room(other, 0, 1), 1);
		cr_assert(frame_alloc(other->frames, &frame));
		xsk_tx_put(other, 0, frame, 0, 60);
	}
	xsk_tx_burst(other);
	cr_assert_eq(other->frames->count, FIXTURE_FRAMES / 2 - 10);

	xsk_iface_detach(f.core, 0);
	xsk_iface_detach(other, 0);
	cr_expect_eq(xsk_tx_room(other, 0, 1), 0);
	xsk_iface_release(f.core, 0);
	xsk_iface_release(other, 0);
	frame_collect(other);
	cr_expect_eq(other->frames->count, FIXTURE_FRAMES / 2, "they have come home");
	xsk_reap(f.core);
	frame_flush(f.core);
	frame_collect(other);
	cr_expect_eq(other->frames->count, FIXTURE_FRAMES / 2, "once");

	frame_pool_free(other->frames);
	free(other->xsk);
	free(other->stats);
	free(other);
}

Test(xsk_iface, receiving_leaves_frames_to_sending)
{
	uint32_t given = 0;

	/* A driver that takes whatever is in the FILL ring. */
	for (unsigned i = 0; i < 20; i++) {
		f.core->xsk->refill_credit = XSK_REFILL_FRAMES;
		xsk_refill(f.core);
		given += *f.port->fill.producer - *f.port->fill.consumer;
		*f.port->fill.consumer = *f.port->fill.producer;
	}
	cr_expect_eq(given, FIXTURE_FRAMES / 4 * 3);
	cr_expect_eq(f.core->frames->count, FIXTURE_FRAMES / 4);
}
