/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Start-up: takes over memories and sockets from the supervisor.
 */
#include "daemon/dataplane/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/common/toeplitz.h"
#include "daemon/dataplane/frame.h"
#include "daemon/dataplane/xsk.h"

enum init_fd { FD_STATE, FD_KEYS, FD_UMEM, FD_STATS, FD_MIRROR, FD_EPHEMERAL, FD_FLOW_GROUPS, FD_COUNT };
/* Behind them, where there is XDP transmit. */
enum init_transmit_fd { FD_TX_PROGRAM = FD_COUNT, FD_TX_SLOTS, FD_TX_CURSORS, FD_COUNT_WITH_TRANSMIT };
_Static_assert(FD_COUNT == MSG_DP_INIT_FDS && FD_COUNT_WITH_TRANSMIT == MSG_DP_INIT_FDS + MSG_DP_TRANSMIT_FDS,
	       "as the message has them");

static const char *const fd_names[FD_COUNT] = {
    [FD_STATE] = "state",
    [FD_KEYS] = "keys",
    [FD_UMEM] = "UMEM",
    [FD_STATS] = "stats",
    [FD_MIRROR] = "mirror",
    [FD_EPHEMERAL] = "map ephemeral",
    [FD_FLOW_GROUPS] = "map flow_groups",
};

static void *map_fd(const int *fds, enum init_fd which, uint64_t bytes, int prot, int flags)
{
	void *memory = mmap(NULL, bytes, prot, MAP_SHARED | flags, fds[which], 0);

	if (memory == MAP_FAILED)
		fatal("cannot map %s, %llu bytes: %s", fd_names[which], (unsigned long long)bytes,
		      strerror(errno));
	return memory;
}

/* A memfd that is shorter than was said would mean SIGBUS later. */
static void memfd_check(const int *fds, enum init_fd which, uint64_t bytes, uint64_t least)
{
	struct stat st;

	if (fstat(fds[which], &st) < 0)
		fatal("%s: %s", fd_names[which], strerror(errno));
	if (bytes < least || (uint64_t)st.st_size < bytes)
		fatal("%s has %lld bytes, %llu are announced, %llu are needed: supervisor and dataplane are "
		      "not of "
		      "one version",
		      fd_names[which], (long long)st.st_size, (unsigned long long)bytes,
		      (unsigned long long)least);
}

static bool fixed_is_sane(const struct static_config *f)
{
	return f->cores >= 1 && f->cores <= IXD_CORES_MAX && f->queues >= 1 && f->queues <= IXD_QUEUES_MAX &&
	       f->frames_per_core >= 64 && f->flow_groups >= 1 && f->flow_groups <= IXD_FLOW_GROUPS &&
	       (f->flow_groups & (f->flow_groups - 1)) == 0 && f->xsk_ring_slots >= 1 &&
	       f->ephemeral_span <= IXD_EPHEMERAL_SPAN_MAX;
}

static void keys_read(struct dataplane *dp, int fd)
{
	if (pread(fd, &dp->keys, sizeof(dp->keys), 0) != (ssize_t)sizeof(dp->keys))
		fatal("the keys memory has fewer than %zu bytes", sizeof(dp->keys));
}

/* A state that no dataplane has finished to set up is as good as none: no frame has been given to the kernel
 * and no client knows it. */
static void state_open(struct dataplane *dp)
{
	struct state_header *header = (struct state_header *)(void *)dp->state;
	const struct msg_init *init = dp->init;

	if (header->is_initialised) {
		if (state_header_check(dp->state, init->state_bytes, &init->fixed) < 0)
			fatal("the state left by the dataplane before has another layout; stop ixd and start "
			      "it again");
		if (init->has_new_sockets)
			memset(dp->frame_owner, FRAME_FREE, dp->frames_total);
		return;
	}
	memset(dp->state, 0, dp->layout.frame_owner_off + dp->frames_total);
	header->magic = STATE_MAGIC;
	header->version = STATE_VERSION;
	header->bytes = dp->layout.bytes;
	header->fixed = init->fixed;
}

static void memories_map(struct dataplane *dp, const int *fds)
{
	const struct msg_init *init = dp->init;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const int rw = PROT_READ | PROT_WRITE;

	state_layout_compute(&init->fixed, &dp->layout);
	dp->frames_total = init->fixed.frames_per_core * init->fixed.cores;
	memfd_check(fds, FD_STATE, init->state_bytes, dp->layout.bytes);
	memfd_check(fds, FD_UMEM, init->umem_bytes, (uint64_t)dp->frames_total * IXD_FRAME_BYTES);
	memfd_check(fds, FD_STATS, init->stats_bytes, sizeof(struct stats));
	memfd_check(fds, FD_MIRROR, init->mirror_bytes, sizeof(struct mirror));
	dp->state = map_fd(fds, FD_STATE, init->state_bytes, rw, 0);
	/* The kernel has pinned these pages: populating fills page tables only, and saves the faults. */
	dp->umem = map_fd(fds, FD_UMEM, init->umem_bytes, rw, MAP_POPULATE);
	dp->stats = map_fd(fds, FD_STATS, init->stats_bytes, rw, 0);
	dp->mirror = map_fd(fds, FD_MIRROR, init->mirror_bytes, PROT_READ, 0);
	dp->ephemeral =
	    map_fd(fds, FD_EPHEMERAL, (sizeof(struct ixd_ephemeral) + page - 1) & ~(page - 1), rw, 0);
	dp->flow_groups =
	    map_fd(fds, FD_FLOW_GROUPS, (init->fixed.flow_groups * sizeof(uint64_t) + page - 1) & ~(page - 1),
		   PROT_READ, 0);
	dp->frame_owner = dp->state + dp->layout.frame_owner_off;
	dp->stats->magic = STATS_MAGIC;
	dp->stats->cores = init->fixed.cores;
}

