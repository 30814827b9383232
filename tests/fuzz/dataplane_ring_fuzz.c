/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that writes anything into its rings, beside one that keeps to the rules and must go on being
 * served: the real client side on the real engine, with a peer that answers. An input is a list of steps.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/log.h"
#include "tests/unit/dataplane/client_rig.h"

#define HOSTILE   0
#define HONEST    1
#define HANDLES   8
#define STEPS_MAX 200
#define PEERS_MAX 32
#define SECOND_NS UINT64_C(1000000000)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rig *rig;
static uint64_t handles[HANDLES];
static unsigned handles_count, peers_count;
static uint32_t peers[PEERS_MAX];

struct input {
	const uint8_t *data;
	size_t left;
};

static uint8_t take_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->data++;
}

static uint32_t take_word(struct input *in)
{
	uint32_t word = 0;

	for (unsigned i = 0; i < 4; i++)
		word = word << 8 | take_byte(in);
	return word;
}

static void events_take(unsigned most)
{
	struct ix_event event;

	while (most-- > 0 && rig_event(rig, HOSTILE, &event)) {
		cr_assert(event.type < IX_EV_COUNT);
		if (event.type == IX_EV_KNOCK || event.type == IX_EV_CONNECTED)
			handles[handles_count++ % HANDLES] = event.handle;
	}
}

static void step_command(struct input *in)
{
	struct ix_cmd cmd = {.op = 0};
	uint8_t how = take_byte(in), bytes[sizeof(cmd)];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = in->left > 0 ? take_byte(in) : 0;
	memcpy(&cmd, bytes, sizeof(cmd));
	if (how & 1)
		cmd.op %= IX_OP_COUNT;
	if (how & 2)
		cmd.handle = handles[how >> 5];
	if (how & 4) {
		cmd.sg_count = (uint8_t)(1 + cmd.sg_count % IX_SG_MAX);
		for (unsigned i = 0; i < IX_SG_MAX; i++) {
			cmd.sg[i].off %= 1 << 20;
			cmd.sg[i].len %= 5000;
		}
	}
	if (how & 8) {
		cmd.flags &= IX_FLAGS_ALL;
		cmd.handle = how & 2 ? cmd.handle : 0;
	}
	rig_cmd(rig, HOSTILE, cmd);
}

/* What a program that lost its way does to the words. */
static void step_words(struct input *in)
{
	struct rig_client *c = &rig->clients[HOSTILE];
	uint32_t word = take_word(in);

	switch (take_byte(in) % 4) {
	case 0:
		ix_ring_store(&c->mine->cmd_prod, c->cmd_prod + word);
		return;
	case 1:
		ix_ring_store(&c->mine->evt_cons, word);
		return;
	case 2:
		ix_ring_store(&c->mine->evt_cons, c->evt_cons + word % 300);
		return;
	default:
		__atomic_store_n(&c->mine->is_sleeping, word, __ATOMIC_SEQ_CST);
	}
}

static void client_begin(uint32_t client)
{
	rig_client_add(rig, client, false);
	if (client == HOSTILE)
		rig_listen(rig, client);
}

/* All of it comes back: connections, memory, the channel itself. */
static void client_end(uint32_t client)
{
	struct mail mail;

	channel_del(&rig->core, client);
	for (unsigned i = 0; i < 8 && rig->core.clients->channel[client].state != CHANNEL_UNUSED; i++)
		rig_turns(rig, 1, SECOND_NS);
	cr_assert_eq(rig->core.clients->channel[client].state, CHANNEL_UNUSED);
	while (mailbox_take(rig->core.outbox, &mail))
		continue;
	rig_client_free(rig, client);
}

static void peers_drop(void)
{
	while (peers_count > 0)
		if (!rig->peers[peers[--peers_count]].is_dead)
			tcp_abort(rig->peer, rig->core.now, peers[peers_count]);
}

static void step(struct input *in)
{
	uint32_t word;

	switch (take_byte(in) % 16) {
	case 8:
	case 9:
		step_words(in);
		return;
	case 10:
		if (peers_count < PEERS_MAX)
			peers[peers_count++] = rig_peer_connect(rig);
		return;
	case 11:
		word = take_word(in);
		if (peers_count > 0 && !rig->peers[peers[word % peers_count]].is_dead)
			(void)tcp_send(rig->peer, rig->core.now, peers[word % peers_count],
				       (word >> 8) % 20000);
		return;
	case 12:
		word = take_word(in);
		if (peers_count > 0 && !rig->peers[peers[word % peers_count]].is_dead)
			(void)tcp_shutdown(rig->peer, rig->core.now, peers[word % peers_count]);
		return;
	case 13:
		rig_turns(rig, 1 + take_byte(in) % 4, take_word(in));
		return;
	case 14:
		events_take(take_byte(in));
		return;
	case 15:
		rig->wire_is_cut = take_byte(in) & 1;
		return;
	default:
		step_command(in);
	}
}

/* The other one is served whatever was done. */
static void honest_is_served(void)
{
	struct ix_event event = {.type = 0};
	uint32_t seq = rig_cmd(rig, HONEST, (struct ix_cmd){.op = IX_OP_COUNT});

	for (unsigned i = 0; i < 4 && event.type != IX_EV_ERROR; i++) {
		rig_turn(rig);
		while (rig_event(rig, HONEST, &event) && event.type != IX_EV_ERROR)
			continue;
	}
	cr_assert_eq(event.type, IX_EV_ERROR);
	cr_assert_eq(event.error.seq, seq);
}

/* The leak check does not look into the memory that a rig lies in. */
static void end(void)
{
	rig_free(rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	rig = rig_new();
	if (atexit(end) != 0)
		return 1;
	rig_peer_listen(rig, 7200);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .left = size};

	client_begin(HOSTILE);
	client_begin(HONEST);
	for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++)
		step(&in);
	rig_turn(rig);
	honest_is_served();
	rig->wire_is_cut = false;
	peers_drop();
	client_end(HOSTILE);
	client_end(HONEST);
	/* Nothing leaks from one input into the next. */
	rig_turns(rig, 2, 130 * SECOND_NS);
	cr_assert_eq(rig->core.clients->chunks_used, 0);
	cr_assert_eq(rig->core.clients->in_use, 0);
	return 0;
}
