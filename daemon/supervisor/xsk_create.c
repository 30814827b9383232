/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making AF_XDP sockets with the kernel's own interface: what libxdp adds is loading a program, which is
 * ours, and mapping rings, which is the dataplane's.
 *
 * Kinds of socket, by what bind() is told:
 *   first of a copy mode     registers the UMEM; flags say the mode, the others inherit it
 *   first of another queue   XDP_SHARED_UMEM with that socket; FILL and COMPLETION rings of its own
 *   further ones of a queue  XDP_SHARED_UMEM with the queue's primary; no FILL, no COMPLETION ring
 */
#include "daemon/supervisor/xsk_create.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/limits.h"
#include "daemon/supervisor/ethtool.h"

/* A killed predecessor's sockets are taken apart after its exit, within some 20 ms; nothing announces it. */
#define BIND_RETRY_LIMIT_NS    1000000000L
#define BIND_RETRY_INTERVAL_NS 5000000L

static int option_set(int fd, int option, const void *value, socklen_t bytes)
{
	return setsockopt(fd, SOL_XDP, option, value, bytes) < 0 ? -errno : 0;
}

static int ring_set(int fd, int option, uint32_t slots)
{
	return option_set(fd, option, &slots, sizeof(slots));
}

static int umem_register(int fd, const struct xsk_request *r, struct why *why)
{
	struct xdp_umem_reg umem = {
	    .addr = (uintptr_t)r->umem->area, .len = r->umem->bytes, .chunk_size = IXD_FRAME_BYTES};
	int err = option_set(fd, XDP_UMEM_REG, &umem, sizeof(umem));

	if (err == -ENOBUFS || err == -EPERM || err == -EAGAIN)
		return why_set(
		    why, err,
		    "%zu MB of packet memory cannot be pinned: more than RLIMIT_MEMLOCK and ixd lacks the "
		    "capability CAP_IPC_LOCK; start it as root, or raise the limit (LimitMEMLOCK=)",
		    r->umem->bytes >> 20);
	if (err < 0)
		return why_set(why, err, "registering %zu MB of packet memory: %s", r->umem->bytes >> 20,
			       strerror(-err));
	return 0;
}

/* In zero-copy mode a second TX ring on a queue would drop the driver to a slow path. */
static bool socket_has_tx(const struct xsk_request *r)
{
	return r->is_primary || r->copy != XSK_COPY_ZEROCOPY;
}

static int rings_set(int fd, const struct xsk_request *r, struct xsk_made *made, struct why *why)
{
	int err = ring_set(fd, XDP_RX_RING, r->ring_slots);

	made->has_tx = socket_has_tx(r);
	made->rx_slots = r->ring_slots;
	if (err == 0 && made->has_tx) {
		err = ring_set(fd, XDP_TX_RING, r->ring_slots);
		made->tx_slots = r->ring_slots;
	}
	if (err == 0 && r->is_primary) {
		err = ring_set(fd, XDP_UMEM_FILL_RING, r->ring_slots);
		made->fill_slots = r->ring_slots;
	}
	if (err == 0 && r->is_primary) {
		err = ring_set(fd, XDP_UMEM_COMPLETION_RING, r->ring_slots);
		made->comp_slots = r->ring_slots;
	}
	if (err < 0)
		return why_set(why, err, "interface %s, queue %u: rings of %u slots: %s%s", r->iface_name,
			       r->queue, r->ring_slots, strerror(-err),
			       err == -EINVAL ? "; must be a power of two" : "");
	return 0;
}

static struct sockaddr_xdp bind_address(const struct xsk_request *r)
{
	struct sockaddr_xdp address = {
	    .sxdp_family = AF_XDP, .sxdp_ifindex = r->ifindex, .sxdp_queue_id = r->queue};

	if (!r->is_primary || r->first_fd >= 0) {
		/* The kernel takes no other flag beside; modes come from the socket that is shared with. */
		address.sxdp_flags = XDP_SHARED_UMEM;
		address.sxdp_shared_umem_fd = (uint32_t)(r->is_primary ? r->first_fd : r->primary_fd);
		return address;
	}
	address.sxdp_flags = XDP_USE_NEED_WAKEUP;
	address.sxdp_flags |= r->copy == XSK_COPY_ZEROCOPY ? XDP_ZEROCOPY : XDP_COPY;
	return address;
}

static int bind_retried(int fd, const struct sockaddr_xdp *address)
{
	const struct timespec interval = {.tv_nsec = BIND_RETRY_INTERVAL_NS};

	for (long waited_ns = 0;; waited_ns += BIND_RETRY_INTERVAL_NS) {
		if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		if (errno != EBUSY || waited_ns >= BIND_RETRY_LIMIT_NS)
			return -errno;
		nanosleep(&interval, NULL);
	}
}

static int bind_failed(const struct xsk_request *r, int error, struct why *why)
{
	char driver[32];
	struct why ignored;

	ethtool_driver_name(r->iface_name, driver, sizeof(driver));
	why_set(why, error, "%s", strerror(-error));
	switch (error) {
	case -EBUSY:
		why_set(why, error, "another program has an AF_XDP socket on it; stop that program");
		break;
	case -EINVAL:
		why_set(why, error,
			"the interface has %d queues, from 0 on; or packet memory does not fit the driver",
			xsk_queues_of(r->iface_name, &ignored));
		break;
	case -EOPNOTSUPP:
	case -EPROTONOSUPPORT:
		why_set(
		    why, error,
		    "its driver (%s) has no zero copy here, which copy = \"zerocopy\" asks for; set copy = "
		    "\"auto\" or \"copy\"",
		    driver);
		break;
	case -ENETDOWN:
		why_set(why, error, "the interface is down; set it up with \"ip link set dev %s up\"",
			r->iface_name);
		break;
	case -ENODEV:
		why_set(why, error, "the interface does not exist any more");
		break;
	default:
		break;
	}
	return why_prefix(why, error, "interface %s, queue %u: no AF_XDP socket: ", r->iface_name, r->queue);
}

