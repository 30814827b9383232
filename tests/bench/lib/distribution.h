/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Distributions of times, written KIND or KIND:MEAN: fixed, exponential, uniform (0 to twice the mean),
 * bimodal (nine of ten half the mean, one five and a half times), pareto (shape 2, a heavy tail).
 */
#ifndef TESTS_BENCH_LIB_DISTRIBUTION_H
#define TESTS_BENCH_LIB_DISTRIBUTION_H

#include <stdbool.h>

#include "tests/bench/lib/random.h"

enum bench_distribution_kind {
	BENCH_FIXED,
	BENCH_EXPONENTIAL,
	BENCH_UNIFORM,
	BENCH_BIMODAL,
	BENCH_PARETO,
};

struct bench_distribution {
	enum bench_distribution_kind kind;
	double mean;
};

/* Reads KIND, KIND:MEAN or MEAN (which is fixed:MEAN); without a mean, mean keeps its value. */
bool bench_distribution_parse(const char *text, struct bench_distribution *d);
/* A sample, never negative. */
double bench_distribution_sample(const struct bench_distribution *d, struct bench_random *random);

#endif
