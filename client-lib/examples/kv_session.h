/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to a key-value store: bytes in, bytes out, in the text or the binary protocol of memcached,
 * whichever the first byte says. It has no socket and no buffer. What it cannot use yet it leaves with the
 * caller, who presents it again with more behind it; values go straight between the caller's memory and the
 * item.
 */
#ifndef IX_EXAMPLES_KV_SESSION_H
#define IX_EXAMPLES_KV_SESSION_H

#include "client-lib/examples/kv_store.h"

/* With so many contiguous bytes of input there is always progress; more than is needed is never wrong. */
#define KV_IN_MIN_BYTES  2048u
/* Without so many bytes of room for output nothing is begun. */
#define KV_OUT_MIN_BYTES 320u

/* Input from `in` on and room for output from `out` on; both move. */
struct kv_io {
	const uint8_t *in, *in_end;
	uint8_t *out, *out_end;
};

enum kv_verdict {
	KV_WANTS_INPUT, /* what is left of the input is less than a request */
	KV_WANTS_ROOM,
	KV_WANTS_CLOSE, /* send what was written, then end the connection */
};

struct kv_session {
	struct kv_store *store;
	struct kv_item *filling; /* the value that is coming in */
	struct kv_item *sending; /* the value that is going out, held */
	uint32_t filled, sent;
	uint64_t swallow; /* bytes of input that belong to a refused request */
	uint64_t cas;
	uint32_t opaque;
	uint32_t stats_row;
	uint32_t expires_s; /* of a get-and-touch */
	uint8_t stage;      /* enum kv_stage */
	uint8_t mode;       /* enum kv_mode */
	uint8_t opcode;
	bool is_binary;
	bool is_quiet;    /* noreply; a quiet opcode */
	bool has_cas;     /* gets, gats: answers carry the cas */
	bool is_touching; /* gat, gats */
	bool has_expiry;  /* … and their exptime was read */
	bool has_keys;    /* a get has named a key */
	bool is_filling_held;
};

void kv_session_init(struct kv_session *session, struct kv_store *store);
/* The connection is over. */
void kv_session_end(struct kv_session *session);

/* Does as much as it can. */
enum kv_verdict kv_session_run(struct kv_session *session, struct kv_io *io);

/* Bytes of room that it can use at once: at least KV_OUT_MIN_BYTES. */
size_t kv_session_room(const struct kv_session *session);

#endif
