/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files are kept in pieces, each read when it is first wanted; so a large file is on its way before it has
 * been read, and takes no long run of memory. The file that was not wanted for the longest time makes room.
 */
#include "client-lib/examples/file_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 262144u
#define BUCKETS     1024u

/* Times of files have steps of some milliseconds, and their clock may be another machine's. */
#define SETTLED_S   2

struct cached_file {
	struct ixev_loan loan; /* one for all: each return puts a reference */
	struct file_cache *cache;
	struct cached_file *next;          /* in its bucket */
	struct cached_file *older, *newer; /* by use */
	bool is_known;                     /* in a bucket */
	uint32_t references;
	dev_t device;
	ino_t inode;
	uint64_t bytes;
	struct timespec modified, changed;
	uint8_t *pieces[]; /* NULL: not read yet */
};

struct file_cache {
	struct ix_channel *channel;
	size_t bytes, bytes_max;
	struct cached_file *oldest, *newest; /* of those that are known */
	struct cached_file *buckets[BUCKETS];
};

struct file_cache *file_cache_new(struct ix_channel *channel, size_t bytes_max)
{
	struct file_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->channel = channel;
	cache->bytes_max = bytes_max;
	return cache;
}

static size_t pieces_of(const struct cached_file *file)
{
	return (size_t)((file->bytes + PIECE_BYTES - 1) / PIECE_BYTES);
}

static struct cached_file **bucket_of(struct file_cache *cache, dev_t device, ino_t inode)
{
	uint64_t mixed = ((uint64_t)inode ^ (uint64_t)device << 32) * UINT64_C(0x9e3779b97f4a7c15);

	return &cache->buckets[mixed >> 32 & (BUCKETS - 1)];
}

static void use_unlink(struct cached_file *file)
{
	struct file_cache *cache = file->cache;

	*(file->older ? &file->older->newer : &cache->oldest) = file->newer;
	*(file->newer ? &file->newer->older : &cache->newest) = file->older;
}

static void use_append(struct cached_file *file)
{
	struct file_cache *cache = file->cache;

	file->older = cache->newest;
	file->newer = NULL;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = file;
	cache->newest = file;
}

static void file_free(struct cached_file *file)
{
	struct file_cache *cache = file->cache;

	for (size_t i = 0; i < pieces_of(file); i++) {
		if (!file->pieces[i])
			continue;
		cache->bytes -= ix_tx_size(cache->channel, file->pieces[i]);
		ix_tx_free(cache->channel, file->pieces[i]);
	}
	free(file);
}

/* No visitor will find it any more; it goes with its last reference. */
static void file_forget(struct cached_file *file)
{
	struct cached_file **link = bucket_of(file->cache, file->device, file->inode);

	if (!file->is_known)
		return;
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	use_unlink(file);
	file->is_known = false;
}

static void file_drop(struct cached_file *file)
{
	file_forget(file);
	if (!file->references)
		file_free(file);
}

void file_cache_free(struct file_cache *cache)
{
	if (!cache)
		return;
	while (cache->oldest)
		file_drop(cache->oldest);
	free(cache);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_unchanged(const struct cached_file *file, const struct stat *status)
{
	return file->bytes == (uint64_t)status->st_size && is_same_time(&file->modified, &status->st_mtim) &&
	       is_same_time(&file->changed, &status->st_ctim);
}

static void on_returned(struct ixev_loan *loan)
{
	cached_file_put((struct cached_file *)loan); /* its first member */
}

static struct cached_file *file_new(struct file_cache *cache, const struct stat *status)
{
	size_t pieces = ((size_t)status->st_size + PIECE_BYTES - 1) / PIECE_BYTES;
	struct cached_file *file = calloc(1, sizeof(*file) + pieces * sizeof(file->pieces[0]));
	struct cached_file **bucket = bucket_of(cache, status->st_dev, status->st_ino);

	if (!file)
		return NULL;
	file->loan.on_returned = on_returned;
	file->cache = cache;
	file->device = status->st_dev;
	file->inode = status->st_ino;
	file->bytes = (uint64_t)status->st_size;
	file->modified = status->st_mtim;
	file->changed = status->st_ctim;
	file->is_known = true;
	file->next = *bucket;
	*bucket = file;
	use_append(file);
	return file;
}

struct cached_file *file_cache_get(struct file_cache *cache, const struct stat *status, time_t now)
{
	struct cached_file *file = *bucket_of(cache, status->st_dev, status->st_ino);

	while (file && (file->device != status->st_dev || file->inode != status->st_ino))
		file = file->next;
	if (file && !is_unchanged(file, status)) {
		file_drop(file);
		file = NULL;
	}
	if (file) {
		use_unlink(file);
		use_append(file);
	} else {
		if (status->st_size <= 0 || (uint64_t)status->st_size > cache->bytes_max ||
		    now - status->st_ctim.tv_sec < SETTLED_S)
			return NULL;
		file = file_new(cache, status);
	}
	if (file)
		file->references++;
	return file;
}

void cached_file_put(struct cached_file *file)
{
	if (!--file->references && !file->is_known)
		file_free(file);
}

bool cached_file_has(const struct cached_file *file, uint64_t off)
{
	return file->pieces[off / PIECE_BYTES] != NULL;
}

/* Memory for one piece; older files that nobody is being sent make room. */
static uint8_t *piece_alloc(struct file_cache *cache, size_t bytes)
{
	struct cached_file *file = cache->oldest, *next;
	uint8_t *piece = NULL;

	for (;;) {
		if (bytes <= cache->bytes_max && cache->bytes <= cache->bytes_max - bytes)
			piece = ix_tx_alloc(cache->channel, bytes);
		if (piece || !file)
			break;
		next = file->newer;
		if (!file->references)
			file_drop(file);
		file = next;
	}
	if (piece)
		cache->bytes += ix_tx_size(cache->channel, piece);
	return piece;
}

static bool read_whole(int fd, uint8_t *to, size_t bytes, uint64_t off)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t got = pread(fd, to + done, bytes - done, (off_t)(off + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got < 0 && errno != ENOMEM ? errno : EIO;
			return false;
		}
		done += (size_t)got;
	}
	return true;
}

static bool piece_read(struct cached_file *file, int fd, size_t index, size_t bytes)
{
	struct file_cache *cache = file->cache;
	uint8_t *piece = piece_alloc(cache, bytes);
	struct stat status;

	if (!piece) {
		errno = ENOMEM;
		return false;
	}
	if (!read_whole(fd, piece, bytes, (uint64_t)index * PIECE_BYTES)) {
		cache->bytes -= ix_tx_size(cache->channel, piece);
		ix_tx_free(cache->channel, piece);
		file_forget(file);
		return false;
	}
	file->pieces[index] = piece;
	/* Pieces of two versions are nothing to be kept. */
	if (fstat(fd, &status) || !is_unchanged(file, &status))
		file_forget(file);
	return true;
}

const uint8_t *cached_file_at(struct cached_file *file, int fd, uint64_t off, size_t *len)
{
	size_t index = (size_t)(off / PIECE_BYTES), within = (size_t)(off % PIECE_BYTES);
	uint64_t left = file->bytes - (uint64_t)index * PIECE_BYTES;
	size_t bytes = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

	if (!file->pieces[index] && !piece_read(file, fd, index, bytes))
		return NULL;
	*len = bytes - within;
	return file->pieces[index] + within;
}

struct ixev_loan *cached_file_loan(struct cached_file *file)
{
	file->references++;
	return &file->loan;
}
