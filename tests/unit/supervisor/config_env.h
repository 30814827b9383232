/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configurations from text for tests.
 */
#ifndef TESTS_UNIT_SUPERVISOR_CONFIG_ENV_H
#define TESTS_UNIT_SUPERVISOR_CONFIG_ENV_H

#include "daemon/supervisor/config.h"

/* Loads text as a file: 0 and *config, or the error with its words in *why, in which the file is "FILE". */
int config_from_text(const char *text, struct config **config, struct why *why);
/* The text must be valid; the caller frees. */
struct config *config_of(const char *text);

#endif