/* The program's descriptor is kept: all cores call it. */
static void transmit_take(struct dataplane *dp, const int *fds)
{
	int program_fd = fcntl(fds[FD_TX_PROGRAM], F_DUPFD_CLOEXEC, 0);
	struct ixd_tx_cursor *cursors = NULL;
	struct ixd_tx_slot *slots = NULL;
	int r = program_fd < 0 ? -errno : 0;

	if (r == 0)
		r = xdp_transmit_map(fds[FD_TX_SLOTS], fds[FD_TX_CURSORS], dp->cores, &slots, &cursors);
	if (r < 0)
		fatal("cannot map the transmit program's slots: %s", strerror(-r));
	for (uint32_t i = 0; i < dp->cores; i++) {
		dp->core[i]->xsk->transmit = xdp_transmit_new(program_fd, slots, cursors, i);
		if (dp->core[i]->xsk->transmit == NULL)
			fatal("out of memory");
	}
}

static void init_take(struct dataplane *dp, const struct msg *m, const int *fds, unsigned fds_count)
{
	struct msg_init *init = malloc(sizeof(*init));

	if (init == NULL)
		fatal("out of memory");
	*init = m->init;
	dp->init = init;
	dp->config = init->config;
	dp->cores = init->fixed.cores;
	if (init->version != MSG_VERSION)
		fatal("supervisor speaks version %u, dataplane %u: restart ixd after the upgrade",
		      init->version, MSG_VERSION);
	if ((fds_count != FD_COUNT && fds_count != FD_COUNT_WITH_TRANSMIT) || !fixed_is_sane(&init->fixed))
		fatal("the supervisor's first message makes no sense");
	init->instance[sizeof(init->instance) - 1] = 0;
	log_init("dataplane", init->instance);
	log_set_level((enum log_level)dp->config.log_level);
	memories_map(dp, fds);
	keys_read(dp, fds[FD_KEYS]);
	state_open(dp);
	dp->toeplitz = malloc(sizeof(*dp->toeplitz));
	dp->exchange = frame_exchange_new(dp->cores, init->fixed.frames_per_core);
	if (init->fixed.check_frames)
		dp->frame_sums = calloc(dp->frames_total, sizeof(*dp->frame_sums));
	if (dp->toeplitz == NULL || dp->exchange == NULL ||
	    (init->fixed.check_frames && dp->frame_sums == NULL))
		fatal("out of memory");
	ixd_toeplitz_table(init->fixed.toeplitz_key, dp->toeplitz);
	for (uint32_t i = 0; i < dp->cores; i++) {
		int r = -ENOMEM;

		dp->core[i] = aligned_alloc(64, sizeof(struct core));
		if (dp->core[i] != NULL)
			r = core_init(dp->core[i], dp, (uint16_t)i);
		if (r < 0)
			fatal("cannot make core %u: %s", i, strerror(-r));
	}
	if (fds_count == FD_COUNT_WITH_TRANSMIT)
		transmit_take(dp, fds);
}

static void xsk_take(struct dataplane *dp, const struct msg_xsk *m, const int *fds, unsigned fds_count)
{
	int r = -EPROTO;

	if (fds_count >= 1 && m->core < dp->cores)
		r = xsk_port_add(dp->core[m->core], m, fds[0], fds_count > 1 ? fds[1] : -1);
	if (r == 0 && m->has_tx)
		dp->tx_cores[m->iface] |= 1u << m->core;
	if (r == 0 && !m->is_new)
		dp->queues_inherited |= 1ull << m->queue;
	if (r < 0)
		fatal("cannot take over the AF_XDP socket of queue %u, core %u: %s", m->queue, m->core,
		      strerror(-r));
}

static void sockets_connect(struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->cores; i++)
		xsk_rx_unmark(dp->core[i]);
	for (uint32_t i = 0; i < dp->cores; i++) {
		frame_reclaim_received(dp->core[i]->frames);
		/* What the kernel had through sockets that are gone. */
		frame_reclaim(dp->core[i]->frames, ~dp->queues_inherited);
		for (uint8_t iface = 0; iface < IXD_IFACES_MAX; iface++)
			if (xsk_iface_connect(dp->core[i], iface, dp->tx_cores[iface]) < 0)
				fatal("out of memory");
	}
}

void setup_receive(struct dataplane *dp)
{
	int fds[MSG_FDS_MAX];
	unsigned fds_count;
	struct msg m;
	int r;

	for (;;) {
		r = msg_recv(dp->supervisor_fd, &m, fds, &fds_count);
		if (r == 0)
			exit(0); /* the supervisor has gone: it says why */
		if (r < 0)
			fatal("cannot receive from the supervisor: %s", strerror(-r));
		if (m.type == MSG_DP_STOP)
			exit(0);
		if (m.type == MSG_DP_INIT && dp->init == NULL) {
			init_take(dp, &m, fds, fds_count);
			for (unsigned i = 0; i < fds_count; i++)
				close(fds[i]);
		} else if (m.type == MSG_DP_XSK && dp->init != NULL) {
			xsk_take(dp, &m.xsk, fds, fds_count);
		} else if (m.type == MSG_DP_START && dp->init != NULL) {
			break;
		} else {
			fatal("message %s before the start", msg_type_name(m.type));
		}
	}
	sockets_connect(dp);
	/* From here on frames go to the kernel: their ownership must be believed after a crash. */
	__atomic_store_n(&((struct state_header *)(void *)dp->state)->is_initialised, 1, __ATOMIC_RELEASE);
}
