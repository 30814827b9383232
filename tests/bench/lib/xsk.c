/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening the socket, and the parts of a turn. */
#include "tests/bench/lib/xsk.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/lib/options.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "bench_steer.skel.h"
#pragma GCC diagnostic pop

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define KICKS_MAX       128
#define FRAMES_PER_SLOT 2 /* one for the FILL ring, one to send */

static void option_set(int fd, int option, const void *value, socklen_t bytes, const char *what)
{
	if (setsockopt(fd, SOL_XDP, option, value, bytes) != 0)
		bench_die("%s: %s", what, strerror(errno));
}

static void umem_make(struct bench_xsk *xsk, uint32_t slots)
{
	size_t bytes, mapped;
	uint8_t *area;

	xsk->frames = slots * FRAMES_PER_SLOT;
	xsk->free_floor = xsk->frames / 4;
	bytes = (size_t)xsk->frames * BENCH_FRAME_BYTES;
	mapped = bytes + HUGE_PAGE_BYTES;
	area = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	xsk->free = calloc(xsk->frames, sizeof(xsk->free[0]));
	if (area == MAP_FAILED || xsk->free == NULL)
		bench_die("no memory for %u frames", xsk->frames);
	area += HUGE_PAGE_BYTES - (uintptr_t)area % HUGE_PAGE_BYTES;
	(void)madvise(area, bytes, MADV_HUGEPAGE); /* a gain where the kernel has some, else nothing */
	memset(area, 0, bytes);
	xsk->umem = area;
	/* Backwards: the lowest frames are taken first. */
	for (uint32_t i = xsk->frames; i-- > 0;)
		bench_xsk_free(xsk, (uint64_t)i * BENCH_FRAME_BYTES);
	struct xdp_umem_reg reg = {.addr = (uintptr_t)area, .len = bytes, .chunk_size = BENCH_FRAME_BYTES};

	option_set(xsk->fd, XDP_UMEM_REG, &reg, sizeof(reg), "registering packet memory");
}

static void ring_map(struct bench_xsk *xsk, struct xsk_ring *ring, enum xsk_ring_kind kind, uint32_t slots)
{
	struct xsk_map map; /* stays for as long as the process */
	int error = xsk_ring_map(ring, &map, xsk->fd, kind, slots);

	if (error < 0)
		bench_die("mapping a ring of %u slots: %s", slots, strerror(-error));
}

static void rings_make(struct bench_xsk *xsk, uint32_t slots)
{
	option_set(xsk->fd, XDP_RX_RING, &slots, sizeof(slots), "RX ring");
	option_set(xsk->fd, XDP_TX_RING, &slots, sizeof(slots), "TX ring");
	option_set(xsk->fd, XDP_UMEM_FILL_RING, &slots, sizeof(slots), "FILL ring");
	option_set(xsk->fd, XDP_UMEM_COMPLETION_RING, &slots, sizeof(slots), "COMPLETION ring");
	ring_map(xsk, &xsk->rx, XSK_RING_RX, slots);
	ring_map(xsk, &xsk->tx, XSK_RING_TX, slots);
	ring_map(xsk, &xsk->fill, XSK_RING_FILL, slots);
	ring_map(xsk, &xsk->comp, XSK_RING_COMP, slots);
}

