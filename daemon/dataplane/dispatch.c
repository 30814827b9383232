/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main thread: passes the supervisor's messages on to the cores, counts their answers, and tells the
 * supervisor once a second how far each core has come. Nothing here is on a packet's way.
 */
#include "daemon/dataplane/dispatch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/common/rights.h"
#include "daemon/dataplane/clock.h"
#include "daemon/dataplane/mailbox.h"
#include "daemon/dataplane/xsk.h"

#define ALIVE_NS    1000000000u
#define LISTENS_MAX 256 /* listens on their way through the cores */

struct client_slot {
	struct client_mapping *mapping;
	uint32_t ready_missing, gone_missing; /* cores that have not answered yet */
	bool is_deleted, is_faulted;
};

struct listen_slot {
	struct msg_listen listen;
	uint32_t missing; /* cores that have not answered yet; 0: free */
};

/* An interface whose sockets go or come: what the cores are doing, one step after the other. */
struct iface_slot {
	uint32_t step;    /* enum mail_type, MAIL_NONE: nothing is under way */
	uint32_t missing; /* cores that have not answered yet */
	int32_t outcome;
	uint64_t queues;                              /* for MAIL_IFACE_CONNECT */
	bool is_due;                                  /* not posted yet: an inbox was full */
	struct xsk_arrivals *arrivals[IXD_CORES_MAX]; /* sockets that have come for MAIL_IFACE_CONNECT */
};

struct dispatch {
	struct dataplane *dp;
	struct iface_slot ifaces[IXD_IFACES_MAX];
	struct client_slot clients[IXD_CLIENTS_MAX];
	struct listen_slot listens[LISTENS_MAX];
	uint64_t sleep_ticks; /* seconds: progress of cores that rightly sleep */
	uint64_t alive_next_ns;
	bool must_stop, is_orphan;
};

/* Waits for room: the supervisor always goes on reading. Its end is noticed by the next receive. */
static void supervisor_tell(struct dispatch *d, const struct msg *m)
{
	int r = msg_send(d->dp->supervisor_fd, m, NULL, 0);

	while (r == -EAGAIN) {
		struct pollfd wait = {.fd = d->dp->supervisor_fd, .events = POLLOUT};

		poll(&wait, 1, -1);
		r = msg_send(d->dp->supervisor_fd, m, NULL, 0);
	}
	if (r < 0)
		d->is_orphan = true;
}

static void supervisor_tell_client(struct dispatch *d, enum msg_type type, uint32_t client)
{
	struct msg m = {.type = type, .client = client};

	supervisor_tell(d, &m);
}

static void supervisor_tell_fault(struct dispatch *d, uint32_t client, const char *reason)
{
	struct msg m = {.type = MSG_SUP_CLIENT_FAULT, .fault = {.client = client}};

	strncpy(m.fault.reason, reason, sizeof(m.fault.reason) - 1);
	supervisor_tell(d, &m);
}

/* There is room: the supervisor's socket is read only while every inbox has some. */
static void cores_tell(struct dispatch *d, const struct mail *mail)
{
	for (uint32_t i = 0; i < d->dp->cores; i++)
		mailbox_post(d->dp->core[i]->inbox, mail);
}

static bool inboxes_have_room(const struct dispatch *d)
{
	for (uint32_t i = 0; i < d->dp->cores; i++)
		if (mailbox_room(d->dp->core[i]->inbox) == 0)
			return false;
	return true;
}

static void client_add(struct dispatch *d, const struct msg_client_add *m, const int *fds, unsigned fds_count)
{
	struct mail mail = {.type = MAIL_CLIENT_ADD, .client = m->client};
	struct client_slot *slot = m->client < IXD_CLIENTS_MAX ? &d->clients[m->client] : NULL;
	int r = slot == NULL || slot->mapping != NULL
		    ? -EPROTO
		    : client_mapping_open(m, d->dp->cores, fds, fds_count, &slot->mapping);

	for (unsigned i = 0; i < fds_count; i++)
		if (i < 2 || r < 0)
			close(fds[i]);
	if (r < 0) {
		log_error("client %u cannot be mapped: %s", m->client, strerror(-r));
		supervisor_tell_fault(d, m->client, "its memories could not be mapped");
		return;
	}
	slot->ready_missing = d->dp->cores;
	slot->gone_missing = d->dp->cores;
	slot->is_deleted = false;
	slot->is_faulted = false;
	mail.mapping = slot->mapping;
	cores_tell(d, &mail);
}

