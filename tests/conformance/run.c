/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs conformance scripts against the pure engine in virtual time. A script is one rule of an RFC; README.md
 * here describes the language. All numbers in a script are relative: 0 is the SYN, on both sides.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/script.h"
#include "tests/rig/wire.h"

bool script_fail(struct script *s, const char *format, ...)
{
	va_list args;

	if (!s->has_failed) {
		printf("%s:%u: ", s->path, s->line);
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		printf("\n");
	}
	s->has_failed = true;
	return false;
}

const char *script_word(struct script *s)
{
	return s->at < s->count ? s->words[s->at++] : NULL;
}

int64_t script_number(struct script *s)
{
	const char *w = script_word(s);
	char *end;
	int64_t v;

	if (!w) {
		script_fail(s, "a number is missing");
		return 0;
	}
	v = strtoll(w, &end, 0);
	if (*end)
		script_fail(s, "%s is not a number", w);
	return v;
}

uint64_t script_time(struct script *s, const char *w)
{
	char *end;
	double v = strtod(w ? w : "", &end);

	if (w && strcmp(end, "ns") == 0)
		return (uint64_t)v;
	if (w && strcmp(end, "us") == 0)
		return (uint64_t)(v * 1e3);
	if (w && strcmp(end, "ms") == 0)
		return (uint64_t)(v * 1e6);
	if (w && strcmp(end, "s") == 0)
		return (uint64_t)(v * 1e9);
	script_fail(s, "%s is not a time", w ? w : "nothing");
	return 0;
}

uint16_t script_flags(const char *w)
{
	static const char names[] = "FSRPAUECN";
	uint16_t flags = 0;

	for (; *w; w++) {
		const char *p = strchr(names, *w);

		if (p)
			flags |= (uint16_t)(1u << (p - names));
	}
	return flags;
}

const char *script_flag_names(uint16_t flags)
{
	static char out[10];
	static const char names[] = "FSRPAUECN";
	unsigned n = 0;

	for (unsigned i = 0; i < 9; i++)
		if (flags & 1u << i)
			out[n++] = names[i];
	out[n] = 0;
	return out;
}

void script_start(struct script *s)
{
	if (s->is_started)
		return;
	rig_start(s->rig);
	s->is_started = true;
}

struct tcp_conn *script_conn(struct script *s)
{
	return s->rig->conn == TCP_NONE ? NULL : rig_conn(s->rig);
}

static tcp_time now(const struct script *s)
{
	return (tcp_time){s->rig->now_ns};
}

/* "A-B" */
struct tcp_range script_range(struct script *s, const char *w)
{
	unsigned long a = 0, b = 0;

	if (!w || sscanf(w, "%lu-%lu", &a, &b) != 2)
		script_fail(s, "%s is not a range", w ? w : "nothing");
	return (struct tcp_range){(uint32_t)a, (uint32_t)b};
}

bool script_compare(struct script *s, const char *what, uint64_t have, uint64_t want)
{
	return have == want || script_fail(s, "%s is %lu, not %lu", what, have, want);
}

static void do_none(struct script *s)
{
	const struct rig_segment *seg = rig_next_out(s->rig);

	if (seg)
		script_fail(s, "a segment went out: %s seq %u ack %u len %u", script_flag_names(seg->flags),
			    seg->seq, seg->ack, seg->len);
}

static void do_drain(struct script *s)
{
	while (rig_next_out(s->rig))
		;
}

static void do_wait(struct script *s)
{
	script_start(s);
	rig_advance(s->rig, script_time(s, script_word(s)));
}

/* ---- the user */

static void do_listen(struct script *s)
{
	int64_t listener;

	script_start(s);
	listener = tcp_listen(s->rig->engine, s->rig->hosts[0], RIG_LOCAL_PORT, 0, &s->params);
	s->rig->listener = (uint32_t)listener;
	if (listener < 0)
		script_fail(s, "listen: %ld", listener);
}

