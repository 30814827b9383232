/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The binary protocol (memcached's wiki page BinaryProtocolRevamped). A request's header, extras and key are
 * read together, its value goes into the item as it comes.
 */
#include <endian.h>

#include "client-lib/examples/kv_protocol.h"

#define MAGIC_REQUEST  0x80u
#define MAGIC_RESPONSE 0x81u
#define HEADER_BYTES   24u
#define NO_CREATE      0xffffffffu /* an expiry that says: only if it is there */

enum opcode {
	OP_GET,
	OP_SET,
	OP_ADD,
	OP_REPLACE,
	OP_DELETE,
	OP_INCREMENT,
	OP_DECREMENT,
	OP_QUIT,
	OP_FLUSH,
	OP_GETQ,
	OP_NOOP,
	OP_VERSION,
	OP_GETK,
	OP_GETKQ,
	OP_APPEND,
	OP_PREPEND,
	OP_STAT,
	OP_SETQ,
	OP_ADDQ,
	OP_REPLACEQ,
	OP_DELETEQ,
	OP_INCREMENTQ,
	OP_DECREMENTQ,
	OP_QUITQ,
	OP_FLUSHQ,
	OP_APPENDQ,
	OP_PREPENDQ,
	OP_VERBOSITY,
	OP_TOUCH,
	OP_GAT,
	OP_GATQ,
	OP_GATK = 0x23,
	OP_GATKQ,
	OPCODES
};

enum status {
	STATUS_OK = 0x00,
	STATUS_NOT_FOUND = 0x01,
	STATUS_EXISTS = 0x02,
	STATUS_TOO_LARGE = 0x03,
	STATUS_INVALID = 0x04,
	STATUS_NOT_STORED = 0x05,
	STATUS_NOT_A_NUMBER = 0x06,
	STATUS_UNKNOWN = 0x81,
	STATUS_NO_MEMORY = 0x82,
};

struct request {
	const uint8_t *extras;
	struct kv_key key;
	uint32_t value_bytes;
	uint64_t cas;
};

static uint16_t load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t load32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static uint64_t load64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return be64toh(value);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof(value));
}

/* ---- Answers */

/* A header for a body of extras, key and value, which the caller puts behind it. */
static void put_header(const struct kv_session *session, struct kv_io *io, enum status status,
		       uint8_t extras_bytes, uint16_t key_bytes, uint32_t value_bytes, uint64_t cas)
{
	uint8_t *at = io->out;

	at[0] = MAGIC_RESPONSE;
	at[1] = session->opcode;
	at[2] = (uint8_t)(key_bytes >> 8);
	at[3] = (uint8_t)key_bytes;
	at[4] = extras_bytes;
	at[5] = 0;
	at[6] = 0;
	at[7] = (uint8_t)status;
	put32(at + 8, extras_bytes + key_bytes + value_bytes);
	/* As it came: it is nobody's number but the peer's. */
	memcpy(at + 12, &session->opaque, sizeof(session->opaque));
	put64(at + 16, cas);
	io->out += HEADER_BYTES;
}

/* A request that succeeded and has nothing to tell. */
static void answer_ok(const struct kv_session *session, struct kv_io *io, uint64_t cas)
{
	if (!session->is_quiet)
		put_header(session, io, STATUS_OK, 0, 0, 0, cas);
}

static enum kv_step answer_error(struct kv_session *session, struct kv_io *io, enum status status)
{
	const char *words = "";

	switch (status) {
	case STATUS_OK:
		break;
	case STATUS_NOT_FOUND:
		words = "Not found";
		break;
	case STATUS_EXISTS:
		words = "Data exists for key.";
		break;
	case STATUS_TOO_LARGE:
		words = "Too large.";
		break;
	case STATUS_INVALID:
		words = "Invalid arguments";
		break;
	case STATUS_NOT_STORED:
		words = "Not stored.";
		break;
	case STATUS_NOT_A_NUMBER:
		words = "Non-numeric server-side value for incr or decr";
		break;
	case STATUS_UNKNOWN:
		words = "Unknown command";
		break;
	case STATUS_NO_MEMORY:
		words = "Out of memory";
		break;
	}
	if (status == STATUS_INVALID || status == STATUS_UNKNOWN)
		kv_store_counters(session->store)->malformed++;
	put_header(session, io, status, 0, 0, (uint32_t)strlen(words), 0);
	kv_put(io, words, strlen(words));
	return KV_STEP_AGAIN;
}

