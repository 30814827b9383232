/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a histogram. */
#include "tests/bench/lib/histogram.h"

uint64_t bench_histogram_upper(uint32_t bucket)
{
	uint32_t octave = bucket / BENCH_HISTOGRAM_HALF;

	if (octave == 0)
		return bucket;
	return ((uint64_t)(bucket % BENCH_HISTOGRAM_HALF + BENCH_HISTOGRAM_HALF + 1) << (octave - 1)) - 1;
}

uint64_t bench_histogram_quantile(const struct bench_histogram *h, unsigned ten_thousandths)
{
	/* Rounded up: the sample that at least this part of all does not exceed. */
	uint64_t wanted = (h->count * ten_thousandths + 9999) / 10000;
	uint64_t seen = 0;

	if (h->count == 0)
		return 0;
	for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= wanted && seen > 0) {
			uint64_t upper = bench_histogram_upper(i);

			return upper < h->max_ns ? upper : h->max_ns;
		}
	}
	return h->max_ns;
}

void bench_histogram_since(const struct bench_histogram *later, const struct bench_histogram *earlier,
			   struct bench_histogram *since)
{
	since->count = later->count - earlier->count;
	since->sum_ns = later->sum_ns - earlier->sum_ns;
	since->max_ns = 0;
	for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
		since->buckets[i] = later->buckets[i] - earlier->buckets[i];
		if (since->buckets[i] > 0)
			since->max_ns = bench_histogram_upper(i);
	}
	if (since->max_ns > later->max_ns)
		since->max_ns = later->max_ns;
}

void bench_histogram_json(const struct bench_histogram *h, FILE *out)
{
	static const struct {
		const char *name;
		unsigned ten_thousandths;
	} rows[] = {{"p50", 5000}, {"p90", 9000}, {"p99", 9900}, {"p999", 9990}};

	fputc('{', out);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(out, "\"%s\":%.3f,", rows[i].name,
			(double)bench_histogram_quantile(h, rows[i].ten_thousandths) / 1e3);
	fprintf(out, "\"max\":%.3f,\"mean\":%.3f,\"samples\":%llu}", (double)h->max_ns / 1e3,
		h->count > 0 ? (double)h->sum_ns / (double)h->count / 1e3 : 0, (unsigned long long)h->count);
}

void bench_histogram_write(const struct bench_histogram *h, FILE *out)
{
	uint64_t seen = 0;

	fputs("# upper_ns samples samples_up_to\n", out);
	for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
		if (h->buckets[i] == 0)
			continue;
		seen += h->buckets[i];
		fprintf(out, "%llu %llu %llu\n", (unsigned long long)bench_histogram_upper(i),
			(unsigned long long)h->buckets[i], (unsigned long long)seen);
	}
}
