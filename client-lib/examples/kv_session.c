/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a session that does not depend on the protocol: values on their way in and out.
 */
#include "client-lib/examples/kv_protocol.h"

#define BINARY_MAGIC     0x80u

/* Of the room that a connection without a large value is given. */
#define ROOM_USUAL_BYTES 1024u

/* "\r\n" behind a value */
#define TAIL_BYTES       2u

void kv_session_init(struct kv_session *session, struct kv_store *store)
{
	*session = (struct kv_session){.store = store};
	kv_store_counters(store)->curr_connections++;
	kv_store_counters(store)->total_connections++;
}

static struct kv_item *stop_filling(struct kv_session *session)
{
	struct kv_item *item = session->filling;

	if (session->is_filling_held)
		kv_item_release(session->store, item);
	session->is_filling_held = false;
	session->filling = NULL;
	return item;
}

void kv_session_end(struct kv_session *session)
{
	if (session->filling)
		kv_item_discard(session->store, stop_filling(session));
	if (session->sending)
		kv_item_release(session->store, session->sending);
	session->sending = NULL;
	kv_store_counters(session->store)->curr_connections--;
}

size_t kv_session_room(const struct kv_session *session)
{
	if (!session->sending)
		return ROOM_USUAL_BYTES;
	return session->sending->value_bytes - session->sent + KV_OUT_MIN_BYTES;
}

struct kv_item *kv_session_get(struct kv_session *session, struct kv_key key)
{
	struct kv_counters *counters = kv_store_counters(session->store);
	struct kv_item *item = kv_store_find(session->store, key);

	counters->cmd_get++;
	*(item ? &counters->get_hits : &counters->get_misses) += 1;
	if (!session->is_touching)
		return item;
	counters->cmd_touch++;
	*(item ? &counters->touch_hits : &counters->touch_misses) += 1;
	if (item)
		item->expires_s = session->expires_s;
	return item;
}

static uint32_t tail_bytes(const struct kv_session *session)
{
	return session->is_binary ? 0 : TAIL_BYTES;
}

static enum kv_step send_more(struct kv_session *session, struct kv_io *io)
{
	struct kv_item *item = session->sending;
	uint32_t left = item->value_bytes - session->sent;
	uint32_t part = left < kv_io_room(io) ? left : (uint32_t)kv_io_room(io);

	kv_put(io, kv_item_value(item) + session->sent, part);
	session->sent += part;
	if (session->sent < item->value_bytes || kv_io_room(io) < tail_bytes(session))
		return KV_STEP_ROOM;
	kv_put(io, "\r\n", tail_bytes(session));
	session->sending = NULL;
	kv_item_release(session->store, item);
	return KV_STEP_AGAIN;
}

enum kv_step kv_session_send(struct kv_session *session, struct kv_io *io, struct kv_item *item)
{
	uint32_t tail = tail_bytes(session);

	if (item->value_bytes + tail <= kv_io_room(io)) {
		kv_put(io, kv_item_value(item), item->value_bytes);
		kv_put(io, "\r\n", tail);
		return KV_STEP_AGAIN;
	}
	/* So many peers read so slowly that half of the memory waits for them: this one has to go, since
	 * what it was promised in the header cannot be kept for it. */
	if (!kv_item_hold(session->store, item))
		return KV_STEP_CLOSE;
	session->sending = item;
	session->sent = 0;
	return send_more(session, io);
}

void kv_session_fill(struct kv_session *session, struct kv_item *item, enum kv_mode mode, uint64_t cas)
{
	session->filling = item;
	session->filled = 0;
	session->mode = (uint8_t)mode;
	session->cas = cas;
}

static enum kv_step fill_failed(struct kv_session *session, struct kv_io *io)
{
	session->swallow = session->filling->value_bytes - session->filled + tail_bytes(session);
	kv_item_discard(session->store, stop_filling(session));
	if (session->is_binary)
		kv_binary_fill_failed(session, io);
	else
		kv_text_fill_failed(session, io);
	return KV_STEP_AGAIN;
}

static enum kv_step fill(struct kv_session *session, struct kv_io *io)
{
	struct kv_item *item = session->filling;
	uint32_t left = item->value_bytes - session->filled;
	uint32_t part = left < kv_io_input(io) ? left : (uint32_t)kv_io_input(io);
	enum kv_step step = KV_STEP_INPUT;

	memcpy(kv_item_value(item) + session->filled, io->in, part);
	io->in += part;
	session->filled += part;
	if (session->filled == item->value_bytes && kv_io_input(io) >= tail_bytes(session)) {
		stop_filling(session);
		session->filling = item;
		step = session->is_binary ? kv_binary_filled(session, io) : kv_text_filled(session, io);
		session->filling = NULL;
		return step;
	}
	/* The rest will come when the peer likes: what waits is bounded. */
	if (!session->is_filling_held) {
		if (!kv_item_hold(session->store, item))
			return fill_failed(session, io);
		session->is_filling_held = true;
	}
	return step;
}

static enum kv_step swallow(struct kv_session *session, struct kv_io *io)
{
	uint64_t part = session->swallow < kv_io_input(io) ? session->swallow : kv_io_input(io);

	io->in += part;
	session->swallow -= part;
	return session->swallow ? KV_STEP_INPUT : KV_STEP_AGAIN;
}

static enum kv_step step_once(struct kv_session *session, struct kv_io *io)
{
	if (session->sending)
		return send_more(session, io);
	if (session->swallow)
		return swallow(session, io);
	if (kv_io_room(io) < KV_OUT_MIN_BYTES)
		return KV_STEP_ROOM;
	if (session->filling)
		return fill(session, io);
	switch ((enum kv_stage)session->stage) {
	case KV_STAGE_FIRST:
		if (!kv_io_input(io))
			return KV_STEP_INPUT;
		session->is_binary = *io->in == BINARY_MAGIC;
		session->stage = KV_STAGE_COMMAND;
		return KV_STEP_AGAIN;
	case KV_STAGE_STATS:
		return session->is_binary ? kv_binary_stats(session, io) : kv_text_stats(session, io);
	default:
		return session->is_binary ? kv_binary_step(session, io) : kv_text_step(session, io);
	}
}

enum kv_verdict kv_session_run(struct kv_session *session, struct kv_io *io)
{
	struct kv_counters *counters = kv_store_counters(session->store);
	const uint8_t *in = io->in, *out = io->out;
	enum kv_step step;

	do
		step = step_once(session, io);
	while (step == KV_STEP_AGAIN);
	counters->bytes_read += (uint64_t)(io->in - in);
	counters->bytes_written += (uint64_t)(io->out - out);
	switch (step) {
	case KV_STEP_ROOM:
		return KV_WANTS_ROOM;
	case KV_STEP_CLOSE:
		return KV_WANTS_CLOSE;
	default:
		return KV_WANTS_INPUT;
	}
}