static int socket_open(struct why *why)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		return fd;
	int err = -errno;

	if (err == -EPERM)
		return why_set(
		    why, err,
		    "AF_XDP sockets need the capability CAP_NET_RAW, which ixd does not have: start it as "
		    "root or by its systemd unit");
	if (err == -EAFNOSUPPORT)
		return why_set(why, err, "this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)");
	return why_set(why, err, "no AF_XDP socket: %s", strerror(-err));
}

static void mode_report(struct xsk_made *made)
{
	struct xdp_options options = {0};
	socklen_t bytes = sizeof(options);

	made->is_zerocopy = getsockopt(made->fd, SOL_XDP, XDP_OPTIONS, &options, &bytes) == 0 &&
			    (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

/* Whether another process could map the rings of this bound socket. */
static bool rings_can_be_mapped(int fd)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *area = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, (off_t)XDP_UMEM_PGOFF_FILL_RING);

	if (area == MAP_FAILED)
		return false;
	munmap(area, bytes);
	return true;
}

/* An unbound socket with its rings, and the UMEM where it is the first. */
static int socket_prepare(const struct xsk_request *r, struct xsk_made *made, struct why *why)
{
	*made = (struct xsk_made){.fd = -1};
	int fd = socket_open(why);

	if (fd < 0)
		return fd;
	int err = r->is_primary && r->first_fd < 0 ? umem_register(fd, r, why) : 0;

	if (err == 0)
		err = rings_set(fd, r, made, why);
	if (err < 0) {
		close(fd);
		return err;
	}
	made->fd = fd;
	return 0;
}

static void socket_discard(struct xsk_made *made)
{
	close(made->fd);
	made->fd = -1;
}

int xsk_bind(const struct xsk_request *r, int fd, struct why *why)
{
	struct sockaddr_xdp address = bind_address(r);
	int err = bind_retried(fd, &address);

	return err < 0 ? bind_failed(r, err, why) : 0;
}

int xsk_create(const struct xsk_request *r, struct xsk_made *made, struct why *why)
{
	int err = socket_prepare(r, made, why);

	if (err < 0)
		return err;
	if (r->is_late) {
		/* What bind() will give must be known before: what is asked for, or an error. */
		made->is_zerocopy = r->copy == XSK_COPY_ZEROCOPY;
		return 0;
	}
	err = xsk_bind(r, made->fd, why);
	if (err < 0) {
		socket_discard(made);
		return err;
	}
	/* The first socket finds out what this kernel can; it has also shown that binding works at all. */
	if (r->is_primary && r->first_fd < 0 && !rings_can_be_mapped(made->fd)) {
		struct xsk_request late = *r;

		socket_discard(made);
		late.is_late = true;
		if (r->is_optional)
			late.copy = XSK_COPY_COPY;
		err = xsk_create(&late, made, why);
		if (r->is_optional)
			snprintf(made->copy_why, sizeof(made->copy_why),
				 "before Linux 6.4 zero copy is not tried; copy = \"zerocopy\" demands it");
		return err;
	}
	made->is_bound = true;
	mode_report(made);
	return 0;
}

int xsk_counters_read(int fd, struct xsk_counters *counters)
{
	struct xdp_statistics s = {0};
	socklen_t bytes = sizeof(s);

	if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &s, &bytes) < 0)
		return -errno;
	*counters = (struct xsk_counters){.rx_dropped = s.rx_dropped,
					  .rx_invalid = s.rx_invalid_descs,
					  .tx_invalid = s.tx_invalid_descs,
					  .rx_ring_full = s.rx_ring_full,
					  .fill_empty = s.rx_fill_ring_empty_descs,
					  .tx_empty = s.tx_ring_empty_descs};
	return 0;
}

bool xsk_zerocopy_is_unsound(const char *iface_name)
{
	char driver[32];

	ethtool_driver_name(iface_name, driver, sizeof(driver));
	return strcmp(driver, "virtio_net") == 0 && access("/sys/module/virtio_net/initstate", F_OK) == 0;
}

/* The kernel's folder of receive queues, where a driver has no ethtool for them. It shows the namespace that
 * sysfs was mounted in, so the interface number must be the same. */
static int queues_from_sysfs(const char *iface_name)
{
	char path[64 + IF_NAMESIZE];
	unsigned number = 0;
	int count = 0;

	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", iface_name);
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return -ENOENT;
	int fields = fscanf(file, "%u", &number);

	fclose(file);
	if (fields != 1 || number != if_nametoindex(iface_name))
		return -ENOENT;
	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", iface_name);
	DIR *dir = opendir(path);

	if (dir == NULL)
		return -errno;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += strncmp(entry->d_name, "rx-", 3) == 0;
	closedir(dir);
	return count;
}

int xsk_queues_of(const char *iface_name, struct why *why)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int err = ethtool_call(iface_name, &channels);
	uint32_t queues = channels.combined_count + channels.rx_count;

	if (err == -ENODEV)
		return why_set(why, err, "interface %s does not exist", iface_name);
	if (err == 0 && queues > 0 && queues <= INT32_MAX)
		return (int)queues;
	int count = queues_from_sysfs(iface_name);

	return count > 0 ? count : 1; /* every interface has one */
}
