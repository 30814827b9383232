/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text protocol (memcached's doc/protocol.txt). A line is parsed where it lies; the keys of a get are
 * answered one by one, so that their number has no limit.
 */
#include <limits.h>

#include "client-lib/examples/kv_protocol.h"

#define TOKENS_MAX   8u
#define NUMBER_CHARS 20u

struct token {
	const uint8_t *at;
	uint32_t len;
};

struct line {
	struct token tokens[TOKENS_MAX];
	unsigned count; /* TOKENS_MAX + 1 when there are more */
};

static void reply(const struct kv_session *session, struct kv_io *io, const char *text)
{
	if (!session->is_quiet)
		kv_put(io, text, strlen(text));
}

static void malformed(struct kv_session *session, struct kv_io *io, const char *text)
{
	kv_store_counters(session->store)->malformed++;
	reply(session, io, text);
}

static const char bad_format[] = "CLIENT_ERROR bad command line format\r\n";
static const char bad_exptime[] = "CLIENT_ERROR invalid exptime argument\r\n";

static void put_number(struct kv_io *io, uint64_t value)
{
	uint8_t text[NUMBER_CHARS], *at = text + sizeof(text);

	do
		*--at = (uint8_t)('0' + value % 10);
	while (value /= 10);
	kv_put(io, at, (size_t)(text + sizeof(text) - at));
}

static bool token_is(struct token token, const char *word)
{
	return token.len == strlen(word) && !memcmp(token.at, word, token.len);
}

static bool parse_u64(struct token token, uint64_t *value)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < token.len; i++) {
		unsigned digit = (unsigned)(token.at[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, digit, &sum))
			return false;
	}
	*value = sum;
	return token.len > 0;
}

static bool parse_u32(struct token token, uint32_t *value)
{
	uint64_t wide;

	if (!parse_u64(token, &wide) || wide > UINT32_MAX)
		return false;
	*value = (uint32_t)wide;
	return true;
}

static bool parse_i64(struct token token, int64_t *value)
{
	bool is_negative = token.len && *token.at == '-';
	uint64_t magnitude;

	if (is_negative)
		token = (struct token){token.at + 1, token.len - 1};
	if (!parse_u64(token, &magnitude) || magnitude > INT64_MAX)
		return false;
	*value = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return true;
}

static bool parse_expiry(const struct kv_session *session, struct token token, uint32_t *expires_s)
{
	int64_t exptime;

	if (!parse_i64(token, &exptime))
		return false;
	*expires_s = kv_store_expiry(session->store, exptime);
	return true;
}

static bool parse_key(struct token token, struct kv_key *key)
{
	*key = (struct kv_key){token.at, token.len};
	return token.len && token.len <= KV_KEY_MAX_BYTES;
}

static void split(struct line *line, const uint8_t *at, const uint8_t *end)
{
	line->count = 0;
	for (;;) {
		const uint8_t *begin;

		while (at < end && *at == ' ')
			at++;
		if (at == end)
			return;
		if (line->count++ == TOKENS_MAX)
			return;
		begin = at;
		while (at < end && *at != ' ')
			at++;
		line->tokens[line->count - 1] = (struct token){begin, (uint32_t)(at - begin)};
	}
}

/* Whether the line ends with noreply, which is then taken off. */
static bool take_noreply(struct line *line)
{
	if (line->count < 2 || line->count > TOKENS_MAX ||
	    !token_is(line->tokens[line->count - 1], "noreply"))
		return false;
	line->count--;
	return true;
}

/* ---- get, gets, gat, gats */

/* The token at the input's beginning, behind blanks. False: it may go on. An empty one is the line's end. */
static bool next_token(struct kv_io *io, struct token *token)
{
	const uint8_t *at;

	while (io->in < io->in_end && *io->in == ' ')
		io->in++;
	for (at = io->in; at < io->in_end; at++)
		if (*at == ' ' || *at == '\n' || at - io->in > KV_KEY_MAX_BYTES)
			break;
	if (at == io->in_end)
		return false;
	*token = (struct token){io->in, (uint32_t)(at - io->in)};
	if (*at == '\n' && token->len && at[-1] == '\r')
		token->len--;
	return true;
}

static enum kv_step end_of_keys(struct kv_session *session, struct kv_io *io)
{
	/* next_token() has seen a newline in the input. */
	while (*io->in++ != '\n')
		;
	session->stage = KV_STAGE_COMMAND;
	if (session->has_keys)
		reply(session, io, "END\r\n");
	else
		malformed(session, io, "ERROR\r\n");
	return KV_STEP_AGAIN;
}

static enum kv_step refuse_keys(struct kv_session *session, struct kv_io *io, const char *text)
{
	malformed(session, io, text);
	session->stage = KV_STAGE_SKIP_LINE;
	return KV_STEP_AGAIN;
}

