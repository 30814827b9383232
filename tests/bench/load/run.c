/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The turn, and the phases that it is repeated in: opening, preparing, warming up, measuring, closing.
 */
#include <string.h>

#include "tests/bench/lib/clock.h"
#include "tests/bench/load/load.h"

#define TIMERS_PER_TURN  256u
#define TRAINS_PER_TURN  1024u
#define FRAMES_PER_BATCH 4u
#define FRAMES_MIN       256u
#define STUCK_NS         10000000000u /* without any progress in opening or preparing */
#define REFUSED_MAX      100u         /* without one that was accepted */
#define CLOSE_NS         3000000000u  /* for FINs both ways, then connections are reset */
#define CLOSE_EACH_NS    20000u       /* and so long for each */
#define RESETS_EVERY_NS  250000u
#define PROGRESS_NS      1000000000u

static bool receive(struct load *load)
{
	struct bench_packet packets[BENCH_BATCH_MAX];
	uint32_t count = bench_xsk_receive(&load->xsk, packets, (uint32_t)load->config.batch);

	if (count == 0)
		return false;
	load->now.ns = bench_now_ns();
	wire_input(load, packets, count);
	for (uint32_t i = 0; i < count; i++)
		bench_xsk_free(&load->xsk, packets[i].addr);
	bench_xsk_refill(&load->xsk);
	return true;
}

static void turn(struct load *load)
{
	uint64_t began_ns = load->now.ns, frames = load->config.batch * FRAMES_PER_BATCH;
	bool is_busy;

	load->tx_frames_left = frames < FRAMES_MIN ? FRAMES_MIN : (uint32_t)frames;
	bench_xsk_reap(&load->xsk);
	is_busy = receive(load);
	conn_turn(load);
	conn_open_missing(load);
	schedule_turn(load);
	is_busy |= tcp_output(load->tcp, load->now, TRAINS_PER_TURN, false) > 0;
	is_busy |= tcp_timer_run(load->tcp, load->now, TIMERS_PER_TURN) > 0;
	bench_xsk_kick(&load->xsk);
	load->now.ns = bench_now_ns();
	if (is_busy)
		load->busy_ns += load->now.ns - began_ns;
}

/* What counts as progress while no message is measured. */
static uint64_t progress_of(const struct load *load)
{
	return load->result.connected + load->result.messages;
}

static void progress_print(const struct load *load, const char *what)
{
	fprintf(stderr, "%s: %u of %llu connections, %llu messages\n", what, load->established,
		(unsigned long long)load->config.connections, (unsigned long long)load->result.messages);
}

/* Turns until is_done(), or until nothing has moved for long. */
static bool turns_until(struct load *load, const char *what, bool has_progress,
			bool (*is_done)(const struct load *load))
{
	uint64_t moved_ns = load->now.ns, told_ns = load->now.ns, before = progress_of(load);

	while (!is_done(load)) {
		turn(load);
		if (progress_of(load) != before) {
			before = progress_of(load);
			moved_ns = load->now.ns;
		}
		if (load->now.ns - moved_ns > STUCK_NS ||
		    (load->established == 0 && load->result.errors.refused > REFUSED_MAX)) {
			progress_print(load, what);
			report_errors(load, stderr);
			return false;
		}
		if (has_progress && load->now.ns - told_ns > PROGRESS_NS) {
			told_ns = load->now.ns;
			progress_print(load, what);
		}
	}
	return true;
}

static bool is_open(const struct load *load)
{
	return load->established >= load->config.connections;
}

static bool is_prepared(const struct load *load)
{
	return load->is_prepared && load->in_flight == 0;
}

static void turns_for(struct load *load, double seconds, const char *what, bool has_progress)
{
	uint64_t until_ns = load->now.ns + (uint64_t)(seconds * 1e9), told_ns = load->now.ns;

	while (load->now.ns < until_ns) {
		turn(load);
		if (load->phase == LOAD_MEASURING)
			slices_turn(load);
		if (has_progress && load->now.ns - told_ns > PROGRESS_NS) {
			told_ns = load->now.ns;
			progress_print(load, what);
		}
	}
}

static struct load_counters counters_read(const struct load *load)
{
	return (struct load_counters){.tcp = load->stats,
				      .rx_drops = bench_xsk_rx_drops(&load->xsk),
				      .tx_ring_full = load->xsk.tx_ring_full,
				      .kicks = load->xsk.kicks,
				      .frames = load->xsk.transmit.packets,
				      .frame_calls = load->xsk.transmit.calls,
				      .busy_ns = load->busy_ns};
}

static void measure_begin(struct load *load)
{
	memset(&load->result, 0, sizeof(load->result));
	load->before = counters_read(load);
	load->now.ns = bench_now_ns();
	load->measure_began_ns = load->now.ns;
	load->phase = LOAD_MEASURING;
	slices_begin(load);
}

static void measure_end(struct load *load)
{
	load->measure_ended_ns = load->now.ns;
	if (load->config.rate > 0 && load->next_arrival_ns < (double)load->now.ns)
		load->result.late =
		    (uint64_t)(((double)load->now.ns - load->next_arrival_ns) * load->config.rate / 1e9);
	load->after = counters_read(load);
	load->measured = load->result;
}

/* Idle connections end with a FIN, what does not end in time with a RST. Results are not touched any more. */
static void close_all(struct load *load)
{
	uint64_t limit_ns = CLOSE_NS + load->config.connections * CLOSE_EACH_NS;
	uint64_t until_ns = load->now.ns + limit_ns, next_ns = 0;

	load->phase = LOAD_CLOSING;
	while (load->now.ns < until_ns && conn_close_some(load, false))
		turn(load);
	until_ns = load->now.ns + limit_ns;
	while (load->now.ns < until_ns && load->alive > 0) {
		if (load->now.ns >= next_ns) {
			conn_close_some(load, true);
			next_ns = load->now.ns + RESETS_EVERY_NS;
		}
		turn(load);
	}
	/* The last resets. */
	while (load->now.ns < until_ns && tcp_output_pending(load->tcp))
		turn(load);
}

bool run_all(struct load *load, bool has_progress)
{
	static struct bench_histogram connect;

	load->now.ns = bench_now_ns();
	load->connect_credited_ns = load->now.ns;
	if (!turns_until(load, "opening", has_progress, is_open)) {
		close_all(load);
		return false;
	}
	if (load->config.workload->prepare != NULL) {
		load->phase = LOAD_PREPARING;
		if (!turns_until(load, "preparing", has_progress, is_prepared)) {
			close_all(load);
			return false;
		}
	}
	connect = load->result.connect;
	load->phase = LOAD_WARMING;
	schedule_begin(load);
	turns_for(load, load->config.warmup_s, "warming up", has_progress);
	measure_begin(load);
	turns_for(load, load->config.duration_s, "measuring", has_progress);
	measure_end(load);
	/* Where no connection is opened while measuring, how long it took before is what can be told. */
	if (load->measured.connect.count == 0)
		load->measured.connect = connect;
	close_all(load);
	return true;
}
