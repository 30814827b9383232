/* SPDX-License-Identifier: BSD-2-Clause */
/* Distributions: words, and that each has the mean that it was given. */
#include <criterion/criterion.h>

#include "tests/bench/lib/distribution.h"

static double mean_of(const char *text, unsigned count)
{
	struct bench_distribution d = {0};
	struct bench_random random = {.state = 3};
	double sum = 0;

	cr_assert(bench_distribution_parse(text, &d), "%s", text);
	for (unsigned i = 0; i < count; i++) {
		double sample = bench_distribution_sample(&d, &random);

		cr_assert_geq(sample, 0);
		sum += sample;
	}
	return sum / count;
}

Test(distribution, each_has_its_mean)
{
	cr_assert_float_eq(mean_of("100", 10), 100, 1e-9);
	cr_assert_float_eq(mean_of("fixed:100", 10), 100, 1e-9);
	cr_assert_float_eq(mean_of("exponential:100", 200000), 100, 2);
	cr_assert_float_eq(mean_of("uniform:100", 200000), 100, 2);
	cr_assert_float_eq(mean_of("bimodal:100", 200000), 100, 2);
	/* Its variance is infinite: the mean comes slowly. */
	cr_assert_float_eq(mean_of("pareto:100", 2000000), 100, 5);
}

Test(distribution, a_mean_may_be_left_out)
{
	struct bench_distribution d = {.mean = 5};

	cr_assert(bench_distribution_parse("exponential", &d));
	cr_assert_eq(d.kind, BENCH_EXPONENTIAL);
	cr_assert_eq(d.mean, 5);
}

Test(distribution, refusals)
{
	static const char *const wrong[] = {"",   "often",          "fixed:", "fixed:x",
					    "-1", "exponential:-1", "1x",     "nan"};
	struct bench_distribution d = {0};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not(bench_distribution_parse(wrong[i], &d), "%s", wrong[i]);
}
