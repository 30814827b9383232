/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ixd for the library's tests: answers one hello on a socket of its own, with whatever welcome the test
 * wants, and then lets the test play the daemon's side of the rings by hand.
 */
#ifndef TESTS_FAKE_IXD_H
#define TESTS_FAKE_IXD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <ix/abi.h>
#include <ix/ix.h>
#include <ix/ring.h>

/* How the welcome goes wrong. */
enum fake_fault {
	FAKE_FINE,
	FAKE_REFUSES,       /* status -EACCES and a reason */
	FAKE_OTHER_VERSION, /* one version on */
	FAKE_NOT_IXD,       /* another magic */
	FAKE_TRUNCATED,     /* half a welcome */
	FAKE_FEW_FDS,       /* a doorbell is missing */
	FAKE_SHORT_MEMORY,  /* the daemon memory's file is smaller than it says */
	FAKE_INSANE_OFFSET, /* an event ring outside the memory */
	FAKE_INSANE_SLOTS,  /* a ring size that is no power of two */
	FAKE_INSANE_CORES,  /* more cores than there can be */
	FAKE_HANGS_UP,      /* closes without an answer */
	FAKE_SAYS_NOTHING,  /* until it is stopped */
};

struct fake_core {
	struct ix_daemon_core *daemon;
	const struct ix_client_core *client;
	struct ix_event *events;
	const struct ix_cmd *cmds;
	uint32_t evt_prod, cmd_cons;
	int doorbell;
};

struct fake_ixd {
	enum fake_fault fault;
	unsigned cores;
	uint32_t cmd_slots, evt_slots;
	uint64_t rx_bytes, tx_bytes;

	char dir[64];
	char path[96];
	int listener, sock;
	pthread_t thread;
	struct ix_hello hello; /* as it came */
	uint8_t *daemon_memory, *client_memory;
	uint8_t *rx, *tx;
	struct fake_core core[IX_CORES_MAX];
};

/* Begins to listen; fields at zero get defaults. Ends the test on failure. */
void fake_start(struct fake_ixd *fake);
/* fake_start() with a fault or none, and ix_open() to it, which must succeed. */
struct ix_client *fake_open(struct fake_ixd *fake);
/* Waits for the answering thread; after ix_open() has returned. */
void fake_join(struct fake_ixd *fake);
/* Closes the daemon's ends of all sockets. */
void fake_hang_up(struct fake_ixd *fake);
void fake_stop(struct fake_ixd *fake);

/* The next command in the ring; false when there is none. */
bool fake_take(struct fake_ixd *fake, unsigned core, struct ix_cmd *cmd);
/* Takes one command, which must be there and be `op`. */
struct ix_cmd fake_expect(struct fake_ixd *fake, unsigned core, enum ix_op op);
/* Posts an event, publishes it, and rings if the client sleeps. The ring must have room. */
void fake_post(struct fake_ixd *fake, unsigned core, const struct ix_event *event);
/* Puts bytes into RX memory at `off` and posts the recv. */
void fake_post_recv(struct fake_ixd *fake, unsigned core, uint64_t cookie, uint64_t off, const void *data,
		    uint32_t len);
void fake_post_sent(struct fake_ixd *fake, unsigned core, uint64_t cookie, uint64_t acked, uint64_t limit);
/* Takes the bytes off the doorbell; how many there were. */
unsigned fake_drain_doorbell(struct fake_ixd *fake, unsigned core);

/* Open file descriptors of this process. */
unsigned fake_count_fds(void);

#endif
