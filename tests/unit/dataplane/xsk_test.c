/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings against a kernel played by the test, frame accounting, and the rings between cores.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

TestSuite(xsk, .init = setup, .fini = teardown);

static uint32_t owned(uint8_t who)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < FIXTURE_FRAMES; i++)
		count += f.dp.frame_owner[i] == who;
	return count;
}

Test(xsk, refill_fills_the_ring_and_leaves_some)
{
	xsk_refill(f.core);
	cr_assert_eq(*f.port->fill.producer, FIXTURE_SLOTS);
	cr_assert_eq(owned(FRAME_KERNEL_RX), FIXTURE_SLOTS);
	cr_assert_eq(f.core->frames->count, FIXTURE_FRAMES - FIXTURE_SLOTS);
	xsk_refill(f.core); /* nothing came back since */
	cr_assert_eq(*f.port->fill.producer, FIXTURE_SLOTS);
}

/* The driver found the ring empty, and says so only after it has been filled: no other refill is due then. */
Test(xsk, driver_that_begins_to_wait_late_is_woken)
{
	int pair[2], fd = f.port->fd;
	char byte = 0;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	f.port->fd = pair[0];
	f.port->is_zerocopy = true;
	cr_assert_eq(xsk_next_timer(f.core).ns, 0);
	xsk_refill(f.core);
	cr_assert_gt(xsk_next_timer(f.core).ns, f.core->now.ns, "sleeps only for a while");
	cr_assert_eq(send(pair[1], &byte, 1, 0), 1);
	xsk_refill(f.core);
	cr_assert_eq(recv(pair[0], &byte, 1, MSG_PEEK), 1, "nobody waits, nobody is woken");
	*f.port->fill.flags = XDP_RING_NEED_WAKEUP;
	xsk_refill(f.core);
	cr_assert_eq(recv(pair[0], &byte, 1, MSG_PEEK), -1, "woken");
	*f.port->fill.consumer += 1;
	cr_assert_eq(xsk_next_timer(f.core).ns, 0, "it has taken frames: sleeps as long as it likes");
	/* Without a frame in the ring there is nothing to tell. */
	*f.port->fill.consumer = *f.port->fill.producer;
	cr_assert_eq(send(pair[1], &byte, 1, 0), 1);
	xsk_refill(f.core);
	cr_assert_eq(recv(pair[0], &byte, 1, MSG_PEEK), 1);
	f.port->fd = fd;
	close(pair[0]);
	close(pair[1]);
}

Test(xsk, packets_go_round_for_ever)
{
	uint8_t data[60];
	uint32_t received = 0;

	for (uint32_t round = 0; round < 5000; round++) {
		xsk_reap(f.core);
		xsk_refill(f.core);
		memset(data, (int)round, sizeof(data));
		for (uint32_t i = 0; i < round % 90; i++)
			cr_assert(fixture_rx_put(&f, data, sizeof(data)));
		while (xsk_rx_burst(f.core, f.core->rx, 64) > 0) {
			cr_assert_leq(f.core->rx->count, 64);
			for (uint32_t i = 0; i < f.core->rx->count; i++) {
				cr_assert_eq(f.core->rx->packets[i].len, sizeof(data));
				cr_assert_eq(f.core->rx->packets[i].data[7], (uint8_t)round);
			}
			received += f.core->rx->count;
			xsk_rx_return(f.core, f.core->rx);
		}
		cr_assert_eq(owned(FRAME_FREE) + owned(FRAME_KERNEL_RX), FIXTURE_FRAMES);
		cr_assert_eq(owned(FRAME_FREE), f.core->frames->count);
	}
	cr_assert_eq(f.core->stats->rx_packets, received);
	cr_assert_eq(f.core->stats->fill_low, 1); /* before the first refill only */
}

Test(xsk, descriptors_outside_the_umem)
{
	static const struct xdp_desc bad[] = {
	    {.addr = (uint64_t)FIXTURE_FRAMES * IXD_FRAME_BYTES, .len = 10},
	    {.addr = UINT64_MAX, .len = 10},
	    {.addr = 2000, .len = 49},
	    {.addr = 0, .len = UINT32_MAX},
	};

	for (unsigned i = 0; i < 4; i++)
		*xsk_ring_desc(&f.port->rx, (*f.port->rx.producer)++) = bad[i];
	cr_assert_eq(xsk_rx_burst(f.core, f.core->rx, 64), 0);
	cr_assert_eq(f.core->stats->drop_rx_invalid, 4);
	cr_assert_eq(*f.port->rx.consumer, 4);
}

