/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_XDP sockets of the instance: for each queue one for each core that may own flows of it, or, where
 * the interface's RSS brings flows to their core's queues, one for its own core. Made once, so that they
 * outlive every dataplane; made anew when a driver was reset or has another number of queues, and, on kernels
 * before 6.4, where a new process cannot map the rings of a bound socket, for each dataplane, and bound when
 * it has mapped them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/ethtool.h"
#include "daemon/supervisor/packet_socket.h"
#include "daemon/supervisor/supervisor.h"

static int into_map(struct supervisor *supervisor, const struct xsk *xsk, struct why *why)
{
	int error = bpf_set_xsk(supervisor->bpf, xsk->message.queue, xsk->message.core, xsk->fd);

	return error ? why_set(why, error, "interface %s queue %u: map xsks: %s", xsk->request.iface_name,
			       xsk->request.queue, strerror(-error))
		     : 0;
}

/* A socket whose UMEM can be shared: one that was made before, in the same mode. -1: none. */
static int sharer_find(const struct supervisor *supervisor, enum xsk_copy copy)
{
	for (uint32_t i = 0; i < supervisor->xsks_count; i++)
		if ((supervisor->xsks[i].message.is_zerocopy != 0) == (copy == XSK_COPY_ZEROCOPY))
			return supervisor->xsks[i].fd;
	return -1;
}

/* Where the driver fetches packets itself, packets that come by another way would overtake them. */
static int packet_fd_open(const struct xsk_request *request, const struct xsk_made *made)
{
	int fd = made->has_tx && !made->is_zerocopy ? packet_socket_open(request->ifindex) : -1;

	if (fd >= 0 || !made->has_tx || made->is_zerocopy)
		return fd;
	log_warning("interface %s: no packet socket, so there are no large sends: %s", request->iface_name,
		    strerror(-fd));
	return -1;
}

static int xsk_open(struct supervisor *supervisor, const struct xsk_request *request, struct msg_xsk place,
		    struct xsk_made *made, struct why *why)
{
	struct xsk *xsk = &supervisor->xsks[supervisor->xsks_count];
	int error = xsk_create(request, made, why);

	if (error)
		return error;
	supervisor->xsks_count++;
	supervisor->are_xsks_late = !made->is_bound;
	*xsk = (struct xsk){.fd = made->fd,
			    .packet_fd = packet_fd_open(request, made),
			    .is_bound = made->is_bound,
			    .request = *request,
			    .message = place};
	xsk->request.is_late = !made->is_bound; /* for xsk_bind(): the first socket has found it out */
	xsk->request.copy = made->is_zerocopy ? XSK_COPY_ZEROCOPY : XSK_COPY_COPY;
	xsk->message.is_primary = request->is_primary;
	xsk->message.has_tx = made->has_tx;
	xsk->message.is_zerocopy = made->is_zerocopy;
	xsk->message.rx_slots = made->rx_slots;
	xsk->message.tx_slots = made->tx_slots;
	xsk->message.fill_slots = made->fill_slots;
	xsk->message.comp_slots = made->comp_slots;
	return made->is_bound ? into_map(supervisor, xsk, why) : 0;
}

/* What a driver says to zero copy, as opposed to what would go wrong in copy mode, too. */
static bool is_refusal(int error)
{
	return error != -EBUSY && error != -ENODEV && error != -ENETDOWN && error != -EPERM &&
	       error != -ENXIO && error != -EBADF;
}

static void refusal_describe(const struct xsk_request *request, int error, char *text, size_t size)
{
	char driver[32];

	ethtool_driver_name(request->iface_name, driver, sizeof(driver));
	if (error == -EOPNOTSUPP || error == -EPROTONOSUPPORT)
		snprintf(text, size, "driver %s has no zero copy for it, or none in this XDP mode", driver);
	else
		snprintf(text, size, "driver %s refuses zero copy: %s", driver, strerror(-error));
}

/* The first socket of a queue, in the best mode that the queue has: each queue falls back for itself. */
static int primary_open(struct supervisor *supervisor, struct xsk_request *request,
			const struct msg_xsk *place, enum xsk_copy wanted, struct view_queue *seen,
			struct xsk_made *made, struct why *why)
{
	bool is_unsound = wanted == XSK_COPY_AUTO && xsk_zerocopy_is_unsound(request->iface_name);
	bool is_tried = wanted == XSK_COPY_AUTO && !request->is_late && !is_unsound;
	int error = 0;

