/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of --size bytes that come back. */
#include "tests/bench/lib/pattern.h"
#include "tests/bench/load/workload.h"

extern const struct load_workload load_echo;

struct echo_state {
	uint32_t got; /* bytes of the present message that are back */
};

static uint32_t size;
static bool is_checked;

static bool echo_init(const struct load_settings *settings)
{
	size = (uint32_t)settings->message_bytes;
	is_checked = settings->is_checked;
	return true;
}

static struct load_progress echo_response(void *state, uint64_t pattern_base, uint64_t stream_off,
					  const uint8_t *data, uint32_t len)
{
	struct echo_state *echo = state;
	struct load_progress progress = {0};

	progress.is_wrong = is_checked && !bench_pattern_check(pattern_base, stream_off, data, len);
	len += echo->got;
	for (; len >= size; len -= size)
		progress.completed++;
	echo->got = len;
	return progress;
}

const struct load_workload load_echo = {
    .name = "echo",
    .help = "messages of --size bytes to an echo server, every byte checked",
    .state_bytes = sizeof(struct echo_state),
    .init = echo_init,
    .response = echo_response,
};
