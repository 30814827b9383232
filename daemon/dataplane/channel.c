/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rings' indices and the doorbells of a channel. This is where the client's words are read: each once,
 * with acquire, and compared with the private truth before use.
 */
#include "daemon/dataplane/channel.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/common/rights.h"
#include "daemon/dataplane/event.h"

/* A client that had no command in so many turns is looked at less often. */
#define IDLE_TURNS_MAX     256u

/* Commands whose lines are asked for along with the index, which comes as slowly as each of them: what an
 * answer to a request costs. */
#define COMMANDS_AHEAD     2u

/* A client that floods its doorbell costs at most so many reads per wake. */
#define DOORBELL_READS_MAX 4

void channel_fault(struct channel *channel, const char *reason)
{
	struct core *core = channel->side->core;

	if (channel->state != CHANNEL_OPEN)
		return;
	channel->state = CHANNEL_FAULTED;
	/* Another core may see the same lie; the supervisor hears of it once. */
	if (__atomic_exchange_n(&channel->rx.shared->is_fault_told, 1, __ATOMIC_RELAXED))
		return;
	core->stats->client_faults++;
	core_tell_client_fault(core, channel->client, reason);
}

bool channel_read_evt_cons(struct channel *channel)
{
	uint32_t cons = ix_ring_load(&channel->theirs->evt_cons);

	/* It moves forward, and not beyond what was published. */
	if (cons - channel->evt_cons > channel->evt_published - channel->evt_cons) {
		channel_fault(channel, "its event index is out of range");
		return false;
	}
	channel->evt_cons = cons;
	return true;
}

uint32_t channel_event_room(struct channel *channel, uint32_t want)
{
	uint32_t room = channel->evt_slots - (channel->evt_prod - channel->evt_cons);

	if (room >= want)
		return room;
	if (!channel_read_evt_cons(channel))
		return 0;
	return channel->evt_slots - (channel->evt_prod - channel->evt_cons);
}

uint32_t channel_commands_waiting(struct channel *channel)
{
	uint32_t waiting = ix_ring_load(&channel->theirs->cmd_prod) - channel->cmd_cons;

	if (__atomic_load_n(&channel->rx.shared->has_failed, __ATOMIC_RELAXED)) {
		channel_fault(channel, "a page of its memory could not be had");
		return 0;
	}
	if (waiting <= channel->cmd_slots)
		return waiting;
	channel_fault(channel, "its command index is out of range");
	return 0;
}

static void commands_prefetch(const struct channel *channel)
{
	for (uint32_t i = 0; i < COMMANDS_AHEAD; i++)
		__builtin_prefetch(&channel->cmds[(channel->cmd_cons + i) & (channel->cmd_slots - 1)]);
}

bool channels_have_commands(const struct client_side *side)
{
	if (side->idle_count > 0)
		return true;
	for (uint32_t i = 0; i < side->polled_count; i++) {
		const struct channel *channel = &side->channel[side->polled[i]];

		/* Whatever the word says, no more follows from it than that it is read again and checked. */
		if (ix_ring_load(&channel->theirs->cmd_prod) != channel->cmd_cons)
			return true;
		commands_prefetch(channel);
	}
	return false;
}

bool channels_have_untaken(const struct client_side *side)
{
	for (uint32_t i = 0; i < side->polled_count; i++) {
		const struct channel *channel = &side->channel[side->polled[i]];

		/* A lie costs a bounded number of yields, see hand_over(). */
		if (ix_ring_load(&channel->theirs->evt_cons) != channel->evt_published)
			return true;
	}
	return false;
}

void channel_mark_busy(struct channel *channel)
{
	struct client_side *side = channel->side;

	if (channel->is_busy)
		return;
	channel->is_busy = true;
	side->busy[side->busy_count++] = channel->client;
}

void channel_list_remove(uint16_t *list, uint32_t *count, uint16_t client)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < *count; i++)
		if (list[i] != client)
			list[kept++] = list[i];
	*count = kept;
}

void channel_poll_always(struct channel *channel)
{
	struct client_side *side = channel->side;

	channel->idle_turns = 0;
	if (channel->is_polled)
		return;
	channel_list_remove(side->idle, &side->idle_count, channel->client);
	channel->is_polled = true;
	side->polled[side->polled_count++] = channel->client;
}

void channels_demote(struct client_side *side)
{
	struct channel *channel = &side->channel[side->polled[side->polled_turn]];

	if (channel->idle_turns < IDLE_TURNS_MAX || channel->is_paused)
		return;
	channel_list_remove(side->polled, &side->polled_count, channel->client);
	channel->is_polled = false;
	side->idle[side->idle_count++] = channel->client;
	if (side->polled_turn >= side->polled_count)
		side->polled_turn = 0;
}

