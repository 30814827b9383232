/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The luck of frames. Each frame of a direction draws the same number of random values whatever happens to
 * it: so the fate of frame n does not depend on which impairments are switched on beside the one that hits
 * it.
 */
#include "tests/relay/relay.h"

#define NS_PER_S      UINT64_C(1000000000)

#define ETHERTYPE_OFF 12u
#define IP_TOS_OFF    (ETH_HEADER_LEN + 1)
#define IP_SUM_OFF    (ETH_HEADER_LEN + 10)
#define IP_HEADER_LEN 20u
#define ECN_MASK      3u
#define ECN_CE        3u

/* SplitMix64: any seed is as good as any other, 0 included. */
static uint64_t draw(uint64_t *random)
{
	uint64_t x = *random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static bool hits(uint64_t value, uint32_t probability)
{
	return (uint32_t)value < probability;
}

void impair_init(struct impair_state *state, const struct impairment *config, uint64_t seed,
		 unsigned direction)
{
	uint64_t mixed = seed * 2 + direction;

	*state = (struct impair_state){.config = *config};
	state->random = draw(&mixed);
}

static uint64_t backlog_bytes(const struct impair_state *state, uint64_t now_ns)
{
	uint64_t wait_ns = state->link_free_ns > now_ns ? state->link_free_ns - now_ns : 0;

	return (uint64_t)((unsigned __int128)wait_ns * state->config.rate_bps / 8 / NS_PER_S);
}

/* A link that sends one frame after the other behind a queue that takes no more than queue_bytes. */
static bool link_take(struct impair_state *state, uint64_t now_ns, uint32_t len, struct fate *fate)
{
	const struct impairment *config = &state->config;
	uint64_t waiting, start_ns;

	fate->due_ns = now_ns;
	if (config->rate_bps == 0)
		return true;
	waiting = backlog_bytes(state, now_ns);
	if (waiting + len > config->queue_bytes)
		return false;
	if (config->mark_above_bytes != 0 && waiting > config->mark_above_bytes)
		fate->is_marked = true;
	start_ns = state->link_free_ns > now_ns ? state->link_free_ns : now_ns;
	state->link_free_ns = start_ns + (uint64_t)len * 8 * NS_PER_S / config->rate_bps;
	fate->due_ns = state->link_free_ns;
	return true;
}

static bool burst_takes(struct impair_state *state, uint64_t value, uint64_t now_ns)
{
	if (state->is_in_burst && now_ns - state->burst_seen_ns > BURST_IDLE_NS)
		state->is_in_burst = false;
	if (state->is_in_burst)
		state->is_in_burst = !hits(value, state->config.burst_leave);
	else
		state->is_in_burst = hits(value, state->config.burst_enter);
	state->burst_seen_ns = now_ns;
	return state->is_in_burst;
}

struct fate impair_next(struct impair_state *state, uint64_t now_ns, uint32_t len, bool is_ip)
{
	const struct impairment *config = &state->config;
	struct fate fate = {.verdict = VERDICT_PASS};
	uint64_t jitter = 0;

	if (is_ip) {
		bool is_lost = hits(draw(&state->random), config->loss);
		bool is_burst = burst_takes(state, draw(&state->random), now_ns);

		fate.is_duplicated = hits(draw(&state->random), config->duplicate);
		fate.is_corrupted = hits(draw(&state->random), config->corrupt);
		fate.corrupt_bit = draw(&state->random);
		fate.is_late = hits(draw(&state->random), config->reorder);
		fate.is_marked = hits(draw(&state->random), config->mark);
		jitter = draw(&state->random);
		if (is_lost || is_burst) {
			fate.verdict = is_lost ? VERDICT_LOST : VERDICT_BURST;
			return fate;
		}
	}
	if (!link_take(state, now_ns, len, &fate)) {
		fate.verdict = VERDICT_QUEUE_FULL;
		return fate;
	}
	fate.due_ns += config->delay_ns + (config->jitter_ns != 0 ? jitter % config->jitter_ns : 0);
	if (fate.is_late) {
		fate.due_ns += config->reorder_ns;
	} else {
		if (fate.due_ns < state->last_due_ns)
			fate.due_ns = state->last_due_ns;
		state->last_due_ns = fate.due_ns;
	}
	return fate;
}

bool frame_is_ip(const uint8_t *frame, uint32_t len)
{
	return len >= ETH_HEADER_LEN + IP_HEADER_LEN && frame[ETHERTYPE_OFF] == 0x08 &&
	       frame[ETHERTYPE_OFF + 1] == 0x00;
}

void impair_corrupt(uint8_t *frame, uint32_t len, uint64_t bit)
{
	uint64_t at = bit % ((uint64_t)(len - ETH_HEADER_LEN) * 8);

	frame[ETH_HEADER_LEN + at / 8] ^= (uint8_t)(1u << (at % 8));
}

bool impair_mark(uint8_t *frame, uint32_t len)
{
	uint8_t old = frame[IP_TOS_OFF];
	uint32_t sum;

	if (!frame_is_ip(frame, len) || (old & ECN_MASK) == 0)
		return false;
	frame[IP_TOS_OFF] = old | ECN_CE;
	/* RFC 1624, equation 3; the byte is the low half of the header's first word. */
	sum = ~((uint32_t)frame[IP_SUM_OFF] << 8 | frame[IP_SUM_OFF + 1]) & 0xffff;
	sum += (~(uint32_t)old & 0xffff) + frame[IP_TOS_OFF];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	frame[IP_SUM_OFF] = (uint8_t)(sum >> 8);
	frame[IP_SUM_OFF + 1] = (uint8_t)sum;
	return true;
}
