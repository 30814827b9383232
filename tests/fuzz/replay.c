/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives files to a fuzzer's function without libFuzzer, so that inputs that once found something run in every
 * check, with every compiler: `NAME PATH...`, a file or a folder of files each. Prints how many it replayed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

/* The bytes lie in memory of exactly their size: a sanitiser then sees the first byte too many. */
static int replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size + (size == 0));
	int error = file && data && fread(data, 1, size, file) == size ? 0 : -EIO;

	if (file)
		fclose(file);
	if (error == 0) {
		/* What ends the process ends it here: the line above names the input. */
		printf("%s\n", path);
		fflush(stdout);
		LLVMFuzzerTestOneInput(data, size);
		replayed++;
	}
	free(data);
	return error;
}

static int replay(const char *path);

static int replay_folder(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort), error = count < 0 ? -errno : 0;

	for (int i = 0; i < count; i++) {
		char *below = NULL;

		if (error == 0 && entries[i]->d_name[0] != '.') {
			error =
			    asprintf(&below, "%s/%s", path, entries[i]->d_name) < 0 ? -ENOMEM : replay(below);
			free(below);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return error;
}

static int replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		int error = replay(argv[i]);

		if (error != 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-error));
			return 1;
		}
	}
	printf("%u inputs replayed\n", replayed);
	return 0;
}
