/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings of typed messages between the main thread and the core threads.
 */
#include "daemon/dataplane/mailbox.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mailbox {
	uint32_t mask;
	int wake_fd;
	/* Written by the producer. */
	uint32_t prod __attribute__((aligned(64)));
	uint32_t cons_seen;
	/* Written by the consumer. */
	uint32_t cons __attribute__((aligned(64)));
	struct mail slots[] __attribute__((aligned(64)));
};

void eventfd_ring(int fd)
{
	const uint64_t one = 1;
	/* The only failure of a non-blocking eventfd is that it is full, and then it is readable already. */
	ssize_t written = write(fd, &one, sizeof(one));

	(void)written;
}

struct mailbox *mailbox_new(uint32_t slots, int wake_fd)
{
	size_t bytes = sizeof(struct mailbox) + slots * sizeof(struct mail);
	struct mailbox *box = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

	if (box == NULL)
		return NULL;
	memset(box, 0, sizeof(*box));
	box->mask = slots - 1;
	box->wake_fd = wake_fd;
	return box;
}

void mailbox_free(struct mailbox *box)
{
	free(box);
}

uint32_t mailbox_room(struct mailbox *box)
{
	/* Acquire: the consumer has copied a slot out before it gave it back. */
	box->cons_seen = __atomic_load_n(&box->cons, __ATOMIC_ACQUIRE);
	return box->mask + 1 - (box->prod - box->cons_seen);
}

bool mailbox_post(struct mailbox *box, const struct mail *mail)
{
	if (box->prod - box->cons_seen > box->mask && mailbox_room(box) == 0)
		return false;
	box->slots[box->prod & box->mask] = *mail;
	/* Release: the slot is written before it is published. The write to the eventfd below is a system
	 * call after it; the receiver reads the eventfd empty before it looks here for the last time. */
	__atomic_store_n(&box->prod, box->prod + 1, __ATOMIC_RELEASE);
	eventfd_ring(box->wake_fd);
	return true;
}

bool mailbox_take(struct mailbox *box, struct mail *mail)
{
	if (mailbox_is_empty(box))
		return false;
	*mail = box->slots[box->cons & box->mask];
	/* Release: the copy is complete before the producer may overwrite the slot. */
	__atomic_store_n(&box->cons, box->cons + 1, __ATOMIC_RELEASE);
	return true;
}

bool mailbox_is_empty(const struct mailbox *box)
{
	/* Acquire: pairs with the producer's release, so that the slot's content is there. */
	return __atomic_load_n(&box->prod, __ATOMIC_ACQUIRE) == box->cons;
}

void core_tell(struct core *core, const struct mail *mail)
{
	while (!mailbox_post(core->outbox, mail))
		sched_yield();
}

/* For what clients can cause at will: leaves half of the outbox to the rest. */
static bool ask(struct core *core, const struct mail *mail)
{
	if (mailbox_room(core->outbox) <= (core->outbox->mask + 1) / 2)
		return false;
	return mailbox_post(core->outbox, mail);
}

bool core_ask_listen(struct core *core, const struct msg_listen *listen)
{
	struct mail mail = {.type = MAIL_ASK_LISTEN, .client = listen->client, .listen = *listen};

	return ask(core, &mail);
}

bool core_ask_unlisten(struct core *core, const struct msg_listen *listen)
{
	struct mail mail = {.type = MAIL_ASK_UNLISTEN, .client = listen->client, .listen = *listen};

	return ask(core, &mail);
}

void core_tell_client_gone(struct core *core, uint32_t client)
{
	struct mail mail = {.type = MAIL_CLIENT_GONE, .client = client};

	core_tell(core, &mail);
}

void core_tell_client_fault(struct core *core, uint32_t client, const char *reason)
{
	struct mail mail = {.type = MAIL_CLIENT_FAULT, .client = client, .reason = reason};

	core_tell(core, &mail);
}

bool core_ask_neigh(struct core *core, const uint8_t addr[16], uint8_t iface, uint16_t vlan)
{
	struct mail mail = {.type = MAIL_ASK_NEIGH, .neigh = {.iface = iface, .vlan = vlan}};

	memcpy(mail.neigh.addr, addr, 16);
	return ask(core, &mail);
}
