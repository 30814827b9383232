/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes N bytes of the pattern to standard output, or, with --check, reads standard input to its end and
 * fails unless it was exactly these N bytes. Joins programs that read and write streams, like ix-cat, to
 * k-client and k-sink without a file of that size.
 */
#include "tests/net/k.h"

#define BUFFER_BYTES 262144

static uint8_t buffer[BUFFER_BYTES];

static int produce(uint64_t bytes)
{
	for (uint64_t off = 0; off < bytes;) {
		size_t len = bytes - off < BUFFER_BYTES ? (size_t)(bytes - off) : BUFFER_BYTES;
		size_t written = 0;

		k_pattern_fill(buffer, off, len);
		while (written < len) {
			ssize_t now = write(STDOUT_FILENO, buffer + written, len - written);

			if (now < 0)
				k_die("write after %llu bytes: %s", (unsigned long long)(off + written),
				      strerror(errno));
			written += (size_t)now;
		}
		off += len;
	}
	return 0;
}

static int check(uint64_t bytes)
{
	uint64_t off = 0;

	for (;;) {
		ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
		size_t good;

		if (got < 0)
			k_die("read: %s", strerror(errno));
		if (got == 0)
			break;
		good = k_pattern_check(buffer, off, (size_t)got);
		if (good < (size_t)got)
			k_die("wrong byte at offset %llu", (unsigned long long)(off + good));
		off += (uint64_t)got;
	}
	if (off != bytes)
		k_die("%llu bytes came, %llu were expected", (unsigned long long)off,
		      (unsigned long long)bytes);
	return 0;
}

int main(int argc, char **argv)
{
	k_limit_time(300);
	if (argc == 2)
		return produce(k_number(argv[1]));
	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check(k_number(argv[2]));
	fputs("usage: k-pattern [--check] BYTES\n", stderr);
	return 2;
}
