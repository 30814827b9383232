/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two protocols and the session share. A step does one thing, if there is enough input for it; the
 * session makes sure before each that there is room for the longest answer without a value.
 */
#ifndef IX_EXAMPLES_KV_PROTOCOL_H
#define IX_EXAMPLES_KV_PROTOCOL_H

#include <string.h>

#include "client-lib/examples/kv_session.h"

enum kv_stage {
	KV_STAGE_FIRST,     /* nothing has come yet */
	KV_STAGE_COMMAND,   /* a request begins, or the value of session->filling goes on */
	KV_STAGE_KEYS,      /* text: within the line of a get */
	KV_STAGE_SKIP_LINE, /* text: the rest of a refused line */
	KV_STAGE_STATS,     /* rows go out */
};

enum kv_step {
	KV_STEP_AGAIN, /* something was done */
	KV_STEP_INPUT,
	KV_STEP_ROOM,
	KV_STEP_CLOSE,
};

static inline size_t kv_io_input(const struct kv_io *io)
{
	return (size_t)(io->in_end - io->in);
}

static inline size_t kv_io_room(const struct kv_io *io)
{
	return (size_t)(io->out_end - io->out);
}

/* There is room: see above. */
static inline void kv_put(struct kv_io *io, const void *bytes, size_t len)
{
	memcpy(io->out, bytes, len);
	io->out += len;
}

/* Sends a value whose header was written, now or as there is room, and in text the end of its line. */
enum kv_step kv_session_send(struct kv_session *session, struct kv_io *io, struct kv_item *item);

/* The value of `item` comes next. */
void kv_session_fill(struct kv_session *session, struct kv_item *item, enum kv_mode mode, uint64_t cas);

/* A key was asked for: counts, and applies the expiry of a get-and-touch. */
struct kv_item *kv_session_get(struct kv_session *session, struct kv_key key);

enum kv_step kv_text_step(struct kv_session *session, struct kv_io *io);
/* The value is complete: checks how it ends, stores it, answers. */
enum kv_step kv_text_filled(struct kv_session *session, struct kv_io *io);
/* It could not be kept; session->swallow is what of it is still to come. */
void kv_text_fill_failed(struct kv_session *session, struct kv_io *io);
enum kv_step kv_text_stats(struct kv_session *session, struct kv_io *io);

enum kv_step kv_binary_step(struct kv_session *session, struct kv_io *io);
enum kv_step kv_binary_filled(struct kv_session *session, struct kv_io *io);
void kv_binary_fill_failed(struct kv_session *session, struct kv_io *io);
enum kv_step kv_binary_stats(struct kv_session *session, struct kv_io *io);

#endif