static void client_del(struct dispatch *d, uint32_t client)
{
	struct mail mail = {.type = MAIL_CLIENT_DEL, .client = client};

	if (client >= IXD_CLIENTS_MAX || d->clients[client].mapping == NULL) {
		/* One that could not be mapped: nothing refers to it. */
		supervisor_tell_client(d, MSG_SUP_CLIENT_GONE, client);
		return;
	}
	if (d->clients[client].is_deleted)
		return;
	d->clients[client].is_deleted = true;
	cores_tell(d, &mail);
}

static void client_policy(struct dispatch *d, const struct msg_client_add *m)
{
	struct client_slot *slot = m->client < IXD_CLIENTS_MAX ? &d->clients[m->client] : NULL;

	if (slot == NULL || slot->mapping == NULL || slot->is_deleted)
		return; /* it went while the message was under way */
	for (uint32_t i = 0; i < d->dp->cores; i++) {
		struct mail mail = {.type = MAIL_CLIENT_POLICY, .client = m->client};

		mail.policy.mapping = slot->mapping;
		mail.policy.policy = client_policy_new(m);
		if (mail.policy.policy == NULL) {
			supervisor_tell_fault(d, m->client, "no memory for its new policy");
			return;
		}
		mailbox_post(d->dp->core[i]->inbox, &mail);
	}
}

static void listen_start(struct dispatch *d, const struct msg_listen *listen)
{
	struct mail mail = {.type = MAIL_LISTEN, .client = listen->client, .listen = *listen};
	struct msg busy = {.type = MSG_SUP_LISTEN_READY, .listen = *listen};

	for (uint32_t i = 0; i < LISTENS_MAX; i++) {
		struct listen_slot *slot = &d->listens[i];

		if (slot->missing != 0)
			continue;
		slot->listen = *listen;
		slot->listen.outcome = 0;
		slot->missing = d->dp->cores;
		cores_tell(d, &mail);
		return;
	}
	busy.listen.outcome = -EBUSY;
	supervisor_tell(d, &busy);
}

static void listen_announce(struct dispatch *d, const struct msg_listen *listen)
{
	struct mail mail = {.type = MAIL_LISTEN_ANNOUNCE, .client = listen->client, .listen = *listen};

	if (listen->core < d->dp->cores)
		mailbox_post(d->dp->core[listen->core]->inbox, &mail);
}

static void iface_step(struct dispatch *d, uint32_t iface, enum mail_type step, uint64_t queues)
{
	struct iface_slot *slot = &d->ifaces[iface];

	slot->step = step;
	slot->missing = d->dp->cores;
	slot->outcome = 0;
	slot->queues = queues;
	slot->is_due = true;
}

static void ifaces_post(struct dispatch *d)
{
	for (uint32_t i = 0; i < IXD_IFACES_MAX; i++) {
		struct iface_slot *slot = &d->ifaces[i];
		struct mail mail = {
		    .type = slot->step,
		    .iface = {.iface = (uint8_t)i, .tx_cores = d->dp->tx_cores[i], .queues = slot->queues}};

		if (!slot->is_due || !inboxes_have_room(d))
			continue;
		slot->is_due = false;
		for (uint32_t core = 0; core < d->dp->cores; core++) {
			mail.iface.arrivals = NULL;
			if (slot->step == MAIL_IFACE_CONNECT) {
				mail.iface.arrivals = slot->arrivals[core];
				slot->arrivals[core] = NULL;
			}
			mailbox_post(d->dp->core[core]->inbox, &mail);
		}
	}
}

static void iface_message(struct dispatch *d, uint32_t type, const struct msg_iface *m)
{
	if (m->iface >= IXD_IFACES_MAX || d->ifaces[m->iface].step != MAIL_NONE)
		log_warning("the supervisor opens or closes interface %u at the wrong time", m->iface);
	else if (type == MSG_DP_IFACE_CLOSE) {
		d->dp->tx_cores[m->iface] = 0;
		iface_step(d, m->iface, MAIL_IFACE_DETACH, 0);
	} else
		iface_step(d, m->iface, MAIL_IFACE_CONNECT, m->queues);
}

static void iface_xsk(struct dispatch *d, const struct msg_xsk *m, const int *fds, unsigned fds_count)
{
	struct xsk_arrivals **arrivals;

	if (m->iface >= IXD_IFACES_MAX || m->core >= d->dp->cores) {
		rights_close(fds, fds_count);
		return;
	}
	arrivals = &d->ifaces[m->iface].arrivals[m->core];
	if (*arrivals == NULL)
		*arrivals = calloc(1, sizeof(**arrivals));
	if (*arrivals == NULL || (*arrivals)->count == IXD_QUEUES_MAX) {
		log_error("no memory for a new AF_XDP socket of queue %u", m->queue);
		rights_close(fds, fds_count);
		return;
	}
	if (m->has_tx)
		d->dp->tx_cores[m->iface] |= 1u << m->core;
	(*arrivals)->messages[(*arrivals)->count] = *m;
	(*arrivals)->packet_fds[(*arrivals)->count] = fds_count > 1 ? fds[1] : -1;
	(*arrivals)->fds[(*arrivals)->count++] = fds[0];
}

