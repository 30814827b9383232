/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memfds: memory that outlives the processes that use it. Mode 0600 and sealed against every change of size,
 * so that a mapping of it can never fault for being too short.
 */
#ifndef DAEMON_SUPERVISOR_MEMORY_H
#define DAEMON_SUPERVISOR_MEMORY_H

#include <stddef.h>

/* The descriptor, or negative errno. Its contents are zero. */
int memory_create(const char *name, size_t bytes);
/* A second descriptor of the same memory that cannot be mapped writable by anybody but root: mode 0600 keeps
 * others from opening it again through /proc. Negative errno on failure. */
int memory_readonly(int fd);
/* NULL on failure, errno set. */
void *memory_map(int fd, size_t bytes, int protection);
size_t memory_page_round(size_t bytes);

#endif
