/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the operator on standard error.
 */
#include "daemon/common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int priority; /* of syslog(3), for journald */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},   [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_NOTICE] = {"notice", 5}, [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static struct {
	const char *process;
	const char *instance;
	enum log_level level;
	bool is_journal;
} logger = {.process = "ixd", .instance = "", .level = LOG_LEVEL_INFO};

void log_init(const char *process, const char *instance)
{
	logger.process = process;
	logger.instance = instance;
	logger.is_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(enum log_level level)
{
	__atomic_store_n(&logger.level, level, __ATOMIC_RELAXED);
}

enum log_level log_get_level(void)
{
	return __atomic_load_n(&logger.level, __ATOMIC_RELAXED);
}

int log_level_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, name) == 0)
			return (int)i;
	return -EINVAL;
}

/* One write(2) per message, so that lines of several processes do not mix. */
static void log_write(enum log_level level, const char *format, va_list args)
{
	char line[1024];
	int used;

	if (logger.is_journal)
		used = snprintf(line, sizeof(line), "<%d>%s: ", levels[level].priority, logger.process);
	else
		used = snprintf(line, sizeof(line), "%s[%s]: %s: ", logger.process, logger.instance,
				levels[level].name);
	size_t len = (size_t)used;
	int more = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	if (more > 0)
		len += (size_t)more < sizeof(line) - len - 1 ? (size_t)more : sizeof(line) - len - 2;
	line[len++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, len);
	(void)written; /* there is nowhere left to complain to */
}

void log_at(enum log_level level, const char *format, ...)
{
	va_list args;

	if (level > log_get_level())
		return;
	va_start(args, format);
	log_write(level, format, args);
	va_end(args);
}

noreturn void fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_write(LOG_LEVEL_ERROR, format, args);
	va_end(args);
	exit(1);
}
