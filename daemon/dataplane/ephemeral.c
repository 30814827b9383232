/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The choice of source ports.
 */
#include "daemon/dataplane/ephemeral.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dataplane/channel.h"

/* The engine's default for 2 MSL; a port is held a little longer than the record. */
#define TIME_WAIT_NS (UINT64_C(61) * 1000000000)

/* With the worst share of suitable free ports that is worth serving (1 in 100), failing by chance takes a run
 * of so many misses: less than one in 20,000. More would let one client hold up the core. */
#define TRIES_MAX    1024u

/* Ports that wait for the end of TIME_WAIT, oldest first. */
struct port_wait {
	uint32_t slots, first, next; /* a power of two; free-running */
	struct {
		uint64_t until_ns;
		uint16_t port;
	} wait[];
};

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

uint64_t keyed_hash(const uint8_t key[16], const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t k[2], v[4], word;

	memcpy(k, key, sizeof(k));
	v[0] = k[0] ^ UINT64_C(0x736f6d6570736575);
	v[1] = k[1] ^ UINT64_C(0x646f72616e646f6d);
	v[2] = k[0] ^ UINT64_C(0x6c7967656e657261);
	v[3] = k[1] ^ UINT64_C(0x7465646279746573);
	for (size_t done = 0; done + 8 <= len; done += 8) {
		memcpy(&word, bytes + done, 8);
		sip_word(v, word);
	}
	word = 0;
	memcpy(&word, bytes + (len & ~(size_t)7), len & 7);
	sip_word(v, word | (uint64_t)len << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int ephemeral_init(struct client_side *side)
{
	uint32_t wanted = side->core->dp->init->fixed.time_waits_per_core, slots = 64;

	while (slots < wanted && slots < 1u << 20)
		slots *= 2;
	side->port_wait = calloc(1, sizeof(*side->port_wait) + slots * sizeof(side->port_wait->wait[0]));
	if (!side->port_wait)
		return -ENOMEM;
	side->port_wait->slots = slots;
	return 0;
}

void ephemeral_fini(struct client_side *side)
{
	free(side->port_wait);
	side->port_wait = NULL;
}

static uint16_t *users_of(struct client_side *side, uint16_t port)
{
	const struct static_config *fixed = &side->core->dp->init->fixed;

	return &side->core->dp->ephemeral->users[port - fixed->ephemeral_base];
}

static void release(struct client_side *side, uint16_t port)
{
	/* Release: the connection is gone before the XDP program stops redirecting for it. */
	__atomic_sub_fetch(users_of(side, port), 1, __ATOMIC_RELEASE);
}

/* Gives back what has waited long enough; at most two for each that comes, so that no call takes long. */
static void release_expired(struct client_side *side, uint32_t at_most)
{
	struct port_wait *w = side->port_wait;

	for (; at_most && w->first != w->next; at_most--) {
		uint32_t slot = w->first & (w->slots - 1);

		if (w->wait[slot].until_ns > side->core->now.ns && w->next - w->first < w->slots)
			return;
		release(side, w->wait[slot].port);
		w->first++;
	}
}

void ephemeral_put(struct client_side *side, uint16_t port, bool time_wait)
{
	struct port_wait *w = side->port_wait;
	uint32_t slot;

	release_expired(side, 2);
	if (!time_wait) {
		release(side, port);
		return;
	}
	slot = w->next++ & (w->slots - 1);
	w->wait[slot].until_ns = side->core->now.ns + TIME_WAIT_NS;
	w->wait[slot].port = port;
}

int ephemeral_get(struct client_side *side, struct tcp_tuple *tuple)
{
	const struct core *core = side->core;
	const struct static_config *fixed = &core->dp->init->fixed;
	uint32_t span = fixed->ephemeral_span;
	uint64_t hash;
	uint16_t *counter;
	uint32_t at;

	if (!span || span > IXD_EPHEMERAL_SPAN_MAX)
		return -EADDRNOTAVAIL;
	release_expired(side, 2);
	/* Double hash: peers see unrelated sequences, and one peer sees a port again only after all the
	 * others. */
	tuple->local_port = 0;
	hash = keyed_hash(side->hash_key, tuple, sizeof(*tuple));
	counter = &side->port_counter[(hash >> 48) % PORT_COUNTERS];
	*counter = (uint16_t)(*counter + 1 + (keyed_hash(side->hash_key, &core->now.ns, 8) & 3));
	at = (uint32_t)((hash + *counter) % span);
	for (uint32_t tries = 0; tries < TRIES_MAX && tries < span; tries++) {
		tuple->local_port = (uint16_t)(fixed->ephemeral_base + at);
		if (flow_core(core->dp, tuple) == core->id && tcp_tuple_is_free(core->tcp, tuple)) {
			*counter = (uint16_t)(*counter + tries);
			/* Before the SYN leaves: the answer must not find the port unowned. */
			__atomic_add_fetch(users_of(side, tuple->local_port), 1, __ATOMIC_RELEASE);
			return 0;
		}
		if (++at == span)
			at = 0;
	}
	return -EADDRNOTAVAIL;
}