	request->is_primary = true;
	request->is_optional = is_tried;
	request->copy = wanted == XSK_COPY_ZEROCOPY || is_tried ? XSK_COPY_ZEROCOPY : XSK_COPY_COPY;
	request->first_fd = sharer_find(supervisor, request->copy);
	error = xsk_open(supervisor, request, *place, made, why);
	if (error && is_tried && is_refusal(error)) {
		refusal_describe(request, error, seen->copy_why, sizeof(seen->copy_why));
		request->is_optional = false;
		request->copy = XSK_COPY_COPY;
		request->first_fd = sharer_find(supervisor, request->copy);
		error = xsk_open(supervisor, request, *place, made, why);
	} else if (!error && made->copy_why[0]) {
		snprintf(seen->copy_why, sizeof(seen->copy_why), "%s", made->copy_why);
	} else if (!error && is_unsound) {
		snprintf(
		    seen->copy_why, sizeof(seen->copy_why),
		    "virtio_net as a module may lose what zero copy sends; copy = \"zerocopy\" demands it");
	} else if (!error && wanted == XSK_COPY_AUTO && request->is_late) {
		snprintf(seen->copy_why, sizeof(seen->copy_why), "before Linux 6.4 zero copy is not tried");
	}
	return error;
}

/* All sockets of one queue: the first brings FILL and COMPLETION, the others share them. A redirect must stay
 * on its queue, so every core that may own one of the queue's flows needs a socket there. */
static int queue_open(struct supervisor *supervisor, uint32_t iface_index, uint32_t queue,
		      struct view_queue *seen, struct why *why)
{
	const struct mirror *mirror = supervisor->mirror.area;
	const struct mirror_iface *iface = &mirror->ifaces[iface_index];
	const struct config_iface *config = &supervisor->config->ifaces[iface_index];
	const struct static_config *fixed = &supervisor->config->fixed;
	uint32_t sockets = supervisor->ifaces[iface_index].is_diagonal ? 1 : fixed->cores;
	struct xsk_request request = {.iface_name = config->name,
				      .ifindex = iface->ifindex,
				      .queue = queue,
				      .ring_slots = fixed->xsk_ring_slots,
				      .umem = &supervisor->umem,
				      .primary_fd = -1,
				      .is_late = supervisor->xsks_count > 0 && supervisor->are_xsks_late};
	struct msg_xsk place = {.iface = iface_index, .queue = iface->queue_base + queue, .is_new = 1};
	struct xsk_made made = {0};

	place.core = place.owner_core = place.queue % fixed->cores;
	*seen = (struct view_queue){.is_used = 1, .iface = iface_index, .queue = queue, .core = place.core};
	int error = primary_open(supervisor, &request, &place, (enum xsk_copy)config->copy, seen, &made, why);
	request.is_primary = request.is_optional = false;
	request.primary_fd = made.fd;
	request.copy = made.is_zerocopy ? XSK_COPY_ZEROCOPY : XSK_COPY_COPY;
	request.is_late = supervisor->are_xsks_late;
	for (uint32_t i = 1; i < sockets && !error; i++) {
		place.core = (place.queue + i) % fixed->cores;
		error = xsk_open(supervisor, &request, place, &made, why);
	}
	seen->sockets = sockets;
	seen->is_zerocopy = request.copy == XSK_COPY_ZEROCOPY;
	return error;
}

/* The interface's mode in one word, and the reason of the first queue that copies although it need not. */
static void modes_sum_up(const struct view_queue *queues, uint32_t count, struct view_iface *seen)
{
	uint32_t zerocopy = 0;
	const char *mode;

	seen->copy_why[0] = '\0';
	for (uint32_t i = 0; i < count; i++) {
		zerocopy += queues[i].is_zerocopy;
		if (!queues[i].is_zerocopy && queues[i].copy_why[0] && !seen->copy_why[0])
			snprintf(seen->copy_why, sizeof(seen->copy_why), "queue %u: %s", queues[i].queue,
				 queues[i].copy_why);
	}
	mode = zerocopy == count ? "zerocopy" : zerocopy == 0 ? "copy" : "mixed";
	snprintf(seen->copy, sizeof(seen->copy), "%s", mode);
}

int xsks_open_iface(struct supervisor *supervisor, uint32_t iface_index, struct view_iface *seen,
		    struct why *why)
{
	const struct mirror *mirror = supervisor->mirror.area;
	const struct mirror_iface *iface = &mirror->ifaces[iface_index];
	struct view_queue queues[IXD_QUEUES_MAX];
	int error = 0;