Test(xsk, send_and_complete)
{
	uint64_t addrs[FIXTURE_SLOTS];
	uint32_t len;

	for (uint32_t round = 0; round < 50; round++) {
		uint32_t count = xsk_tx_room(f.core, 0, 100);

		cr_assert_eq(count, 100);
		for (uint32_t i = 0; i < count; i++) {
			frame_index frame;

			cr_assert(frame_alloc(f.core->frames, &frame));
			xsk_tx_put(f.core, 0, frame, IP_TX_OFF, 60 + i);
		}
		cr_assert_null(fixture_tx_take(&f, &len, NULL)); /* nothing leaves before the burst */
		xsk_tx_burst(f.core);
		cr_assert_eq(owned(FRAME_KERNEL_TX), count);
		for (uint32_t i = 0; i < count; i++) {
			cr_assert_not_null(fixture_tx_take(&f, &len, &addrs[i]));
			cr_assert_eq(len, 60 + i);
		}
		for (uint32_t i = 0; i < count; i++)
			fixture_complete(&f, addrs[i]);
		xsk_reap(f.core);
		cr_assert_eq(owned(FRAME_FREE), FIXTURE_FRAMES);
		cr_assert_eq(f.core->frames->count, FIXTURE_FRAMES);
	}
}

/* The driver tells only when it is called again that it has sent the last packet; nothing wakes the core. */
Test(xsk, frames_that_are_away_are_looked_for)
{
	uint64_t addr, wait_ns, before_ns = 0;
	uint32_t len, kicks;
	frame_index frame;

	f.port->is_zerocopy = true;
	*f.port->tx.flags = XDP_RING_NEED_WAKEUP;
	xsk_prepare_sleep(f.core);
	cr_assert_eq(xsk_next_timer(f.core).ns, 0, "none is away: sleeps as long as it likes");
	cr_assert(frame_alloc(f.core->frames, &frame));
	xsk_tx_put(f.core, 0, frame, IP_TX_OFF, 60);
	xsk_tx_burst(f.core);
	cr_assert_not_null(fixture_tx_take(&f, &len, &addr));
	f.port->is_tx_stalled = false; /* the kernel has it, whatever a kick of the fixture's socket says */
	f.core->xsk->stalled_count = 0;
	kicks = (uint32_t)f.core->stats->tx_kicks;
	xsk_prepare_sleep(f.core);
	cr_assert_eq(f.core->stats->tx_kicks, kicks, "first there is time for it to come by itself");
	for (unsigned i = 1; i < 10; i++) {
		wait_ns = xsk_next_timer(f.core).ns - f.core->now.ns;
		cr_assert(wait_ns >= before_ns && wait_ns > 0 && wait_ns < 2000000000u);
		before_ns = wait_ns;
		f.core->now.ns += wait_ns - 1;
		xsk_prepare_sleep(f.core); /* woken for something else before the time */
		cr_assert_eq(f.core->stats->tx_kicks, kicks + i - 1);
		cr_assert_eq(xsk_next_timer(f.core).ns, f.core->now.ns + 1);
		f.core->now.ns++;
		xsk_prepare_sleep(f.core);
		cr_assert_eq(f.core->stats->tx_kicks, kicks + i, "asked once each time");
	}
	cr_assert_gt(wait_ns, 1000000000u, "less and less often");
	fixture_complete(&f, addr);
	xsk_reap(f.core);
	xsk_prepare_sleep(f.core);
	cr_assert_eq(xsk_next_timer(f.core).ns, 0);
	cr_assert_eq(owned(FRAME_FREE), FIXTURE_FRAMES);
}

Test(xsk, room_ends_with_the_ring)
{
	frame_index frame;

	for (uint32_t i = 0; i < FIXTURE_SLOTS; i++) {
		cr_assert_eq(xsk_tx_room(f.core, 0, 1), 1);
		cr_assert(frame_alloc(f.core->frames, &frame));
		xsk_tx_put(f.core, 0, frame, 0, 60);
	}
	cr_assert_eq(xsk_tx_room(f.core, 0, 1), 0);
	cr_assert_eq(xsk_tx_room(f.core, 1, 1), 0); /* an interface without any socket */
}

Test(xsk, restart_leaves_to_the_kernel_what_it_has)
{
	uint8_t owner[100] = {0};
	struct frame_pool *pool;

	for (int i = 0; i < 100; i++)
		owner[i] = (uint8_t)(i % 4);
	pool = frame_pool_new(owner, 0, 100);
	cr_assert_eq(pool->count, 50);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(owner[i], i % 4 == FRAME_CORE ? FRAME_FREE : i % 4);
	frame_pool_free(pool);
}