static void iface_is_done(struct dispatch *d, const struct mail *mail)
{
	struct iface_slot *slot = &d->ifaces[mail->iface.iface];
	struct msg m = {.iface = {.iface = mail->iface.iface}};

	if (slot->outcome == 0)
		slot->outcome = mail->outcome;
	if (--slot->missing > 0)
		return;
	if (slot->step == MAIL_IFACE_DETACH) {
		iface_step(d, mail->iface.iface, MAIL_IFACE_RELEASE, 0);
		return;
	}
	m.type = slot->step == MAIL_IFACE_RELEASE ? MSG_SUP_IFACE_CLOSED : MSG_SUP_IFACE_OPENED;
	m.iface.outcome = slot->outcome;
	slot->step = MAIL_NONE;
	supervisor_tell(d, &m);
}

static void message_take(struct dispatch *d, const struct msg *m, const int *fds, unsigned fds_count)
{
	struct mail mail = {.type = MAIL_NONE};

	switch (m->type) {
	case MSG_DP_CONFIG:
		d->dp->config = m->config;
		log_set_level((enum log_level)m->config.log_level);
		mail.type = MAIL_CONFIG;
		mail.config = m->config;
		cores_tell(d, &mail);
		return;
	case MSG_DP_CLIENT_ADD:
		client_add(d, &m->client_add, fds, fds_count);
		return;
	case MSG_DP_CLIENT_DEL:
		client_del(d, m->client);
		return;
	case MSG_DP_CLIENT_POLICY:
		client_policy(d, &m->client_add);
		return;
	case MSG_DP_LISTEN:
		listen_start(d, &m->listen);
		return;
	case MSG_DP_LISTEN_DONE:
		listen_announce(d, &m->listen);
		return;
	case MSG_DP_UNLISTEN:
		mail.type = MAIL_UNLISTEN;
		mail.listen = m->listen;
		cores_tell(d, &mail);
		return;
	case MSG_DP_XSK:
		iface_xsk(d, &m->xsk, fds, fds_count);
		return;
	case MSG_DP_IFACE_CLOSE:
	case MSG_DP_IFACE_OPEN:
		iface_message(d, m->type, &m->iface);
		return;
	case MSG_DP_STOP:
		mail.type = MAIL_STOP;
		cores_tell(d, &mail);
		d->must_stop = true;
		return;
	default:
		log_warning("message %s from the supervisor has no meaning now", msg_type_name(m->type));
		for (unsigned i = 0; i < fds_count; i++)
			close(fds[i]);
	}
}

static void supervisor_hear(struct dispatch *d)
{
	int fds[MSG_FDS_MAX];
	unsigned fds_count = 0;
	struct msg m;
	int r = msg_recv(d->dp->supervisor_fd, &m, fds, &fds_count);

	if (r == 1)
		message_take(d, &m, fds, fds_count);
	else if (r == -EPROTO)
		log_warning("a message from the supervisor is malformed");
	else if (r != -EAGAIN)
		d->is_orphan = true;
}

static void client_is_gone(struct dispatch *d, uint32_t client)
{
	struct client_slot *slot = &d->clients[client];

	if (--slot->gone_missing > 0)
		return;
	client_mapping_close(slot->mapping, d->dp->cores);
	memset(slot, 0, sizeof(*slot));
	supervisor_tell_client(d, MSG_SUP_CLIENT_GONE, client);
}

static void listen_is_ready(struct dispatch *d, const struct mail *mail)
{
	for (uint32_t i = 0; i < LISTENS_MAX; i++) {
		struct listen_slot *slot = &d->listens[i];
		struct msg m = {.type = MSG_SUP_LISTEN_READY};

		if (slot->missing == 0 || slot->listen.listener != mail->listen.listener ||
		    slot->listen.client != mail->listen.client || slot->listen.cookie != mail->listen.cookie)
			continue;
		/* The first failure is the outcome; the supervisor then has all cores remove the listener. */
		if (slot->listen.outcome == 0)
			slot->listen.outcome = mail->outcome;
		if (--slot->missing > 0)
			return;
		m.listen = slot->listen;
		supervisor_tell(d, &m);
		return;
	}
}

static void ask_pass(struct dispatch *d, enum msg_type type, const struct mail *mail)
{
	struct msg m = {.type = type};

	if (mail->type == MAIL_ASK_NEIGH) {
		memcpy(m.neigh.addr, mail->neigh.addr, sizeof(m.neigh.addr));
		m.neigh.iface = mail->neigh.iface;
		m.neigh.vlan = mail->neigh.vlan;
	} else {
		m.listen = mail->listen;
	}
	supervisor_tell(d, &m);
}