static void socket_bind(const struct bench_xsk *xsk, const char *iface, unsigned ifindex, uint32_t slots)
{
	struct sockaddr_xdp address = {
	    .sxdp_family = AF_XDP, .sxdp_ifindex = ifindex, .sxdp_flags = XDP_COPY | XDP_USE_NEED_WAKEUP};
	const struct timespec pause = {.tv_nsec = 5000000};
	int tries = 1000;

	/* A predecessor's socket is taken apart some milliseconds after its exit, and where the kernel's
	 * workers wait for a CPU beside programs that spin, after more than a second. */
	while (bind(xsk->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		if (errno != EBUSY || tries-- == 0)
			bench_die("interface %s: no AF_XDP socket: %s", iface, strerror(errno));
		nanosleep(&pause, NULL);
	}
	xsk_kick_budget_set(xsk->fd, slots);
}

static int libbpf_say(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static void steer_attach(struct bench_xsk *xsk, const char *iface, unsigned ifindex,
			 const struct bench_steer *steer)
{
	struct bench_steer_bpf *skeleton;
	uint32_t key = 0;

	libbpf_set_print(libbpf_say);
	skeleton = bench_steer_bpf__open();
	if (skeleton == NULL)
		bench_die("BPF: %s", strerror(errno));
	memcpy(&skeleton->rodata->config, steer, sizeof(*steer));
	if (bench_steer_bpf__load(skeleton) != 0)
		bench_die("loading the XDP program: %s", strerror(errno));
	if (bpf_map__update_elem(skeleton->maps.xsks, &key, sizeof(key), &xsk->fd, sizeof(xsk->fd),
				 BPF_ANY) != 0)
		bench_die("XSKMAP: %s", strerror(errno));
	skeleton->links.bench_steer = bpf_program__attach_xdp(skeleton->progs.bench_steer, (int)ifindex);
	if (skeleton->links.bench_steer == NULL)
		bench_die("interface %s: attaching the XDP program: %s", iface,
			  errno == EBUSY ? "another program is attached; stop it" : strerror(errno));
	xsk->steer = skeleton;
}

void bench_xsk_open(struct bench_xsk *xsk, const char *iface, uint32_t slots, enum bench_transmit_mode mode,
		    const struct bench_steer *steer)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	unsigned ifindex = if_nametoindex(iface);

	*xsk = (struct bench_xsk){.fd = -1};
	if (ifindex == 0)
		bench_die("there is no interface %s in this network namespace", iface);
	(void)setrlimit(RLIMIT_MEMLOCK, &all);
	xsk->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (xsk->fd < 0)
		bench_die("AF_XDP socket: %s%s", strerror(errno), errno == EPERM ? "; run as root" : "");
	umem_make(xsk, slots);
	rings_make(xsk, slots);
	socket_bind(xsk, iface, ifindex, slots);
	bench_xsk_refill(xsk);
	steer_attach(xsk, iface, ifindex, steer);
	bench_transmit_open(&xsk->transmit, mode, iface, ifindex);
}

void bench_xsk_close(struct bench_xsk *xsk)
{
	if (xsk->steer != NULL)
		bench_steer_bpf__destroy(xsk->steer);
	bench_transmit_close(&xsk->transmit);
	close(xsk->fd);
	free(xsk->free);
	xsk->steer = NULL;
}

void bench_xsk_reap(struct bench_xsk *xsk)
{
	uint32_t count = xsk_ring_waiting(&xsk->comp);

	for (uint32_t i = 0; i < count; i++)
		bench_xsk_free(xsk, *xsk_ring_addr(&xsk->comp, xsk->comp.cons++));
	if (count > 0)
		xsk_ring_give_back(&xsk->comp);
}

uint32_t bench_xsk_receive(struct bench_xsk *xsk, struct bench_packet *packets, uint32_t max)
{
	uint32_t count = xsk_ring_waiting(&xsk->rx);

	if (count == 0)
		return 0;
	if (count > max)
		count = max;
	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *desc = xsk_ring_desc(&xsk->rx, xsk->rx.cons++);

		packets[i] = (struct bench_packet){
		    .data = xsk->umem + desc->addr, .len = desc->len, .addr = desc->addr};
		__builtin_prefetch(packets[i].data);
		__builtin_prefetch(packets[i].data + 64);
	}
	xsk_ring_give_back(&xsk->rx);
	return count;
}

void bench_xsk_refill(struct bench_xsk *xsk)
{
	uint32_t room, available;

	if (xsk->free_count <= xsk->free_floor)
		return;
	room = xsk_ring_room(&xsk->fill, BENCH_REFILL_AFTER);
	if (room < BENCH_REFILL_AFTER)
		return;
	available = xsk->free_count - xsk->free_floor;
	if (available < room)
		room = available;
	for (uint32_t i = 0; i < room; i++)
		*xsk_ring_addr(&xsk->fill, xsk->fill.prod++) = xsk->free[--xsk->free_count];
	xsk_ring_submit(&xsk->fill);
}

/* What is staged was never the kernel's: it goes out as frames, and the ring is as before. */
static void frames_send(struct bench_xsk *xsk)
{
	for (uint32_t at = xsk->tx_done; at != xsk->tx.prod; at++) {
		const struct xdp_desc *desc = xsk_ring_desc(&xsk->tx, at);

		bench_transmit_put(&xsk->transmit, xsk->umem + desc->addr, desc->len);
		bench_xsk_free(xsk, desc->addr);
	}
	xsk->tx.prod = xsk->tx_done;
	bench_transmit_flush(&xsk->transmit);
}

void bench_xsk_kick(struct bench_xsk *xsk)
{
	uint32_t left, count = xsk->tx.prod - xsk->tx_done;

	if (count == 0)
		return;
	/* Not past what an earlier kick has left in the ring. */
	if (!xsk->has_stalled && bench_transmit_takes(&xsk->transmit, count)) {
		frames_send(xsk);
		return;
	}
	xsk_ring_submit(&xsk->tx);
	left = xsk_ring_backlog(&xsk->tx);
	for (unsigned kicks = 0; left > 0 && kicks < KICKS_MAX; kicks++) {
		uint32_t before = left;

		/* Errors say why it stopped early; the consumer index says how far it came. */
		(void)sendto(xsk->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
		xsk->kicks++;
		left = xsk_ring_backlog(&xsk->tx);
		if (left == before)
			break;
		if (left > 0)
			bench_xsk_reap(xsk);
	}
	xsk->has_stalled = left > 0;
	xsk->tx_stalls += left > 0;
	xsk->tx_done = xsk->tx.prod - left;
}

uint64_t bench_xsk_rx_drops(const struct bench_xsk *xsk)
{
	struct xdp_statistics statistics = {0};
	socklen_t bytes = sizeof(statistics);

	if (getsockopt(xsk->fd, SOL_XDP, XDP_STATISTICS, &statistics, &bytes) != 0)
		return 0;
	/* Fill-ring-empty is counted beside rx_dropped only in some drivers; the sum errs to the safe side.
	 */
	return statistics.rx_dropped + statistics.rx_ring_full + statistics.rx_fill_ring_empty_descs;
}

struct bench_steer_counts bench_xsk_counts(const struct bench_xsk *xsk)
{
	const struct bench_steer_bpf *skeleton = xsk->steer;

	return (struct bench_steer_counts){.redirected = skeleton->bss->counts.redirected,
					   .passed = skeleton->bss->counts.passed};
}