/* `how` is the client's word: whatever it says, no more happens than that it is woken or not. */
static void client_wake(struct channel *channel, uint32_t how)
{
	struct core *core = channel->side->core;

	if (!channel_read_evt_cons(channel) || channel->doorbell_fd < 0)
		return;
	/* It got up, took everything and published that between the look at its flag and the look at its
	 * index. To ring now, and to remember this index, would silence the bell for what comes next: the
	 * byte is taken without an event behind it. */
	if (channel->evt_cons == channel->evt_published)
		return;
	/* A sleeping client that has taken nothing since it was rung has not got up yet; the byte is still
	 * there. */
	if (channel->has_rung && channel->rung_evt_cons == channel->evt_cons)
		return;
	channel->has_rung = true;
	channel->rung_evt_cons = channel->evt_cons;
	core->stats->doorbells_rung++;
	if (how == IX_SLEEP_FUTEX) {
		syscall(SYS_futex, &channel->ours->evt_prod, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		return;
	}
	/* Full: there are bytes to wake it. Hung up: the supervisor sees that the client has gone. */
	(void)!send(channel->doorbell_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void channels_publish(struct client_side *side)
{
	uint32_t published = 0;

	for (uint32_t i = 0; i < side->busy_count; i++) {
		struct channel *channel = &side->channel[side->busy[i]];

		if (channel->state != CHANNEL_OPEN || channel->evt_prod == channel->evt_published)
			continue;
		channel->evt_published = channel->evt_prod;
		ix_ring_store(&channel->ours->evt_prod, channel->evt_prod);
		published++;
	}
	if (!published)
		return;
	/* One barrier for all: every index above is visible before any flag below is read (ring.h). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < side->busy_count; i++) {
		struct channel *channel = &side->channel[side->busy[i]];
		uint32_t how;

		if (channel->state != CHANNEL_OPEN || channel->evt_published == channel->evt_cons)
			continue;
		how = __atomic_load_n(&channel->theirs->is_sleeping, __ATOMIC_RELAXED);
		if (how != IX_AWAKE)
			client_wake(channel, how);
	}
}

/* The channel has something that can be done now. Asked after the barrier of channels_prepare_sleep(). */
static bool has_work(struct channel *channel)
{
	uint32_t room;

	if (channel->state != CHANNEL_OPEN)
		return false;
	if (channel->evt_prod != channel->evt_published)
		return true;
	room = channel_event_room(channel, event_room_kept(channel) + 1);
	if ((channel->owed.head != STATE_NONE || channel->announced_count) && room > event_room_kept(channel))
		return true;
	return channel_commands_waiting(channel) && (!channel->is_paused || room);
}

bool channels_prepare_sleep(struct core *core)
{
	struct client_side *side = core->clients;
	bool may_sleep = side->work_head == STATE_NONE;

	for (uint32_t i = 0; i < side->polled_count; i++)
		__atomic_store_n(&side->channel[side->polled[i]].ours->is_sleeping, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < side->idle_count; i++)
		__atomic_store_n(&side->channel[side->idle[i]].ours->is_sleeping, 1, __ATOMIC_RELAXED);
	/* The flags before the last look: a client that does not see its flag has published before our look.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < side->polled_count && may_sleep; i++)
		may_sleep = !has_work(&side->channel[side->polled[i]]);
	for (uint32_t i = 0; i < side->idle_count && may_sleep; i++) {
		struct channel *channel = &side->channel[side->idle[i]];

		may_sleep = !has_work(channel);
		if (!may_sleep)
			channel_poll_always(channel);
	}
	if (!may_sleep)
		channels_end_sleep(core);
	return may_sleep;
}

void channels_end_sleep(struct core *core)
{
	struct client_side *side = core->clients;

	for (uint32_t i = 0; i < side->polled_count; i++)
		ix_ring_sleep_end(&side->channel[side->polled[i]].ours->is_sleeping);
	for (uint32_t i = 0; i < side->idle_count; i++)
		ix_ring_sleep_end(&side->channel[side->idle[i]].ours->is_sleeping);
}

/* The client has shut its end: nothing will be heard there, and a descriptor that is always ready would keep
 * the core awake. The client itself may live on; whether it does, its socket tells the supervisor. */
static void doorbell_hang_up(struct channel *channel)
{
	epoll_ctl(channel->side->core->epoll_fd, EPOLL_CTL_DEL, channel->doorbell_fd, NULL);
	channel->doorbell_fd = -1;
}

void channel_doorbell(struct core *core, struct channel *channel)
{
	char bytes[256];

	(void)core;
	/* An event of the same epoll_wait() as the mail that ended the client. */
	if (channel->state == CHANNEL_UNUSED || channel->doorbell_fd < 0)
		return;
	if (channel->state == CHANNEL_OPEN)
		channel_poll_always(channel);
	for (int i = 0; i < DOORBELL_READS_MAX; i++) {
		bool has_rights;
		ssize_t got =
		    rights_recv(channel->doorbell_fd, bytes, sizeof(bytes), MSG_DONTWAIT, &has_rights);

		if (has_rights)
			channel_fault(channel, "it sends descriptors over its doorbell");

		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
			doorbell_hang_up(channel);
			return;
		}
		if (got < (ssize_t)sizeof(bytes))
			return;
	}
}
