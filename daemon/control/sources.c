/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping and copying what others write.
 */
#include "daemon/control/sources.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/control/bpf_map.h"

/* How often a copy is tried while the writer is inside a change, with a millisecond between: the writer may
 * have been preempted, and a writer that died there is soon replaced together with this process. */
#define COPY_TRIES 50

static const void *map_memory(int fd, size_t bytes, const char *name, int *err)
{
	struct stat st;
	void *memory;

	if (fstat(fd, &st)) {
		*err = -errno;
		return NULL;
	}
	if (bytes == 0 || (uint64_t)st.st_size < bytes) {
		log_error("the %s memory has %lld bytes, %zu were announced", name, (long long)st.st_size,
			  bytes);
		*err = -EPROTO;
		return NULL;
	}
	memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		*err = -errno;
		log_error("cannot map the %s memory: %s", name, strerror(errno));
		return NULL;
	}
	return memory;
}

/* Only what cannot change is checked here: the dataplane may not have initialised state and stats yet. */
static int check_sizes(const struct sources *s, const struct msg_init *init)
{
	if (init->fixed.cores == 0 || init->fixed.cores > IXD_CORES_MAX || init->fixed.flow_groups == 0 ||
	    init->fixed.flow_groups > IXD_FLOW_GROUPS || init->state_bytes < s->layout.bytes ||
	    init->stats_bytes < sizeof(struct stats) || init->mirror_bytes < sizeof(struct mirror) ||
	    init->view_bytes < sizeof(struct view)) {
		log_error("the supervisor announced memories of another layout: is ixd-control of the same "
			  "version as ixd?");
		return -EPROTO;
	}
	return 0;
}

int sources_init(struct sources *s, const struct msg_init *init, const int *fds, unsigned fds_count)
{
	int err = 0;

	memset(s, 0, sizeof(*s));
	s->verdicts_fd = s->flow_groups_fd = -1;
	if (init->version != MSG_VERSION || fds_count <= SOURCE_FD_LISTENER ||
	    init->fixed.cores > IXD_CORES_MAX) {
		log_error("the supervisor speaks version %u of the messages, this process %u", init->version,
			  MSG_VERSION);
		return -EPROTO;
	}
	s->fixed = init->fixed;
	memcpy(s->instance, init->instance, sizeof(s->instance) - 1);
	state_layout_compute(&s->fixed, &s->layout);
	err = check_sizes(s, init);
	if (err)
		return err;
	s->state = map_memory(fds[SOURCE_FD_STATE], s->layout.bytes, "state", &err);
	if (s->state)
		s->stats = map_memory(fds[SOURCE_FD_STATS], sizeof(*s->stats), "stats", &err);
	if (s->stats)
		s->mirror = map_memory(fds[SOURCE_FD_MIRROR], sizeof(*s->mirror), "mirror", &err);
	if (s->mirror)
		s->view = map_memory(fds[SOURCE_FD_VIEW], sizeof(*s->view), "view", &err);
	if (!s->view) {
		sources_fini(s);
		return err;
	}
	s->verdicts_fd = fds[SOURCE_FD_VERDICTS];
	if (fds_count > SOURCE_FD_FLOW_GROUPS)
		s->flow_groups_fd = fds[SOURCE_FD_FLOW_GROUPS];
	s->cpus = bpf_map_possible_cpus();
	return 0;
}

static void unmap_memory(const void *memory, size_t bytes)
{
	if (memory)
		munmap((void *)(uintptr_t)memory, bytes);
}

void sources_fini(struct sources *s)
{
	unmap_memory(s->state, s->layout.bytes);
	unmap_memory(s->stats, sizeof(*s->stats));
	unmap_memory(s->mirror, sizeof(*s->mirror));
	unmap_memory(s->view, sizeof(*s->view));
	s->state = NULL;
	s->stats = NULL;
	s->mirror = NULL;
	s->view = NULL;
}

/* Copies whole words, each in one access, as their writers store them. */
static void copy_words(void *dst, const void *src, size_t bytes)
{
	const uint64_t *from = src;
	uint64_t *to = dst;

	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	memcpy(to + bytes / sizeof(*to), from + bytes / sizeof(*to), bytes % sizeof(*to));
}

static void pause_briefly(void)
{
	struct timespec ts = {.tv_nsec = 1000000};

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* Waits until the sequence count is even; false when it stays odd. */
static bool seq_begin(const uint32_t *seq, uint32_t *begun, unsigned *tries)
{
	for (; *tries < COPY_TRIES; (*tries)++) {
		*begun = __atomic_load_n(seq, __ATOMIC_ACQUIRE);
		if ((*begun & 1) == 0)
			return true;
		pause_briefly();
	}
	return false;
}

/* The fence keeps the copy before the second look at the count; the writer's fences pair with it. */
static bool seq_is_same(const uint32_t *seq, uint32_t begun)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(seq, __ATOMIC_RELAXED) == begun;
}

