/* SPDX-License-Identifier: BSD-2-Clause */
/* What was measured, as text and as JSON. */
#include "tests/bench/load/load.h"

#define SINCE(load, counter) ((load)->after.counter - (load)->before.counter)

static double seconds_of(const struct load *load)
{
	return (double)(load->measure_ended_ns - load->measure_began_ns) / 1e9;
}

static double goodput_gbps(const struct load *load)
{
	uint64_t bytes =
	    load->config.workload->is_sending_bulk ? SINCE(load, tcp.bytes_out) : SINCE(load, tcp.bytes_in);

	return (double)bytes * 8 / seconds_of(load) / 1e9;
}

static uint64_t errors_sum(const struct load_errors *e)
{
	return e->refused + e->reset + e->timed_out + e->unreachable + e->closed_by_peer + e->wrong_bytes +
	       e->other + e->no_port;
}

void report_text(const struct load *load)
{
	const struct load_result *r = &load->measured;
	const struct bench_histogram *h = &r->latency;

	printf("messages_per_s=%.0f connections_per_s=%.0f goodput_gbps=%.3f p50_us=%.2f p99_us=%.2f "
	       "p999_us=%.2f max_us=%.2f errors=%llu retransmits=%llu late=%llu busy=%.2f\n",
	       (double)r->messages / seconds_of(load), (double)r->closed / seconds_of(load),
	       goodput_gbps(load), (double)bench_histogram_quantile(h, 5000) / 1e3,
	       (double)bench_histogram_quantile(h, 9900) / 1e3,
	       (double)bench_histogram_quantile(h, 9990) / 1e3, (double)h->max_ns / 1e3,
	       (unsigned long long)errors_sum(&r->errors), (unsigned long long)SINCE(load, tcp.retransmits),
	       (unsigned long long)r->late, (double)SINCE(load, busy_ns) / 1e9 / seconds_of(load));
}

static void errors_json(const struct load_errors *e, FILE *out)
{
	fprintf(out,
		"\"errors\":{\"refused\":%llu,\"reset\":%llu,\"timed_out\":%llu,\"unreachable\":%llu,"
		"\"closed_by_peer\":%llu,\"wrong_bytes\":%llu,\"no_port\":%llu,\"other\":%llu,\"sum\":%llu}",
		(unsigned long long)e->refused, (unsigned long long)e->reset,
		(unsigned long long)e->timed_out, (unsigned long long)e->unreachable,
		(unsigned long long)e->closed_by_peer, (unsigned long long)e->wrong_bytes,
		(unsigned long long)e->no_port, (unsigned long long)e->other,
		(unsigned long long)errors_sum(e));
}

void report_json(const struct load *load, FILE *out)
{
	const struct load_config *config = &load->config;
	const struct load_result *r = &load->measured;
	double seconds = seconds_of(load);

	fprintf(out,
		"{\"workload\":\"%s\",\"connections\":%llu,\"active\":%llu,\"size\":%llu,\"depth\":%llu,"
		"\"round_trips\":%llu,\"rate\":%.1f,\"duration_s\":%.6f,",
		config->workload->name, (unsigned long long)config->connections,
		(unsigned long long)config->active, (unsigned long long)config->settings.message_bytes,
		(unsigned long long)config->depth, (unsigned long long)config->round_trips, config->rate,
		seconds);
	fprintf(out,
		"\"messages\":%llu,\"messages_per_s\":%.1f,\"misses\":%llu,\"late\":%llu,"
		"\"connections_closed\":%llu,\"connections_per_s\":%.1f,\"goodput_gbps\":%.4f,",
		(unsigned long long)r->messages, (double)r->messages / seconds, (unsigned long long)r->misses,
		(unsigned long long)r->late, (unsigned long long)r->closed, (double)r->closed / seconds,
		goodput_gbps(load));
	fputs("\"latency_us\":", out);
	bench_histogram_json(&r->latency, out);
	fputs(",\"connect_us\":", out);
	bench_histogram_json(&r->connect, out);
	fputs(",\"slices\":", out);
	slices_json(out);
	fputc(',', out);
	errors_json(&r->errors, out);
	fprintf(out,
		",\"retransmits\":%llu,\"rtos\":%llu,\"tlps\":%llu,\"rx_ring_drops\":%llu,"
		"\"tx_ring_full\":%llu,\"segments_in\":%llu,\"segments_out\":%llu,\"kicks\":%llu,"
		"\"live_frames\":%llu,\"live_calls\":%llu,\"transmit\":\"%s\","
		"\"generator_busy\":%.4f}\n",
		(unsigned long long)SINCE(load, tcp.retransmits),
		(unsigned long long)SINCE(load, tcp.rto_expiries),
		(unsigned long long)SINCE(load, tcp.tlp_probes), (unsigned long long)SINCE(load, rx_drops),
		(unsigned long long)SINCE(load, tx_ring_full),
		(unsigned long long)SINCE(load, tcp.segments_in),
		(unsigned long long)SINCE(load, tcp.segments_out), (unsigned long long)SINCE(load, kicks),
		(unsigned long long)SINCE(load, frames), (unsigned long long)SINCE(load, frame_calls),
		bench_transmit_used(SINCE(load, frames), SINCE(load, kicks)),
		(double)SINCE(load, busy_ns) / 1e9 / seconds);
}

void report_errors(const struct load *load, FILE *out)
{
	errors_json(&load->result.errors, out);
	fputc('\n', out);
}
