/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fixed number of packets is under way, each with its slot's number as sequence number, which comes back
 * in the answer; one that does not come back for long is counted as lost and sent again.
 */
#include "tests/bench/load/raw.h"

#include <netinet/in.h>
#include <string.h>

#include "daemon/common/cpu_relax.h"
#include "daemon/dataplane/big_endian.h"
#include "tests/bench/lib/clock.h"
#include "tests/bench/lib/options.h"
#include "tests/bench/lib/pattern.h"

#define SILENCE_NS    200000000u /* all that is missing then is lost */
#define OPTIONS_BYTES 12u
#define TCP_OFF       34u
#define PAYLOAD_OFF   (TCP_OFF + 20u + OPTIONS_BYTES)

struct raw {
	struct load *load;
	const struct raw_config *config;
	uint8_t frame[BENCH_FRAME_BYTES];
	uint32_t frame_bytes;
	uint64_t tcp_sum;
	uint64_t sent_ns[RAW_IN_FLIGHT_MAX]; /* 0: not under way */
	uint64_t sent, received, lost, strange;
	uint64_t busy_ns; /* in turns that had something to do */
	bool is_started;
	struct bench_histogram latency;
};

/* A segment in mid-connection, with timestamps as every segment of a real one has them. */
static void frame_make(struct raw *raw)
{
	static const uint8_t timestamps[] = {1, 1, 8, 10};
	const struct load_config *config = &raw->load->config;
	uint32_t payload = (uint32_t)config->settings.message_bytes;
	uint32_t tcp_bytes = 20 + OPTIONS_BYTES + payload;
	uint8_t *ip = raw->frame + 14, *tcp = raw->frame + TCP_OFF;
	uint16_t check;

	memcpy(raw->frame, raw->load->header, sizeof(raw->load->header));
	store_be16(ip + 2, 20 + tcp_bytes);
	store_be32(ip + 12, config->sources.first);
	check = inet_checksum_fold(inet_checksum_add(0, ip, 20));
	memcpy(ip + 10, &check, 2);
	store_be16(tcp, config->ports.first);
	store_be16(tcp + 2, config->target.port);
	tcp[12] = (20 + OPTIONS_BYTES) / 4 << 4;
	tcp[13] = TCP_PSH | TCP_ACK;
	store_be16(tcp + 14, 0xffff);
	memcpy(tcp + 20, timestamps, sizeof(timestamps));
	memcpy(tcp + 20 + OPTIONS_BYTES, bench_pattern_at(0, 0), payload);
	raw->frame_bytes = TCP_OFF + tcp_bytes;
	raw->tcp_sum = inet_checksum_add(sum_of_be16(tcp_bytes) + sum_of_be16(IPPROTO_TCP), ip + 12, 8);
	raw->tcp_sum = inet_checksum_add(raw->tcp_sum, tcp, tcp_bytes);
}

/* False: no room now. */
static bool slot_send(struct raw *raw, uint32_t slot)
{
	struct bench_xsk *xsk = &raw->load->xsk;
	uint32_t seq = __builtin_bswap32(slot);
	uint64_t addr;
	uint16_t check;
	uint8_t *data;

	if (!bench_xsk_tx_get(xsk, &addr))
		return false;
	data = xsk->umem + addr;
	memcpy(data, raw->frame, raw->frame_bytes);
	memcpy(data + TCP_OFF + 4, &seq, 4);
	check = inet_checksum_fold(raw->tcp_sum + seq);
	memcpy(data + TCP_OFF + 16, &check, 2);
	bench_xsk_tx_put(xsk, addr, raw->frame_bytes);
	raw->sent_ns[slot] = raw->load->now.ns;
	raw->sent++;
	return true;
}

/* The slot that an answer is for, or RAW_IN_FLIGHT_MAX: it is none of ours. */
static uint32_t answer_slot(const struct raw *raw, const struct bench_packet *packet)
{
	uint32_t slot;

	if (packet->len < PAYLOAD_OFF)
		return RAW_IN_FLIGHT_MAX;
	memcpy(&slot, packet->data + TCP_OFF + 4, 4);
	slot = __builtin_bswap32(slot);
	return slot < raw->config->in_flight && raw->sent_ns[slot] != 0 ? slot : RAW_IN_FLIGHT_MAX;
}

static bool answers_take(struct raw *raw)
{
	struct bench_packet packets[BENCH_BATCH_MAX];
	struct load *load = raw->load;
	uint32_t count = bench_xsk_receive(&load->xsk, packets, (uint32_t)load->config.batch);

	if (count == 0)
		return false;
	load->now.ns = bench_now_ns();
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = answer_slot(raw, &packets[i]);

		bench_xsk_free(&load->xsk, packets[i].addr);
		if (slot == RAW_IN_FLIGHT_MAX) {
			raw->strange++;
			continue;
		}
		bench_histogram_add(&raw->latency, load->now.ns - raw->sent_ns[slot]);
		raw->sent_ns[slot] = 0;
		raw->received++;
		slot_send(raw, slot); /* if there is no room, silence_end() finds it */
	}
	bench_xsk_refill(&load->xsk);
	return true;
}

