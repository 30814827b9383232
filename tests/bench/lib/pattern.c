/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of noise. */
#include "tests/bench/lib/pattern.h"

#include <string.h>

#include "tests/bench/lib/random.h"

uint8_t bench_pattern_table[BENCH_PATTERN_PERIOD + BENCH_PATTERN_RUN];

void bench_pattern_init(void)
{
	struct bench_random random = {.state = 4};

	for (uint32_t at = 0; at < BENCH_PATTERN_PERIOD; at += 8) {
		uint64_t word = bench_random_u64(&random);

		memcpy(bench_pattern_table + at, &word, sizeof(word));
	}
	memcpy(bench_pattern_table + BENCH_PATTERN_PERIOD, bench_pattern_table, BENCH_PATTERN_RUN);
}

bool bench_pattern_check(uint64_t base, uint64_t off, const uint8_t *data, uint64_t len)
{
	while (len > BENCH_PATTERN_RUN) {
		if (memcmp(bench_pattern_at(base, off), data, BENCH_PATTERN_RUN) != 0)
			return false;
		off += BENCH_PATTERN_RUN;
		data += BENCH_PATTERN_RUN;
		len -= BENCH_PATTERN_RUN;
	}
	return memcmp(bench_pattern_at(base, off), data, len) == 0;
}
