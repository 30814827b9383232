/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state memfd: everything that a connection is, as fixed-size records addressed by index, so that it
 * outlives the dataplane process. No pointers. Its layout follows from struct static_config alone; supervisor
 * (which only sizes it), dataplane (which writes it) and control (which reads it) compute the same offsets.
 */
#ifndef DAEMON_COMMON_STATE_H
#define DAEMON_COMMON_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/msg.h"
#include "tcp/tcp.h"

#define STATE_MAGIC   0x69787430u
#define STATE_VERSION 3
#define STATE_NONE    UINT32_MAX

/* Who has a UMEM frame. Written before the frame is handed over, so that after a crash a frame is at worst
 * taken for the kernel's although it is free, never the other way round. */
enum frame_owner { FRAME_FREE, FRAME_KERNEL_RX, FRAME_KERNEL_TX, FRAME_CORE };

/* The byte of a frame: the lowest two bits are its owner, the others the queue through which the kernel has
 * it; so that the frames of a queue whose sockets are gone can be found. */
#define FRAME_OWNER_BITS 2
#define FRAME_OWNER_MASK ((1u << FRAME_OWNER_BITS) - 1)
_Static_assert(IXD_QUEUES_MAX <= 256 >> FRAME_OWNER_BITS, "a queue's number fits beside the owner");

static inline uint8_t frame_byte(enum frame_owner owner, uint32_t queue)
{
	return (uint8_t)((uint32_t)owner | queue << FRAME_OWNER_BITS);
}

/* A core has it, and the kernel had it for receiving: what comes from a ring counts as lent until it is home.
 */
#define FRAME_RECEIVED ((uint8_t)((uint32_t)FRAME_CORE | 1u << FRAME_OWNER_BITS))

static inline enum frame_owner frame_byte_owner(uint8_t byte)
{
	return (enum frame_owner)(byte & FRAME_OWNER_MASK);
}

/* Received frames count as the kernel's until they are home: a core that sleeps is not woken for them. */
static inline enum frame_owner frame_byte_counts_as(uint8_t byte)
{
	return byte == FRAME_RECEIVED ? FRAME_KERNEL_RX : frame_byte_owner(byte);
}

static inline uint32_t frame_byte_queue(uint8_t byte)
{
	return (uint32_t)byte >> FRAME_OWNER_BITS;
}

enum conn_phase {
	CONN_FREE,
	CONN_OPENING,  /* connect sent, or passive handshake going on */
	CONN_KNOCKED,  /* established, offered to a client, not accepted yet */
	CONN_OPEN,     /* the client has it */
	CONN_CLOSED,   /* the client has given it up by close: only its unsent data matters */
	CONN_ORPHANED, /* closed, and the client itself is gone; its memory is held for the unsent data */
};

#define CONN_DSCP_GIVEN (IX_DSCP_GIVEN >> IX_DSCP_SHIFT)

/* Events owed to the client because its ring was full. Receive and sent events need no list: they follow from
 * the totals below. */
enum conn_owed {
	CONN_OWED_KNOCK = 1 << 0,
	CONN_OWED_CONNECTED = 1 << 1,
	CONN_OWED_RECV = 1 << 2,
	CONN_OWED_SENT = 1 << 3,
	CONN_OWED_EOF = 1 << 4,
	CONN_OWED_DEAD = 1 << 5,
	CONN_OWED_UNREACHABLE = 1 << 6, /* soft errors; several of a kind are told as one */
	CONN_OWED_UNANSWERED = 1 << 7,
};

/* The dataplane's half of a connection; the record of the same index in the TCP engine is the other. When the
 * engine has forgotten a connection whose client is still owed events, the record stays (CONN_OWED_DEAD), and
 * the engine holds the index meanwhile. All stream offsets are 64-bit counts since the connection began. */