	if (supervisor->xsks == NULL)
		supervisor->xsks = calloc((size_t)IXD_QUEUES_MAX * supervisor->config->fixed.cores,
					  sizeof(*supervisor->xsks));
	if (supervisor->xsks == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	for (uint32_t queue = 0; queue < iface->queues && !error; queue++)
		error = queue_open(supervisor, iface_index, queue, &queues[queue], why);
	if (error) {
		xsks_close_iface(supervisor, iface_index);
		return error;
	}
	modes_sum_up(queues, iface->queues, seen);
	publish_queues(supervisor, iface->queue_base, queues, iface->queues);
	return 0;
}

static void xsk_close(const struct xsk *xsk)
{
	close(xsk->fd);
	if (xsk->packet_fd >= 0)
		close(xsk->packet_fd);
}

void xsks_close_iface(struct supervisor *supervisor, uint32_t iface_index)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < supervisor->xsks_count; i++) {
		if (supervisor->xsks[i].message.iface == iface_index)
			xsk_close(&supervisor->xsks[i]);
		else
			supervisor->xsks[kept++] = supervisor->xsks[i];
	}
	supervisor->xsks_count = kept;
}

void xsks_close(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->xsks_count; i++)
		xsk_close(&supervisor->xsks[i]);
	free(supervisor->xsks);
	supervisor->xsks = NULL;
	supervisor->xsks_count = 0;
}

int xsks_renew(struct supervisor *supervisor, struct why *why)
{
	const struct mirror *mirror = supervisor->mirror.area;
	int error = 0;

	if (!supervisor->are_xsks_late)
		return 0;
	for (uint32_t i = 0; i < mirror->ifaces_count; i++)
		xsks_close_iface(supervisor, i);
	for (uint32_t i = 0; i < mirror->ifaces_count && !error; i++) {
		struct view_iface seen = {0};
		if (supervisor->ifaces[i].state == IFACE_OPEN)
			error = xsks_open_iface(supervisor, i, &seen, why);
	}
	return error;
}

int xsks_bind(struct supervisor *supervisor, struct why *why)
{
	int error = 0;

	/* In the order of creation: what is shared must be bound before those that share it. */
	for (uint32_t i = 0; i < supervisor->xsks_count && !error; i++) {
		struct xsk *xsk = &supervisor->xsks[i];

		if (xsk->is_bound)
			continue;
		error = xsk_bind(&xsk->request, xsk->fd, why);
		xsk->is_bound = error == 0;
		if (!error)
			error = into_map(supervisor, xsk, why);
	}
	return error;
}

int xsks_send(struct supervisor *supervisor, const struct child *child, uint32_t iface_index)
{
	int error = 0;

	for (uint32_t i = 0; i < supervisor->xsks_count && !error; i++) {
		struct xsk *xsk = &supervisor->xsks[i];
		const struct msg m = {.type = MSG_DP_XSK, .xsk = xsk->message};
		const int sockets[] = {xsk->fd, xsk->packet_fd};

		if (xsk->message.iface != iface_index)
			continue;
		error = child_send(child, &m, sockets, xsk->packet_fd >= 0 ? 2 : 1);
		/* From here on the kernel may hold frames through it, whatever becomes of this dataplane. */
		xsk->message.is_new = 0;
	}
	return error;
}

bool xsks_have_lost_device(const struct supervisor *supervisor, uint32_t iface_index)
{
	bool have_lost = false;

	for (uint32_t i = 0; i < supervisor->xsks_count; i++) {
		int error = 0;
		socklen_t bytes = sizeof(error);

		if (supervisor->xsks[i].message.iface == iface_index &&
		    getsockopt(supervisor->xsks[i].fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0)
			have_lost |= error == ENETDOWN;
	}
	return have_lost;
}

/* The FILL ring's counters are the queue's and show in each of its sockets. */
void xsks_read_counters(struct supervisor *supervisor)
{
	struct view_queue_counters sums[IXD_QUEUES_MAX] = {0};

	for (uint32_t i = 0; i < supervisor->xsks_count; i++) {
		const struct xsk *xsk = &supervisor->xsks[i];
		struct view_queue_counters *sum = &sums[xsk->message.queue];
		struct xsk_counters got;

		if (xsk_counters_read(xsk->fd, &got) < 0)
			continue;
		sum->rx_dropped += got.rx_dropped;
		sum->rx_ring_full += got.rx_ring_full;
		sum->tx_invalid += got.tx_invalid;
		if (xsk->message.is_primary) {
			sum->fill_invalid = got.rx_invalid;
			sum->fill_empty = got.fill_empty;
		}
	}
	publish_queue_counters(supervisor, sums);
}