/* The process ends with three packets in its hands, and a fourth marked whose place it has not given back. */
Test(xsk, restart_takes_back_what_was_received)
{
	struct rx_batch *batch = calloc(1, sizeof(*batch));
	uint8_t data[60] = {0};

	xsk_refill(f.core);
	for (int i = 0; i < 5; i++)
		cr_assert(fixture_rx_put(&f, data, sizeof(data)));
	cr_assert_eq(xsk_rx_burst(f.core, batch, 3), 3);
	cr_assert_eq(owned(FRAME_RECEIVED), 3);
	cr_assert_eq(f.core->frames->rx_lent, FIXTURE_SLOTS);
	const uint64_t waiting = xsk_ring_desc(&f.port->rx, f.port->rx.cons)->addr;
	f.dp.frame_owner[frame_of_addr(waiting).index] = FRAME_RECEIVED;

	frame_pool_free(f.core->frames);
	f.core->frames = frame_pool_new(f.dp.frame_owner, 0, FIXTURE_FRAMES);
	cr_expect_eq(f.core->frames->count, FIXTURE_FRAMES - FIXTURE_SLOTS);
	xsk_rx_unmark(f.core);
	frame_reclaim_received(f.core->frames);
	cr_expect_eq(f.core->frames->count, FIXTURE_FRAMES - FIXTURE_SLOTS + 3);
	cr_expect_eq(f.core->frames->rx_lent, FIXTURE_SLOTS - 3);
	cr_expect_eq(owned(FRAME_RECEIVED), 0);
	cr_expect_eq(xsk_rx_burst(f.core, batch, 3), 2, "what was not taken is received now");
	free(batch);
}

/* Two cores, one queue that the first serves: frames of the first arrive at the second and go home by a ring.
 */
Test(xsk, frames_find_home)
{
	struct frame_exchange *x = frame_exchange_new(2, FIXTURE_FRAMES / 2);
	struct core *other = aligned_alloc(64, sizeof(*other));
	uint8_t data[60] = {0};
	uint32_t before;

	memset(other, 0, sizeof(*other));
	frame_exchange_free(f.dp.exchange);
	frame_pool_free(f.core->frames);
	f.dp.exchange = x;
	f.dp.cores = 2;
	f.dp.core[1] = other;
	f.core->frames = frame_pool_new(f.dp.frame_owner, 0, FIXTURE_FRAMES / 2);
	other->dp = &f.dp;
	other->id = 1;
	other->wake_fd = -1;
	other->stats = calloc(2, sizeof(*other->stats));
	other->frames = frame_pool_new(f.dp.frame_owner, FIXTURE_FRAMES / 2, FIXTURE_FRAMES / 2);
	other->rx = calloc(1, sizeof(*other->rx));
	other->xsk = xsk_core_new();
	other->xsk->ports_count = 1;
	other->xsk->ports[0] = *f.port; /* the same RX ring, without the queue's other rings */
	other->xsk->ports[0].is_primary = false;

	xsk_refill(f.core);
	before = f.core->frames->count;
	for (int i = 0; i < 40; i++)
		cr_assert(fixture_rx_put(&f, data, sizeof(data)));
	cr_assert_eq(xsk_rx_burst(other, other->rx, 64), 40);
	xsk_rx_return(other, other->rx);
	xsk_reap(f.core);
	cr_assert_eq(f.core->frames->count, before); /* not published yet */
	frame_flush(other);
	xsk_reap(f.core);
	cr_assert_eq(f.core->frames->count, before + 40);
	cr_assert_eq(other->frames->count, FIXTURE_FRAMES / 2);

	frame_pool_free(other->frames);
	free(other->xsk);
	free(other->rx);
	free(other->stats);
	free(other);
}

#define HANDED 200000u

static void *handoff_consume(void *arg)
{
	struct handoff_ring *ring = arg;
	uint64_t entry;

	for (uint64_t expected = 0; expected < HANDED;) {
		if (!handoff_take(ring, &entry)) {
			sched_yield();
			continue;
		}
		if (entry != expected++)
			return arg;
	}
	return NULL;
}

Test(xsk, handoff_between_threads)
{
	struct handoff_ring *ring = handoff_ring_new(64);
	pthread_t consumer;
	void *failed;

	pthread_create(&consumer, NULL, handoff_consume, ring);
	for (uint64_t i = 0; i < HANDED;) {
		if (handoff_put(ring, i)) {
			i++;
			if (i % 7 == 0)
				handoff_publish(ring);
			continue;
		}
		handoff_publish(ring);
		sched_yield();
	}
	handoff_publish(ring);
	pthread_join(consumer, &failed);
	cr_assert_null(failed);
	free(ring);
}
