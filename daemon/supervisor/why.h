/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An error in words. A function that can fail for reasons an operator must understand takes a struct why,
 * fills it with a sentence that names the object, the value, the limit and the way out, and returns the
 * matching negative errno.
 */
#ifndef DAEMON_SUPERVISOR_WHY_H
#define DAEMON_SUPERVISOR_WHY_H

#define WHY_SIZE 512

struct why {
	char text[WHY_SIZE];
};

/* Fills *why and returns error (negative errno), so that a caller can `return why_set(...)`. */
__attribute__((format(printf, 3, 4))) int why_set(struct why *why, int error, const char *format, ...);
/* Puts words in front of what is there already and returns error. */
__attribute__((format(printf, 3, 4))) int why_prefix(struct why *why, int error, const char *format, ...);

#endif