static void view_bound(struct view *v)
{
	v->instance[sizeof(v->instance) - 1] = '\0';
	v->config_path[sizeof(v->config_path) - 1] = '\0';
	if (v->ifaces_count > IXD_IFACES_MAX)
		v->ifaces_count = IXD_IFACES_MAX;
	for (uint32_t i = 0; i < v->ifaces_count; i++) {
		v->ifaces[i].name[sizeof(v->ifaces[i].name) - 1] = '\0';
		v->ifaces[i].mode[sizeof(v->ifaces[i].mode) - 1] = '\0';
		v->ifaces[i].mode_why[sizeof(v->ifaces[i].mode_why) - 1] = '\0';
		v->ifaces[i].copy[sizeof(v->ifaces[i].copy) - 1] = '\0';
		v->ifaces[i].copy_why[sizeof(v->ifaces[i].copy_why) - 1] = '\0';
		v->ifaces[i].transmit[sizeof(v->ifaces[i].transmit) - 1] = '\0';
		v->ifaces[i].transmit_why[sizeof(v->ifaces[i].transmit_why) - 1] = '\0';
		v->ifaces[i].rss[sizeof(v->ifaces[i].rss) - 1] = '\0';
		v->ifaces[i].rss_why[sizeof(v->ifaces[i].rss_why) - 1] = '\0';
		v->ifaces[i].driver[sizeof(v->ifaces[i].driver) - 1] = '\0';
	}
	for (uint32_t i = 0; i < IXD_QUEUES_MAX; i++)
		v->queues[i].copy_why[sizeof(v->queues[i].copy_why) - 1] = '\0';
	for (uint32_t i = 0; i < IXD_CLIENTS_MAX; i++)
		v->clients[i].comm[sizeof(v->clients[i].comm) - 1] = '\0';
}

int sources_copy_view(const struct sources *s, struct view *copy)
{
	unsigned tries = 0;
	uint32_t begun;

	for (; seq_begin(&s->view->seq, &begun, &tries); tries++) {
		copy_words(copy, s->view, sizeof(*copy));
		if (!seq_is_same(&s->view->seq, begun))
			continue;
		if (copy->magic != VIEW_MAGIC)
			return -EAGAIN; /* the supervisor has not filled it yet */
		view_bound(copy);
		return 0;
	}
	return -EAGAIN;
}

int sources_copy_net(const struct sources *s, struct sources_net *copy)
{
	unsigned tries = 0;
	uint32_t begun;

	for (; seq_begin(&s->mirror->seq, &begun, &tries); tries++) {
		copy->ifaces_count = __atomic_load_n(&s->mirror->ifaces_count, __ATOMIC_RELAXED);
		copy->addrs_count = __atomic_load_n(&s->mirror->addrs_count, __ATOMIC_RELAXED);
		copy->routes_count = __atomic_load_n(&s->mirror->routes_count, __ATOMIC_RELAXED);
		memcpy(copy->ifaces, s->mirror->ifaces, sizeof(copy->ifaces));
		memcpy(copy->addrs, s->mirror->addrs, sizeof(copy->addrs));
		if (!seq_is_same(&s->mirror->seq, begun))
			continue;
		if (copy->ifaces_count > IXD_IFACES_MAX)
			copy->ifaces_count = IXD_IFACES_MAX;
		if (copy->addrs_count > MIRROR_ADDRS_MAX)
			copy->addrs_count = MIRROR_ADDRS_MAX;
		for (uint32_t i = 0; i < copy->ifaces_count; i++)
			copy->ifaces[i].name[sizeof(copy->ifaces[i].name) - 1] = '\0';
		return 0;
	}
	return -EAGAIN;
}

void sources_copy_core_stats(const struct sources *s, uint32_t core, struct core_stats *copy)
{
	copy_words(copy, &s->stats->core[core], sizeof(*copy));
}

void sources_count_frames(const struct sources *s, uint32_t core, uint32_t count[SOURCES_FRAME_OWNERS])
{
	const uint8_t *owner = s->state + s->layout.frame_owner_off + (size_t)core * s->fixed.frames_per_core;

	memset(count, 0, SOURCES_FRAME_OWNERS * sizeof(*count));
	for (uint32_t i = 0; i < s->fixed.frames_per_core; i++)
		count[frame_byte_counts_as(__atomic_load_n(&owner[i], __ATOMIC_RELAXED))]++;
}

int sources_read_verdicts(const struct sources *s, struct ixd_verdicts *sum)
{
	if (s->verdicts_fd < 0)
		return -ENOENT;
	return bpf_map_sum_percpu(s->verdicts_fd, s->cpus, (uint64_t *)sum, sizeof(*sum) / sizeof(uint64_t));
}

int sources_read_flow_groups(const struct sources *s, uint32_t *cores)
{
	if (s->flow_groups_fd < 0)
		return -ENOENT;
	for (uint32_t group = 0; group < s->fixed.flow_groups; group++) {
		int err = bpf_map_read(s->flow_groups_fd, group, &cores[group]);
		if (err)
			return err;
	}
	return 0;
}

void sources_copy_record(const struct sources *s, uint32_t core, uint32_t index, struct conn_record *record)
{
	const uint8_t *records = s->state + s->layout.core_off[core] + s->layout.conn_off;

	copy_words(record, records + (size_t)index * sizeof(*record), sizeof(*record));
}

int sources_copy_conn(const struct sources *s, uint32_t core, uint32_t index, struct sources_conn *conn)
{
	const uint8_t *engine = s->state + s->layout.core_off[core] + s->layout.engine_off;

	if (index >= s->fixed.conns_per_core)
		return -EBADF;
	int err = tcp_info_from_memory(engine, s->layout.engine_bytes, index, &conn->tcp);
	if (err)
		return err;
	sources_copy_record(s, core, index, &conn->record);
	return 0;
}

uint64_t sources_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
