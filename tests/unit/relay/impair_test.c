/* SPDX-License-Identifier: BSD-2-Clause */
/* The relay's luck: the same for the same seed, in the asked proportion, and in the asked order. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/relay/relay.h"

#define FRAMES    100000u
#define FRAME_LEN 1514u
#define MS        UINT64_C(1000000)
#define PERCENT   42949672u /* of 2^32 */

static struct impair_state start(const struct impairment *config, uint64_t seed, unsigned direction)
{
	struct impair_state state;

	impair_init(&state, config, seed, direction);
	return state;
}

Test(relay_impair, fate_depends_on_seed_direction_and_number_alone)
{
	const struct impairment config = {.loss = 5 * PERCENT, .duplicate = PERCENT, .corrupt = PERCENT};
	struct impair_state a = start(&config, 7, 0), b = start(&config, 7, 0);
	struct impair_state other_seed = start(&config, 8, 0), other_way = start(&config, 7, 1);
	unsigned seed_differs = 0, way_differs = 0;

	for (unsigned i = 0; i < FRAMES; i++) {
		struct fate x = impair_next(&a, i, FRAME_LEN, true);
		struct fate y = impair_next(&b, i * 3, 60, true); /* other times, other lengths */

		cr_assert_eq(x.verdict, y.verdict);
		cr_assert_eq(x.is_duplicated, y.is_duplicated);
		cr_assert_eq(x.is_corrupted, y.is_corrupted);
		seed_differs += x.verdict != impair_next(&other_seed, i, FRAME_LEN, true).verdict;
		way_differs += x.verdict != impair_next(&other_way, i, FRAME_LEN, true).verdict;
	}
	/* Two independent 5 % agree but for 2 * 0.05 * 0.95 = 9.5 % of the frames. */
	cr_assert(seed_differs > FRAMES * 9 / 100 && seed_differs < FRAMES * 10 / 100);
	cr_assert(way_differs > FRAMES * 9 / 100 && way_differs < FRAMES * 10 / 100);
}

Test(relay_impair, losses_are_as_many_as_asked)
{
	const struct impairment random = {.loss = PERCENT},
				bursts = {.burst_enter = PERCENT / 10, .burst_leave = 10 * PERCENT};
	struct impair_state a = start(&random, 1, 0), b = start(&bursts, 1, 0);
	unsigned lost = 0, in_burst = 0, bursts_begun = 0;
	bool was_lost = false;

	for (unsigned i = 0; i < FRAMES; i++) {
		bool is_lost = impair_next(&b, i, FRAME_LEN, true).verdict == VERDICT_BURST;

		lost += impair_next(&a, i, FRAME_LEN, true).verdict == VERDICT_LOST;
		in_burst += is_lost;
		bursts_begun += is_lost && !was_lost;
		was_lost = is_lost;
	}
	/* 1000 expected, standard deviation 31; about 99 bursts of 10. */
	cr_assert(lost > 880 && lost < 1120, "%u", lost);
	cr_assert(bursts_begun > 50 && bursts_begun < 150, "%u", bursts_begun);
	cr_assert(in_burst > 6 * bursts_begun && in_burst < 14 * bursts_begun, "%u", in_burst);
}

Test(relay_impair, silence_ends_a_burst)
{
	/* Every second frame outside of a burst begins one, and hardly any ends one. */
	const struct impairment config = {.burst_enter = 50 * PERCENT, .burst_leave = 1};
	struct impair_state state = start(&config, 1, 0);
	uint64_t now_ns = 0;
	unsigned passed = 0;

	while (impair_next(&state, now_ns, FRAME_LEN, true).verdict != VERDICT_BURST)
		now_ns += MS;
	for (unsigned i = 0; i < 100; i++) {
		now_ns += BURST_IDLE_NS;
		cr_assert_eq(impair_next(&state, now_ns, FRAME_LEN, true).verdict, VERDICT_BURST);
	}
	for (unsigned i = 0; i < 100; i++) {
		now_ns += BURST_IDLE_NS + 1;
		passed += impair_next(&state, now_ns, FRAME_LEN, true).verdict == VERDICT_PASS;
	}
	/* Each met a new draw: 50 expected, standard deviation 5. */
	cr_assert(passed > 25 && passed < 75, "%u", passed);
}

Test(relay_impair, what_is_not_ip_is_never_lost)
{
	const struct impairment config = {.loss = UINT32_MAX, .burst_enter = UINT32_MAX, .delay_ns = 5 * MS};
	struct impair_state state = start(&config, 1, 0);

	for (unsigned i = 0; i < 1000; i++) {
		struct fate fate = impair_next(&state, i, 60, false);

		cr_assert_eq(fate.verdict, VERDICT_PASS);
		cr_assert_eq(fate.due_ns, i + 5 * MS);
	}
}