static enum status status_of(const struct kv_session *session, enum kv_outcome outcome)
{
	switch (outcome) {
	case KV_OK:
		return STATUS_OK;
	case KV_NOT_STORED:
		/* What `add` found, what `replace` missed: there are words for these. */
		if (session->mode == KV_ADD)
			return STATUS_EXISTS;
		return session->mode == KV_REPLACE ? STATUS_NOT_FOUND : STATUS_NOT_STORED;
	case KV_EXISTS:
		return STATUS_EXISTS;
	case KV_NOT_FOUND:
		return STATUS_NOT_FOUND;
	case KV_NOT_A_NUMBER:
		return STATUS_NOT_A_NUMBER;
	case KV_TOO_LARGE:
		return STATUS_TOO_LARGE;
	default:
		return STATUS_NO_MEMORY;
	}
}

/* ---- Requests. Each is called with header, extras and key taken from the input, the value still in it. */

static bool wants_key(const struct kv_session *session)
{
	switch (session->opcode) {
	case OP_GETK:
	case OP_GETKQ:
	case OP_GATK:
	case OP_GATKQ:
		return true;
	default:
		return false;
	}
}

static enum kv_step on_get(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	uint16_t key_bytes = wants_key(session) ? (uint16_t)request->key.len : 0;
	uint32_t exptime = request->extras ? load32(request->extras) : 0;
	struct kv_item *item;

	session->is_touching = request->extras != NULL;
	session->expires_s = kv_store_expiry(session->store, exptime);
	item = kv_session_get(session, request->key);
	if (!item && session->is_quiet)
		return KV_STEP_AGAIN;
	if (!item && !key_bytes)
		return answer_error(session, io, STATUS_NOT_FOUND);
	if (!item) {
		put_header(session, io, STATUS_NOT_FOUND, 0, key_bytes, 0, 0);
		kv_put(io, request->key.bytes, key_bytes);
		return KV_STEP_AGAIN;
	}
	put_header(session, io, STATUS_OK, 4, key_bytes, item->value_bytes, item->cas);
	put32(io->out, item->flags);
	io->out += 4;
	kv_put(io, item->bytes, key_bytes);
	return kv_session_send(session, io, item);
}

static enum kv_step on_touch(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	struct kv_counters *counters = kv_store_counters(session->store);
	struct kv_item *item = kv_store_find(session->store, request->key);

	counters->cmd_touch++;
	*(item ? &counters->touch_hits : &counters->touch_misses) += 1;
	if (!item)
		return answer_error(session, io, STATUS_NOT_FOUND);
	item->expires_s = kv_store_expiry(session->store, load32(request->extras));
	answer_ok(session, io, item->cas);
	return KV_STEP_AGAIN;
}

static enum kv_mode mode_of(uint8_t opcode)
{
	switch (opcode) {
	case OP_ADD:
	case OP_ADDQ:
		return KV_ADD;
	case OP_REPLACE:
	case OP_REPLACEQ:
		return KV_REPLACE;
	case OP_APPEND:
	case OP_APPENDQ:
		return KV_APPEND;
	case OP_PREPEND:
	case OP_PREPENDQ:
		return KV_PREPEND;
	default:
		return KV_SET;
	}
}

static enum kv_step on_store(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	enum kv_outcome outcome;
	struct kv_item *item = kv_item_new(session->store, request->key, request->value_bytes, &outcome);

	if (!item) {
		/* Whoever sets a new value does not want to read the old one again. */
		kv_store_delete(session->store, request->key, 0);
		session->swallow = request->value_bytes;
		return answer_error(session, io, status_of(session, outcome));
	}
	if (request->extras) {
		item->flags = load32(request->extras);
		item->expires_s = kv_store_expiry(session->store, load32(request->extras + 4));
	}
	kv_session_fill(session, item, mode_of(session->opcode), request->cas);
	return KV_STEP_AGAIN;
}

void kv_binary_fill_failed(struct kv_session *session, struct kv_io *io)
{
	answer_error(session, io, STATUS_NO_MEMORY);
}

enum kv_step kv_binary_filled(struct kv_session *session, struct kv_io *io)
{
	struct kv_item *stored;
	enum kv_outcome outcome = kv_store_commit(session->store, session->filling,
						  (enum kv_mode)session->mode, session->cas, &stored);

	if (outcome != KV_OK)
		return answer_error(session, io, status_of(session, outcome));
	answer_ok(session, io, stored->cas);
	return KV_STEP_AGAIN;
}

static enum kv_step on_delete(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	enum kv_outcome outcome = kv_store_delete(session->store, request->key, request->cas);

	if (outcome != KV_OK)
		return answer_error(session, io, status_of(session, outcome));
	answer_ok(session, io, 0);
	return KV_STEP_AGAIN;
}

