/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading the transmit program, where it is attached, and calling it. */
#include "tests/bench/lib/transmit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/lib/options.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "transmit.skel.h"
#pragma GCC diagnostic pop

#define BURST_MIN  12u /* below it the socket is cheaper */
#define ASK_EVERY  64u /* bursts: the other end may have become able meanwhile */
#define LO_IFINDEX 1   /* of every network namespace */

bool bench_transmit_parse(const char *text, enum bench_transmit_mode *mode)
{
	static const char *const names[] = {
	    [BENCH_TRANSMIT_AUTO] = "auto", [BENCH_TRANSMIT_XSK] = "xsk", [BENCH_TRANSMIT_LIVE] = "live"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*mode = (enum bench_transmit_mode)i;
		return true;
	}
	return false;
}

/* In generic mode on the loopback device of a network namespace that nobody uses, which the descriptor keeps:
 * nothing ever comes there, but the kernel knows the program now. Not 0: errno. */
static int anchor_make(struct bench_transmit *transmit)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), error = 0;

	if (home < 0)
		return errno;
	if (unshare(CLONE_NEWNET) != 0) {
		error = errno;
		close(home);
		return error;
	}
	error = -bpf_xdp_attach(LO_IFINDEX, transmit->program, XDP_FLAGS_SKB_MODE, NULL);
	transmit->anchor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (error == 0 && transmit->anchor < 0)
		error = errno;
	if (setns(home, CLONE_NEWNET) != 0)
		bench_die("the way back to the network namespace: %s", strerror(errno));
	close(home);
	return error;
}

static void *map_memory(const struct bpf_map *map, size_t bytes)
{
	void *memory =
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* What is missing, or NULL. */
static const char *program_load(struct bench_transmit *transmit, unsigned ifindex)
{
	struct transmit_bpf *skeleton = transmit_bpf__open();
	struct bpf_devmap_val port = {.ifindex = ifindex};
	uint32_t key = 0;

	if (skeleton == NULL)
		return "BPF";
	transmit->skeleton = skeleton;
	if (transmit_bpf__load(skeleton) != 0)
		return "loading the program that sends";
	if (bpf_map__update_elem(skeleton->maps.tx_ports, &key, sizeof(key), &port, sizeof(port), BPF_ANY) !=
	    0)
		return "DEVMAP";
	transmit->slots = map_memory(skeleton->maps.tx_slots, IXD_TX_SLOTS * sizeof(transmit->slots[0]));
	transmit->cursor = map_memory(skeleton->maps.tx_cursors, sizeof(transmit->cursor[0]));
	if (transmit->slots == NULL || transmit->cursor == NULL)
		return "mapping the slots";
	transmit->program = bpf_program__fd(skeleton->progs.ixd_transmit);
	errno = anchor_make(transmit);
	return errno == 0 ? NULL : "a network namespace to attach the program in";
}

void bench_transmit_open(struct bench_transmit *transmit, enum bench_transmit_mode mode, const char *iface,
			 unsigned ifindex)
{
	const char *missing;

	*transmit = (struct bench_transmit){.mode = mode, .anchor = -1};
	if (mode == BENCH_TRANSMIT_XSK)
		return;
	bench_netdev_open(&transmit->netdev, ifindex);
	missing = program_load(transmit, ifindex);
	if (missing != NULL && mode == BENCH_TRANSMIT_LIVE)
		bench_die("%s: %s", missing, strerror(errno));
	if (missing != NULL) {
		bench_transmit_close(transmit);
		transmit->mode = BENCH_TRANSMIT_XSK;
		return;
	}
	transmit->is_able = bench_netdev_takes_frames(&transmit->netdev);
	if (!transmit->is_able && mode == BENCH_TRANSMIT_LIVE)
		bench_die("interface %s takes no frames now: a veth's other end needs an XDP program or GRO",
			  iface);
}

void bench_transmit_close(struct bench_transmit *transmit)
{
	bench_netdev_close(&transmit->netdev);
	if (transmit->slots != NULL)
		munmap(transmit->slots, IXD_TX_SLOTS * sizeof(transmit->slots[0]));
	if (transmit->cursor != NULL)
		munmap(transmit->cursor, sizeof(transmit->cursor[0]));
	if (transmit->skeleton != NULL)
		transmit_bpf__destroy(transmit->skeleton);
	if (transmit->anchor >= 0)
		close(transmit->anchor);
	transmit->skeleton = NULL;
	transmit->slots = NULL;
	transmit->cursor = NULL;
	transmit->anchor = -1;
}

bool bench_transmit_takes(struct bench_transmit *transmit, uint32_t count)
{
	if (transmit->mode == BENCH_TRANSMIT_XSK)
		return false;
	if (transmit->mode == BENCH_TRANSMIT_LIVE)
		return true;
	if (count < BURST_MIN)
		return false;
	if (!transmit->is_able && ++transmit->passed_by >= ASK_EVERY) {
		transmit->passed_by = 0;
		transmit->is_able = bench_netdev_takes_frames(&transmit->netdev);
	}
	return transmit->is_able;
}

void bench_transmit_put(struct bench_transmit *transmit, const uint8_t *data, uint32_t len)
{
	struct ixd_tx_slot *slot;

	if (transmit->staged == IXD_TX_SLOTS)
		bench_transmit_flush(transmit);
	slot = &transmit->slots[transmit->staged++];
	slot->port = 0;
	slot->len = len;
	memcpy(slot->data, data, len);
}

void bench_transmit_flush(struct bench_transmit *transmit)
{
	static struct ixd_tx_call call; /* core 0 */
	uint32_t count = transmit->staged;
	/* All in one batch: a page that is used again begins with what it carried before, not with the call.
	 */
	struct bpf_test_run_opts options = {
	    .sz = sizeof(options),
	    .data_in = &call,
	    .data_size_in = sizeof(call),
	    .repeat = (int)count,
	    .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
	    .batch_size = count,
	};

	if (count == 0)
		return;
	transmit->cursor->next = 0;
	transmit->staged = 0;
	if (bpf_prog_test_run_opts(transmit->program, &options) != 0)
		bench_die("sending frames: %s", strerror(errno));
	transmit->packets += count;
	transmit->calls++;
}

const char *bench_transmit_used(uint64_t frames, uint64_t kicks)
{
	return frames == 0 ? "xsk" : kicks == 0 ? "live" : "both";
}
