/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watching over frames. Slow, and off by default: each frame is filled when it comes and read when it goes.
 */
#include "daemon/dataplane/frame_check.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/dataplane/frame.h"

#define PATTERN    0xdbfeedf00dfacadeull
#define WORDS      (IXD_FRAME_BYTES / sizeof(uint64_t))
#define LOGGED_MAX 8 /* faults come in crowds */
#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME  0x100000001b3ull

struct frame_check {
	uint8_t *umem, *owner;
	uint32_t frames_total;
	struct frame_sum *sums;
	uint64_t *faults;
};

static void fault(struct frame_check *check, uint32_t frame, const char *what)
{
	if (++*check->faults <= LOGGED_MAX)
		log_error("packet frame %u %s (owner byte 0x%02x)", frame, what,
			  frame < check->frames_total ? check->owner[frame] : 0);
}

struct frame_check *frame_check_new(const struct frame_check_scope *scope, uint64_t *faults)
{
	struct frame_check *check = malloc(sizeof(*check));

	if (check != NULL)
		*check = (struct frame_check){.umem = scope->umem,
					      .owner = scope->owner,
					      .frames_total = scope->frames_total,
					      .sums = scope->sums,
					      .faults = faults};
	return check;
}

void frame_check_free(struct frame_check *check)
{
	free(check);
}

static uint64_t *frame_words(const struct frame_check *check, uint32_t frame)
{
	return (uint64_t *)(void *)(check->umem + (size_t)frame * IXD_FRAME_BYTES);
}

void frame_check_fill(struct frame_check *check, uint32_t frame)
{
	uint64_t *words = frame_words(check, frame);

	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = PATTERN;
}

void frame_check_taken(struct frame_check *check, uint32_t frame)
{
	const uint64_t *words = frame_words(check, frame);
	uint64_t differs = 0;

	for (uint32_t i = 0; i < WORDS; i++)
		differs |= words[i] ^ PATTERN;
	if (differs != 0)
		fault(check, frame, "was written to while it was free");
	if (check->owner[frame] != FRAME_FREE)
		fault(check, frame, "is taken although somebody has it");
	/* Until it is given to somebody else: so that a second put is seen. */
	check->owner[frame] = FRAME_CORE;
}

bool frame_check_put(struct frame_check *check, uint32_t frame)
{
	if (check->owner[frame] == FRAME_FREE) {
		fault(check, frame, "comes back twice");
		return false;
	}
	frame_check_fill(check, frame);
	return true;
}

static uint64_t bytes_sum(const uint8_t *bytes, uint32_t len)
{
	uint64_t sum = FNV_OFFSET;

	for (uint32_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * FNV_PRIME;
	return sum;
}

void frame_check_sent(struct frame_check *check, uint64_t addr, uint32_t len)
{
	struct frame_sum *sum = &check->sums[frame_of_addr(addr).index];

	*sum = (struct frame_sum){
	    .sum = bytes_sum(check->umem + addr, len), .off = (uint32_t)(addr % IXD_FRAME_BYTES), .len = len};
}

static bool is_in_umem(struct frame_check *check, uint64_t addr)
{
	if (addr / IXD_FRAME_BYTES < check->frames_total)
		return true;
	fault(check, (uint32_t)(addr / IXD_FRAME_BYTES), "does not exist");
	return false;
}

void frame_check_completed(struct frame_check *check, uint64_t addr, uint32_t queue)
{
	uint32_t frame = frame_of_addr(addr).index;

	if (!is_in_umem(check, addr))
		return;
	const struct frame_sum *sum = &check->sums[frame];
	const uint8_t *bytes = check->umem + (size_t)frame * IXD_FRAME_BYTES + sum->off;

	if (check->owner[frame] != frame_byte(FRAME_KERNEL_TX, queue))
		fault(check, frame, "is complete but was not being sent there");
	/* Of what a process before this one sent nothing is known. */
	else if (sum->len != 0 && bytes_sum(bytes, sum->len) != sum->sum)
		fault(check, frame, "was changed while it was being sent");
}

void frame_check_received(struct frame_check *check, uint64_t addr, uint32_t queue)
{
	uint32_t frame = frame_of_addr(addr).index;

	if (is_in_umem(check, addr) && check->owner[frame] != frame_byte(FRAME_KERNEL_RX, queue))
		fault(check, frame, "was received but not given for that");
}
