/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-load without TCP: hand-made data segments to ix-reflect or ix-respond and back, or one way to a sink.
 * What this reaches is what the machine allows.
 */
#ifndef TESTS_BENCH_LOAD_RAW_H
#define TESTS_BENCH_LOAD_RAW_H

#include "tests/bench/load/load.h"

#define RAW_IN_FLIGHT_MAX 4096u

struct raw_config {
	uint64_t in_flight; /* packets under way */
	bool is_one_way;
};

/* Runs with the settings of load->config that apply, and prints the result. load's socket is open. */
void raw_run(struct load *load, const struct raw_config *config, bool has_json);

#endif
