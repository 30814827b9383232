/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event layer with a daemon played by hand: a loop over two cores, handlers that note what they hear, and
 * the first steps of a connection.
 */
#ifndef TESTS_UNIT_CLIENT_LIB_IXEV_RIG_H
#define TESTS_UNIT_CLIENT_LIB_IXEV_RIG_H

#include <ix/ixev.h>

#include "tests/unit/client-lib/fake_ixd.h"

#define HANDLE UINT64_C(0x1234)

struct ixev_rig {
	struct fake_ixd fake;
	struct ix_client *client;
	struct ixev_loop *loop;
	/* What the handlers of the connection under test heard. */
	struct {
		unsigned accepts, opens, readables, writables, sents, eofs, deads, softs, urgents;
		enum ix_reason reason;
		int error, outcome;
		struct ixev_conn *conn;
	} heard;
	int accept_answer;
	void (*readable_hook)(struct ixev_conn *conn);
};

extern struct ixev_rig rig;
extern const struct ixev_handlers rig_handlers; /* their `arg` is &rig.heard */
extern const struct ixev_listener_handlers rig_listener_handlers;

void rig_setup(void);
void rig_teardown(void);

void rig_turn(void);
/* A listener that works, and its cookie. */
struct ixev_listener *rig_listen(uint64_t *cookie);
void rig_knock(unsigned core, uint64_t cookie);
/* An accepted connection on core 1 that may send `limit` bytes. Returns its cookie. */
uint64_t rig_accepted(uint64_t limit);
void rig_post_dead(uint64_t cookie, enum ix_reason reason);
/* ixd has been told nothing more on this core. */
void rig_expect_silence(unsigned core);

#endif
