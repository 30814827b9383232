/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core's private world: made by the main thread, brought to life on the core's own thread, told what
 * happens outside through its mailbox.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/dataplane/clock.h"
#include "daemon/dataplane/conn.h"
#include "daemon/dataplane/ip.h"
#include "daemon/dataplane/mailbox.h"
#include "daemon/dataplane/xsk.h"

#define INBOX_SLOTS  256
#define OUTBOX_SLOTS 1024

static const struct tcp_ops core_ops = {
    .emit = ip_output,
    .path = conn_path,
    .on_open = conn_on_open,
    .on_established = conn_on_established,
    .rx_store = conn_rx_store,
    .on_readable = conn_on_readable,
    .on_acked = conn_on_acked,
    .on_eof = conn_on_eof,
    .on_urgent = conn_on_urgent,
    .on_soft_error = conn_on_soft_error,
    .on_dead = conn_on_dead,
};

static int waiting_init(struct core *core)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = CORE_EVENT_WAKE};

	core->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	core->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (core->epoll_fd < 0 || core->wake_fd < 0)
		return -errno;
	if (epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, core->wake_fd, &event) < 0)
		return -errno;
	core->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	/* On the edge: it is told once, and never read. */
	event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u64 = CORE_EVENT_TIMER};
	if (core->timer_fd < 0 || epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, core->timer_fd, &event) < 0)
		return -errno;
	core->inbox = mailbox_new(INBOX_SLOTS, core->wake_fd);
	core->outbox = mailbox_new(OUTBOX_SLOTS, core->dp->wake_fd);
	return core->inbox == NULL || core->outbox == NULL ? -ENOMEM : 0;
}

static int frames_watch(struct core *core)
{
	struct dataplane *dp = core->dp;
	const struct frame_check_scope scope = {.umem = dp->umem,
						.owner = dp->frame_owner,
						.frames_total = dp->frames_total,
						.sums = dp->frame_sums};
	struct frame_check *check = frame_check_new(&scope, &core->stats->frame_faults);

	if (check == NULL)
		return -ENOMEM;
	frame_pool_watch(core->frames, check);
	return 0;
}

int core_init(struct core *core, struct dataplane *dp, uint16_t id)
{
	uint32_t frames = dp->init->fixed.frames_per_core;

	memset(core, 0, sizeof(*core));
	core->dp = dp;
	core->id = id;
	core->epoll_fd = -1;
	core->wake_fd = -1;
	core->timer_fd = -1;
	core->config = dp->config;
	core->stats = &dp->stats->core[id];
	core->mirror = dp->mirror;
	core->conns =
	    (struct conn_record *)(void *)(dp->state + dp->layout.core_off[id] + dp->layout.conn_off);
	core->xsk = xsk_core_new();
	core->frames = frame_pool_new(dp->frame_owner, id * frames, frames);
	if (dp->frame_sums != NULL && core->frames != NULL && frames_watch(core) < 0)
		return -ENOMEM;
	core->rx = calloc(1, sizeof(*core->rx));
	core->ip = ip_core_new();
	if (core->xsk == NULL || core->frames == NULL || core->rx == NULL || core->ip == NULL)
		return -ENOMEM;
	return waiting_init(core);
}

void core_fini(struct core *core)
{
	mailbox_free(core->inbox);
	mailbox_free(core->outbox);
	if (core->epoll_fd >= 0)
		close(core->epoll_fd);
	if (core->wake_fd >= 0)
		close(core->wake_fd);
	if (core->timer_fd >= 0)
		close(core->timer_fd);
	ip_core_free(core->ip);
	free(core->rx);
	frame_pool_free(core->frames);
	xsk_core_free(core->xsk);
}

static void tcp_config_make(const struct runtime_config *from, struct tcp_config *to)
{
	tcp_config_default(to);
	to->ack_delay_ns = (uint64_t)from->ack_delay_us * 1000;
	to->rto_min_ns = (uint64_t)from->rto_min_us * 1000;
	to->challenge_acks_per_s = from->challenge_acks_per_s;
	to->syn_backlog = from->syn_backlog;
	to->keepalive_idle_ns = (uint64_t)from->keepalive_idle_s * 1000000000;
	to->keepalive_intvl_ns = (uint64_t)from->keepalive_interval_s * 1000000000;
	to->cc = from->cc;
	to->ecn = from->ecn != 0;
	to->accurate_ecn = from->ecn == 2;
	to->fast_open = from->fast_open != 0;
	to->timestamps = from->timestamps != 0;
	to->sack = from->sack != 0;
	to->window_scaling = from->window_scaling != 0;
}

/* Tables are no child's business, and so the kernel keeps them apart from other memory: tests/bench knows
 * them by that. Whether it takes the advice does not matter. */
void table_mark(void *memory, size_t bytes)
{
	madvise(memory, bytes, MADV_DONTFORK);
}

