/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which bursts leave by the transmit program, what its slots hold then, and what becomes of packets that the
 * kernel does not take. The call itself is played by the test.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/dataplane/packet_fixture.h"

#define MANY 200u

static struct fixture f;

/* The kernel's part. */
static struct {
	uint32_t calls, frames; /* of the last call */
	uint32_t takes;         /* of each call, at most */
	int error;
	uint32_t staged; /* frames that are the kernel's before the call */
	uint8_t first_byte[FIXTURE_SLOTS];
	uint32_t seen;
} kernel;

static uint32_t owned_by(enum frame_owner who)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < FIXTURE_FRAMES; i++)
		count += frame_byte_owner(f.core->frames->owner[i]) == who;
	return count;
}

int __wrap_xdp_transmit_run(struct xdp_transmit *transmit, uint32_t count, uint32_t *sent);
int __wrap_xdp_transmit_run(struct xdp_transmit *transmit, uint32_t count, uint32_t *sent)
{
	kernel.calls++;
	kernel.frames = count;
	*sent = count < kernel.takes ? count : kernel.takes;
	/* A crash here costs no frame. */
	cr_assert_eq(owned_by(FRAME_KERNEL_TX), kernel.staged - count);
	kernel.staged -= *sent;
	for (uint32_t i = 0; i < *sent; i++) {
		cr_assert_eq(transmit->slots[i].port, 0);
		cr_assert_eq(transmit->slots[i].len, 60 + transmit->slots[i].data[0] % 7);
		cr_assert_eq(transmit->slots[i].data[transmit->slots[i].len - 1], 0xee);
		kernel.first_byte[kernel.seen++] = transmit->slots[i].data[0];
	}
	return kernel.error;
}

static struct ixd_tx_slot slots[IXD_TX_SLOTS];
static struct ixd_tx_cursor cursor;

static void setup(void)
{
	fixture_init(&f);
	f.port->is_zerocopy = false;
	f.core->xsk->transmit = xdp_transmit_new(-1, slots, &cursor, 0);
	cr_assert_not_null(f.core->xsk->transmit);
	f.mirror->ifaces[0].can_xdp_transmit = 1;
	memset(&kernel, 0, sizeof(kernel));
	kernel.takes = UINT32_MAX;
}

static void teardown(void)
{
	free(f.core->xsk->transmit);
	f.core->xsk->transmit = NULL;
	fixture_fini(&f);
}

TestSuite(xsk_transmit, .init = setup, .fini = teardown);

/* Packets that say their number. */
static void stage(uint32_t count)
{
	kernel.staged = owned_by(FRAME_KERNEL_TX) + count;
	for (uint32_t i = 0; i < count; i++) {
		frame_index frame = {0};
		uint32_t len = 60 + i % 256 % 7;

		cr_assert(frame_alloc(f.core->frames, &frame));
		f.dp.umem[frame_addr(frame) + IP_TX_OFF] = (uint8_t)i;
		f.dp.umem[frame_addr(frame) + IP_TX_OFF + len - 1] = 0xee;
		xsk_tx_put(f.core, 0, frame, IP_TX_OFF, len);
	}
}

static void expect_by_socket(uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t len;
		const uint8_t *data = fixture_tx_take(&f, &len, NULL);

		cr_assert_not_null(data);
		cr_assert_eq(data[0], (uint8_t)(first + i));
	}
	cr_assert_null(fixture_tx_take(&f, &(uint32_t){0}, NULL));
}

Test(xsk_transmit, a_burst_in_order)
{
	for (uint32_t round = 1; round <= 3; round++) {
		kernel.seen = 0;
		stage(MANY);
		xsk_tx_burst(f.core);
		cr_assert_eq(kernel.calls, 2 * round); /* of IXD_TX_SLOTS at most */
		cr_assert_eq(kernel.frames, MANY - IXD_TX_SLOTS);
		cr_assert_eq(kernel.seen, MANY);
		for (uint32_t i = 0; i < MANY; i++)
			cr_assert_eq(kernel.first_byte[i], (uint8_t)i);
		cr_assert_eq(f.core->frames->count, FIXTURE_FRAMES); /* free at once */
		expect_by_socket(0, 0);
	}
	cr_assert_eq(f.core->stats->tx_xdp, 3 * MANY);
	cr_assert_eq(f.core->stats->tx_xdp_calls, 6);
	cr_assert_eq(f.core->stats->tx_xdp_failed, 0);
}

