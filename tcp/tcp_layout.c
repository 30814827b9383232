/* SPDX-License-Identifier: BSD-2-Clause */
/* The layout of surviving memory, and reading it from another process. */
#include "tcp/tcp_layout.h"

#include <errno.h>
#include <string.h>

#include "tcp/tcp_info.h"
#include "tcp/tcp_listener.h"

/* Keeps every count and index product far from overflow; 2^26 connections are 32 GiB. */
#define RECORDS_MAX (1u << 26)

static size_t align(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

bool tcp_layout_surviving(const struct tcp_limits *limits, struct tcp_layout *layout)
{
	if (limits->conns == 0 || limits->conns > RECORDS_MAX || limits->listeners > RECORDS_MAX ||
	    limits->time_waits > RECORDS_MAX || limits->sent_records > RECORDS_MAX ||
	    limits->ooo_records > RECORDS_MAX)
		return false;
	layout->conns_off = sizeof(struct tcp_layout_header);
	layout->time_waits_off = align(layout->conns_off + (size_t)limits->conns * sizeof(struct tcp_conn));
	layout->listeners_off =
	    align(layout->time_waits_off + (size_t)limits->time_waits * sizeof(struct tcp_time_wait));
	layout->size = align(layout->listeners_off + (size_t)limits->listeners * sizeof(struct tcp_listener));
	return true;
}

static void header_fill(struct tcp_layout_header *h, const struct tcp_limits *limits)
{
	memset(h, 0, sizeof(*h));
	h->magic = TCP_LAYOUT_MAGIC;
	h->version = TCP_LAYOUT_VERSION;
	h->conn_bytes = sizeof(struct tcp_conn);
	h->time_wait_bytes = sizeof(struct tcp_time_wait);
	h->listener_bytes = sizeof(struct tcp_listener);
	h->limits = *limits;
}

bool tcp_layout_adopt(void *surviving, const struct tcp_limits *limits, const struct tcp_layout *layout)
{
	static const struct tcp_layout_header zero;
	struct tcp_layout_header want;

	(void)layout;
	header_fill(&want, limits);
	if (memcmp(surviving, &zero, sizeof(zero)) == 0) {
		memcpy(surviving, &want, sizeof(want));
		return true;
	}
	return memcmp(surviving, &want, sizeof(want)) == 0;
}

uint32_t tcp_memory_conns(const void *surviving, size_t surviving_size)
{
	struct tcp_layout_header have, want;
	struct tcp_layout layout;

	if (surviving_size < sizeof(have))
		return 0;
	/* Copied before it is checked: the owner, or whoever replaced it, may be writing. */
	memcpy(&have, surviving, sizeof(have));
	header_fill(&want, &have.limits);
	if (memcmp(&have, &want, sizeof(have)) != 0 || !tcp_layout_surviving(&have.limits, &layout) ||
	    layout.size > surviving_size)
		return 0;
	return have.limits.conns;
}

int tcp_info_from_memory(const void *surviving, size_t surviving_size, uint32_t conn, struct tcp_info *info)
{
	const struct tcp_conn *c;
	struct tcp_conn copy;
	uint32_t generation;

	if (conn >= tcp_memory_conns(surviving, surviving_size))
		return -EBADF;
	c = (const struct tcp_conn *)((const uint8_t *)surviving + sizeof(struct tcp_layout_header)) + conn;
	generation = __atomic_load_n(&c->generation, __ATOMIC_ACQUIRE);
	memcpy(&copy, c, sizeof(copy));
	/* Pairs with the owner's changes of generation at birth and death: the copy is of one life. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&c->generation, __ATOMIC_RELAXED) != generation || copy.state == TCP_CLOSED ||
	    copy.state == TCP_LISTEN || copy.state >= TCP_STATE_COUNT)
		return -EBADF;
	tcp_info_fill(&copy, NULL, info);
	return 0;
}
