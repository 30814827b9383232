/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_XDP sockets of the instance: one per queue and core that may own flows of it. Made once, so that
 * they outlive every dataplane; on kernels before 6.4, where a new process cannot map the rings of a bound
 * socket, made anew for each dataplane and bound when it has mapped them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/supervisor.h"

static int into_map(struct supervisor *supervisor, const struct xsk *xsk, struct why *why)
{
	int error = bpf_set_xsk(supervisor->bpf, xsk->message.queue, xsk->message.core, xsk->fd);

	return error ? why_set(why, error, "interface %s queue %u: map xsks: %s", xsk->request.iface_name,
			       xsk->request.queue, strerror(-error))
		     : 0;
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
	xsk->fd = made->fd;
	xsk->request = *request;
	xsk->request.is_late = !made->is_bound; /* for xsk_bind(): the first socket has found it out */
	xsk->message = place;
	xsk->message.is_primary = request->is_primary;
	xsk->message.has_tx = made->has_tx;
	xsk->message.is_zerocopy = made->is_zerocopy;
	xsk->message.rx_slots = made->rx_slots;
	xsk->message.tx_slots = made->tx_slots;
	xsk->message.fill_slots = made->fill_slots;
	xsk->message.comp_slots = made->comp_slots;
	return made->is_bound ? into_map(supervisor, xsk, why) : 0;
}

/* All sockets of one queue: the first brings FILL and COMPLETION, the others share them. A redirect must stay
 * on its queue, so every core that may own one of the queue's flows needs a socket there. */
static int queue_open(struct supervisor *supervisor, uint32_t iface_index, uint32_t queue,
		      struct view_iface *seen, struct why *why)
{
	const struct mirror *mirror = supervisor->mirror.area;
	const struct mirror_iface *iface = &mirror->ifaces[iface_index];
	const struct static_config *fixed = &supervisor->config->fixed;
	struct xsk_request request = {.iface_name = iface->name,
				      .ifindex = iface->ifindex,
				      .queue = queue,
				      .copy = (enum xsk_copy)supervisor->config->ifaces[iface_index].copy,
				      .ring_slots = fixed->xsk_ring_slots,
				      .umem = &supervisor->umem,
				      .primary_fd = -1};
	struct msg_xsk place = {.iface = iface_index, .queue = iface->queue_base + queue};

	for (uint32_t i = 0; i < fixed->cores; i++) {
		struct xsk_made made = {0};

		place.core = (place.queue + i) % fixed->cores; /* the owner of the queue comes first */
		request.is_primary = i == 0;
		request.first_fd = supervisor->xsks_count ? supervisor->xsks[0].fd : -1;
		request.is_late = supervisor->xsks_count ? supervisor->are_xsks_late : false;
		int error = xsk_open(supervisor, &request, place, &made, why);
		if (error)
			return error;
		if (i > 0)
			continue;
		const char *got = made.is_zerocopy ? "zerocopy" : "copy";
		bool is_mixed = seen->copy[0] && strcmp(seen->copy, got) != 0;
		request.primary_fd = made.fd;
		request.copy = made.is_zerocopy ? XSK_COPY_ZEROCOPY : XSK_COPY_COPY;
		snprintf(seen->copy, sizeof(seen->copy), "%s", is_mixed ? "mixed" : got);
		if (made.copy_why[0])
			memcpy(seen->copy_why, made.copy_why, sizeof(seen->copy_why));
	}
	return 0;
}

int xsks_open_iface(struct supervisor *supervisor, uint32_t iface_index, struct view_iface *seen,
		    struct why *why)
{
	const struct mirror *mirror = supervisor->mirror.area;
	const struct static_config *fixed = &supervisor->config->fixed;
	int error = 0;

	if (supervisor->xsks == NULL)
		supervisor->xsks = calloc((size_t)fixed->queues * fixed->cores, sizeof(*supervisor->xsks));
	if (supervisor->xsks == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	for (uint32_t queue = 0; queue < mirror->ifaces[iface_index].queues && !error; queue++)
		error = queue_open(supervisor, iface_index, queue, seen, why);
	return error;
}

void xsks_close(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->xsks_count; i++)
		close(supervisor->xsks[i].fd);
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
	xsks_close(supervisor);
	for (uint32_t i = 0; i < mirror->ifaces_count && !error; i++) {
		struct view_iface seen = {0};
		error = xsks_open_iface(supervisor, i, &seen, why);
	}
	return error;
}

int xsks_bind(struct supervisor *supervisor, struct why *why)
{
	int error = 0;

	/* In the order of creation: what is shared must be bound before those that share it. */
	for (uint32_t i = 0; i < supervisor->xsks_count && supervisor->are_xsks_late && !error; i++) {
		error = xsk_bind(&supervisor->xsks[i].request, supervisor->xsks[i].fd, why);
		if (!error)
			error = into_map(supervisor, &supervisor->xsks[i], why);
	}
	return error;
}
