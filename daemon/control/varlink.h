/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Varlink protocol (https://varlink.org) without its transport: what a call and an answer look like.
 */
#ifndef DAEMON_CONTROL_VARLINK_H
#define DAEMON_CONTROL_VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define VARLINK_SERVICE "org.varlink.service"
#define VARLINK_IXD     "io.ixd"

/* A call. method and parameters are owned by root; parameters is NULL when the call has none. */
struct varlink_call {
	json_t *root;
	const char *method;
	json_t *parameters;
	bool wants_more; /* several answers are welcome */
	bool is_oneway;  /* no answer is */
};

/* Parses one message (without its zero byte). 0 or -EBADMSG when it is not a call; *call is filled only on
 * success and ended with varlink_call_fini(). */
int varlink_call_parse(struct varlink_call *call, const char *text, size_t len);
void varlink_call_fini(struct varlink_call *call);

/* Answers. They take over the reference to parameters (NULL: none, or out of memory) and return a new object
 * or NULL. */
json_t *varlink_reply(json_t *parameters, bool continues);
json_t *varlink_error(const char *name, json_t *parameters);

/* A JSON string from bytes of a stranger (a process name, a message): what is not UTF-8 becomes '?'. */
json_t *varlink_text(const char *text, size_t len);

#endif
