/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the operator: one line each on standard error, with a "<N>" priority prefix that journald
 * understands when standard error is the journal, else with the level's name. Not for the per-packet path.
 */
#ifndef DAEMON_COMMON_LOG_H
#define DAEMON_COMMON_LOG_H

#include <stdnoreturn.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* process ("ixd", "dataplane", "control") is kept, not copied. Call once, before threads start. */
void log_init(const char *process, const char *instance);
/* Messages above level are dropped. May be called from any thread. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* enum log_level or -EINVAL. */
int log_level_by_name(const char *name);

__attribute__((format(printf, 2, 3))) void log_at(enum log_level level, const char *format, ...);
#define log_error(...)   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Logs and exits with 1. Only during start-up. */
noreturn __attribute__((format(printf, 1, 2))) void fatal(const char *format, ...);

#endif
