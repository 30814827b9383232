/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What dataplane and control say. Both are trusted with nothing: msg_recv() has checked type, size and number
 * of descriptors; every index and text is checked here or where it is used.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/common/rights.h"
#include "daemon/supervisor/supervisor.h"

#define BURST 256 /* then the loop's other work has its turn */

/* Text from an unprivileged process goes into the log: no control characters. */
static void text_clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (; *text != '\0'; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

static void take_from_dataplane(struct process *process, struct msg *m)
{
	struct supervisor *supervisor = process->supervisor;

	/* Before it is ready it knows of no client, and of one that was condemned nothing counts: the next
	 * one is told everything anew. */
	if (process->is_condemned || (!process->is_ready && m->type != MSG_SUP_READY))
		return;
	switch (m->type) {
	case MSG_SUP_READY:
		dataplane_is_ready(supervisor);
		return;
	case MSG_SUP_IFACE_CLOSED:
		iface_on_closed(supervisor, &m->iface);
		return;
	case MSG_SUP_IFACE_OPENED:
		iface_on_opened(supervisor, &m->iface);
		return;
	case MSG_SUP_ALIVE:
		dataplane_is_alive(supervisor, m);
		return;
	case MSG_SUP_CLIENT_READY:
		client_on_ready(supervisor, m->client);
		return;
	case MSG_SUP_CLIENT_GONE:
		client_on_gone(supervisor, m->client);
		return;
	case MSG_SUP_CLIENT_FAULT:
		text_clean(m->fault.reason, sizeof(m->fault.reason));
		client_on_fault(supervisor, m->fault.client, m->fault.reason);
		return;
	case MSG_SUP_LISTEN:
		listener_on_ask(supervisor, &m->listen);
		return;
	case MSG_SUP_UNLISTEN:
		listener_on_unask(supervisor, &m->listen);
		return;
	case MSG_SUP_LISTEN_READY:
		listener_on_ready(supervisor, &m->listen);
		return;
	case MSG_SUP_NEIGH:
		if (netlink_neigh_ask(&supervisor->netlink, m->neigh.addr, m->neigh.iface, m->neigh.vlan) !=
		    0)
			log_debug("a neighbour that the dataplane asks for cannot be had");
		return;
	default:
		log_warning("dataplane says %s", msg_type_name(m->type));
		process_condemn(process, "says what is not for it to say");
	}
}

/* End of file: its exit is about to be seen, or the watchdog sees that it lives on. Until then there is
 * nothing to wait for here. */
static void process_is_deaf(struct process *process)
{
	loop_watch_remove(&process->supervisor->loop, process->socket_watch);
	process->socket_watch = NULL;
	if (process->deaf_since_ns == 0)
		process->deaf_since_ns = monotonic_ns();
}

/* Takes messages until there are none; false: leave it for the next turn. */
static bool process_hear(struct process *process, struct msg *m, int *fds, unsigned *fds_count)
{
	int result = process->child.pid != 0 ? msg_recv(process->child.socket_fd, m, fds, fds_count) : 0;

	if (result == 1)
		return true;
	/* None of ours sends such a thing, and one that does may send it for ever. */
	if (result == -EPROTO)
		process_condemn(process, "sends malformed messages");
	else if (result != -EAGAIN && process->socket_watch != NULL)
		process_is_deaf(process);
	return false;
}

void messages_from_dataplane(void *arg)
{
	struct process *process = arg;
	int fds[MSG_FDS_MAX];
	unsigned fds_count;
	struct msg m;

	for (unsigned i = 0; i < BURST && process_hear(process, &m, fds, &fds_count); i++) {
		rights_close(fds, fds_count);
		take_from_dataplane(process, &m);
	}
}

static void take_from_control(struct process *process, const struct msg *m, const int *fds)
{
	struct supervisor *supervisor = process->supervisor;

	if (m->type == MSG_SUP_CTL_READY) {
		process->is_ready = process->has_been_ready = true;
		publish_processes(supervisor);
		processes_announce(supervisor);
	} else if (m->type == MSG_SUP_REQUEST && m->request.kind == REQUEST_RECONFIGURE) {
		reconfigure_on_request(supervisor, m->request.id, fds[0]);
	} else if (m->type == MSG_SUP_REQUEST && m->request.kind == REQUEST_WHO) {
		who_on_request(supervisor, m->request.id, fds[0]);
	} else {
		log_warning("control says %s", msg_type_name(m->type));
		process_condemn(process, "says what is not for it to say");
	}
}

void messages_from_control(void *arg)
{
	struct process *process = arg;
	int fds[MSG_FDS_MAX];
	unsigned fds_count;
	struct msg m;

	for (unsigned i = 0; i < BURST && process_hear(process, &m, fds, &fds_count); i++) {
		if (!process->is_condemned)
			take_from_control(process, &m, fds);
		rights_close(fds, fds_count);
	}
}
