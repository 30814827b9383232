/* SPDX-License-Identifier: BSD-2-Clause */
/* The measurement in slices: what is usual in it, whatever happens in some of them. */
#include <stdlib.h>

#include "tests/bench/load/load.h"

/* By slice, so that each can be sorted by itself. */
static double messages_per_s[LOAD_SLICES_MAX], p50_us[LOAD_SLICES_MAX], p99_us[LOAD_SLICES_MAX];
static uint32_t count;
static uint64_t began_ns, slice_ns;
static struct bench_histogram before;

void slices_begin(const struct load *load)
{
	count = 0;
	began_ns = load->now.ns;
	slice_ns = (uint64_t)(load->config.duration_s * 1e9 / (double)load->config.slices);
	before = load->result.latency;
}

void slices_turn(const struct load *load)
{
	static struct bench_histogram since;
	uint64_t passed_ns = load->now.ns - began_ns;

	if (passed_ns < slice_ns || count == LOAD_SLICES_MAX)
		return;
	bench_histogram_since(&load->result.latency, &before, &since);
	messages_per_s[count] = (double)since.count * 1e9 / (double)passed_ns;
	/* Without an answer: longer than this. */
	p50_us[count] = p99_us[count] = (double)passed_ns / 1e3;
	if (since.count > 0) {
		p50_us[count] = (double)bench_histogram_quantile(&since, 5000) / 1e3;
		p99_us[count] = (double)bench_histogram_quantile(&since, 9900) / 1e3;
	}
	count++;
	began_ns = load->now.ns;
	before = load->result.latency;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double median(double *values)
{
	qsort(values, count, sizeof(values[0]), compare);
	return count > 0 ? (values[(count - 1) / 2] + values[count / 2]) / 2 : 0;
}

void slices_json(FILE *out)
{
	fprintf(out, "{\"count\":%u,\"messages_per_s\":%.1f,\"p50\":%.3f,\"p99\":%.3f}", count,
		median(messages_per_s), median(p50_us), median(p99_us));
}
