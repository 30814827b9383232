/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ix-reflect: sends every TCP packet for its address back to where it came from, with both ends swapped and
 * nothing else done: what AF_XDP can reach on this machine when TCP costs nothing. As a sink it only counts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/cpu_relax.h"
#include "tests/bench/lib/clock.h"
#include "tests/bench/lib/options.h"
#include "tests/bench/lib/net.h"
#include "tests/bench/lib/xsk.h"

#define NO_CPU          UINT64_MAX
#define HEADERS_BYTES   (14 + 20 + 20)
#define SLEEP_MS        100 /* so often a sleeping reflector looks whether it shall end */
#define TURNS_PER_CLOCK 1024u

struct reflector {
	struct bench_xsk xsk;
	uint64_t batch;
	uint64_t packets, payload_bytes, refused; /* refused: no room to send it back */
	uint64_t first_ns, last_ns;               /* when packets were seen */
	bool is_sink, is_sleeping;
};

static volatile sig_atomic_t must_end;

static void on_signal(int number)
{
	(void)number;
	must_end = 1;
}

static void swap(uint8_t *a, uint8_t *b, size_t bytes)
{
	uint8_t kept[6];

	memcpy(kept, a, bytes);
	memcpy(a, b, bytes);
	memcpy(b, kept, bytes);
}

/* Sums do not notice: they are over the same words in another order. */
static void ends_swap(uint8_t *data)
{
	swap(data, data + 6, 6);
	swap(data + 26, data + 30, 4);
	swap(data + 34, data + 36, 2);
}

static void packet_answer(struct reflector *r, const struct bench_packet *packet)
{
	uint32_t tcp_bytes = packet->len > HEADERS_BYTES ? (uint32_t)(packet->data[46] >> 4) * 4 : 20;
	uint32_t headers = HEADERS_BYTES - 20 + tcp_bytes;

	r->packets++;
	r->payload_bytes += packet->len > headers ? packet->len - headers : 0;
	if (!r->is_sink && xsk_ring_room(&r->xsk.tx, 1) > 0) {
		ends_swap(packet->data);
		bench_xsk_tx_put(&r->xsk, packet->addr, packet->len);
		return;
	}
	r->refused += !r->is_sink;
	bench_xsk_free(&r->xsk, packet->addr);
}

static bool turn(struct reflector *r)
{
	struct bench_packet packets[BENCH_BATCH_MAX];
	uint32_t count;

	bench_xsk_reap(&r->xsk);
	count = bench_xsk_receive(&r->xsk, packets, (uint32_t)r->batch);
	for (uint32_t i = 0; i < count; i++)
		packet_answer(r, &packets[i]);
	bench_xsk_refill(&r->xsk);
	bench_xsk_kick(&r->xsk);
	return count > 0;
}

static void serve(struct reflector *r, double duration_s)
{
	uint64_t now_ns = bench_now_ns();
	uint64_t until_ns = duration_s > 0 ? now_ns + (uint64_t)(duration_s * 1e9) : UINT64_MAX;
	uint32_t turns = 0;

	while (!must_end && now_ns < until_ns) {
		bool is_busy = turn(r);

		if (is_busy || ++turns >= TURNS_PER_CLOCK) {
			turns = 0;
			now_ns = bench_now_ns();
		}
		if (is_busy) {
			r->last_ns = now_ns;
			if (r->first_ns == 0)
				r->first_ns = now_ns;
		} else if (r->is_sleeping) {
			struct pollfd poll_fd = {.fd = r->xsk.fd, .events = POLLIN};

			poll(&poll_fd, 1, SLEEP_MS);
			now_ns = bench_now_ns();
		} else {
			cpu_relax();
		}
	}
}

