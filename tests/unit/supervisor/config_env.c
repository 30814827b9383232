/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configurations from text for tests.
 */
#include "tests/unit/supervisor/config_env.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int config_from_text(const char *text, struct config **config, struct why *why)
{
	char path[] = "/tmp/ixd-config-XXXXXX";
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	*config = NULL;
	why->text[0] = '\0';
	int error = config_load(path, config, why);
	unlink(path);
	char *at = strstr(why->text, path);
	if (at != NULL) {
		memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
		memcpy(at, "FILE", 4);
	}
	return error;
}

struct config *config_of(const char *text)
{
	struct config *config;
	struct why why;
	int error = config_from_text(text, &config, &why);

	cr_assert_eq(error, 0, "%s", why.text);
	return config;
}
