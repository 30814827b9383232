/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the transmit program.
 */
#include "daemon/supervisor/transmit_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/skeleton.h"
#include "daemon/common/time_units.h"
#include "daemon/supervisor/clock.h"
#include "daemon/supervisor/xdp_anchor.h"

/* A run takes 10 µs, or 25 ms where the kernel does not keep the program ready. On a busy machine one may be
 * interrupted, so the shortest counts. */
#define TRIES       5
#define TRY_MOST_NS 5000000u
#define TRY_FRAMES  2u

struct transmit_program {
	struct transmit_bpf *skeleton;
	int namespace_fd;
};

static int program_load(struct transmit_program *transmit, uint32_t cores, struct why *why)
{
	struct transmit_bpf *skeleton = transmit_bpf__open();

	transmit->skeleton = skeleton;
	if (skeleton == NULL)
		return why_set(why, -errno, "reading the built-in program: %s", strerror(errno));
	int error = bpf_map__set_max_entries(skeleton->maps.tx_slots, cores * IXD_TX_SLOTS);
	if (!error)
		error = transmit_bpf__load(skeleton);
	return error ? why_set(why, error, "the kernel does not load the program: %s", strerror(-error)) : 0;
}

/* The slots are empty: what is run here is dropped. */
static int try(int program_fd, struct why *why)
{
	uint64_t shortest_ns = UINT64_MAX;
	struct ixd_tx_call call = {0};

	for (unsigned i = 0; i < TRIES && shortest_ns > TRY_MOST_NS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &call, .data_size_in = sizeof(call),
			    .repeat = TRY_FRAMES, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
		uint64_t began_ns = monotonic_ns();
		int error = bpf_prog_test_run_opts(program_fd, &opts);
		uint64_t took_ns = monotonic_ns() - began_ns;

		if (error < 0)
			return why_set(why, error, "the kernel does not run the program: %s",
				       strerror(-error));
		if (took_ns < shortest_ns)
			shortest_ns = took_ns;
	}
	if (shortest_ns > TRY_MOST_NS)
		return why_set(why, -ETIME, "the kernel takes %llu ms for one run of the program",
			       (unsigned long long)(shortest_ns / NS_PER_MS));
	return 0;
}

int transmit_program_open(uint32_t cores, uint32_t uid, uint32_t gid, struct transmit_program **out,
			  struct why *why)
{
	struct transmit_program *transmit = calloc(1, sizeof(*transmit));

	if (transmit == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	transmit->namespace_fd = -1;
	int error = program_load(transmit, cores, why);
	if (!error) {
		int program_fd = bpf_program__fd(transmit->skeleton->progs.ixd_transmit);

		transmit->namespace_fd = xdp_anchor_open(program_fd, uid, gid, why);
		error = transmit->namespace_fd < 0 ? transmit->namespace_fd : try(program_fd, why);
	}
	if (error) {
		transmit_program_close(transmit);
		return error;
	}
	*out = transmit;
	return 0;
}

void transmit_program_close(struct transmit_program *transmit)
{
	if (transmit == NULL)
		return;
	if (transmit->namespace_fd >= 0)
		close(transmit->namespace_fd);
	transmit_bpf__destroy(transmit->skeleton);
	free(transmit);
}

int transmit_program_port_set(struct transmit_program *transmit, uint32_t port, uint32_t ifindex)
{
	int fd = bpf_map__fd(transmit->skeleton->maps.tx_ports);
	const struct bpf_devmap_val value = {.ifindex = ifindex};

	if (ifindex != 0)
		return bpf_map_update_elem(fd, &port, &value, BPF_ANY) < 0 ? -errno : 0;
	/* The kernel has taken out a device that is gone. */
	return bpf_map_delete_elem(fd, &port) < 0 && errno != ENOENT ? -errno : 0;
}

void transmit_program_fds(const struct transmit_program *transmit, int fds[MSG_DP_TRANSMIT_FDS])
{
	fds[0] = bpf_program__fd(transmit->skeleton->progs.ixd_transmit);
	fds[1] = bpf_map__fd(transmit->skeleton->maps.tx_slots);
	fds[2] = bpf_map__fd(transmit->skeleton->maps.tx_cursors);
}
