/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration files of any content: refused with a reason, or taken, and then the same as itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/config.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_fd;
static char path[64];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	file_fd = memfd_create("config", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	return file_fd < 0;
}

static void on_difference(void *arg, const char *where, const char *old_value, const char *new_value,
			  bool is_runtime)
{
	(void)arg;
	(void)where;
	(void)old_value;
	(void)new_value;
	(void)is_runtime;
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct why why = {""};
	unsigned static_count;

	/* An included file is another's content. */
	if (memmem(data, size, "@include", 8) != NULL)
		return 0;
	if (ftruncate(file_fd, 0) != 0 || pwrite(file_fd, data, size, 0) != (ssize_t)size)
		abort();
	int error = config_load(path, &config, &why);
	if (error != 0) {
		if (error > 0 || why.text[0] == '\0')
			abort();
		return 0;
	}
	if (config_diff(config, config, on_difference, NULL, &static_count) != 0)
		abort();
	config_free(config);
	return 0;
}
