/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The asking side of the Varlink protocol over a socket of the file system.
 */
#ifndef CTL_VARLINK_H
#define CTL_VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct varlink {
	int fd;
	char *in; /* what was read; begins with the next message */
	size_t in_len, in_size;
	bool continues; /* the last answer was not the last one of its call */
};

/* 0 or negative errno. No answer for timeout_s seconds makes a read fail with -ETIMEDOUT. */
int varlink_open(struct varlink *v, const char *path, unsigned timeout_s);
void varlink_close(struct varlink *v);

/* Sends a call; parameters is borrowed. 0 or negative errno. */
int varlink_call(struct varlink *v, const char *method, json_t *parameters, bool wants_more);
/*
 * Receives one answer: a new object with its parameters in *parameters (never NULL on success), and in
 * error[error_size] the name of the error, or "" for a reply. Call again while v->continues. 0 or negative
 * errno: -ECONNRESET when the other side closed, -EPROTO for something that is no answer, -EMSGSIZE for one
 * of unreasonable length.
 */
int varlink_receive(struct varlink *v, json_t **parameters, char *error, size_t error_size);

#endif
