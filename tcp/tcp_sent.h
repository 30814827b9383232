/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has been sent and not been acknowledged, by range: a record covers bytes that were sent by one train
 * and have shared their fate since. It is split where a SACK block or a retransmission ends inside, and
 * joined with its neighbour again once both are SACKed; so a loss-free connection has a record per train,
 * not per segment.
 *
 * Each record is in the list by position, and in one more: `flight` (by time of sending, as RACK wants it)
 * or `lost` (by position, to be sent again), or in none when SACKed. The records are volatile: after a
 * restart all that was in flight is one lost record.
 */
#ifndef TCP_TCP_SENT_H
#define TCP_TCP_SENT_H

#include "tcp/tcp.h"

struct tcp_engine;
struct tcp_segment;

enum tcp_sent_flag {
	SENT_SACKED = 1 << 0,
	SENT_LOST = 1 << 1,    /* waits to be sent again */
	SENT_RETRANS = 1 << 2, /* was sent more than once */
};

struct tcp_sent {
	int64_t start, end;
	uint64_t sent_ns;                       /* last time */
	uint64_t delivered_bytes, delivered_ns; /* the connection's when it was sent: delivery rate */
	uint32_t next, prev;
	uint32_t time_next, time_prev;
	uint16_t segments;
	uint8_t flags;
	uint8_t reserved[5];
};

_Static_assert(sizeof(struct tcp_sent) == 64, "one line");

/* What one ACK has told. */
struct tcp_ack_sample {
	uint32_t acked_bytes;     /* how far snd_una moved */
	uint32_t delivered_bytes; /* newly acknowledged or SACKed, each byte once */
	uint32_t sacked_bytes;    /* newly SACKed */
	uint32_t lost_bytes;      /* newly marked lost */
	uint32_t marked_bytes;    /* Accurate ECN: newly told to have arrived with a mark */
	uint32_t prior_flight;
	uint64_t rtt_first_ns;            /* of the oldest never repeated record acknowledged; 0: none */
	uint64_t rtt_last_ns;             /* of the newest */
	uint64_t rate_delivered, rate_ns; /* delivery rate: what the newest record carried; 0: none */
	int64_t prior_una;
	bool is_dsack;
	bool is_dup; /* a duplicate ACK in the sense of RFC 5681 */
	bool is_ece;
	bool has_retrans; /* cumulatively acknowledges data that was sent more than once */
	/* While F-RTO runs: newly delivered and never repeated, sent before the timeout or after it. */
	bool has_original, has_beyond_recovery;
};

/* Puts all records of the pool on the free list. */
void tcp_sent_init(struct tcp_engine *e);
/* Could another train be recorded now? */
bool tcp_sent_has_room(const struct tcp_engine *e, uint32_t conn);
/* Records [snd_nxt, snd_nxt + len) as sent now in so many segments, and moves snd_nxt. */
void tcp_sent_append(struct tcp_engine *e, uint32_t conn, uint32_t len, uint32_t segments);
/* Cumulative acknowledgement: removes what lies before ack_pos. Does not move snd_una. */
void tcp_sent_ack(struct tcp_engine *e, uint32_t conn, int64_t ack_pos, const struct tcp_segment *s,
		  struct tcp_ack_sample *sample);
/* Selective acknowledgement (RFC 2018, 2883): the blocks of a segment. Expects snd_una already moved. */
void tcp_sent_sack(struct tcp_engine *e, uint32_t conn, const struct tcp_segment *s,
		   struct tcp_ack_sample *sample);
/* Moves a record from flight to lost. */
void tcp_sent_mark_lost(struct tcp_engine *e, uint32_t conn, uint32_t index);
/* Splits so that record `index` ends at `at`, which lies inside. False without a free record. */
bool tcp_sent_split(struct tcp_engine *e, uint32_t conn, uint32_t index, int64_t at);
/* Lost records that follow a lost one without a gap become part of it, up to `limit` bytes in all: small
 * pieces go again as full segments. */
void tcp_sent_merge_lost(struct tcp_engine *e, uint32_t conn, uint32_t index, uint32_t limit);
/* The record has been sent again now, whole. */
void tcp_sent_retransmitted(struct tcp_engine *e, uint32_t conn, uint32_t index);
/* Forgets all SACKs: the peer has reneged (RFC 2018 section 8). */
void tcp_sent_forget_sacks(struct tcp_engine *e, uint32_t conn);
/* Takes all lost records back into flight: they were not lost after all. */
void tcp_sent_unmark_lost(struct tcp_engine *e, uint32_t conn);
/* One lost record for everything between snd_una and snd_nxt: after a restart. */
void tcp_sent_rebuild(struct tcp_engine *e, uint32_t conn);
void tcp_sent_free_all(struct tcp_engine *e, uint32_t conn);

#endif
