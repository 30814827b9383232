/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels: indices that lie, doorbells, sleep, memory that fails, clients that leave.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/dataplane/client_rig.h"

static struct rig *rig;

static void begin(void)
{
	rig = rig_new();
	rig_client_add(rig, 0, false);
	rig_client_add(rig, 1, false);
	rig_listen(rig, 0);
}

static void end(void)
{
	rig_free(rig);
}

TestSuite(channel, .init = begin, .fini = end, .timeout = 30);

/* Client 0 is ended and told of once, and client 1 is served as before. */
static void expect_fault(void)
{
	struct mail mail;
	uint64_t handle;

	rig_turn(rig);
	rig_turn(rig);
	cr_assert(rig_mail(rig, MAIL_CLIENT_FAULT, &mail));
	cr_expect_eq(mail.client, 0);
	cr_expect_gt(strlen(mail.reason), 10);
	cr_expect_not(rig_mail(rig, MAIL_CLIENT_FAULT, &mail));
	cr_expect_eq(rig->stats.client_faults, 1);
	rig_cmd(rig, 1, (struct ix_cmd){.op = 99});
	rig_turn(rig);
	rig_expect(rig, 1, IX_EV_ERROR);
	channel_del(&rig->core, 0);
	cr_expect(rig_mail(rig, MAIL_CLIENT_GONE, &mail));
	/* The same number comes again and works. */
	rig_client_free(rig, 0);
	rig_client_add(rig, 0, false);
	rig_listen(rig, 0);
	rig_turn(rig);
	handle = rig_open(rig, 3, &(uint32_t){0});
	cr_expect_neq(handle, 0);
}

Test(channel, command_index_out_of_range)
{
	rig->clients[0].mine->cmd_prod = 65;
	expect_fault();
}

Test(channel, command_index_backwards)
{
	uint32_t peer;

	rig_open(rig, 1, &peer);
	rig->clients[0].mine->cmd_prod--;
	expect_fault();
}

Test(channel, event_index_ahead_of_the_ring)
{
	rig->clients[0].mine->evt_cons = 2; /* one will be there */
	rig->clients[0].mine->is_sleeping = 1;
	rig_peer_connect(rig);
	expect_fault();
}

Test(channel, event_index_backwards)
{
	for (unsigned i = 0; i < 10; i++) {
		rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
		rig_turn(rig);
		rig_expect(rig, 0, IX_EV_ERROR);
	}
	rig->clients[0].mine->is_sleeping = 1;
	rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
	rig_turn(rig);
	rig->clients[0].mine->evt_cons = 3;
	rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
	expect_fault();
}

Test(channel, pages_that_cannot_be_had)
{
	struct rig_client *c = &rig->clients[0];
	size_t bytes = c->mapping.layout.client_bytes;
	int fd = memfd_create("rig", MFD_CLOEXEC);

	/* A file that ends before the mapping does: touching the rest is SIGBUS, as a hole in huge pages is.
	 */
	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, 4096), 0);
	cr_assert_neq(mmap(c->mine, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0), MAP_FAILED);
	close(fd);
	/* The first page has the indices; the commands behind it are gone. */
	cr_assert_eq(channel_commands_waiting(&rig->core.clients->channel[0]), 0);
	cr_assert_eq(c->mapping.client_memory[8192], 0, "touched, and alive");
	expect_fault();
}

/* One that waits on a futex gets no byte; any other value that it may write is a doorbell. */
Test(channel, wakes_as_the_client_says)
{
	const uint32_t how[] = {IX_AWAKE, IX_SLEEP_FUTEX, IX_SLEEP_DOORBELL, UINT32_MAX};
	const ssize_t bytes[] = {-1, -1, 1, 1};
	char byte[4];

	for (unsigned i = 0; i < 4; i++) {
		uint64_t before = rig->stats.doorbells_rung;

		rig->clients[0].mine->is_sleeping = how[i];
		rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
		rig_turn(rig);
		cr_expect_eq(recv(rig->clients[0].doorbell, byte, sizeof(byte), MSG_DONTWAIT), bytes[i]);
		cr_expect_eq(rig->stats.doorbells_rung - before, how[i] != IX_AWAKE);
		rig_expect(rig, 0, IX_EV_ERROR);
	}
}

Test(channel, sleep_is_refused_while_there_is_work)
{
	struct core *core = &rig->core;

	rig_turn(rig);
	cr_expect(channels_prepare_sleep(core));
	cr_expect_eq(rig->clients[0].theirs->is_sleeping, 1);
	cr_expect_eq(rig->clients[1].theirs->is_sleeping, 1);
	channels_end_sleep(core);
	cr_expect_eq(rig->clients[0].theirs->is_sleeping, 0);
	rig_cmd(rig, 1, (struct ix_cmd){.op = 99});
	cr_expect_not(channels_prepare_sleep(core));
	cr_expect_eq(rig->clients[0].theirs->is_sleeping, 0);
	rig_turn(rig);
	cr_expect(channels_prepare_sleep(core));
}

Test(channel, a_client_that_takes_no_events_does_not_keep_the_core_awake)
{
	for (unsigned i = 0; i < 60; i++)
		rig_peer_connect(rig);
	rig_turn(rig);
	for (unsigned i = 0; i < 300; i++) {
		rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
		rig_turn(rig);
		if (rig->core.clients->channel[0].is_paused)
			break;
	}
	cr_assert(rig->core.clients->channel[0].is_paused);
	cr_expect(channels_prepare_sleep(&rig->core));
	cr_expect_gt(client_side_next_timer(&rig->core).ns, rig->core.now.ns);
}

Test(channel, doorbell_floods_and_hangs_up)
{
	struct channel *channel = &rig->core.clients->channel[0];
	char bytes[4096] = {0};

	while (send(rig->clients[0].doorbell, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	channel_doorbell(&rig->core, channel); /* returns, with some left */
	cr_expect_geq(channel->doorbell_fd, 0);
	for (unsigned i = 0; i < 10000 && channel->doorbell_fd >= 0; i++) {
		channel_doorbell(&rig->core, channel);
		if (i == 5000)
			shutdown(rig->clients[0].doorbell, SHUT_RDWR);
	}
	cr_expect_eq(channel->doorbell_fd, -1);
	/* Its rings still work while it lives. */
	rig->clients[0].mine->is_sleeping = 1;
	rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_ERROR);
	channel_doorbell(&rig->core, channel);
}

Test(channel, many_idle_clients_are_looked_at_in_turn)
{
	struct client_side *side = rig->core.clients;

	for (unsigned i = 0; i < 20; i++) {
		/* The same memories under other numbers: only their lists matter here. */
		static struct client_mapping copies[20];

		copies[i] = rig->clients[1].mapping;
		copies[i].client = 10 + i;
		copies[i].shared = NULL;
		copies[i].doorbell_fd[0] = dup(rig->clients[1].doorbell);
		channel_add(&rig->core, &copies[i]);
	}
	for (unsigned i = 0; i < 20000; i++)
		command_drain(&rig->core, 64);
	cr_expect_eq(side->polled_count, CHANNELS_POLLED_MIN);
	cr_expect_eq(side->idle_count, 22 - CHANNELS_POLLED_MIN);
	rig_cmd(rig, 0, (struct ix_cmd){.op = 99});
	for (unsigned i = 0; i < 10; i++)
		command_drain(&rig->core, 64);
	cr_expect_eq(rig->clients[0].theirs->cmd_cons, 1, "within some turns");
}