static void do_connect(struct script *s)
{
	struct tcp_tuple tuple = {.local_port = RIG_LOCAL_PORT, .remote_port = s->rig->remote_port};
	int64_t result;

	script_start(s);
	memcpy(tuple.local, s->rig->hosts[0], 16);
	memcpy(tuple.remote, s->rig->hosts[1], 16);
	result = tcp_connect(s->rig->engine, now(s), &tuple, &s->params);
	s->rig->conn = (uint32_t)result;
	if (result < 0)
		script_fail(s, "connect: %ld", result);
	rig_output(s->rig);
}

/* A handshake 10 ms long, without a word about it. */
static void do_established(struct script *s)
{
	const char *w = script_word(s);

	script_start(s);
	if (w && strcmp(w, "active") == 0) {
		rig_connect(s->rig);
	} else {
		do_listen(s);
		rig_accept(s->rig);
	}
	tcp_set_params(s->rig->engine, now(s), s->rig->conn, &s->params);
	rig_clear(s->rig);
}

static void expect_result(struct script *s, int result)
{
	const char *w = script_word(s);

	if (w && strcmp(w, "refused") == 0) {
		if (result >= 0)
			script_fail(s, "was not refused");
	} else if (result < 0) {
		script_fail(s, "refused: %d", result);
	}
	rig_output(s->rig);
}

static void do_send(struct script *s)
{
	uint32_t bytes = (uint32_t)script_number(s);

	expect_result(s, tcp_send(s->rig->engine, now(s), s->rig->conn, bytes));
}

static void do_shutdown(struct script *s)
{
	expect_result(s, tcp_shutdown(s->rig->engine, now(s), s->rig->conn));
}

static void do_close(struct script *s)
{
	bool unread = s->at < s->count && strcmp(s->words[s->at], "unread") == 0;

	s->at += unread;
	expect_result(s, tcp_close(s->rig->engine, now(s), s->rig->conn, unread));
}

static void do_abort(struct script *s)
{
	expect_result(s, tcp_abort(s->rig->engine, now(s), s->rig->conn));
}

static void do_accept(struct script *s)
{
	expect_result(s, tcp_accept(s->rig->engine, s->rig->conn));
}

/* What `set` has said of the connection since it was opened. */
static void do_params(struct script *s)
{
	struct tcp_params params = s->params;

	params.flags &= ~(uint32_t)TCP_PARAM_FAST_OPEN; /* said at the open alone */
	expect_result(s, tcp_set_params(s->rig->engine, now(s), s->rig->conn, &params));
}

static void do_rx_limit(struct script *s)
{
	uint64_t limit = (uint64_t)script_number(s);

	expect_result(s, tcp_rx_limit(s->rig->engine, now(s), s->rig->conn, limit));
}

static void do_unlisten(struct script *s)
{
	tcp_unlisten(s->rig->engine, now(s), s->rig->listener);
}

static void do_icmp(struct script *s)
{
	const char *kind = script_word(s);
	uint32_t seq = (uint32_t)script_number(s);
	uint16_t mtu = 0;
	struct tcp_tuple tuple = {.local_port = RIG_LOCAL_PORT, .remote_port = s->rig->remote_port};
	enum tcp_icmp icmp = TCP_ICMP_SOFT;

	if (kind && strcmp(kind, "hard") == 0)
		icmp = TCP_ICMP_HARD;
	if (kind && strcmp(kind, "frag") == 0) {
		icmp = TCP_ICMP_FRAG_NEEDED;
		mtu = (uint16_t)script_number(s);
	}
	memcpy(tuple.local, s->rig->hosts[0], 16);
	memcpy(tuple.remote, s->rig->hosts[1], 16);
	tcp_icmp_input(s->rig->engine, now(s), &tuple, s->rig->iss + seq, icmp, mtu);
	rig_output(s->rig);
}

/* ---- what is expected beside segments */

