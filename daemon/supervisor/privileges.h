/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capabilities that the supervisor needs, and no more.
 */
#ifndef DAEMON_SUPERVISOR_PRIVILEGES_H
#define DAEMON_SUPERVISOR_PRIVILEGES_H

#include "daemon/supervisor/why.h"

/* -EPERM with the names of those that are missing and the way to get them. */
int privileges_check(struct why *why);
/* Gives all others up, for good. */
int privileges_reduce(struct why *why);
/* Raises the soft limit of open files to the hard one: every client costs some. -EMFILE: that is too low even
 * to start. */
int privileges_raise_files(struct why *why);

#endif
