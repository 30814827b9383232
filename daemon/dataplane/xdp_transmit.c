/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The call that runs the transmit program.
 */
#include "daemon/dataplane/xdp_transmit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *map(int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return mmap(NULL, (bytes + page - 1) & ~(page - 1), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		    fd, 0);
}

int xdp_transmit_map(int slots_fd, int cursors_fd, uint32_t cores, struct ixd_tx_slot **slots,
		     struct ixd_tx_cursor **cursors)
{
	*slots = map(slots_fd, sizeof(**slots) * IXD_TX_SLOTS * cores);
	if (*slots == MAP_FAILED)
		return -errno;
	*cursors = map(cursors_fd, sizeof(**cursors) * cores);
	return *cursors == MAP_FAILED ? -errno : 0;
}

struct xdp_transmit *xdp_transmit_new(int program_fd, struct ixd_tx_slot *slots,
				      struct ixd_tx_cursor *cursors, uint32_t core)
{
	struct xdp_transmit *transmit = calloc(1, sizeof(*transmit));

	if (transmit == NULL)
		return NULL;
	transmit->slots = slots + (size_t)core * IXD_TX_SLOTS;
	transmit->cursor = cursors + core;
	transmit->call.core = core;
	transmit->attr.test.prog_fd = (uint32_t)program_fd;
	transmit->attr.test.data_in = (uintptr_t)&transmit->call;
	transmit->attr.test.data_size_in = sizeof(transmit->call);
	transmit->attr.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
	return transmit;
}

int xdp_transmit_run(struct xdp_transmit *transmit, uint32_t count, uint32_t *sent)
{
	uint32_t *next = &transmit->cursor->next;
	int error;

	/* The program runs inside the call, on this CPU: there is nothing to order but the compiler. */
	__atomic_store_n(next, 0, __ATOMIC_RELEASE);
	transmit->attr.test.repeat = count;
	/* One batch: in a second one the frames' memory has been used before; see struct ixd_tx_call. */
	transmit->attr.test.batch_size = count;
	error = syscall(SYS_bpf, BPF_PROG_TEST_RUN, &transmit->attr, sizeof(transmit->attr.test)) < 0 ? -errno
												      : 0;
	*sent = __atomic_load_n(next, __ATOMIC_ACQUIRE);
	if (*sent > count)
		*sent = count;
	return error;
}