static enum kv_step answer_key(struct kv_session *session, struct kv_io *io, struct kv_key key)
{
	struct kv_item *item = kv_session_get(session, key);

	if (!item)
		return KV_STEP_AGAIN;
	kv_put(io, "VALUE ", 6);
	kv_put(io, item->bytes, item->key_bytes);
	*io->out++ = ' ';
	put_number(io, item->flags);
	*io->out++ = ' ';
	put_number(io, item->value_bytes);
	if (session->has_cas) {
		*io->out++ = ' ';
		put_number(io, item->cas);
	}
	kv_put(io, "\r\n", 2);
	return kv_session_send(session, io, item);
}

static enum kv_step step_keys(struct kv_session *session, struct kv_io *io)
{
	struct token token;
	struct kv_key key;

	if (!next_token(io, &token))
		return KV_STEP_INPUT;
	if (!token.len)
		return end_of_keys(session, io);
	if (session->is_touching && !session->has_expiry) {
		session->has_expiry = true;
		if (!parse_expiry(session, token, &session->expires_s))
			return refuse_keys(session, io, bad_exptime);
		io->in += token.len;
		return KV_STEP_AGAIN;
	}
	if (!parse_key(token, &key))
		return refuse_keys(session, io, bad_format);
	session->has_keys = true;
	io->in += token.len;
	return answer_key(session, io, key);
}

/* Whether the input begins with such a command, which is then taken. */
static bool begin_get(struct kv_session *session, struct kv_io *io)
{
	size_t have = kv_io_input(io);
	const uint8_t *in = io->in;
	bool has_cas = have >= 5 && in[3] == 's';

	if (have < 4 || in[0] != 'g' || in[2] != 't' || in[has_cas ? 4 : 3] != ' ' ||
	    (in[1] != 'e' && in[1] != 'a'))
		return false;
	session->has_cas = has_cas;
	session->is_touching = in[1] == 'a';
	session->has_expiry = session->has_keys = session->is_quiet = false;
	session->stage = KV_STAGE_KEYS;
	io->in += has_cas ? 5 : 4;
	return true;
}

/* ---- Commands of one line. Each gets its line without noreply. */

static enum kv_step on_delete(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	struct kv_key key;

	/* A time of 0 is what very old clients say. */
	if (line->count == 3 && !token_is(line->tokens[2], "0")) {
		malformed(session, io,
			  "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n");
		return KV_STEP_AGAIN;
	}
	if (!parse_key(line->tokens[1], &key))
		malformed(session, io, bad_format);
	else if (kv_store_delete(session->store, key, 0) == KV_OK)
		reply(session, io, "DELETED\r\n");
	else
		reply(session, io, "NOT_FOUND\r\n");
	return KV_STEP_AGAIN;
}

