/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's TCP by io_uring, with all that makes it fast: accept and receive stay armed (multishot),
 * received bytes come in buffers of a provided ring, and one system call per turn submits, runs the kernel's
 * deferred work and collects. One thread, one ring, one service; a connection is known by its descriptor.
 *
 * Needs Linux 6.1; says so where it is older or io_uring is not allowed.
 */
#ifndef TESTS_BENCH_URING_LOOP_H
#define TESTS_BENCH_URING_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URING_FDS_MAX      65536
#define URING_BUFFER_BYTES 2048u /* the most that comes at once, unless the service says otherwise */

/* Bytes that came, or that go. */
struct uring_piece {
	struct uring_piece *next;
	uint8_t *at;
	uint32_t len;
	bool is_buffer;  /* of the provided ring; else it was made */
	uint8_t lent_id; /* not 0: at is in memory that was lent, and the kernel need not copy it */
	uint8_t made[];
};

struct uring_service {
	void (*on_open)(int fd);
	/* Bytes came. The piece is the service's, which sends it or drops it. False: the connection ends when
	 * what was sent has left. */
	bool (*on_bytes)(int fd, struct uring_piece *piece);
	void (*on_close)(int fd);
	uint32_t buffer_bytes; /* the most that comes at once; 0: URING_BUFFER_BYTES */
};

/* What became of pieces in lent memory. */
struct uring_lent {
	uint64_t sent, copied; /* by the kernel, which had to after all */
};

/* The ring, its buffers and what it is for. Ends the program where io_uring is not to be had. */
void uring_open(const struct uring_service *service);
void uring_accept(int listen_fd);
/* A connected socket becomes one of those that are received from. */
void uring_adopt(int fd);
/* Submits, collects, and calls the service. Without is_spinning it waits for something to come. Returns how
 * much did. */
unsigned uring_turn(bool is_spinning);

/* Sends a piece behind those before it, and then drops it. */
void uring_send(int fd, struct uring_piece *piece);
/* Room for `len` bytes; NULL: no memory. */
struct uring_piece *uring_piece_make(uint32_t len);
void uring_piece_drop(struct uring_piece *piece);

#define URING_LENT_MAX 16u

/* Memory that stays as it is until the program ends, at most 1 GiB, for sending from it without a copy
 * (SEND_ZC from registered buffers, Linux 6.2). Returns the piece's lent_id, or 0 when the kernel does not do
 * that; a kernel that refuses the send itself copies. */
uint8_t uring_lend(const uint8_t *memory, size_t bytes);
struct uring_lent uring_lent(void);

#endif
