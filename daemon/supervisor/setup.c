/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes everything that outlives the children: claims, memories, the XDP program, AF_XDP sockets, the mirror.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/memory.h"
#include "daemon/supervisor/supervisor.h"
#include "tcp/tcp.h"

#define KEYS_BYTES 4096

_Static_assert(sizeof(struct tcp_keys) <= KEYS_BYTES, "the keys fit into their memory");

/* Facts about one interface that are gathered before anything is made. */
struct found_iface {
	uint32_t ifindex;
	uint32_t queues;
};

static int iface_find(const struct config_iface *iface, struct found_iface *found, struct why *why)
{
	bool is_up;
	int error = netlink_iface_find(iface->name, &found->ifindex, &is_up);

	if (error == -ENODEV)
		return why_set(why, error,
			       "interface %s does not exist in this network namespace (see ip link)",
			       iface->name);
	if (error)
		return why_set(why, error, "interface %s: %s", iface->name, strerror(-error));
	if (!is_up)
		return why_set(why, -ENETDOWN, "interface %s is down; set it up first: ip link set %s up",
			       iface->name, iface->name);
	int has = xsk_queues_of(iface->name, why);
	if (has < 0)
		return has;
	if (iface->queues > (uint32_t)has)
		return why_set(
		    why, -ERANGE,
		    "interface %s: queues = %u is more than the %d it has; lower it, or add some with "
		    "ethtool -L %s",
		    iface->name, iface->queues, has, iface->name);
	return 0;
}

static int ifaces_find(struct supervisor *supervisor, struct found_iface *found, struct why *why)
{
	const struct config *config = supervisor->config;

	for (uint32_t i = 0; i < config->ifaces_count; i++) {
		int error = iface_find(&config->ifaces[i], &found[i], why);
		if (!error)
			error = claims_iface(&supervisor->claims, config->ifaces[i].name, why);
		if (error)
			return error;
	}
	return 0;
}

static int iface_queues_count(const struct config_iface *iface, struct found_iface *found, struct why *why)
{
	int has = xsk_queues_of(iface->name, why);

	if (has < 0)
		return has;
	found->queues = iface->queues ? iface->queues : (uint32_t)has;
	/* A redirect must stay on its queue: what arrives on another has no socket to go to. */
	if (found->queues < (uint32_t)has)
		log_warning(
		    "interface %s has %d queues and ixd serves %u: packets of its flows on the others are "
		    "dropped, unless the interface sends all to the first ones (ethtool -X %s equal %u)",
		    iface->name, has, found->queues, iface->name, found->queues);
	return 0;
}

/* Counted with the XDP program attached: some drivers (virtio_net) add a queue for each CPU then, and packets
 * arrive on those, too. */
static int queues_count(struct supervisor *supervisor, struct found_iface *found, struct why *why)
{
	const struct config *config = supervisor->config;
	uint32_t queues = 0;

	for (uint32_t i = 0; i < config->ifaces_count; i++) {
		int error = iface_queues_count(&config->ifaces[i], &found[i], why);
		if (error)
			return error;
		queues += found[i].queues;
	}
	if (queues > IXD_QUEUES_MAX)
		return why_set(why, -ERANGE,
			       "the interfaces have %u queues, more than %d; say queues = N for some", queues,
			       IXD_QUEUES_MAX);
	supervisor->config->fixed.queues = queues;
	return 0;
}

/* CPUs for core threads: those of the list, which must be ours to use, or the first that are. */
static int cpus_choose(struct config *config, struct why *why)
{
	struct static_config *fixed = &config->fixed;
	uint32_t next = 0;
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return why_set(why, -errno, "CPU affinity: %s", strerror(errno));
	for (uint32_t i = 0; i < fixed->cores && config->has_cpu_list; i++)
		if (!CPU_ISSET(fixed->cpu[i], &allowed))
			return why_set(
			    why, -EINVAL,
			    "cores: CPU %u does not exist or is not allowed to ixd (see taskset -p %d)",
			    fixed->cpu[i], (int)getpid());
	if (config->has_cpu_list || (uint32_t)CPU_COUNT(&allowed) < fixed->cores)
		return 0; /* more threads than CPUs: the kernel places them */
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && next < fixed->cores; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			fixed->cpu[next++] = (uint16_t)cpu;
	return 0;
}

static int fixed_complete(struct config *config, struct why *why)
{
	struct static_config *fixed = &config->fixed;

	fixed->ephemeral_base = (uint16_t)config->ephemeral_first;
	fixed->ephemeral_span = (uint16_t)(config->ephemeral_last - config->ephemeral_first + 1);
	int error = rss_key_choose(config, why);

	return error ? error : cpus_choose(config, why);
}