static void silence_end(struct raw *raw)
{
	for (uint32_t slot = 0; slot < raw->config->in_flight; slot++) {
		raw->lost += raw->sent_ns[slot] != 0;
		slot_send(raw, slot);
	}
}

static void round_trips(struct raw *raw, double seconds)
{
	struct load *load = raw->load;
	uint64_t until_ns, heard_ns;

	load->now.ns = heard_ns = bench_now_ns();
	until_ns = load->now.ns + (uint64_t)(seconds * 1e9);
	while (load->now.ns < until_ns) {
		uint64_t began_ns = load->now.ns;
		bool is_busy;

		bench_xsk_reap(&load->xsk);
		is_busy = answers_take(raw);
		if (is_busy) {
			heard_ns = load->now.ns;
		} else if (!raw->is_started || load->now.ns - heard_ns > SILENCE_NS) {
			silence_end(raw);
			raw->is_started = true;
			heard_ns = load->now.ns;
		} else {
			cpu_relax();
		}
		bench_xsk_kick(&load->xsk);
		load->now.ns = bench_now_ns();
		if (is_busy)
			raw->busy_ns += load->now.ns - began_ns;
	}
}

static void one_way(struct raw *raw, double seconds)
{
	struct load *load = raw->load;
	uint64_t until_ns;

	load->now.ns = bench_now_ns();
	until_ns = load->now.ns + (uint64_t)(seconds * 1e9);
	while (load->now.ns < until_ns) {
		uint64_t began_ns = load->now.ns;

		bench_xsk_reap(&load->xsk);
		for (uint32_t i = 0; i < load->config.batch && slot_send(raw, 0); i++)
			;
		bench_xsk_kick(&load->xsk);
		load->now.ns = bench_now_ns();
		raw->busy_ns += load->now.ns - began_ns;
	}
}

static void report(const struct raw *raw, uint64_t packets, double seconds, bool has_json)
{
	const struct bench_xsk *xsk = &raw->load->xsk;
	const struct load_config *config = &raw->load->config;
	double rate = (double)packets / seconds;
	double gbps = rate * (double)config->settings.message_bytes * 8 / 1e9;

	if (!has_json) {
		printf("messages_per_s=%.0f goodput_gbps=%.3f p50_us=%.2f p99_us=%.2f lost=%llu\n", rate,
		       gbps, (double)bench_histogram_quantile(&raw->latency, 5000) / 1e3,
		       (double)bench_histogram_quantile(&raw->latency, 9900) / 1e3,
		       (unsigned long long)raw->lost);
		return;
	}
	printf("{\"workload\":\"%s\",\"in_flight\":%llu,\"size\":%llu,\"duration_s\":%.6f,\"messages\":%llu,"
	       "\"messages_per_s\":%.1f,\"goodput_gbps\":%.4f,\"latency_us\":",
	       raw->config->is_one_way ? "raw-one-way" : "raw", (unsigned long long)raw->config->in_flight,
	       (unsigned long long)config->settings.message_bytes, seconds, (unsigned long long)packets, rate,
	       gbps);
	bench_histogram_json(&raw->latency, stdout);
	printf(",\"lost\":%llu,\"strange\":%llu,\"rx_ring_drops\":%llu,\"tx_ring_full\":%llu,\"kicks\":%llu,"
	       "\"live_frames\":%llu,\"live_calls\":%llu,\"transmit\":\"%s\",\"generator_busy\":%.4f}\n",
	       (unsigned long long)raw->lost, (unsigned long long)raw->strange,
	       (unsigned long long)bench_xsk_rx_drops(xsk), (unsigned long long)xsk->tx_ring_full,
	       (unsigned long long)xsk->kicks, (unsigned long long)xsk->transmit.packets,
	       (unsigned long long)xsk->transmit.calls,
	       bench_transmit_used(xsk->transmit.packets, xsk->kicks), (double)raw->busy_ns / 1e9 / seconds);
}

void raw_run(struct load *load, const struct raw_config *config, bool has_json)
{
	static struct raw raw;
	uint64_t began_ns;

	if (load->config.settings.message_bytes + PAYLOAD_OFF - 14 > load->mtu)
		bench_usage("--size %llu is more than a packet takes: %u bytes with an MTU of %u",
			    (unsigned long long)load->config.settings.message_bytes,
			    load->mtu + 14 - PAYLOAD_OFF, load->mtu);
	raw.load = load;
	raw.config = config;
	frame_make(&raw);
	if (config->is_one_way)
		one_way(&raw, load->config.warmup_s);
	else
		round_trips(&raw, load->config.warmup_s);
	raw.sent = raw.received = raw.lost = raw.strange = raw.busy_ns = 0;
	raw.latency = (struct bench_histogram){0};
	began_ns = bench_now_ns();
	if (config->is_one_way)
		one_way(&raw, load->config.duration_s);
	else
		round_trips(&raw, load->config.duration_s);
	report(&raw, config->is_one_way ? raw.sent : raw.received, (double)(bench_now_ns() - began_ns) / 1e9,
	       has_json);
	load->measured.latency = raw.latency;
}