static int engine_start(struct core *core)
{
	struct dataplane *dp = core->dp;
	struct tcp_limits limits;
	struct tcp_config config;
	void *memory;

	state_engine_limits(&dp->init->fixed, &limits);
	tcp_config_make(&core->config, &config);
	/* By the thread that uses it, so that its pages are near. */
	memory = mmap(NULL, tcp_volatile_size(&limits), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	table_mark(memory, tcp_volatile_size(&limits));
	core->tcp =
	    tcp_engine_init(dp->state + dp->layout.core_off[core->id] + dp->layout.engine_off, memory,
			    &limits, &config, &dp->keys, &core_ops, core, &core->stats->tcp, core->now);
	return core->tcp == NULL ? -EPROTO : 0;
}

int core_start(struct core *core)
{
	int r;

	core->now = clock_now();
	ip_turn_begin(core);
	r = client_side_init(core);
	if (r == 0)
		r = engine_start(core);
	if (r < 0)
		return r;
	client_side_recover(core);
	/* What recovery has to say to peers leaves with the first turns. */
	return 0;
}

void core_wake(struct core *core)
{
	/* Full barrier between what the caller published and the look at the flag; the sleeper has one
	 * between its flag and its last look at the rings. One of the two sees the other's store. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&core->is_sleeping, __ATOMIC_RELAXED) == 0)
		return;
	eventfd_ring(core->wake_fd);
}

static void config_take(struct core *core, const struct runtime_config *config)
{
	struct tcp_config tcp;

	core->config = *config;
	tcp_config_make(config, &tcp);
	tcp_engine_configure(core->tcp, &tcp);
	client_side_configure(core);
}

static void policy_take(struct core *core, const struct mail *mail)
{
	struct client_mapping *mapping = mail->policy.mapping;
	struct client_policy *old = mapping->policy[core->id];

	mapping->policy[core->id] = mail->policy.policy;
	client_policy_set(core, mapping);
	free(old);
}

static void answer(struct core *core, uint32_t type, const struct mail *to, int32_t outcome)
{
	struct mail mail = *to;

	mail.type = type;
	mail.outcome = outcome;
	core_tell(core, &mail);
}

/* The driver has let go of the old sockets' frames, and every core has given home what it had of them. They
 * are taken back before the first goes to a new socket, whose queue may have the same number. */
static int iface_connect(struct core *core, const struct mail *mail)
{
	struct xsk_arrivals *arrivals = mail->iface.arrivals;
	int r = 0;

	frame_collect(core);
	frame_reclaim(core->frames, mail->iface.queues);
	for (uint32_t i = 0; arrivals != NULL && i < arrivals->count; i++) {
		if (r == 0)
			r = xsk_port_add(core, &arrivals->messages[i], arrivals->fds[i],
					 arrivals->packet_fds[i]);
		if (r >= 0)
			continue;
		close(arrivals->fds[i]);
		if (arrivals->packet_fds[i] >= 0)
			close(arrivals->packet_fds[i]);
	}
	free(arrivals);
	return r < 0 ? r : xsk_iface_connect(core, mail->iface.iface, mail->iface.tx_cores);
}

static void mail_take(struct core *core, const struct mail *mail)
{
	switch (mail->type) {
	case MAIL_CONFIG:
		config_take(core, &mail->config);
		break;
	case MAIL_CLIENT_ADD:
		channel_add(core, mail->mapping);
		answer(core, MAIL_CLIENT_READY, mail, 0);
		break;
	case MAIL_CLIENT_DEL:
		channel_del(core, mail->client);
		break;
	case MAIL_CLIENT_POLICY:
		policy_take(core, mail);
		break;
	case MAIL_LISTEN:
		answer(core, MAIL_LISTEN_READY, mail, listener_install(core, &mail->listen));
		break;
	case MAIL_LISTEN_ANNOUNCE:
		listener_announce(core, &mail->listen);
		break;
	case MAIL_UNLISTEN:
		listener_remove(core, &mail->listen);
		break;
	case MAIL_STOP:
		core->must_stop = true;
		break;
	case MAIL_IFACE_DETACH:
		xsk_iface_detach(core, mail->iface.iface);
		answer(core, MAIL_IFACE_DONE, mail, 0);
		break;
	case MAIL_IFACE_RELEASE:
		xsk_iface_release(core, mail->iface.iface);
		answer(core, MAIL_IFACE_DONE, mail, 0);
		break;
	case MAIL_IFACE_CONNECT:
		answer(core, MAIL_IFACE_DONE, mail, iface_connect(core, mail));
		break;
	}
}

bool core_take_mail(struct core *core)
{
	struct mail mail;

	if (mailbox_is_empty(core->inbox))
		return false;
	while (mailbox_take(core->inbox, &mail))
		mail_take(core, &mail);
	/* The main thread may be waiting for room in the inbox. */
	eventfd_ring(core->dp->wake_fd);
	return true;
}