/* FILL and RX full, TX full and under completion, for each queue that a core may have to feed. */
static void frames_count(struct static_config *fixed)
{
	uint32_t queues_per_core = (fixed->queues + fixed->cores - 1) / fixed->cores;

	if (fixed->frames_per_core == 0)
		fixed->frames_per_core = 4 * fixed->xsk_ring_slots * queues_per_core;
}

static int shared_make(struct shared_memory *memory, const char *name, size_t bytes, int protection,
		       struct why *why)
{
	memory->bytes = memory_page_round(bytes);
	memory->fd = memory_create(name, memory->bytes);
	if (memory->fd < 0)
		return why_set(why, memory->fd, "memory %s, %zu bytes: %s", name, memory->bytes,
			       strerror(-memory->fd));
	memory->readonly_fd = memory_readonly(memory->fd);
	if (memory->readonly_fd < 0)
		return why_set(why, memory->readonly_fd, "memory %s cannot be opened again: %s", name,
			       strerror(-memory->readonly_fd));
	if (protection == PROT_NONE)
		return 0;
	memory->area = memory_map(memory->fd, memory->bytes, protection);
	return memory->area ? 0
			    : why_set(why, -errno, "memory %s cannot be mapped: %s", name, strerror(errno));
}

static void shared_close(struct shared_memory *memory)
{
	if (memory->area != NULL)
		munmap(memory->area, memory->bytes);
	if (memory->fd >= 0)
		close(memory->fd);
	if (memory->readonly_fd >= 0)
		close(memory->readonly_fd);
	*memory = (struct shared_memory){.fd = -1, .readonly_fd = -1};
}

/* The secrets never lie in a mapping of this process. */
static int keys_make(struct shared_memory *keys, struct why *why)
{
	uint8_t secret[KEYS_BYTES];
	int error = shared_make(keys, "ixd-keys", KEYS_BYTES, PROT_NONE, why);

	if (error)
		return error;
	bool is_written = getrandom(secret, sizeof(secret), 0) == sizeof(secret) &&
			  pwrite(keys->fd, secret, sizeof(secret), 0) == sizeof(secret);
	explicit_bzero(secret, sizeof(secret));
	return is_written ? 0 : why_set(why, -EIO, "secret keys cannot be made: %s", strerror(errno));
}

static int memories_make(struct supervisor *supervisor, struct why *why)
{
	const struct static_config *fixed = &supervisor->config->fixed;

	state_layout_compute(fixed, &supervisor->layout);
	/* Read here only to see which listeners still have connections. */
	int error = shared_make(&supervisor->state, "ixd-state", supervisor->layout.bytes, PROT_READ, why);
	if (!error)
		error = keys_make(&supervisor->keys, why);
	if (!error)
		error = shared_make(&supervisor->stats, "ixd-stats", sizeof(struct stats), PROT_NONE, why);
	if (!error)
		error = shared_make(&supervisor->mirror, "ixd-mirror", sizeof(struct mirror),
				    PROT_READ | PROT_WRITE, why);
	if (!error)
		error = shared_make(&supervisor->view, "ixd-view", sizeof(struct view),
				    PROT_READ | PROT_WRITE, why);
	if (!error)
		error = umem_create(&supervisor->umem,
				    (size_t)fixed->cores * fixed->frames_per_core * IXD_FRAME_BYTES,
				    (enum umem_pages)supervisor->config->pages, why);
	supervisor->config->fixed.is_hugetlb = supervisor->umem.is_hugetlb;
	return error;
}

static void mirror_fill(struct supervisor *supervisor, const struct found_iface *found)
{
	struct mirror *mirror = supervisor->mirror.area;
	uint32_t queue_base = 0;

	mirror->magic = MIRROR_MAGIC;
	mirror->ifaces_count = supervisor->config->ifaces_count;
	for (uint32_t i = 0; i < mirror->ifaces_count; i++) {
		struct mirror_iface *iface = &mirror->ifaces[i];
		memcpy(iface->name, supervisor->config->ifaces[i].name, sizeof(iface->name));
		iface->ifindex = found[i].ifindex;
		iface->queue_base = queue_base;
		iface->queues = (uint16_t)found[i].queues;
		queue_base += found[i].queues;
	}
}

/* The instance's lock keeps a second one of the same name away; this, one that was given the same pin_dir.
 * The directory that a dead predecessor left carries no lock. */
