/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A histogram of durations with a constant relative error: each octave is cut into 128 equal buckets, so that
 * a quantile is at most 1/128 above the true value, from one nanosecond to an hour and more.
 */
#ifndef TESTS_BENCH_LIB_HISTOGRAM_H
#define TESTS_BENCH_LIB_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define BENCH_HISTOGRAM_BITS    7
#define BENCH_HISTOGRAM_HALF    (1u << BENCH_HISTOGRAM_BITS)
#define BENCH_HISTOGRAM_OCTAVES 36 /* above the first, linear one: 2^43 ns is over two hours */
#define BENCH_HISTOGRAM_BUCKETS (BENCH_HISTOGRAM_HALF * (BENCH_HISTOGRAM_OCTAVES + 1))

struct bench_histogram {
	uint64_t count, sum_ns, max_ns;
	uint64_t buckets[BENCH_HISTOGRAM_BUCKETS];
};

/* Values below 128 have a bucket each; above, the leading bit gives the octave and the next seven the bucket.
 */
static inline uint32_t bench_histogram_bucket(uint64_t ns)
{
	uint32_t shift, bucket;

	if (ns < BENCH_HISTOGRAM_HALF)
		return (uint32_t)ns;
	shift = 63 - BENCH_HISTOGRAM_BITS - (uint32_t)__builtin_clzll(ns);
	if (shift >= BENCH_HISTOGRAM_OCTAVES)
		return BENCH_HISTOGRAM_BUCKETS - 1;
	bucket = (uint32_t)(ns >> shift) - BENCH_HISTOGRAM_HALF;
	return (shift + 1) * BENCH_HISTOGRAM_HALF + bucket;
}

static inline void bench_histogram_add(struct bench_histogram *h, uint64_t ns)
{
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->buckets[bench_histogram_bucket(ns)]++;
}

/* The largest value that the bucket stands for. */
uint64_t bench_histogram_upper(uint32_t bucket);
/* The value that `permille_10` ten-thousandths of the samples do not exceed (9990: p99.9); 0 without samples.
 * Never above max_ns. */
uint64_t bench_histogram_quantile(const struct bench_histogram *h, unsigned ten_thousandths);
/* The samples of `later`, which `earlier` was a copy of, that came since; the largest is the bound of its
 * bucket. */
void bench_histogram_since(const struct bench_histogram *later, const struct bench_histogram *earlier,
			   struct bench_histogram *since);
/* {"p50":…,"p90":…,"p99":…,"p999":…,"max":…,"mean":…,"samples":…} in microseconds. */
void bench_histogram_json(const struct bench_histogram *h, FILE *out);
/* One line per bucket that is not empty: upper bound in ns, samples in it, samples up to it. */
void bench_histogram_write(const struct bench_histogram *h, FILE *out);

#endif
