/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who touches a frame that is not his is found out; who keeps to the rules is left alone.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "daemon/common/log.h"
#include "tests/unit/dataplane/packet_fixture.h"

static struct fixture f;
static struct frame_sum sums[FIXTURE_FRAMES];

static void setup(void)
{
	fixture_init(&f);
	const struct frame_check_scope scope = {
	    .umem = f.dp.umem, .owner = f.dp.frame_owner, .frames_total = FIXTURE_FRAMES, .sums = sums};

	log_set_level(LOG_LEVEL_ERROR);
	frame_pool_watch(f.core->frames, frame_check_new(&scope, &f.core->stats->frame_faults));
}

static void teardown(void)
{
	fixture_fini(&f);
}

TestSuite(frame_check, .init = setup, .fini = teardown);

static uint8_t *frame_bytes(uint64_t addr)
{
	return f.dp.umem + addr;
}

static uint64_t send_one(void)
{
	frame_index frame;
	uint64_t addr;
	uint32_t len;

	cr_assert(frame_alloc(f.core->frames, &frame));
	memset(frame_bytes(frame_addr(frame)), 1, 100);
	xsk_tx_put(f.core, 0, frame, 0, 100);
	xsk_tx_burst(f.core);
	cr_assert_not_null(fixture_tx_take(&f, &len, &addr));
	return addr;
}

Test(frame_check, orderly_traffic_has_no_faults)
{
	uint8_t data[60] = {0};

	for (unsigned round = 0; round < 10; round++) {
		xsk_refill(f.core);
		for (unsigned i = 0; i < 40; i++)
			cr_assert(fixture_rx_put(&f, data, sizeof(data)));
		cr_assert_eq(xsk_rx_burst(f.core, f.core->rx, 64), 40);
		xsk_rx_return(f.core, f.core->rx);
		fixture_complete(&f, send_one());
		xsk_reap(f.core);
	}
	cr_expect_eq(f.core->stats->frame_faults, 0);
}

Test(frame_check, a_write_to_a_free_frame)
{
	frame_index frame = {f.core->frames->stack[f.core->frames->count - 1]};

	frame_bytes(frame_addr(frame))[700] ^= 1;
	cr_assert(frame_alloc(f.core->frames, &frame));
	cr_expect_eq(f.core->stats->frame_faults, 1);
}

Test(frame_check, a_write_to_a_packet_under_way)
{
	uint64_t addr = send_one();

	frame_bytes(addr)[50] ^= 1;
	fixture_complete(&f, addr);
	xsk_reap(f.core);
	cr_expect_eq(f.core->stats->frame_faults, 1);
}

Test(frame_check, a_completion_that_comes_twice)
{
	uint64_t addr = send_one();

	fixture_complete(&f, addr);
	fixture_complete(&f, addr);
	xsk_reap(f.core);
	cr_expect_geq(f.core->stats->frame_faults, 1);
	cr_expect_eq(f.core->frames->count, FIXTURE_FRAMES, "it is in the pool once");
}

Test(frame_check, a_packet_in_a_frame_that_was_not_given_for_it)
{
	frame_check_received(f.core->frames->check, 5 * IXD_FRAME_BYTES, 0);
	cr_expect_eq(f.core->stats->frame_faults, 1);
	f.dp.frame_owner[5] = frame_byte(FRAME_KERNEL_RX, 2);
	frame_check_received(f.core->frames->check, 5 * IXD_FRAME_BYTES, 0);
	cr_expect_eq(f.core->stats->frame_faults, 2, "another queue's");
	frame_check_received(f.core->frames->check, 5 * IXD_FRAME_BYTES, 2);
	cr_expect_eq(f.core->stats->frame_faults, 2);
	frame_check_completed(f.core->frames->check, (uint64_t)FIXTURE_FRAMES * IXD_FRAME_BYTES, 0);
	cr_expect_eq(f.core->stats->frame_faults, 3, "no such frame");
}
