/* SPDX-License-Identifier: BSD-2-Clause */
/* A script while it runs, and how its lines are read. */
#ifndef TESTS_CONFORMANCE_SCRIPT_H
#define TESTS_CONFORMANCE_SCRIPT_H

#include "tests/unit/tcp/rig.h"

#define WORDS_MAX     40
#define TIME_SLACK_NS (2u << TCP_WHEEL_SHIFT) /* a timer fires up to a tick late */

struct script {
	const char *path;
	unsigned line;
	struct rig *rig;
	struct tcp_params params;
	bool is_started, has_failed;
	uint64_t mark_ns; /* where the times of `out` count from: the last thing that happened */
	char *words[WORDS_MAX];
	unsigned count, at;
};

/* Prints why, once, and ends the script. Always false. */
bool script_fail(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next word of the line, NULL at its end; the others fail where it is not what they read. */
const char *script_word(struct script *s);
int64_t script_number(struct script *s);
uint64_t script_time(struct script *s, const char *w);
struct tcp_range script_range(struct script *s, const char *w);
uint16_t script_flags(const char *w);
const char *script_flag_names(uint16_t flags);
/* Fails unless have == want. */
bool script_compare(struct script *s, const char *what, uint64_t have, uint64_t want);
/* Makes the engine when a command needs it first. */
void script_start(struct script *s);
/* The connection of the script; NULL before there is one. */
struct tcp_conn *script_conn(struct script *s);

void script_do_in(struct script *s);
void script_do_out(struct script *s);

#endif