static enum kv_step on_count(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	bool is_down = *line->tokens[0].at == 'd';
	struct kv_item *item;
	struct kv_key key;
	uint64_t delta, value;

	if (!parse_key(line->tokens[1], &key)) {
		malformed(session, io, bad_format);
		return KV_STEP_AGAIN;
	}
	if (!parse_u64(line->tokens[2], &delta)) {
		malformed(session, io, "CLIENT_ERROR invalid numeric delta argument\r\n");
		return KV_STEP_AGAIN;
	}
	switch (kv_store_count(session->store, key, is_down, delta, 0, &value, &item)) {
	case KV_OK:
		if (!session->is_quiet) {
			put_number(io, value);
			kv_put(io, "\r\n", 2);
		}
		break;
	case KV_NOT_FOUND:
		reply(session, io, "NOT_FOUND\r\n");
		break;
	case KV_NOT_A_NUMBER:
		reply(session, io, "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
		break;
	default:
		reply(session, io, "SERVER_ERROR out of memory in incr\r\n");
		break;
	}
	return KV_STEP_AGAIN;
}

static enum kv_step on_touch(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	struct kv_counters *counters = kv_store_counters(session->store);
	struct kv_item *item;
	struct kv_key key;
	uint32_t expires_s;

	if (!parse_key(line->tokens[1], &key)) {
		malformed(session, io, bad_format);
		return KV_STEP_AGAIN;
	}
	if (!parse_expiry(session, line->tokens[2], &expires_s)) {
		malformed(session, io, bad_exptime);
		return KV_STEP_AGAIN;
	}
	item = kv_store_find(session->store, key);
	counters->cmd_touch++;
	*(item ? &counters->touch_hits : &counters->touch_misses) += 1;
	if (item)
		item->expires_s = expires_s;
	reply(session, io, item ? "TOUCHED\r\n" : "NOT_FOUND\r\n");
	return KV_STEP_AGAIN;
}

static enum kv_step on_flush(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	uint32_t at_s = 0;

	if (line->count == 2 && !parse_expiry(session, line->tokens[1], &at_s)) {
		malformed(session, io, bad_exptime);
		return KV_STEP_AGAIN;
	}
	kv_store_flush(session->store, at_s);
	reply(session, io, "OK\r\n");
	return KV_STEP_AGAIN;
}

static enum kv_step on_stats(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	if (line->count == 1) {
		session->stats_row = 0;
		session->stage = KV_STAGE_STATS;
	} else if (token_is(line->tokens[1], "reset")) {
		kv_stats_reset(session->store);
		reply(session, io, "RESET\r\n");
	} else {
		malformed(session, io, "ERROR\r\n");
	}
	return KV_STEP_AGAIN;
}

static enum kv_step on_version(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	(void)line;
	reply(session, io, "VERSION " IXD_VERSION "\r\n");
	return KV_STEP_AGAIN;
}

/* There is nothing to be more or less talkative about. */
static enum kv_step on_verbosity(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	(void)line;
	reply(session, io, "OK\r\n");
	return KV_STEP_AGAIN;
}

static enum kv_step on_quit(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	(void)session;
	(void)io;
	(void)line;
	return KV_STEP_CLOSE;
}

/* ---- set and its kin */

static const struct {
	const char *name;
	enum kv_mode mode;
} storage_words[] = {
    {"set", KV_SET},       {"add", KV_ADD},         {"replace", KV_REPLACE},
    {"append", KV_APPEND}, {"prepend", KV_PREPEND}, {"cas", KV_SET},
};

static enum kv_mode mode_of(struct token word)
{
	for (size_t i = 0; i < sizeof(storage_words) / sizeof(storage_words[0]); i++)
		if (token_is(word, storage_words[i].name))
			return storage_words[i].mode;
	return KV_SET;
}

static enum kv_step refuse_value(struct kv_session *session, struct kv_io *io, struct kv_key key,
				 uint32_t value_bytes, enum kv_outcome outcome)
{
	/* Whoever sets a new value does not want to read the old one again. */
	kv_store_delete(session->store, key, 0);
	session->swallow = (uint64_t)value_bytes + 2;
	reply(session, io,
	      outcome == KV_TOO_LARGE ? "SERVER_ERROR object too large for cache\r\n"
				      : "SERVER_ERROR out of memory storing object\r\n");
	return KV_STEP_AGAIN;
}

static enum kv_step on_store(struct kv_session *session, struct kv_io *io, const struct line *line)
{
	bool is_cas = token_is(line->tokens[0], "cas");
	enum kv_outcome outcome;
	uint32_t flags, expires_s, value_bytes;
	struct kv_item *item;
	struct kv_key key;
	uint64_t cas = 0;

	if (line->count != (is_cas ? 6 : 5)) {
		malformed(session, io, "ERROR\r\n");
		return KV_STEP_AGAIN;
	}
	if (!parse_key(line->tokens[1], &key) || !parse_u32(line->tokens[2], &flags) ||
	    !parse_expiry(session, line->tokens[3], &expires_s) ||
	    !parse_u32(line->tokens[4], &value_bytes) || value_bytes > INT_MAX ||
	    (is_cas && !parse_u64(line->tokens[5], &cas))) {
		malformed(session, io, bad_format);
		return KV_STEP_AGAIN;
	}
	/* No item has the number 0, but to the store it would mean that none was given. */
	if (is_cas && !cas)
		cas = UINT64_MAX;
	item = kv_item_new(session->store, key, value_bytes, &outcome);
	if (!item)
		return refuse_value(session, io, key, value_bytes, outcome);
	item->flags = flags;
	item->expires_s = expires_s;
	kv_session_fill(session, item, mode_of(line->tokens[0]), cas);
	return KV_STEP_AGAIN;
}

void kv_text_fill_failed(struct kv_session *session, struct kv_io *io)
{
	reply(session, io, "SERVER_ERROR out of memory storing object\r\n");
}

enum kv_step kv_text_filled(struct kv_session *session, struct kv_io *io)
{
	static const char *const words[KV_OUTCOMES] = {
	    [KV_OK] = "STORED\r\n",
	    [KV_NOT_STORED] = "NOT_STORED\r\n",
	    [KV_EXISTS] = "EXISTS\r\n",
	    [KV_NOT_FOUND] = "NOT_FOUND\r\n",
	    [KV_NOT_A_NUMBER] = "ERROR\r\n",
	    [KV_TOO_LARGE] = "SERVER_ERROR object too large for cache\r\n",
	    [KV_NO_MEMORY] = "SERVER_ERROR out of memory storing object\r\n",
	};
	bool is_ended = io->in[0] == '\r' && io->in[1] == '\n';

	io->in += 2;
	if (!is_ended) {
		kv_item_discard(session->store, session->filling);
		malformed(session, io, "CLIENT_ERROR bad data chunk\r\n");
		/* The value was longer than was said. Its rest is no command. */
		if (io->in[-1] != '\n')
			session->stage = KV_STAGE_SKIP_LINE;
		return KV_STEP_AGAIN;
	}
	reply(session, io,
	      words[kv_store_commit(session->store, session->filling, (enum kv_mode)session->mode,
				    session->cas, NULL)]);
	return KV_STEP_AGAIN;
}

/* ---- Lines */

/* By frequency. Tokens are counted with the command's word, without noreply. */
static const struct command {
	const char *name;
	unsigned min_tokens, max_tokens;
	enum kv_step (*run)(struct kv_session *session, struct kv_io *io, const struct line *line);
} commands[] = {
    {"set", 1, TOKENS_MAX + 1, on_store},
    {"delete", 2, 3, on_delete},
    {"incr", 3, 3, on_count},
    {"decr", 3, 3, on_count},
    {"add", 1, TOKENS_MAX + 1, on_store},
    {"replace", 1, TOKENS_MAX + 1, on_store},
    {"cas", 1, TOKENS_MAX + 1, on_store},
    {"append", 1, TOKENS_MAX + 1, on_store},
    {"prepend", 1, TOKENS_MAX + 1, on_store},
    {"touch", 3, 3, on_touch},
    {"flush_all", 1, 2, on_flush},
    {"stats", 1, TOKENS_MAX + 1, on_stats},
    {"version", 1, TOKENS_MAX + 1, on_version},
    {"verbosity", 2, TOKENS_MAX + 1, on_verbosity},
    {"quit", 1, TOKENS_MAX + 1, on_quit},
};

static enum kv_step run_line(struct kv_session *session, struct kv_io *io, struct line *line)
{
	session->is_quiet = false;
	for (size_t i = 0; line->count && i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *command = &commands[i];

		if (!token_is(line->tokens[0], command->name))
			continue;
		session->is_quiet = take_noreply(line);
		if (line->count < command->min_tokens || line->count > command->max_tokens)
			break;
		return command->run(session, io, line);
	}
	session->is_quiet = false;
	malformed(session, io, "ERROR\r\n");
	return KV_STEP_AGAIN;
}

static enum kv_step step_command(struct kv_session *session, struct kv_io *io)
{
	const uint8_t *end, *next;
	struct line line;

	if (begin_get(session, io))
		return KV_STEP_AGAIN;
	end = memchr(io->in, '\n', kv_io_input(io) < KV_IN_MIN_BYTES ? kv_io_input(io) : KV_IN_MIN_BYTES);
	if (!end) {
		if (kv_io_input(io) < KV_IN_MIN_BYTES)
			return KV_STEP_INPUT;
		/* Where the next command begins is anybody's guess. */
		session->is_quiet = false;
		malformed(session, io, "CLIENT_ERROR line too long\r\n");
		return KV_STEP_CLOSE;
	}
	next = end + 1;
	if (end > io->in && end[-1] == '\r')
		end--;
	split(&line, io->in, end);
	io->in = next;
	return run_line(session, io, &line);
}

static enum kv_step skip_line(struct kv_session *session, struct kv_io *io)
{
	const uint8_t *end = memchr(io->in, '\n', kv_io_input(io));

	io->in = end ? end + 1 : io->in_end;
	if (!end)
		return KV_STEP_INPUT;
	session->stage = KV_STAGE_COMMAND;
	return KV_STEP_AGAIN;
}

enum kv_step kv_text_step(struct kv_session *session, struct kv_io *io)
{
	switch ((enum kv_stage)session->stage) {
	case KV_STAGE_KEYS:
		return step_keys(session, io);
	case KV_STAGE_SKIP_LINE:
		return skip_line(session, io);
	default:
		return step_command(session, io);
	}
}

enum kv_step kv_text_stats(struct kv_session *session, struct kv_io *io)
{
	const char *name;
	char value[32];

	if (!kv_stats_row(session->store, session->stats_row, &name, value)) {
		session->stage = KV_STAGE_COMMAND;
		reply(session, io, "END\r\n");
		return KV_STEP_AGAIN;
	}
	session->stats_row++;
	kv_put(io, "STAT ", 5);
	kv_put(io, name, strlen(name));
	*io->out++ = ' ';
	kv_put(io, value, strlen(value));
	kv_put(io, "\r\n", 2);
	return KV_STEP_AGAIN;
}
