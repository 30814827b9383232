/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Posting events, connection by connection.
 *
 *   engine callbacks → event_owe → (channel's queue) → event_flush → event_post ─▶ event ring ─▶ client
 */
#include "daemon/dataplane/event.h"

#include <errno.h>
#include <string.h>

#include "daemon/dataplane/rx_memory.h"

struct ix_event *event_post(struct channel *channel, uint8_t type, uint64_t cookie)
{
	struct ix_event *event = &channel->evts[channel->evt_prod++ & (channel->evt_slots - 1)];

	*event = (struct ix_event){.type = type, .cookie = cookie};
	channel->side->core->stats->events++;
	channel_mark_busy(channel);
	return event;
}

void event_owe(struct client_side *side, uint32_t conn)
{
	struct channel *channel = channel_of(side, side->conns[conn].client);

	if (!channel || channel->state != CHANNEL_OPEN)
		return;
	conn_queue_push(side, &channel->owed, conn);
	channel_mark_busy(channel);
}

static bool has_room(struct channel *channel)
{
	uint32_t kept = event_room_kept(channel);

	return channel_event_room(channel, kept + 1) > kept;
}

static int16_t outcome_of(uint8_t reason)
{
	static const int16_t outcome[IX_REASON_COUNT] = {
	    [IX_REASON_CLOSED] = -ECONNRESET,   [IX_REASON_ABORTED] = -ECANCELED,
	    [IX_REASON_RESET] = -ECONNRESET,    [IX_REASON_REFUSED] = -ECONNREFUSED,
	    [IX_REASON_TIMEOUT] = -ETIMEDOUT,   [IX_REASON_UNREACHABLE] = -EHOSTUNREACH,
	    [IX_REASON_NO_RESOURCE] = -ENOBUFS, [IX_REASON_RESTART] = -ECONNRESET,
	};

	return outcome[reason];
}

static void fill_tuple(struct channel *channel, uint32_t conn, struct ix_event *event)
{
	struct tcp_info info;

	if (tcp_info(channel->side->core->tcp, conn, &info) != 0)
		return;
	event->local_port = info.tuple.local_port;
	event->remote_port = info.tuple.remote_port;
	memcpy(event->open.local, info.tuple.local, sizeof(event->open.local));
	memcpy(event->open.remote, info.tuple.remote, sizeof(event->open.remote));
}

static uint64_t send_limit(const struct channel *channel, struct conn_record *rec)
{
	/* What was told is never taken back, should the setting be another after a restart. */
	uint64_t limit = rec->sent_acked_off + channel->side->core->dp->init->fixed.send_buffer_bytes;

	if (limit > rec->sent_limit_off)
		rec->sent_limit_off = limit;
	return rec->sent_limit_off;
}

static void post_knock(struct channel *channel, uint32_t conn)
{
	struct conn_record *rec = &channel->side->conns[conn];
	struct ix_event *event = event_post(channel, IX_EV_KNOCK, rec->cookie);

	rec->cookie = 0; /* it was the listener's; accept brings the connection's own */
	event->handle = conn_handle(channel->side, conn);
	fill_tuple(channel, conn, event);
}

static void post_connected(struct channel *channel, uint32_t conn)
{
	struct conn_record *rec = &channel->side->conns[conn];
	struct ix_event *event = event_post(channel, IX_EV_CONNECTED, rec->cookie);

	event->handle = conn_handle(channel->side, conn);
	if (rec->owed & CONN_OWED_DEAD) {
		event->outcome = outcome_of(rec->dead_reason);
		return;
	}
	fill_tuple(channel, conn, event);
	event->open.send_limit = send_limit(channel, rec);
}

static void post_sent(struct channel *channel, uint32_t conn)
{
	struct conn_record *rec = &channel->side->conns[conn];
	struct ix_event *event = event_post(channel, IX_EV_SENT, rec->cookie);

	event->acked_total = rec->sent_acked_off;
	event->sent.send_limit = send_limit(channel, rec);
}

/* All received bytes that were not told yet; false when the ring is full before. */
static bool post_recv(struct channel *channel, uint32_t conn)
{
	struct conn_record *rec = &channel->side->conns[conn];
	struct conn_local *loc = &channel->side->local[conn];

	while (rec->rx_posted_off < rec->rx_ready_off) {
		struct ix_event *event;
		uint64_t arena_off;
		uint32_t len;

		if (!has_room(channel))
			return false;
		len = rx_stretch(channel, rec, loc, rec->rx_posted_off, rec->rx_ready_off, &arena_off);
		if (!len) {
			/* Nothing was stored there: only what a dataplane before had in memory. */
			rec->rx_posted_off = rec->rx_ready_off;
			return true;
		}
		event = event_post(channel, IX_EV_RECV, rec->cookie);
		event->off = arena_off;
		event->recv.len = len;
		rec->rx_posted_off += len;
	}
	return true;
}

static void post_dead(struct channel *channel, uint32_t conn)
{
	struct conn_record *rec = &channel->side->conns[conn];
	uint32_t evt_index = channel->evt_prod;
	struct ix_event *event = event_post(channel, IX_EV_DEAD, rec->cookie);

	event->handle = conn_handle(channel->side, conn);
	event->reason = rec->dead_reason;
	conn_forget(channel->side, conn, channel, true, evt_index);
}

/* One flag of `owed` that stands for one event. */
static bool post_flag(struct channel *channel, uint32_t conn, uint8_t flag,
		      void (*post)(struct channel *channel, uint32_t conn))
{
	struct conn_record *rec = &channel->side->conns[conn];

	if (!(rec->owed & flag))
		return true;
	if (!has_room(channel))
		return false;
	rec->owed &= (uint8_t)~flag;
	post(channel, conn);
	return true;
}

static void post_eof(struct channel *channel, uint32_t conn)
{
	event_post(channel, IX_EV_EOF, channel->side->conns[conn].cookie);
}

static void post_unreachable(struct channel *channel, uint32_t conn)
{
	event_post(channel, IX_EV_SOFT_ERROR, channel->side->conns[conn].cookie)->outcome = -EHOSTUNREACH;
}

static void post_unanswered(struct channel *channel, uint32_t conn)
{
	event_post(channel, IX_EV_SOFT_ERROR, channel->side->conns[conn].cookie)->outcome = -ETIMEDOUT;
}

/* Also of a connect that is not answered yet. */
static bool post_soft_errors(struct channel *channel, uint32_t conn)
{
	return post_flag(channel, conn, CONN_OWED_UNREACHABLE, post_unreachable) &&
	       post_flag(channel, conn, CONN_OWED_UNANSWERED, post_unanswered);
}

static bool post_urgent(struct channel *channel, uint32_t conn)
{
	struct conn_local *loc = &channel->side->local[conn];
	struct ix_event *event;

	if (!(loc->flags & CONN_OWES_URGENT))
		return true;
	if (!has_room(channel))
		return false;
	loc->flags &= (uint16_t)~CONN_OWES_URGENT;
	event = event_post(channel, IX_EV_URGENT, channel->side->conns[conn].cookie);
	event->urgent_end = channel->side->urgent[conn];
	return true;
}

bool event_post_conn(struct channel *channel, uint32_t conn)
{
	struct client_side *side = channel->side;
	struct conn_record *rec = &side->conns[conn];

	if (!post_flag(channel, conn, CONN_OWED_KNOCK, post_knock) ||
	    !post_flag(channel, conn, CONN_OWED_CONNECTED, post_connected))
		return false;
	if ((rec->phase == CONN_OPEN || rec->phase == CONN_CLOSED) &&
	    !post_flag(channel, conn, CONN_OWED_SENT, post_sent))
		return false;
	if (rec->phase <= CONN_OPEN && !post_soft_errors(channel, conn))
		return false;
	/* Before accept nothing is told; it waits in the totals and in `owed`. After close nobody asks. */
	if (rec->phase == CONN_OPEN && (!post_urgent(channel, conn) || !post_recv(channel, conn) ||
					!post_flag(channel, conn, CONN_OWED_EOF, post_eof)))
		return false;
	if (!(rec->owed & CONN_OWED_DEAD) || conn_is_held(rec)) {
		conn_queue_remove(side, &channel->owed, conn);
		return true;
	}
	if (!has_room(channel))
		return false;
	post_dead(channel, conn);
	return true;
}

static void post_announcements(struct channel *channel)
{
	uint32_t posted = 0;

	while (posted < channel->announced_count && has_room(channel)) {
		const struct announcement *a = &channel->announced[posted++];
		struct ix_event *event = event_post(channel, IX_EV_LISTENING, a->cookie);

		event->handle = a->handle;
		event->outcome = (int16_t)a->outcome;
	}
	if (!posted)
		return;
	channel->announced_count -= posted;
	channel->listens -= posted < channel->listens ? posted : channel->listens;
	memmove(channel->announced, channel->announced + posted,
		channel->announced_count * sizeof(*channel->announced));
}

/* What the client may still be reading of connections before a restart lies anywhere in its arena. */
static void end_quarantine(struct channel *channel)
{
	if (channel->owed.head != STATE_NONE || channel->evt_cons != channel->evt_prod)
		return;
	channel->is_quarantined = false;
	__atomic_sub_fetch(&channel->rx.shared->quarantined_cores, 1, __ATOMIC_RELEASE);
}

/* False: the channel has to be looked at again, whether or not anything happens to it. */
static bool is_settled(const struct channel *channel)
{
	return channel->state != CHANNEL_OPEN ||
	       (channel->owed.head == STATE_NONE && !channel->announced_count &&
		channel->dead_first == channel->dead_next && !channel->is_quarantined);
}

static void flush_channel(struct channel *channel)
{
	if (channel->state != CHANNEL_OPEN)
		return;
	post_announcements(channel);
	while (channel->owed.head != STATE_NONE)
		if (!event_post_conn(channel, channel->owed.head))
			break;
	if (channel->state == CHANNEL_OPEN &&
	    (channel->dead_first != channel->dead_next || channel->is_quarantined) &&
	    channel_read_evt_cons(channel)) {
		rx_exhume(channel);
		if (channel->is_quarantined)
			end_quarantine(channel);
	}
}

bool event_is_owed(const struct core *core)
{
	const struct client_side *side = core->clients;

	for (uint32_t i = 0; i < side->busy_count; i++)
		if (side->channel[side->busy[i]].owed.head != STATE_NONE)
			return true;
	return false;
}

void event_flush(struct core *core)
{
	struct client_side *side = core->clients;
	uint32_t kept = 0;

	conn_work_run(side);
	for (uint32_t i = 0; i < side->busy_count; i++)
		flush_channel(&side->channel[side->busy[i]]);
	channels_publish(side);
	for (uint32_t i = 0; i < side->busy_count; i++) {
		struct channel *channel = &side->channel[side->busy[i]];

		if (is_settled(channel))
			channel->is_busy = false;
		else
			side->busy[kept++] = channel->client;
	}
	side->busy_count = kept;
	if (side->leaving)
		channels_reap(side);
}
