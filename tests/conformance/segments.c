/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands `in` and `out`: segments from the peer, and what is expected of ours. */
#include <stdio.h>
#include <string.h>

#include "tcp/tcp_accecn.h"
#include "tests/conformance/script.h"

/* ---- segments from the peer */

static unsigned read_hex(struct script *s, uint8_t *out)
{
	const char *w = script_word(s);
	unsigned n = 0, byte;

	for (; w && w[0] && w[1] && n < 40; w += 2) {
		if (sscanf(w, "%2x", &byte) != 1)
			script_fail(s, "%s is not hexadecimal", w);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

/* "EE0B,ECEB" or "EE0B,ECEB,EE1B" */
static void read_accecn(struct script *s, struct rig_segment *seg)
{
	const char *w = script_word(s);
	int got = sscanf(w ? w : "", "%u,%u,%u", &seg->accecn[0], &seg->accecn[1], &seg->accecn[2]);

	if (got < 1)
		script_fail(s, "%s is no list of counters", w ? w : "nothing");
	seg->accecn_count = (uint8_t)(got < 1 ? 0 : got);
}

/* "request", "valid" (what our engine gives its peer now), or the bytes of a cookie. */
static void read_fast_open(struct script *s, struct rig_segment *seg)
{
	const char *w = s->at < s->count ? s->words[s->at] : "";
	uint8_t bytes[40];
	unsigned len;

	seg->has_fast_open = true;
	if (strcmp(w, "request") == 0) {
		s->at++;
		seg->fast_open_len = 0;
		return;
	}
	if (strcmp(w, "valid") == 0) {
		s->at++;
		s->rig->engine->now_ns = s->rig->now_ns;
		tcp_fast_open_cookie(s->rig->engine, s->rig->hosts[1], seg->fast_open);
		seg->fast_open_len = TCP_FAST_OPEN_COOKIE_BYTES;
		return;
	}
	len = read_hex(s, bytes);
	seg->fast_open_len = (uint8_t)(len < TCP_FAST_OPEN_COOKIE_MAX ? len : TCP_FAST_OPEN_COOKIE_MAX);
	memcpy(seg->fast_open, bytes, seg->fast_open_len);
}

void script_do_in(struct script *s)
{
	static uint8_t options[40];
	const struct tcp_conn *c;
	struct rig_segment seg = {.window = 65535, .wscale = TCP_NO_WSCALE};
	const char *w;

	script_start(s);
	c = script_conn(s);
	seg.flags = script_flags(script_word(s));
	if (c && c->state != TCP_CLOSED && !(seg.flags & TCP_SYN)) {
		seg.seq = (uint32_t)c->rcv_nxt;
		seg.ack = (uint32_t)c->snd_nxt;
		seg.has_ts = c->options & TCP_INFO_TIMESTAMPS;
	}
	seg.ts_val = (uint32_t)(s->rig->now_ns / RIG_MS);
	if (c)
		seg.ts_ecr = seg.ts_val + c->ts_offset;
	while ((w = script_word(s)) != NULL) {
		if (strcmp(w, "seq") == 0)
			seg.seq = (uint32_t)script_number(s);
		else if (strcmp(w, "ack") == 0)
			seg.ack = (uint32_t)script_number(s);
		else if (strcmp(w, "len") == 0)
			seg.len = (uint32_t)script_number(s);
		else if (strcmp(w, "win") == 0)
			seg.window = (uint16_t)script_number(s);
		else if (strcmp(w, "urgent") == 0)
			seg.urgent = (uint16_t)script_number(s);
		else if (strcmp(w, "mss") == 0)
			seg.mss = (uint16_t)script_number(s);
		else if (strcmp(w, "wscale") == 0)
			seg.wscale = (uint8_t)script_number(s);
		else if (strcmp(w, "sackok") == 0)
			seg.sack_ok = true;
		else if (strcmp(w, "ts") == 0)
			seg.has_ts = true;
		else if (strcmp(w, "nots") == 0)
			seg.has_ts = false;
		else if (strcmp(w, "tsval") == 0) /* relative to the peer's clock now, in ms */
			seg.ts_val += (uint32_t)script_number(s), seg.has_ts = true;
		else if (strcmp(w, "tsecr") == 0) /* relative to our clock now, in ms */
			seg.ts_ecr += (uint32_t)script_number(s), seg.has_ts = true;
		else if (strcmp(w, "fo") == 0)
			read_fast_open(s, &seg);
		else if (strcmp(w, "ect1") == 0)
			seg.ecn = 1;
		else if (strcmp(w, "ect0") == 0)
			seg.ecn = 2;
		else if (strcmp(w, "ace") == 0)
			seg.flags |= tcp_ace_flags((unsigned)script_number(s));
		else if (strcmp(w, "accecn") == 0)
			read_accecn(s, &seg);
		else if (strcmp(w, "ce") == 0)
			seg.ecn = 3;
		else if (strcmp(w, "sack") == 0 && seg.sack_count < TCP_SACK_BLOCKS)
			seg.sacks[seg.sack_count++] = script_range(s, script_word(s));
		else if (strcmp(w, "opt") == 0)
			seg.options = options, seg.options_len = (uint8_t)read_hex(s, options);
		else if (strcmp(w, "more") == 0)
			seg.has_more = true;
		else
			script_fail(s, "in: what is %s?", w);
	}
	rig_input(s->rig, &seg);
}

/* ---- segments from us */

static void match_field(struct script *s, const struct rig_segment *seg, const char *w, unsigned *sacks)
{
	if (strcmp(w, "seq") == 0) {
		script_compare(s, "seq", seg->seq, (uint32_t)script_number(s));
	} else if (strcmp(w, "ack") == 0) {
		script_compare(s, "ack", seg->ack, (uint32_t)script_number(s));
	} else if (strcmp(w, "len") == 0) {
		script_compare(s, "len", seg->len, (uint32_t)script_number(s));
	} else if (strcmp(w, "win") == 0) {
		script_compare(s, "win", seg->window, (uint16_t)script_number(s));
	} else if (strcmp(w, "mss") == 0) {
		script_compare(s, "mss", seg->mss, (uint16_t)script_number(s));
	} else if (strcmp(w, "wscale") == 0) {
		script_compare(s, "wscale", seg->wscale, (uint8_t)script_number(s));
	} else if (strcmp(w, "nowscale") == 0) {
		script_compare(s, "wscale", seg->wscale, TCP_NO_WSCALE);
	} else if (strcmp(w, "sackok") == 0) {
		script_compare(s, "sackok", seg->sack_ok, 1);
	} else if (strcmp(w, "nosackok") == 0) {
		script_compare(s, "sackok", seg->sack_ok, 0);
	} else if (strcmp(w, "ts") == 0) {
		script_compare(s, "timestamps", seg->has_ts, 1);
	} else if (strcmp(w, "nots") == 0) {
		script_compare(s, "timestamps", seg->has_ts, 0);
	} else if (strcmp(w, "tsecr") == 0) { /* relative to the peer's clock now, in ms */
		script_compare(s, "tsecr", seg->ts_ecr,
			       (uint32_t)(s->rig->now_ns / RIG_MS) + (uint32_t)script_number(s));
	} else if (strcmp(w, "ace") == 0) {
		script_compare(s, "ace", tcp_ace_of(seg->flags), (uint64_t)script_number(s));
	} else if (strcmp(w, "noaccecn") == 0) {
		script_compare(s, "counters of the accecn option", seg->accecn_count, 0);
	} else if (strcmp(w, "accecn") == 0) {
		struct rig_segment want = {.len = 0};

		read_accecn(s, &want);
		if (script_compare(s, "counters of the accecn option", seg->accecn_count, want.accecn_count))
			for (unsigned i = 0; i < want.accecn_count; i++)
				script_compare(s, "accecn counter", seg->accecn[i], want.accecn[i]);
	} else if (strcmp(w, "nofo") == 0) {
		script_compare(s, "fast open", seg->has_fast_open, 0);
	} else if (strcmp(w, "fo") == 0) {
		struct rig_segment want = {.len = 0};

		read_fast_open(s, &want);
		if (!seg->has_fast_open)
			script_fail(s, "has no fast open option");
		else if (script_compare(s, "cookie length", seg->fast_open_len, want.fast_open_len) &&
			 memcmp(seg->fast_open, want.fast_open, want.fast_open_len) != 0)
			script_fail(s, "the cookie is another");
	} else if (strcmp(w, "ect") == 0) {
		script_compare(s, "ecn bits", seg->ecn, 2);
	} else if (strcmp(w, "noect") == 0) {
		script_compare(s, "ecn bits", seg->ecn, 0);
	} else if (strcmp(w, "nosack") == 0) {
		script_compare(s, "sack blocks", seg->sack_count, 0);
	} else if (strcmp(w, "sack") == 0) {
		struct tcp_range want = script_range(s, script_word(s));

		if (*sacks >= seg->sack_count)
			script_fail(s, "has only %u sack blocks", seg->sack_count);
		else if (seg->sacks[*sacks].start != want.start || seg->sacks[*sacks].end != want.end)
			script_fail(s, "sack is %u-%u, not %u-%u", seg->sacks[*sacks].start,
				    seg->sacks[*sacks].end, want.start, want.end);
		(*sacks)++;
	} else {
		script_fail(s, "out: what is %s?", w);
	}
}

/* With Accurate ECN three of the flags are a counter, which `ace` asks for. */
static uint16_t flags_without_ace(const struct script *s, const struct rig_segment *seg)
{
	const struct tcp_conn *c = s->rig->conn == TCP_NONE ? NULL : rig_conn(s->rig);
	bool has_ace = c && (c->options & TCP_INFO_ACCECN) && !(seg->flags & TCP_SYN);

	return has_ace ? (uint16_t)(seg->flags & ~TCP_ACE_FLAGS) : seg->flags;
}

void script_do_out(struct script *s)
{
	const char *w = script_word(s);
	const struct rig_segment *seg;
	uint64_t base = s->mark_ns, due = 0;
	unsigned sacks = 0;

	script_start(s);
	if (w && w[0] == '+') {
		due = base + script_time(s, w + 1);
		if (s->rig->out_seen < s->rig->out_count) {
			script_fail(s, "a segment went out before: %s seq %u len %u",
				    script_flag_names(s->rig->out[s->rig->out_seen].flags),
				    s->rig->out[s->rig->out_seen].seq, s->rig->out[s->rig->out_seen].len);
			return;
		}
		if (due + TIME_SLACK_NS > s->rig->now_ns)
			rig_advance(s->rig, due + TIME_SLACK_NS - s->rig->now_ns);
		w = script_word(s);
	}
	seg = rig_next_out(s->rig);
	if (!w || !seg) {
		script_fail(s, "nothing went out");
		return;
	}
	if (due != 0)
		s->mark_ns = seg->at_ns;
	if (due != 0 && (seg->at_ns < due || seg->at_ns > due + TIME_SLACK_NS))
		script_fail(s, "went out after %.6f ms", (double)(seg->at_ns - base) / 1e6);
	if (flags_without_ace(s, seg) != script_flags(w))
		script_fail(s, "flags are %s, not %s (seq %u ack %u len %u)", script_flag_names(seg->flags),
			    w, seg->seq, seg->ack, seg->len);
	while ((w = script_word(s)) != NULL && !s->has_failed)
		match_field(s, seg, w, &sacks);
	if (sacks > 0 && sacks != seg->sack_count)
		script_fail(s, "has %u sack blocks, not %u", seg->sack_count, sacks);
}
