/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session without a connection: what is said to it, in pieces of any size, and what it answers.
 */
#ifndef TESTS_UNIT_EXAMPLES_KV_RIG_H
#define TESTS_UNIT_EXAMPLES_KV_RIG_H

#include <criterion/criterion.h>
#include <string.h>

#include "client-lib/examples/kv_session.h"

struct kv_rig {
	struct kv_store *store;
	struct kv_session session;
	size_t piece; /* bytes by which input grows; 0: all at once */
	size_t room;  /* output per run */
	bool is_closed;
	uint8_t left[1 << 16]; /* input that the session did not take */
	size_t left_bytes;
	uint8_t out[1 << 22];
	size_t out_bytes;
};

static inline void kv_rig_init(struct kv_rig *rig)
{
	memset(rig, 0, offsetof(struct kv_rig, left));
	rig->left_bytes = rig->out_bytes = 0;
	rig->store = kv_store_new(KV_MEMORY_MIN_BYTES, 0, 1700000000);
	cr_assert_not_null(rig->store);
	rig->room = sizeof(rig->out);
	kv_session_init(&rig->session, rig->store);
}

static inline void kv_rig_fini(struct kv_rig *rig)
{
	kv_session_end(&rig->session);
	kv_store_free(rig->store);
}

/* Runs until input is wanted. */
static inline void kv_rig_run(struct kv_rig *rig)
{
	enum kv_verdict verdict;
	struct kv_io io;

	do {
		size_t room = sizeof(rig->out) - rig->out_bytes;

		io.in = rig->left;
		io.in_end = rig->left + rig->left_bytes;
		io.out = rig->out + rig->out_bytes;
		io.out_end = io.out + (room < rig->room ? room : rig->room);
		verdict = kv_session_run(&rig->session, &io);
		cr_assert(io.in <= io.in_end && io.out <= io.out_end);
		rig->left_bytes = (size_t)(io.in_end - io.in);
		memmove(rig->left, io.in, rig->left_bytes);
		rig->out_bytes = (size_t)(io.out - rig->out);
	} while (verdict == KV_WANTS_ROOM);
	rig->is_closed = verdict == KV_WANTS_CLOSE;
	/* What is left is less than it takes to go on. */
	cr_assert(rig->is_closed || rig->left_bytes < KV_IN_MIN_BYTES);
}

static inline void kv_rig_say(struct kv_rig *rig, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len && !rig->is_closed) {
		size_t part = rig->piece && rig->piece < len ? rig->piece : len;

		if (part > sizeof(rig->left) - rig->left_bytes)
			part = sizeof(rig->left) - rig->left_bytes;
		memcpy(rig->left + rig->left_bytes, at, part);
		rig->left_bytes += part;
		at += part;
		len -= part;
		kv_rig_run(rig);
	}
}

#endif