static void report(const struct reflector *r)
{
	double seconds = r->last_ns > r->first_ns ? (double)(r->last_ns - r->first_ns) / 1e9 : 0;

	printf("{\"packets\":%llu,\"seconds\":%.6f,\"packets_per_s\":%.1f,\"goodput_gbps\":%.4f,"
	       "\"no_room\":%llu,\"rx_ring_drops\":%llu,\"kicks\":%llu,"
	       "\"live_frames\":%llu,\"transmit\":\"%s\"}\n",
	       (unsigned long long)r->packets, seconds, seconds > 0 ? (double)r->packets / seconds : 0,
	       seconds > 0 ? (double)r->payload_bytes * 8 / seconds / 1e9 : 0, (unsigned long long)r->refused,
	       (unsigned long long)bench_xsk_rx_drops(&r->xsk), (unsigned long long)r->xsk.kicks,
	       (unsigned long long)r->xsk.transmit.packets,
	       bench_transmit_used(r->xsk.transmit.packets, r->xsk.kicks));
}

int main(int argc, char *argv[])
{
	static struct reflector r = {.batch = 64};
	const char *iface = NULL, *listen = NULL, *transmit = "xsk";
	enum bench_transmit_mode mode;
	double duration_s = 0;
	uint64_t cpu = NO_CPU, ring = 2048;
	const struct bench_option rows[] = {
	    {"if", "IFACE", "interface to take packets from", BENCH_TEXT, &iface, 0, 0},
	    {"listen", "ADDR:PORT", "whose packets: TCP to this address and port", BENCH_TEXT, &listen, 0, 0},
	    {"sink", NULL, "count packets instead of sending them back", BENCH_FLAG, &r.is_sink, 0, 0},
	    {"sleep", NULL, "sleep when nothing comes, instead of spinning", BENCH_FLAG, &r.is_sleeping, 0,
	     0},
	    {"duration", "SECONDS", "end after so long (default: at SIGTERM or SIGINT)", BENCH_REAL,
	     &duration_s, 0, 0},
	    {"cpu", "N", "run on this CPU", BENCH_NUMBER, &cpu, 0, 1023},
	    {"batch", "N", "packets taken in a turn (default 64)", BENCH_NUMBER, &r.batch, 1,
	     BENCH_BATCH_MAX},
	    {"transmit", "xsk|auto|live", "the way out: AF_XDP (default); bursts, all as live frames",
	     BENCH_TEXT, &transmit, 0, 0},
	    {"ring", "N", "slots of the AF_XDP rings, a power of two (default 2048)", BENCH_NUMBER, &ring, 64,
	     65536},
	    {0},
	};
	const struct bench_options options = {"--if IFACE --listen ADDR:PORT [OPTION...]",
					      "Sends TCP packets back as they are, by AF_XDP. Prints what it "
					      "did, as JSON, when it ends.",
					      rows, NULL};
	struct bench_endpoint local;
	struct bench_steer steer;

	bench_options_parse(&options, argc, argv);
	if (iface == NULL || listen == NULL)
		bench_usage("--if and --listen are needed; try --help");
	if (!bench_endpoint_parse(listen, &local))
		bench_usage("--listen takes ADDR:PORT, like 192.0.2.1:7000, not \"%s\"", listen);
	if (!bench_transmit_parse(transmit, &mode))
		bench_usage("--transmit takes xsk, auto or live, not \"%s\"", transmit);
	if ((ring & (ring - 1)) != 0)
		bench_usage("--ring takes a power of two, not %llu", (unsigned long long)ring);
	if (cpu != NO_CPU)
		bench_pin((unsigned)cpu);
	steer = (struct bench_steer){.local_first = local.ip,
				     .local_last = local.ip,
				     .local_port_first = local.port,
				     .local_port_last = local.port};
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	bench_xsk_open(&r.xsk, iface, (uint32_t)ring, mode, &steer);
	printf("listening on %s\n", listen);
	fflush(stdout);
	serve(&r, duration_s);
	report(&r);
	bench_xsk_close(&r.xsk);
	return 0;
}
