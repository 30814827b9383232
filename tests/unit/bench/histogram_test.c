/* SPDX-License-Identifier: BSD-2-Clause */
/* Histograms: no value is lost, quantiles are right to 1/128. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/bench/lib/histogram.h"
#include "tests/bench/lib/random.h"

static struct bench_histogram h;

Test(histogram, every_value_lies_in_its_bucket)
{
	uint64_t before = 0;

	for (uint64_t ns = 0; ns < (uint64_t)1 << 42; ns += 1 + ns / 1000) {
		uint32_t bucket = bench_histogram_bucket(ns);

		cr_assert_lt(bucket, BENCH_HISTOGRAM_BUCKETS);
		cr_assert_geq(bucket, before);
		cr_assert_geq(bench_histogram_upper(bucket), ns);
		cr_assert_leq(bench_histogram_upper(bucket), ns + ns / BENCH_HISTOGRAM_HALF);
		cr_assert(bucket == 0 || bench_histogram_upper(bucket - 1) < ns);
		before = bucket;
	}
}

Test(histogram, what_is_too_long_counts_in_the_last)
{
	cr_assert_eq(bench_histogram_bucket(UINT64_MAX), BENCH_HISTOGRAM_BUCKETS - 1);
	bench_histogram_add(&h, UINT64_MAX / 2);
	cr_assert_eq(h.max_ns, UINT64_MAX / 2);
	cr_assert_leq(bench_histogram_quantile(&h, 5000), h.max_ns);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

Test(histogram, quantiles_are_those_of_the_sorted_values)
{
	enum { COUNT = 10000 };
	static const unsigned quantiles[] = {1, 5000, 9000, 9900, 9990, 10000};
	static uint64_t values[COUNT];
	struct bench_random random = {.state = 7};

	for (int i = 0; i < COUNT; i++) {
		values[i] = bench_random_u64(&random) >> (30 + bench_random_below(&random, 30));
		bench_histogram_add(&h, values[i]);
	}
	qsort(values, COUNT, sizeof(values[0]), compare);
	for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		uint64_t exact = values[(COUNT * (uint64_t)quantiles[i] + 9999) / 10000 - 1];
		uint64_t got = bench_histogram_quantile(&h, quantiles[i]);

		cr_assert_geq(got, exact);
		cr_assert_leq(got, exact + exact / BENCH_HISTOGRAM_HALF + 1);
	}
	cr_assert_eq(bench_histogram_quantile(&h, 10000), h.max_ns);
}

Test(histogram, empty)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	cr_assert_eq(bench_histogram_quantile(&h, 5000), 0);
	bench_histogram_json(&h, out);
	fclose(out);
	cr_assert_str_eq(text, "{\"p50\":0.000,\"p90\":0.000,\"p99\":0.000,\"p999\":0.000,\"max\":0.000,"
			       "\"mean\":0.000,\"samples\":0}");
	free(text);
}

Test(histogram, since_a_copy_only_what_came_later)
{
	static struct bench_histogram earlier, since;

	for (uint64_t ns = 1; ns <= 1000; ns++)
		bench_histogram_add(&h, ns * 1000);
	earlier = h;
	for (uint64_t ns = 1; ns <= 10; ns++)
		bench_histogram_add(&h, ns);
	bench_histogram_since(&h, &earlier, &since);
	cr_assert_eq(since.count, 10);
	cr_assert_eq(since.sum_ns, 55);
	cr_assert_eq(since.max_ns, 10);
	cr_assert_eq(bench_histogram_quantile(&since, 5000), 5);
	bench_histogram_since(&h, &h, &since);
	cr_assert_eq(since.count, 0);
	cr_assert_eq(since.max_ns, 0);
	cr_assert_eq(bench_histogram_quantile(&since, 9900), 0);
}