static void do_event(struct script *s)
{
	static const char *const names[] = {
	    [RIG_OPEN] = "open",         [RIG_ESTABLISHED] = "established",
	    [RIG_READABLE] = "readable", [RIG_ACKED] = "acked",
	    [RIG_EOF] = "eof",           [RIG_DEAD] = "dead",
	};
	const struct rig_event *ev = rig_next_event(s->rig);
	const char *w = script_word(s);

	if (!ev || !w) {
		script_fail(s, "nothing happened");
		return;
	}
	if (strcmp(names[ev->kind], w) != 0) {
		script_fail(s, "the event is %s %lu", names[ev->kind], ev->value);
		return;
	}
	if (ev->kind == RIG_DEAD) {
		w = script_word(s);
		if (!w || strcmp(tcp_reason_name((enum tcp_reason)ev->value), w) != 0)
			script_fail(s, "the reason is %s", tcp_reason_name((enum tcp_reason)ev->value));
	} else if (ev->kind == RIG_READABLE || ev->kind == RIG_ACKED) {
		script_compare(s, w, ev->value, (uint64_t)script_number(s));
	}
}

static void do_soft(struct script *s)
{
	const char *w = script_word(s);
	bool is_icmp = w && strcmp(w, "unreachable") == 0;

	if (!is_icmp && (!w || strcmp(w, "unanswered") != 0)) {
		script_fail(s, "soft: unreachable or unanswered");
		return;
	}
	script_compare(s, w, s->rig->soft_errors[is_icmp ? TCP_SOFT_UNREACHABLE : TCP_SOFT_UNANSWERED],
		       (uint64_t)script_number(s));
}

static void do_urgent(struct script *s)
{
	script_compare(s, "urgent", s->rig->urgent_count, (uint64_t)script_number(s));
	script_compare(s, "urgent", s->rig->urgent_off, (uint64_t)script_number(s));
}

static void do_noevent(struct script *s)
{
	if (rig_next_event(s->rig))
		script_fail(s, "something happened");
}

static void do_state(struct script *s)
{
	const char *w = script_word(s);
	const char *have = s->rig->conn == TCP_NONE ? "none" : tcp_state_name(script_conn(s)->state);

	if (!w || strcmp(have, w) != 0)
		script_fail(s, "state is %s", have);
}

