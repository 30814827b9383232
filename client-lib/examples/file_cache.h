/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files in TX memory: read once, sent to any number of visitors from where they lie. What a page cache and
 * sendfile() are to a server on the kernel's sockets. A cache belongs to one thread.
 */
#ifndef IX_EXAMPLES_FILE_CACHE_H
#define IX_EXAMPLES_FILE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include <ix/ixev.h>

struct file_cache;
struct cached_file;

/* Takes its memory from the channel, at most so many bytes of it. NULL: out of memory. */
struct file_cache *file_cache_new(struct ix_channel *channel, size_t bytes_max);
/* Nothing may be lent any more. */
void file_cache_free(struct file_cache *cache);

/* The file that fstat() has described so, at time `now`, with a reference for the caller. A file that has
 * changed is another one. NULL when it is not to be kept: it is empty or too large, or has changed only just
 * now, so that its times would not show another change. */
struct cached_file *file_cache_get(struct file_cache *cache, const struct stat *status, time_t now);
void cached_file_put(struct cached_file *file);

/* True when cached_file_at() need not read. */
bool cached_file_has(const struct cached_file *file, uint64_t off);
/* The bytes from `off` on, which is within the file, and in *len how many lie together; read through fd when
 * they are not there yet. NULL: errno is ENOMEM when there is no room for them, else the file cannot be read
 * as far as was said. Valid while the caller has a reference. */
const uint8_t *cached_file_at(struct cached_file *file, int fd, uint64_t off, size_t *len);
/* For ixev_lend(): with a reference that is put when the loan is returned. */
struct ixev_loan *cached_file_loan(struct cached_file *file);

#endif