/* A counter that is not there begins with the initial value that the request brings. */
static enum kv_outcome create_counter(struct kv_session *session, const struct request *request,
				      uint64_t *value, struct kv_item **stored)
{
	char text[24];
	int len;
	enum kv_outcome outcome;
	struct kv_item *item;

	*value = load64(request->extras + 8);
	len = snprintf(text, sizeof(text), "%llu", (unsigned long long)*value);
	item = kv_item_new(session->store, request->key, (uint32_t)len, &outcome);
	if (!item)
		return outcome;
	memcpy(kv_item_value(item), text, (size_t)len);
	item->expires_s = kv_store_expiry(session->store, load32(request->extras + 16));
	return kv_store_commit(session->store, item, KV_SET, 0, stored);
}

static enum kv_step on_count(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	bool is_down = session->opcode == OP_DECREMENT || session->opcode == OP_DECREMENTQ;
	struct kv_item *stored = NULL;
	uint64_t value = 0;
	enum kv_outcome outcome = kv_store_count(session->store, request->key, is_down,
						 load64(request->extras), request->cas, &value, &stored);

	if (outcome == KV_NOT_FOUND && load32(request->extras + 16) != NO_CREATE)
		outcome = create_counter(session, request, &value, &stored);
	if (outcome != KV_OK)
		return answer_error(session, io, status_of(session, outcome));
	if (session->is_quiet)
		return KV_STEP_AGAIN;
	put_header(session, io, STATUS_OK, 0, 0, 8, stored->cas);
	put64(io->out, value);
	io->out += 8;
	return KV_STEP_AGAIN;
}

static enum kv_step on_quit(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	(void)request;
	answer_ok(session, io, 0);
	return KV_STEP_CLOSE;
}

static enum kv_step on_flush(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	uint32_t exptime = request->extras ? load32(request->extras) : 0;

	kv_store_flush(session->store, kv_store_expiry(session->store, exptime));
	answer_ok(session, io, 0);
	return KV_STEP_AGAIN;
}

/* noop, and verbosity, which nothing here depends on */
static enum kv_step on_noop(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	(void)request;
	answer_ok(session, io, 0);
	return KV_STEP_AGAIN;
}

static enum kv_step on_version(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	static const char version[] = IXD_VERSION;

	(void)request;
	put_header(session, io, STATUS_OK, 0, 0, sizeof(version) - 1, 0);
	kv_put(io, version, sizeof(version) - 1);
	return KV_STEP_AGAIN;
}

static enum kv_step on_stat(struct kv_session *session, struct kv_io *io, const struct request *request)
{
	if (request->key.len == 5 && !memcmp(request->key.bytes, "reset", 5)) {
		kv_stats_reset(session->store);
		answer_ok(session, io, 0);
		return KV_STEP_AGAIN;
	}
	if (request->key.len)
		return answer_error(session, io, STATUS_NOT_FOUND);
	session->stats_row = 0;
	session->stage = KV_STAGE_STATS;
	return KV_STEP_AGAIN;
}

enum kv_step kv_binary_stats(struct kv_session *session, struct kv_io *io)
{
	const char *name;
	char value[32];

	if (!kv_stats_row(session->store, session->stats_row, &name, value)) {
		/* A row without name and value ends them. */
		session->stage = KV_STAGE_COMMAND;
		put_header(session, io, STATUS_OK, 0, 0, 0, 0);
		return KV_STEP_AGAIN;
	}
	session->stats_row++;
	put_header(session, io, STATUS_OK, 0, (uint16_t)strlen(name), (uint32_t)strlen(value), 0);
	kv_put(io, name, strlen(name));
	kv_put(io, value, strlen(value));
	return KV_STEP_AGAIN;
}

/* ---- What a request must look like */

enum {
	HAS_KEY = 1,
	MAY_HAVE_KEY = 2,
	HAS_VALUE = 4,
	IS_QUIET = 8,
	MAY_LACK_EXTRAS = 16,
};

