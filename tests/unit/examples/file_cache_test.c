/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files in memory: read once, kept as long as somebody is sent from them, given up for others, never stale.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client-lib/examples/file_cache.h"
#include "tests/unit/client-lib/fake_ixd.h"

#define PIECE 262144u

static struct fake_ixd fake;
static struct ix_client *client;
static struct ix_channel *channel;
static struct file_cache *cache;
static size_t avail; /* TX memory when nothing is kept */

static void setup(void)
{
	fake.cores = 1;
	fake.tx_bytes = 8u << 20;
	client = fake_open(&fake);
	channel = ix_channel(client, 0);
	avail = ix_tx_avail(channel);
	cache = file_cache_new(channel, 4 * PIECE);
	cr_assert_not_null(cache);
}

static void teardown(void)
{
	file_cache_free(cache);
	cr_expect_eq(ix_tx_avail(channel), avail, "memory is left over");
	ix_close(client);
	fake_stop(&fake);
}

TestSuite(file_cache, .init = setup, .fini = teardown, .timeout = 30);

/* A file without a name, of so many bytes that count up from `first`. */
static int file_make(size_t bytes, uint8_t first)
{
	char name[] = "/tmp/file_cache.XXXXXX";
	uint8_t *content = malloc(bytes + 1);
	int fd = mkstemp(name);

	cr_assert_geq(fd, 0);
	unlink(name);
	for (size_t i = 0; i < bytes; i++)
		content[i] = (uint8_t)(first + i / 997);
	cr_assert_eq(pwrite(fd, content, bytes, 0), (ssize_t)bytes);
	free(content);
	return fd;
}

/* The file, asked for so many seconds after its last change. */
static struct cached_file *get_after(int fd, time_t seconds)
{
	struct stat status;

	cr_assert_eq(fstat(fd, &status), 0);
	return file_cache_get(cache, &status, status.st_ctim.tv_sec + seconds);
}

static struct cached_file *get(int fd)
{
	struct cached_file *file = get_after(fd, 100);

	cr_assert_not_null(file);
	return file;
}

static void expect_bytes(struct cached_file *file, int fd, size_t bytes, uint8_t first)
{
	for (size_t off = 0, len; off < bytes; off += len) {
		const uint8_t *at = cached_file_at(file, fd, off, &len);

		cr_assert_not_null(at);
		cr_assert_leq(off + len, bytes);
		for (size_t i = 0; i < len; i++)
			cr_assert_eq(at[i], (uint8_t)(first + (off + i) / 997));
	}
}

Test(file_cache, what_cannot_be_kept)
{
	int fd = file_make(1000, 1), empty = file_make(0, 0), large = file_make(4 * PIECE + 1, 0);

	cr_expect_null(get_after(fd, 0), "another change now would not show");
	cr_expect_null(get_after(fd, 1));
	cr_expect_null(get_after(empty, 100));
	cr_expect_null(get_after(large, 100));
	cached_file_put(get_after(fd, 2));
	close(fd);
	close(empty);
	close(large);
}

Test(file_cache, read_once_sent_often_and_given_up_for_others)
{
	int fds[3] = {file_make(2 * PIECE, 10), file_make(2 * PIECE - 3, 20), file_make(2 * PIECE, 30)};
	struct cached_file *files[3], *again;
	struct ixev_loan *loan;
	size_t len;

	for (unsigned i = 0; i < 2; i++)
		files[i] = get(fds[i]);
	expect_bytes(files[0], fds[0], 2 * PIECE, 10);
	expect_bytes(files[1], fds[1], 2 * PIECE - 3, 20);
	/* From memory: the descriptor is not needed. */
	again = get(fds[0]);
	cr_expect_eq(again, files[0]);
	expect_bytes(again, -1, 2 * PIECE, 10);
	cached_file_put(again);
	/* The cache is full of files that are in use; what is lent is in use. */
	loan = cached_file_loan(files[0]);
	cached_file_put(files[0]);
	files[2] = get(fds[2]);
	cr_expect_null(cached_file_at(files[2], fds[2], 0, &len));
	cr_expect_eq(errno, ENOMEM);
	loan->on_returned(loan);
	expect_bytes(files[2], fds[2], 2 * PIECE, 30);
	expect_bytes(files[1], -1, 2 * PIECE - 3, 20);
	/* The first one went. */
	again = get(fds[0]);
	cr_expect_not(cached_file_has(again, 0));
	cached_file_put(again);
	for (unsigned i = 1; i < 3; i++)
		cached_file_put(files[i]);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
}

Test(file_cache, the_file_longest_not_wanted_goes)
{
	int fds[3] = {file_make(2 * PIECE, 10), file_make(2 * PIECE, 20), file_make(PIECE, 30)};
	struct cached_file *file;

	for (unsigned i = 0; i < 2; i++) {
		file = get(fds[i]);
		expect_bytes(file, fds[i], 2 * PIECE, (uint8_t)(10 + 10 * i));
		cached_file_put(file);
	}
	cached_file_put(get(fds[0]));
	file = get(fds[2]);
	expect_bytes(file, fds[2], PIECE, 30);
	cached_file_put(file);
	for (unsigned i = 0; i < 2; i++) {
		file = get(fds[i]);
		cr_expect_eq(cached_file_has(file, 0), i == 0);
		cached_file_put(file);
		close(fds[i]);
	}
	close(fds[2]);
}

Test(file_cache, another_version_is_another_file)
{
	int fd = file_make(PIECE, 10);
	struct cached_file *old = get(fd), *new;
	size_t len;

	expect_bytes(old, fd, PIECE, 10);
	cr_assert_eq(pwrite(fd, "x", 1, PIECE), 1);
	new = get(fd);
	cr_assert_neq(new, old);
	cr_assert_eq(*cached_file_at(new, fd, PIECE, &len), 'x');
	cr_expect_eq(len, 1);
	/* Who is being sent the old one gets it whole. */
	expect_bytes(old, -1, PIECE, 10);
	cached_file_put(old);
	cached_file_put(new);
	close(fd);
}

Test(file_cache, a_file_that_changes_while_it_is_read_is_not_kept)
{
	int fd = file_make(2 * PIECE, 10);
	struct cached_file *file = get(fd);
	size_t len;

	cr_assert_not_null(cached_file_at(file, fd, 0, &len));
	cr_assert_eq(pwrite(fd, "x", 1, 2 * PIECE), 1);
	cr_assert_not_null(cached_file_at(file, fd, PIECE, &len));
	cached_file_put(file);
	cr_expect_eq(ix_tx_avail(channel), avail, "found by nobody, so it went");
	/* One that shrank cannot be read as far as was said. */
	file = get(fd);
	cr_assert_eq(ftruncate(fd, 100), 0);
	cr_expect_null(cached_file_at(file, fd, 0, &len));
	cr_expect_eq(errno, EIO);
	cached_file_put(file);
	cr_expect_eq(ix_tx_avail(channel), avail);
	close(fd);
}