static void mail_take(struct dispatch *d, const struct mail *mail)
{
	struct client_slot *slot = &d->clients[mail->client % IXD_CLIENTS_MAX];

	switch (mail->type) {
	case MAIL_CLIENT_READY:
		if (slot->ready_missing > 0 && --slot->ready_missing == 0)
			supervisor_tell_client(d, MSG_SUP_CLIENT_READY, mail->client);
		return;
	case MAIL_CLIENT_GONE:
		if (slot->mapping != NULL)
			client_is_gone(d, mail->client);
		return;
	case MAIL_CLIENT_FAULT:
		if (slot->mapping != NULL && !slot->is_faulted && !slot->is_deleted)
			supervisor_tell_fault(d, mail->client, mail->reason);
		slot->is_faulted = true;
		return;
	case MAIL_LISTEN_READY:
		listen_is_ready(d, mail);
		return;
	case MAIL_ASK_LISTEN:
		ask_pass(d, MSG_SUP_LISTEN, mail);
		return;
	case MAIL_ASK_UNLISTEN:
		ask_pass(d, MSG_SUP_UNLISTEN, mail);
		return;
	case MAIL_ASK_NEIGH:
		ask_pass(d, MSG_SUP_NEIGH, mail);
		return;
	case MAIL_IFACE_DONE:
		iface_is_done(d, mail);
		return;
	}
}

static void cores_hear(struct dispatch *d)
{
	struct mail mail;
	uint64_t count;
	/* Emptied first: what is posted after the outboxes were looked at makes it readable again. */
	ssize_t bytes = read(d->dp->wake_fd, &count, sizeof(count));

	(void)bytes;
	for (uint32_t i = 0; i < d->dp->cores; i++)
		while (mailbox_take(d->dp->core[i]->outbox, &mail))
			mail_take(d, &mail);
}

/* A core that sleeps makes no turns and is well all the same: the seconds are its progress. */
static void alive_tell(struct dispatch *d)
{
	struct msg m = {.type = MSG_SUP_ALIVE};

	d->sleep_ticks++;
	for (uint32_t i = 0; i < d->dp->cores; i++) {
		const struct core *core = d->dp->core[i];
		bool is_sleeping = __atomic_load_n(&core->is_sleeping, __ATOMIC_RELAXED) != 0;

		m.alive.turns[i] = __atomic_load_n(&core->stats->loop_turns, __ATOMIC_RELAXED) +
				   (is_sleeping ? d->sleep_ticks : 0);
	}
	supervisor_tell(d, &m);
}

static int ms_until(uint64_t ns)
{
	uint64_t now = clock_now().ns;

	return now >= ns ? 0 : (int)((ns - now + 999999) / 1000000);
}

bool dispatch_run(struct dataplane *dp)
{
	struct dispatch *d = calloc(1, sizeof(*d));
	bool was_told;

	if (d == NULL)
		fatal("out of memory");
	d->dp = dp;
	d->alive_next_ns = clock_now().ns + ALIVE_NS;
	while (!d->must_stop && !d->is_orphan) {
		struct pollfd fds[2] = {
		    {.fd = inboxes_have_room(d) ? dp->supervisor_fd : -1, .events = POLLIN},
		    {.fd = dp->wake_fd, .events = POLLIN},
		};

		poll(fds, 2, ms_until(d->alive_next_ns));
		if (fds[1].revents != 0)
			cores_hear(d);
		if (fds[0].revents != 0)
			supervisor_hear(d);
		ifaces_post(d);
		if (clock_now().ns >= d->alive_next_ns) {
			d->alive_next_ns += ALIVE_NS;
			alive_tell(d);
		}
	}
	was_told = d->must_stop;
	free(d);
	return was_told;
}

int dispatch_wait_started(struct dataplane *dp)
{
	uint32_t missing = dp->cores;
	struct mail mail;
	int outcome = 0;

	while (missing > 0) {
		struct pollfd fd = {.fd = dp->wake_fd, .events = POLLIN};
		uint64_t count;
		ssize_t bytes;

		poll(&fd, 1, -1);
		bytes = read(dp->wake_fd, &count, sizeof(count));
		(void)bytes;
		for (uint32_t i = 0; i < dp->cores; i++)
			while (mailbox_take(dp->core[i]->outbox, &mail)) {
				if (mail.type != MAIL_STARTED)
					continue;
				missing--;
				if (outcome == 0)
					outcome = mail.outcome;
			}
	}
	return outcome;
}
