/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What dataplane and control say. Both are trusted with nothing: msg_recv() has checked type, size and number
 * of descriptors; every index and text is checked here or where it is used.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/supervisor.h"

#define BURST 256 /* then the loop's other work has its turn */

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

/* Text from an unprivileged process goes into the log: no control characters. */
static void text_clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (; *text != '\0'; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

static void take_from_dataplane(struct supervisor *supervisor, struct msg *m)
{
	switch (m->type) {
	case MSG_SUP_READY:
		dataplane_is_ready(supervisor);
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
		log_warning("dataplane says %s, which is not for it to say", msg_type_name(m->type));
	}
}

void messages_from_dataplane(void *arg)
{
	struct process *process = arg;
	int fds[MSG_FDS_MAX];
	unsigned fds_count;
	struct msg m;

	for (unsigned i = 0; i < BURST && process->child.pid != 0; i++) {
		int result = msg_recv(process->child.socket_fd, &m, fds, &fds_count);
		if (result == -EPROTO) {
			log_warning("dataplane sent a malformed message");
			continue;
		}
		if (result <= 0) {
			/* End of file: its exit is about to be seen; until then there is nothing to wait for
			 * here. */
			if (result != -EAGAIN) {
				loop_watch_remove(&process->supervisor->loop, process->socket_watch);
				process->socket_watch = NULL;
			}
			return;
		}
		close_all(fds, fds_count);
		take_from_dataplane(process->supervisor, &m);
	}
}

void messages_from_control(void *arg)
{
	struct process *process = arg;
	struct supervisor *supervisor = process->supervisor;
	int fds[MSG_FDS_MAX];
	unsigned fds_count;
	struct msg m;

	for (unsigned i = 0; i < BURST && process->child.pid != 0; i++) {
		int result = msg_recv(process->child.socket_fd, &m, fds, &fds_count);
		if (result == -EPROTO) {
			log_warning("control sent a malformed message");
			continue;
		}
		if (result <= 0) {
			if (result != -EAGAIN) {
				loop_watch_remove(&supervisor->loop, process->socket_watch);
				process->socket_watch = NULL;
			}
			return;
		}
		if (m.type == MSG_SUP_CTL_READY) {
			process->is_ready = process->has_been_ready = true;
			publish_processes(supervisor);
			processes_announce(supervisor);
		} else if (m.type == MSG_SUP_REQUEST && fds_count == 1 &&
			   m.request.kind == REQUEST_RECONFIGURE) {
			reconfigure_on_request(supervisor, m.request.id, fds[0]);
		} else {
			log_warning("control says %s, which is not for it to say", msg_type_name(m.type));
		}
		close_all(fds, fds_count);
	}
}