Test(relay_impair, jitter_keeps_the_order_and_reordering_does_not)
{
	const struct impairment jitter = {.delay_ns = 5 * MS, .jitter_ns = 4 * MS};
	const struct impairment reorder = {.delay_ns = 5 * MS, .reorder = PERCENT, .reorder_ns = 3 * MS};
	struct impair_state a = start(&jitter, 3, 0), b = start(&reorder, 3, 0);
	uint64_t last = 0;
	unsigned late = 0;

	for (uint64_t i = 0; i < 10000; i++) {
		struct fate fate = impair_next(&a, i * 1000, FRAME_LEN, true);
		struct fate other = impair_next(&b, i * 1000, FRAME_LEN, true);

		cr_assert_geq(fate.due_ns, last);
		cr_assert(fate.due_ns >= i * 1000 + 5 * MS);
		last = fate.due_ns;
		cr_assert_eq(other.due_ns, i * 1000 + (other.is_late ? 8 * MS : 5 * MS));
		late += other.is_late;
	}
	cr_assert(late > 60 && late < 140, "%u", late);
}

Test(relay_impair, rate_and_queue)
{
	/* 8 Mb/s: 1000 bytes take 1 ms. The queue takes 4000 bytes, marks above 2000. */
	const struct impairment config = {.rate_bps = 8000000, .queue_bytes = 4000, .mark_above_bytes = 2000};
	struct impair_state state = start(&config, 1, 0);

	for (unsigned i = 0; i < 6; i++) {
		struct fate fate = impair_next(&state, 0, 1000, true);

		cr_assert_eq(fate.verdict, i < 4 ? VERDICT_PASS : VERDICT_QUEUE_FULL);
		if (i < 4)
			cr_assert_eq(fate.due_ns, (i + 1) * MS);
		cr_assert_eq(fate.is_marked, i == 3);
	}
	/* After 2 ms two have left: there is room for two. */
	cr_assert_eq(impair_next(&state, 2 * MS, 1000, true).due_ns, 5 * MS);
	cr_assert_eq(impair_next(&state, 2 * MS, 1000, true).due_ns, 6 * MS);
	cr_assert_eq(impair_next(&state, 2 * MS, 1000, true).verdict, VERDICT_QUEUE_FULL);
}

static uint16_t header_sum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

Test(relay_impair, a_mark_keeps_the_header_whole)
{
	/* For every type of service, and a checksum that makes the header's sum 0xffff. */
	for (unsigned tos = 0; tos < 256; tos++) {
		uint8_t frame[64] = {[12] = 8, [14] = 0x45, [16] = 0, [17] = 50, [22] = 64, [23] = 6};
		uint16_t sum;
		bool is_capable = (tos & 3) != 0;

		frame[15] = (uint8_t)tos;
		sum = (uint16_t)~header_sum(frame + ETH_HEADER_LEN);
		frame[24] = (uint8_t)(sum >> 8);
		frame[25] = (uint8_t)sum;
		cr_assert_eq(impair_mark(frame, sizeof(frame)), is_capable);
		cr_assert_eq(frame[15], is_capable ? tos | 3 : tos);
		cr_assert_eq(header_sum(frame + ETH_HEADER_LEN), 0xffff);
	}
}

Test(relay_impair, corruption_is_one_bit_behind_the_ethernet_header)
{
	for (uint64_t bit = 0; bit < 1000; bit++) {
		uint8_t frame[64] = {0};
		unsigned changed = 0;

		impair_corrupt(frame, sizeof(frame), bit);
		for (unsigned i = 0; i < sizeof(frame); i++) {
			cr_assert(frame[i] == 0 || i >= ETH_HEADER_LEN);
			changed += (unsigned)__builtin_popcount(frame[i]);
		}
		cr_assert_eq(changed, 1);
	}
}

Test(relay_queue, first_due_first_out_and_ties_in_order_of_arrival)
{
	struct queue queue;
	uint8_t bytes[4] = {0};
	uint64_t last_due = 0, last_number = 0;

	queue_init(&queue, 100);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_not_null(queue_push(&queue, bytes, sizeof(bytes), i * 37 % 10));
	cr_assert_null(queue_push(&queue, bytes, sizeof(bytes), 0));
	for (unsigned i = 0; i < 100; i++) {
		const struct frame *frame = queue_first(&queue);

		cr_assert_not_null(frame);
		cr_assert(i == 0 || frame->due_ns > last_due ||
			  (frame->due_ns == last_due && frame->number > last_number));
		last_due = frame->due_ns;
		last_number = frame->number;
		queue_pop(&queue);
	}
	cr_assert_null(queue_first(&queue));
	cr_assert_not_null(queue_push(&queue, bytes, sizeof(bytes), 0));
	queue_fini(&queue);
}