static void do_stat(struct script *s)
{
	const char *w = script_word(s);
	uint64_t want = (uint64_t)script_number(s);

#define FIELD(name, doc)                                                                                     \
	if (w && strcmp(w, #name) == 0) {                                                                    \
		script_compare(s, w, s->rig->stats.name, want);                                              \
		return;                                                                                      \
	}
	TCP_STATS(FIELD)
#undef FIELD
	script_fail(s, "no counter %s", w ? w : "");
}

static void do_info(struct script *s)
{
	const char *w = script_word(s);
	struct tcp_info info;

	if (tcp_info(s->rig->engine, s->rig->conn, &info) != 0 || !w) {
		script_fail(s, "no connection");
		return;
	}
	if (strcmp(w, "cwnd") == 0)
		script_compare(s, w, info.cwnd_bytes, (uint64_t)script_number(s));
	else if (strcmp(w, "ssthresh") == 0)
		script_compare(s, w, info.ssthresh_bytes, (uint64_t)script_number(s));
	else if (strcmp(w, "mss") == 0)
		script_compare(s, w, info.mss, (uint64_t)script_number(s));
	else if (strcmp(w, "snd_wnd") == 0)
		script_compare(s, w, info.snd_wnd_bytes, (uint64_t)script_number(s));
	else if (strcmp(w, "recovery") == 0)
		script_compare(s, w, info.in_recovery, (uint64_t)script_number(s));
	else if (strcmp(w, "retransmits") == 0)
		script_compare(s, w, info.retransmits, (uint64_t)script_number(s));
	else if (strcmp(w, "ooo") == 0)
		script_compare(s, w, info.ooo_bytes, (uint64_t)script_number(s));
	else
		script_fail(s, "info: what is %s?", w);
}

/* Every byte up to N was stored exactly once. */
static void do_stored(struct script *s)
{
	uint64_t upto = (uint64_t)script_number(s);

	for (uint64_t i = 0; i < upto; i++) {
		if (s->rig->stored[i] != 1) {
			script_fail(s, "byte %lu was stored %u times", i, s->rig->stored[i]);
			return;
		}
	}
}

/* "before": from now on our numbers count from the SYN before the latest. "beyond N": the latest lies beyond
 * that number of the one before. */
static void do_iss(struct script *s)
{
	const char *w = script_word(s);
	struct rig *r = s->rig;

	if (w && strcmp(w, "before") == 0) {
		r->iss = r->iss_before;
	} else if (w && strcmp(w, "beyond") == 0) {
		int32_t distance = (int32_t)(r->iss - r->iss_before);

		if (distance <= script_number(s))
			script_fail(s, "the latest SYN has number %d of the connection before", distance);
	} else {
		script_fail(s, "iss: what is %s?", w ? w : "nothing");
	}
}

/* ---- settings, before anything else */

static bool is_on(struct script *s)
{
	const char *w = script_word(s);

	return w && strcmp(w, "on") == 0;
}

static void set_flag(struct script *s, uint32_t flag, bool is_set)
{
	s->params.flags = is_set ? s->params.flags | flag : s->params.flags & ~flag;
}

/* "on", "engine" (not asked for by connection or listener) or "asked" (not allowed by the engine). */
static void set_fast_open(struct script *s)
{
	const char *w = script_word(s);

	if (w && (strcmp(w, "on") == 0 || strcmp(w, "engine") == 0))
		s->rig->config.fast_open = true;
	if (w && (strcmp(w, "on") == 0 || strcmp(w, "asked") == 0))
		s->params.flags |= TCP_PARAM_FAST_OPEN;
}

static void do_set(struct script *s)
{
	const char *w = script_word(s);
	struct rig *r = s->rig;

	if (!w)
		return;
	if (strcmp(w, "timestamps") == 0)
		r->config.timestamps = is_on(s);
	else if (strcmp(w, "sack") == 0)
		r->config.sack = is_on(s);
	else if (strcmp(w, "window_scaling") == 0)
		r->config.window_scaling = is_on(s);
	else if (strcmp(w, "ecn") == 0)
		r->config.ecn = is_on(s);
	else if (strcmp(w, "accecn") == 0)
		r->config.ecn = r->config.accurate_ecn = is_on(s);
	else if (strcmp(w, "fast_open") == 0)
		set_fast_open(s);
	else if (strcmp(w, "fast_open_pending") == 0)
		r->config.fast_open_pending = (uint32_t)script_number(s);
	else if (strcmp(w, "ipv6") == 0)
		r->hosts = is_on(s) ? wire_hosts_ipv6 : wire_hosts;
	else if (strcmp(w, "mtu") == 0)
		r->path.mtu = (uint16_t)script_number(s);
	else if (strcmp(w, "window") == 0)
		r->path.rcv_window = (uint32_t)script_number(s);
	else if (strcmp(w, "window_max") == 0)
		r->path.rcv_window_max = (uint32_t)script_number(s);
	else if (strcmp(w, "nagle") == 0)
		set_flag(s, TCP_PARAM_NAGLE, is_on(s));
	else if (strcmp(w, "keepalive") == 0)
		set_flag(s, TCP_PARAM_KEEPALIVE, is_on(s));
	else if (strcmp(w, "keepalive_idle") == 0)
		r->config.keepalive_idle_ns = script_time(s, script_word(s));
	else if (strcmp(w, "keepalive_interval") == 0)
		r->config.keepalive_intvl_ns = script_time(s, script_word(s));
	else if (strcmp(w, "delayed_ack") == 0)
		set_flag(s, TCP_PARAM_NO_DELAYED_ACK, !is_on(s));
	else if (strcmp(w, "ack_delay") == 0)
		r->config.ack_delay_ns = script_time(s, script_word(s));
	else if (strcmp(w, "backlog") == 0)
		s->params.backlog = (uint32_t)script_number(s);
	else if (strcmp(w, "syn_backlog") == 0)
		r->limits.syn_backlog = (uint32_t)script_number(s);
	else if (strcmp(w, "user_timeout") == 0)
		s->params.user_timeout_ns = script_time(s, script_word(s));
	else if (strcmp(w, "challenge_acks") == 0)
		r->config.challenge_acks_per_s = (uint32_t)script_number(s);
	else if (strcmp(w, "cc") == 0)
		s->params.cc = (uint8_t)tcp_cc_by_name(script_word(s));
	else if (strcmp(w, "port") == 0)
		r->remote_port = (uint16_t)script_number(s);
	else if (strcmp(w, "path") == 0)
		r->refuse_path = !is_on(s);
	else if (strcmp(w, "store") == 0)
		r->refuse_store = !is_on(s);
	else if (strcmp(w, "emit") == 0)
		r->emit_limit = is_on(s) ? INT64_MAX : -EAGAIN;
	else
		script_fail(s, "set: what is %s?", w);
}

static const struct {
	const char *name;
	void (*run)(struct script *s);
	bool is_question; /* times go on counting from what was before */
} commands[] = {
    {"set", do_set, false},
    {"in", script_do_in, false},
    {"out", script_do_out, true},
    {"none", do_none, true},
    {"drain", do_drain, false},
    {"wait", do_wait, false},
    {"listen", do_listen, false},
    {"connect", do_connect, false},
    {"established", do_established, false},
    {"send", do_send, false},
    {"shutdown", do_shutdown, false},
    {"close", do_close, false},
    {"abort", do_abort, false},
    {"accept", do_accept, false},
    {"params", do_params, false},
    {"rx_limit", do_rx_limit, false},
    {"unlisten", do_unlisten, false},
    {"icmp", do_icmp, false},
    {"event", do_event, true},
    {"noevent", do_noevent, true},
    {"soft", do_soft, true},
    {"urgent", do_urgent, true},
    {"state", do_state, true},
    {"stat", do_stat, true},
    {"iss", do_iss, true},
    {"info", do_info, true},
    {"stored", do_stored, true},
};

static void run_line(struct script *s, char *line)
{
	char *save = NULL;

	line[strcspn(line, "#\n")] = 0;
	s->count = 0;
	s->at = 0;
	for (char *w = strtok_r(line, " \t", &save); w && s->count < WORDS_MAX;
	     w = strtok_r(NULL, " \t", &save))
		s->words[s->count++] = w;
	if (s->count == 0)
		return;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, s->words[0]) == 0) {
			s->at = 1;
			commands[i].run(s);
			if (!commands[i].is_question)
				s->mark_ns = s->rig->now_ns;
			if (s->at < s->count)
				script_fail(s, "%s is too much", s->words[s->at]);
			return;
		}
	}
	script_fail(s, "no command %s", s->words[0]);
}

static bool run_script(const char *path)
{
	struct script s = {.path = path, .rig = rig_new()};
	FILE *f = fopen(path, "r");
	char line[512];

	if (!f) {
		rig_free(s.rig);
		return script_fail(&s, "cannot be read");
	}
	while (!s.has_failed && fgets(line, sizeof(line), f)) {
		s.line++;
		run_line(&s, line);
	}
	if (!s.has_failed)
		do_none(&s);
	fclose(f);
	rig_free(s.rig);
	return !s.has_failed;
}

int main(int argc, char **argv)
{
	unsigned failed = 0;

	for (int i = 1; i < argc; i++)
		if (run_script(argv[i])) {
			printf("ok %s\n", argv[i]);
		} else {
			printf("not ok %s\n", argv[i]);
			failed++;
		}
	printf("# conformance: %d scripts, %u failed\n", argc - 1, failed);
	return failed > 0;
}