struct conn_record {
	/* first line: for every command, and to send */
	uint32_t generation;     /* of handles to this record; incremented when it is freed */
	uint32_t client;         /* index of the client that has it, STATE_NONE before a knock is assigned */
	uint32_t neigh;          /* mirror slot of the next hop, MIRROR_NO_NEIGH: look it up */
	uint8_t phase;           /* enum conn_phase */
	uint8_t owed;            /* enum conn_owed */
	uint8_t dead_reason : 4; /* enum ix_reason */
	uint8_t iface : 4;       /* index in the mirror */
	uint8_t dscp;            /* CONN_DSCP_GIVEN and the code point; 0: that of the configuration */
	uint64_t cookie;
	uint64_t sent_given_off;         /* bytes taken from sendv */
	uint64_t sent_acked_off;         /* acknowledged by the peer */
	uint64_t sent_limit_off;         /* send_limit as last told */
	uint32_t chunk_head, chunk_tail; /* sendv pieces not yet acknowledged, STATE_NONE when empty */
	uint32_t chunk_cursor;           /* piece in which the next new byte to send lies */
	uint32_t route_generation;
	/* second line: to receive */
	uint64_t rx_base_off;          /* stream offset of the first byte of cell_head */
	uint64_t rx_ready_off;         /* in order up to here */
	uint64_t rx_posted_off;        /* told to the client up to here */
	uint64_t rx_done_off;          /* given back by recv_done up to here */
	uint64_t rx_limit_off;         /* offered to the peer up to here */
	uint32_t cell_head, cell_tail; /* RX cells in stream order */
	uint32_t rx_reserved_cells;
	uint32_t rx_window_bytes; /* present size of the receive budget */
	uint32_t rx_grow_low;     /* receive-window growth: measured from here; low half of an offset */
	uint32_t listener;        /* supervisor's listener id, STATE_NONE for an active open */
};
_Static_assert(sizeof(struct conn_record) == 128, "two cache lines");
_Static_assert(IX_REASON_COUNT <= 16 && IXD_IFACES_MAX <= 16, "four bits each");
_Static_assert(offsetof(struct conn_record, rx_base_off) == 64, "sending needs the first line only");

/* The engine has forgotten the connection; its client has not heard of all that happened. */
static inline bool conn_is_over(const struct conn_record *rec)
{
	return (rec->owed & CONN_OWED_DEAD) != 0;
}

/* A piece given to sendv, in the pool of a core. */
struct send_chunk {
	uint64_t stream_off;
	uint64_t arena_off; /* in the client's TX arena */
	uint32_t len;
	uint32_t next;
};

struct state_header {
	uint32_t magic;
	uint32_t version;
	uint64_t bytes;
	uint32_t is_initialised; /* set by the first dataplane when all records are in order */
	uint32_t reserved;
	struct static_config fixed;
};

/* Offsets of one core's parts, and of what is common. */
struct state_layout {
	size_t bytes;
	size_t frame_owner_off; /* uint8_t per frame of the whole UMEM */
	size_t core_off[IXD_CORES_MAX];
	size_t engine_off, engine_bytes; /* from core_off: surviving memory of the TCP engine */
	size_t conn_off;     /* from core_off: struct conn_record[conns_per_core], by index in the engine */
	size_t chunk_off;    /* from core_off: struct send_chunk[send_chunks_per_core] */
	size_t listener_off; /* from core_off: struct listener_record[IXD_LISTENERS_MAX] */
};

/* What a core knows of a listener, so that a new dataplane process has it again. */
struct listener_record {
	uint32_t is_used;
	uint8_t addr[16];
	uint16_t port, vlan;
	uint32_t flags, backlog, user_timeout_ms;
	uint32_t cc;
	uint32_t next_turn; /* index in clients: who gets the next knock */
	uint32_t clients_count;
	uint32_t generation; /* of handles to this listener; incremented when it is freed */
	uint32_t clients[IXD_CLIENTS_MAX];
	uint64_t cookies[IXD_CLIENTS_MAX];
};

/* Engine limits that follow from the configuration. */
void state_engine_limits(const struct static_config *fixed, struct tcp_limits *limits);
/* Fills *layout; deterministic. tcp_surviving_size() decides engine_bytes. */
void state_layout_compute(const struct static_config *fixed, struct state_layout *layout);
/* Checks a mapped state memfd of `bytes` bytes against fixed: 0 or -EPROTO. */
int state_header_check(const void *state, size_t bytes, const struct static_config *fixed);

#endif
