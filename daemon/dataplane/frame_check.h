/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches over frames when `check_frames` is set: whoever touches a frame that is not his is found out. A
 * free frame, and one that waits in a FILL ring, is filled with a pattern, which must be whole when it is
 * taken for sending; a frame that is being sent must be the same when its completion comes. A ring may only
 * give back what the kernel was given through its queue. Faults are counted and the first are logged.
 */
#ifndef DAEMON_DATAPLANE_FRAME_CHECK_H
#define DAEMON_DATAPLANE_FRAME_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct frame_check;

/* What is known of a packet under way. */
struct frame_sum {
	uint64_t sum;
	uint32_t off, len;
};

/* What the cores share: a packet is sent by one and may be complete at another. The rings between them order
 * the accesses. */
struct frame_check_scope {
	uint8_t *umem, *owner;
	uint32_t frames_total;
	struct frame_sum *sums; /* one for each frame */
};

/* One for each core; *faults is a counter of it. What scope points to must outlive it. NULL without memory.
 */
struct frame_check *frame_check_new(const struct frame_check_scope *scope, uint64_t *faults);
void frame_check_free(struct frame_check *check);
/* Its pattern, for a pool that begins. */
void frame_check_fill(struct frame_check *check, uint32_t frame);

/* A frame leaves the pool: nobody has written to it since it came. */
void frame_check_taken(struct frame_check *check, uint32_t frame);
/* A frame comes to the pool; false: it is there already, and must not be put twice. */
bool frame_check_put(struct frame_check *check, uint32_t frame);
/* A packet is given to the kernel; from here on nobody writes. */
void frame_check_sent(struct frame_check *check, uint64_t addr, uint32_t len);
/* A ring says that it is sent. */
void frame_check_completed(struct frame_check *check, uint64_t addr, uint32_t queue);
/* A ring brings a packet. */
void frame_check_received(struct frame_check *check, uint64_t addr, uint32_t queue);

#endif
