/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the impairment relay. Two Ethernet interfaces are joined frame by frame; what happens to a
 * frame is decided by the seed, its direction and its number in that direction, never by the time of day, so
 * that two pairs of hosts meet the same bad luck behind the same seed. One exception: silence ends a burst.
 */
#ifndef TESTS_RELAY_RELAY_H
#define TESTS_RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FRAME_BYTES_MAX 2048u
#define ETH_HEADER_LEN  14u

/*
 * A burst is over when no frame came for this long. If only frames ended it, one that begins with the last
 * ACK of a flight would swallow ACK after ACK of the retransmissions, each twice as late as the one before,
 * and a transfer of a second would take a minute.
 */
#define BURST_IDLE_NS   UINT64_C(50000000)

/* What one direction does to frames. Probabilities are fractions of 2^32. */
struct impairment {
	uint32_t loss, duplicate, corrupt, reorder, mark;
	uint32_t burst_enter, burst_leave; /* two states; in the bad one every frame is lost */
	uint64_t reorder_ns;               /* how much later a frame arrives that lets others pass */
	uint64_t delay_ns, jitter_ns;
	uint64_t rate_bps; /* 0: as fast as frames come */
	uint64_t queue_bytes;
	uint64_t mark_above_bytes; /* ECN: mark when the queue is longer; 0: never */
};

struct impair_state {
	struct impairment config;
	uint64_t random;
	uint64_t link_free_ns;  /* when the rate-limited link has sent all that it queued */
	uint64_t last_due_ns;   /* frames keep their order unless `reorder` says otherwise */
	uint64_t burst_seen_ns; /* when the last frame met the burst */
	bool is_in_burst;
};

enum verdict { VERDICT_PASS, VERDICT_LOST, VERDICT_BURST, VERDICT_QUEUE_FULL };

struct fate {
	enum verdict verdict;
	uint64_t due_ns;
	uint64_t corrupt_bit; /* taken modulo the number of bits behind the Ethernet header */
	bool is_duplicated, is_corrupted, is_late, is_marked;
};

/* Direction 0 and 1 of one seed have independent luck. */
void impair_init(struct impair_state *state, const struct impairment *config, uint64_t seed,
		 unsigned direction);

/*
 * The fate of the next frame of this direction. Frames that are not IPv4 (ARP) are only queued and delayed:
 * losing them would test the kernel's patience, not TCP's.
 */
struct fate impair_next(struct impair_state *state, uint64_t now_ns, uint32_t len, bool is_ip);

/* Changes the frame as its fate says. False: it should be marked but its sender is not capable of ECN. */
void impair_corrupt(uint8_t *frame, uint32_t len, uint64_t bit);
bool impair_mark(uint8_t *frame, uint32_t len);

bool frame_is_ip(const uint8_t *frame, uint32_t len);

/* ---- frames that wait for their time, in the order of (due, arrival) */

struct frame {
	uint64_t due_ns, number;
	uint32_t len;
	uint8_t bytes[FRAME_BYTES_MAX];
};

struct queue {
	struct frame *frames;
	struct frame **heap;
	struct frame **spare;
	uint32_t len, spare_len, size;
	uint64_t number;
};

/* `size` frames, allocated here and touched when first used; exits when there is no memory. */
void queue_init(struct queue *queue, uint32_t size);
void queue_fini(struct queue *queue);
/* A copy of the frame goes in; NULL when the queue is full. The caller may still change the copy's bytes. */
struct frame *queue_push(struct queue *queue, const uint8_t *bytes, uint32_t len, uint64_t due_ns);
/* The first to leave, or NULL; it stays in the queue. */
struct frame *queue_first(const struct queue *queue);
/* The first leaves the queue for good. Its memory is not reused before the next queue_push. */
void queue_pop(struct queue *queue);

/* ---- capture: what came in, with the relay's verdict as the packet's comment */

/* `if_names`: the two interfaces, in the order of the directions. NULL and errno when the file cannot be
 * made. */
FILE *pcapng_open(const char *path, const char *const if_names[2], uint32_t snap_bytes);
/* False when the file cannot be written. `comment` may be NULL. */
bool pcapng_write(FILE *file, unsigned interface, uint64_t time_ns, const uint8_t *bytes, uint32_t len,
		  uint32_t snap_bytes, const char *comment);

#endif
