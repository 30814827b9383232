/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes what the control process may see of the supervisor (view.h). A reader copies between two looks at
 * the sequence number, so each change here is short.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/supervisor.h"

static struct view *view_begin(struct supervisor *supervisor)
{
	struct view *view = supervisor->view.area;

	/* Odd: a reader who sees any of the stores below sees this, too. */
	__atomic_store_n(&view->seq, view->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return view;
}

static void view_end(struct view *view)
{
	/* Even again: everything stored before is visible to who sees it. */
	__atomic_store_n(&view->seq, view->seq + 1, __ATOMIC_RELEASE);
}

int publish_init(struct supervisor *supervisor)
{
	struct view *view = view_begin(supervisor);

	view->magic = VIEW_MAGIC;
	memcpy(view->instance, supervisor->instance.name, sizeof(view->instance));
	snprintf(view->config_path, sizeof(view->config_path), "%s", supervisor->config_path);
	view->started_ns = monotonic_ns();
	view->supervisor_pid = (uint32_t)getpid();
	view->is_hugetlb = supervisor->umem.is_hugetlb;
	view->ifaces_count = supervisor->config->ifaces_count;
	view->fixed = supervisor->config->fixed;
	view_end(view);
	publish_config(supervisor, false);
	return 0;
}

void publish_processes(struct supervisor *supervisor)
{
	struct view *view = view_begin(supervisor);

	view->dataplane_pid = (uint32_t)supervisor->dataplane.child.pid;
	view->dataplane_starts = supervisor->dataplane.child.starts;
	view->dataplane_started_ns = supervisor->dataplane.child.started_ns;
	view->is_dataplane_ready = supervisor->dataplane.is_ready;
	view->control_pid = (uint32_t)supervisor->control.child.pid;
	view->control_starts = supervisor->control.child.starts;
	view_end(view);
}

void publish_config(struct supervisor *supervisor, bool is_reconfigured)
{
	struct view *view = view_begin(supervisor);

	view->config = supervisor->config->runtime;
	if (is_reconfigured)
		view->reconfigured_ns = monotonic_ns();
	view_end(view);
}

void publish_iface(struct supervisor *supervisor, uint32_t index, const struct view_iface *iface)
{
	struct view *view = view_begin(supervisor);

	view->ifaces[index] = *iface;
	view_end(view);
}

void publish_queues(struct supervisor *supervisor, uint32_t first, const struct view_queue *queues,
		    uint32_t count)
{
	struct view *view = view_begin(supervisor);

	/* Those that the interface had before may have had other numbers. */
	for (uint32_t i = 0; i < IXD_QUEUES_MAX && count > 0; i++)
		if (view->queues[i].is_used && view->queues[i].iface == queues[0].iface)
			memset(&view->queues[i], 0, sizeof(view->queues[i]));
	memcpy(&view->queues[first], queues, count * sizeof(*queues));
	view_end(view);
}

void publish_queue_counters(struct supervisor *supervisor, const struct view_queue_counters *counters)
{
	struct view *view = view_begin(supervisor);

	for (uint32_t i = 0; i < IXD_QUEUES_MAX; i++)
		view->queues[i].counters = counters[i];
	view_end(view);
}

void publish_client(struct supervisor *supervisor, uint32_t index)
{
	const struct client *client = &supervisor->clients[index];
	struct view *view = view_begin(supervisor);
	struct view_client *seen = &view->clients[index];

	memset(seen, 0, sizeof(*seen));
	seen->is_used = client->state >= CLIENT_ADDING;
	if (seen->is_used) {
		seen->pid = client->pid;
		seen->uid = client->uid;
		seen->gid = client->gid;
		memcpy(seen->comm, client->comm, sizeof(seen->comm));
		seen->rx_bytes = client->limits.rx_bytes;
		seen->tx_bytes = client->limits.tx_bytes;
		seen->since_ns = client->since_ns;
		seen->listeners = client->listeners;
		seen->conns_max = client->limits.conns_max;
	}
	view_end(view);
}

void publish_listener(struct supervisor *supervisor, uint32_t index)
{
	const struct listener *listener = &supervisor->listeners[index];
	struct view *view = view_begin(supervisor);
	struct view_listener *seen = &view->listeners[index];

	memset(seen, 0, sizeof(*seen));
	seen->is_used = listener->is_used && listener->members > 0;
	if (seen->is_used) {
		memcpy(seen->addr, listener->addr, sizeof(seen->addr));
		seen->port = listener->port;
		seen->vlan = listener->vlan;
		seen->clients = listener->members;
		seen->uid = listener->uid;
	}
	view_end(view);
}