static int pin_dir_lock(struct supervisor *supervisor, struct why *why)
{
	const char *path = supervisor->instance.pin_dir;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : why_set(why, -errno, "pin_dir %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return why_set(why, -EBUSY,
			       "pin_dir %s: another instance uses it; give this one another name or pin_dir",
			       path);
	}
	supervisor->pin_dir_fd = fd;
	return 0;
}

static void pin_dir_unlock(struct supervisor *supervisor)
{
	if (supervisor->pin_dir_fd >= 0)
		close(supervisor->pin_dir_fd);
	supervisor->pin_dir_fd = -1;
}

static int bpf_open(struct supervisor *supervisor, struct why *why)
{
	int error = pin_dir_lock(supervisor, why);

	/* Loading removes the old directory and makes a new one, which is locked in its turn. */
	pin_dir_unlock(supervisor);
	if (!error)
		error = bpf_set_load(&supervisor->config->fixed, supervisor->instance.pin_dir,
				     &supervisor->bpf, why);
	return error ? error : pin_dir_lock(supervisor, why);
}

/* The program owns nothing yet and passes everything to the kernel. */
static int program_attach(struct supervisor *supervisor, struct found_iface *found, struct why *why)
{
	const struct config *config = supervisor->config;
	int error = bpf_open(supervisor, why);

	for (uint32_t i = 0; i < config->ifaces_count && !error; i++) {
		error =
		    xdp_attach(supervisor->bpf, config->ifaces[i].name, found[i].ifindex,
			       (enum xdp_mode)config->ifaces[i].mode, &supervisor->ifaces[i].attached, why);
		supervisor->ifaces[i].attached_ifindex = found[i].ifindex;
	}
	return error;
}

static int network_open(struct supervisor *supervisor, struct why *why)
{
	const struct mirror *mirror = supervisor->mirror.area;
	const struct static_config *fixed = &supervisor->config->fixed;

	for (uint32_t group = 0; group < fixed->flow_groups; group++)
		supervisor->core_of_group[group] = group % fixed->cores;
	int error = bpf_set_flow_groups(supervisor->bpf, fixed->flow_groups, supervisor->core_of_group);
	if (error)
		return why_set(why, error, "map flow_groups: %s", strerror(-error));
	for (uint32_t i = 0; i < mirror->ifaces_count && !error; i++)
		error = iface_sockets_open(supervisor, i, why);
	return error;
}

int setup_all(struct supervisor *supervisor, struct why *why)
{
	struct found_iface found[IXD_IFACES_MAX] = {0};
	struct config *config = supervisor->config;

	int error = ifaces_find(supervisor, found, why);
	if (!error)
		error =
		    claims_ports(&supervisor->claims, config->ephemeral_first, config->ephemeral_last, why);
	if (!error)
		error = fixed_complete(config, why);
	if (!error)
		error = program_attach(supervisor, found, why);
	if (!error)
		error = queues_count(supervisor, found, why);
	if (error)
		return error;
	frames_count(&config->fixed);
	error = memories_make(supervisor, why);
	if (error)
		return error;
	mirror_fill(supervisor, found);
	publish_init(supervisor);
	transmit_open(supervisor);
	error = network_open(supervisor, why);
	if (error)
		return error;
	supervisor->has_netlink = true;
	error = netlink_init(&supervisor->netlink, &supervisor->loop, supervisor->mirror.area,
			     supervisor->bpf, why);
	return error ? error : ifaces_watch(supervisor, why);
}

void setup_undo(struct supervisor *supervisor)
{
	if (supervisor->has_netlink)
		netlink_fini(&supervisor->netlink);
	supervisor->has_netlink = false;
	genl_news_close(&supervisor->ethtool_news, &supervisor->loop);
	loop_timer_clear(&supervisor->ifaces_timer);
	loop_timer_clear(&supervisor->ifaces_tick);
	for (uint32_t i = 0; i < IXD_IFACES_MAX; i++)
		iface_rss_restore(supervisor, i);
	/* Steering ends before the sockets go: no packet of an owned flow falls between. */
	bpf_set_free(supervisor->bpf);
	supervisor->bpf = NULL;
	pin_dir_unlock(supervisor);
	transmit_close(supervisor);
	xsks_close(supervisor);
	umem_unmap(&supervisor->umem);
	umem_close(&supervisor->umem);
	shared_close(&supervisor->state);
	shared_close(&supervisor->keys);
	shared_close(&supervisor->stats);
	shared_close(&supervisor->mirror);
	shared_close(&supervisor->view);
	instance_unlock(&supervisor->instance);
	claims_release(&supervisor->claims);
}
