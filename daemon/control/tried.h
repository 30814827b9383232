/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On which kernels the tests were run with a driver.
 */
#ifndef DAEMON_CONTROL_TRIED_H
#define DAEMON_CONTROL_TRIED_H

#include <jansson.h>

/* The rows of a driver, by its name, as an array of the interface's type Trial; empty for one that was never
 * tried. NULL when out of memory. */
json_t *tried_json(const char *driver);

#endif