static const struct operation {
	enum kv_step (*run)(struct kv_session *session, struct kv_io *io, const struct request *request);
	uint8_t extras_bytes;
	uint8_t is;
} operations[OPCODES] = {
    [OP_GET] = {on_get, 0, HAS_KEY},
    [OP_GETQ] = {on_get, 0, HAS_KEY | IS_QUIET},
    [OP_GETK] = {on_get, 0, HAS_KEY},
    [OP_GETKQ] = {on_get, 0, HAS_KEY | IS_QUIET},
    [OP_GAT] = {on_get, 4, HAS_KEY},
    [OP_GATQ] = {on_get, 4, HAS_KEY | IS_QUIET},
    [OP_GATK] = {on_get, 4, HAS_KEY},
    [OP_GATKQ] = {on_get, 4, HAS_KEY | IS_QUIET},
    [OP_TOUCH] = {on_touch, 4, HAS_KEY},
    [OP_SET] = {on_store, 8, HAS_KEY | HAS_VALUE},
    [OP_SETQ] = {on_store, 8, HAS_KEY | HAS_VALUE | IS_QUIET},
    [OP_ADD] = {on_store, 8, HAS_KEY | HAS_VALUE},
    [OP_ADDQ] = {on_store, 8, HAS_KEY | HAS_VALUE | IS_QUIET},
    [OP_REPLACE] = {on_store, 8, HAS_KEY | HAS_VALUE},
    [OP_REPLACEQ] = {on_store, 8, HAS_KEY | HAS_VALUE | IS_QUIET},
    [OP_APPEND] = {on_store, 0, HAS_KEY | HAS_VALUE},
    [OP_APPENDQ] = {on_store, 0, HAS_KEY | HAS_VALUE | IS_QUIET},
    [OP_PREPEND] = {on_store, 0, HAS_KEY | HAS_VALUE},
    [OP_PREPENDQ] = {on_store, 0, HAS_KEY | HAS_VALUE | IS_QUIET},
    [OP_DELETE] = {on_delete, 0, HAS_KEY},
    [OP_DELETEQ] = {on_delete, 0, HAS_KEY | IS_QUIET},
    [OP_INCREMENT] = {on_count, 20, HAS_KEY},
    [OP_INCREMENTQ] = {on_count, 20, HAS_KEY | IS_QUIET},
    [OP_DECREMENT] = {on_count, 20, HAS_KEY},
    [OP_DECREMENTQ] = {on_count, 20, HAS_KEY | IS_QUIET},
    [OP_QUIT] = {on_quit, 0, 0},
    [OP_QUITQ] = {on_quit, 0, IS_QUIET},
    [OP_FLUSH] = {on_flush, 4, MAY_LACK_EXTRAS},
    [OP_FLUSHQ] = {on_flush, 4, MAY_LACK_EXTRAS | IS_QUIET},
    [OP_NOOP] = {on_noop, 0, 0},
    [OP_VERBOSITY] = {on_noop, 4, 0},
    [OP_VERSION] = {on_version, 0, 0},
    [OP_STAT] = {on_stat, 0, MAY_HAVE_KEY},
};

static bool is_well_formed(const struct operation *operation, uint32_t extras_bytes, uint32_t key_bytes,
			   uint32_t value_bytes)
{
	if (extras_bytes != operation->extras_bytes && !(!extras_bytes && operation->is & MAY_LACK_EXTRAS))
		return false;
	if (!key_bytes && operation->is & HAS_KEY)
		return false;
	if (key_bytes && !(operation->is & (HAS_KEY | MAY_HAVE_KEY)))
		return false;
	return !value_bytes || operation->is & HAS_VALUE;
}

enum kv_step kv_binary_step(struct kv_session *session, struct kv_io *io)
{
	const uint8_t *header = io->in;
	const struct operation *operation = NULL;
	uint32_t extras_bytes, key_bytes, body_bytes;
	struct request request;

	if (kv_io_input(io) < HEADER_BYTES)
		return KV_STEP_INPUT;
	session->opcode = header[1];
	memcpy(&session->opaque, header + 12, sizeof(session->opaque));
	key_bytes = load16(header + 2);
	extras_bytes = header[4];
	body_bytes = load32(header + 8);
	/* What cannot be a request leaves no way to find the next one. */
	if (header[0] != MAGIC_REQUEST || key_bytes > KV_KEY_MAX_BYTES ||
	    body_bytes < key_bytes + extras_bytes) {
		answer_error(session, io, STATUS_INVALID);
		return KV_STEP_CLOSE;
	}
	if (session->opcode < OPCODES)
		operation = &operations[session->opcode];
	if (!operation || !operation->run) {
		io->in += HEADER_BYTES;
		session->swallow = body_bytes;
		return answer_error(session, io, STATUS_UNKNOWN);
	}
	request.value_bytes = body_bytes - key_bytes - extras_bytes;
	if (!is_well_formed(operation, extras_bytes, key_bytes, request.value_bytes)) {
		answer_error(session, io, STATUS_INVALID);
		return KV_STEP_CLOSE;
	}
	if (kv_io_input(io) < HEADER_BYTES + extras_bytes + key_bytes)
		return KV_STEP_INPUT;
	request.extras = extras_bytes ? header + HEADER_BYTES : NULL;
	request.key = (struct kv_key){header + HEADER_BYTES + extras_bytes, key_bytes};
	request.cas = load64(header + 16);
	session->is_quiet = operation->is & IS_QUIET;
	session->mode = (uint8_t)mode_of(session->opcode);
	io->in += HEADER_BYTES + extras_bytes + key_bytes;
	return operation->run(session, io, &request);
}
