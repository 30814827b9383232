/* SPDX-License-Identifier: BSD-2-Clause */
/* Sampling by inversion. */
#include "tests/bench/lib/distribution.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [BENCH_FIXED] = "fixed",     [BENCH_EXPONENTIAL] = "exponential", [BENCH_UNIFORM] = "uniform",
    [BENCH_BIMODAL] = "bimodal", [BENCH_PARETO] = "pareto",
};

static bool mean_parse(const char *text, double *mean)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(value) || value < 0)
		return false;
	*mean = value;
	return true;
}

bool bench_distribution_parse(const char *text, struct bench_distribution *d)
{
	size_t name_bytes = strcspn(text, ":");

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) != name_bytes || strncmp(names[i], text, name_bytes) != 0)
			continue;
		d->kind = (enum bench_distribution_kind)i;
		return text[name_bytes] == '\0' || mean_parse(text + name_bytes + 1, &d->mean);
	}
	d->kind = BENCH_FIXED;
	return mean_parse(text, &d->mean);
}

double bench_distribution_sample(const struct bench_distribution *d, struct bench_random *random)
{
	double unit;

	if (d->kind == BENCH_FIXED)
		return d->mean;
	unit = bench_random_unit(random);
	switch (d->kind) {
	case BENCH_EXPONENTIAL:
		return -log(unit) * d->mean;
	case BENCH_UNIFORM:
		return 2 * unit * d->mean;
	case BENCH_BIMODAL:
		return unit <= 0.9 ? d->mean * 0.5 : d->mean * 5.5;
	case BENCH_PARETO:
		return d->mean / 2 / sqrt(unit);
	case BENCH_FIXED:
		break;
	}
	return d->mean;
}