Test(xsk_transmit, few_go_by_the_socket)
{
	stage(XSK_TRANSMIT_MIN - 1);
	xsk_tx_burst(f.core);
	cr_assert_eq(kernel.calls, 0);
	expect_by_socket(0, XSK_TRANSMIT_MIN - 1);
	f.port->is_tx_stalled = false; /* nobody has kicked a kernel */
	stage(XSK_TRANSMIT_MIN);
	xsk_tx_burst(f.core);
	cr_assert_eq(kernel.frames, XSK_TRANSMIT_MIN);
}

Test(xsk_transmit, not_when_it_is_not_allowed)
{
	f.mirror->ifaces[0].can_xdp_transmit = 0;
	stage(20);
	xsk_tx_burst(f.core);
	expect_by_socket(0, 20);
	f.mirror->ifaces[0].can_xdp_transmit = 1;

	f.port->is_zerocopy = true;
	stage(20);
	xsk_tx_burst(f.core);
	expect_by_socket(0, 20);
	f.port->is_zerocopy = false;

	/* What the socket still has goes first. */
	f.port->is_tx_stalled = true;
	stage(20);
	xsk_tx_burst(f.core);
	expect_by_socket(0, 20);
	cr_assert_eq(kernel.calls, 0);
}

Test(xsk_transmit, what_is_not_taken_goes_by_the_socket)
{
	kernel.takes = 50;
	kernel.error = -ENOMEM;
	stage(MANY);
	xsk_tx_burst(f.core);
	cr_assert_eq(kernel.calls, 1);
	cr_assert_eq(kernel.seen, 50);
	cr_assert_eq(kernel.first_byte[49], 49);
	cr_assert_eq(owned_by(FRAME_KERNEL_TX), MANY - 50);
	expect_by_socket(50, MANY - 50);
	cr_assert_eq(f.core->stats->tx_xdp, 50);
	cr_assert_eq(f.core->stats->tx_xdp_failed, 1);

	/* Not again for a second, then it is tried. */
	f.port->is_tx_stalled = false;
	kernel.error = 0;
	kernel.takes = UINT32_MAX;
	stage(20);
	xsk_tx_burst(f.core);
	cr_assert_eq(kernel.calls, 1);
	expect_by_socket(0, 20);
	f.port->is_tx_stalled = false;
	f.core->now.ns += 1000000000;
	stage(20);
	xsk_tx_burst(f.core);
	cr_assert_eq(kernel.calls, 2);
}

Test(xsk_transmit, an_interrupted_call_is_no_refusal)
{
	kernel.takes = 10;
	kernel.error = -EINTR;
	stage(20);
	xsk_tx_burst(f.core);
	cr_assert_eq(kernel.calls, 1);
	cr_assert_eq(kernel.seen, 10);
	expect_by_socket(10, 10);
	cr_assert_eq(f.core->stats->tx_xdp_failed, 1);
	cr_assert_eq(f.core->xsk->transmit->retry_at.ns, 0);
}

/* The kernel had no fresh memory for some. */
Test(xsk_transmit, a_call_that_sends_fewer)
{
	kernel.takes = 30;
	stage(100);
	xsk_tx_burst(f.core);
	cr_assert_eq(kernel.calls, 3);
	cr_assert_eq(kernel.seen, 90);
	for (uint32_t i = 0; i < 90; i++)
		cr_assert_eq(kernel.first_byte[i], (uint8_t)i);
	cr_assert_eq(f.core->stats->tx_xdp_failed, 3);
	expect_by_socket(90, 10);
	f.port->is_tx_stalled = false;

	/* None at all, and no reason given: not tried again and again. */
	kernel.takes = 0;
	stage(100);
	xsk_tx_burst(f.core);
	cr_assert_eq(kernel.calls, 4);
	expect_by_socket(0, 100);
	cr_assert_eq(f.core->stats->tx_xdp_failed, 4);
}
