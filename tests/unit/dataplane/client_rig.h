/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core of the dataplane in memory: the real client side on the real engine, with a second engine as the
 * peer at the other end of a lossless wire, clients played by hand, and a clock that the test sets.
 */
#ifndef TESTS_UNIT_DATAPLANE_CLIENT_RIG_H
#define TESTS_UNIT_DATAPLANE_CLIENT_RIG_H

#include "daemon/dataplane/channel.h"
#include "daemon/dataplane/ip.h"

#define RIG_CLIENTS    3
#define RIG_PEER_CONNS 96
#define RIG_PEER_BYTES (1u << 20)
#define RIG_PORT       80
#define RIG_COOKIE     0x1157

struct rig_client {
	struct client_mapping mapping;
	struct client_policy policy;
	struct ix_client_core *mine; /* the client's words */
	const struct ix_daemon_core *theirs;
	struct ix_cmd *cmds;
	const struct ix_event *evts;
	uint8_t *tx;
	const uint8_t *rx;
	uint32_t cmd_prod, evt_cons, seq;
	int doorbell; /* the client's end */
};

struct rig_peer_conn {
	uint8_t *tx, *rx; /* RIG_PEER_BYTES each */
	uint64_t rx_end, acked;
	bool is_open, has_eof, is_dead;
	enum tcp_reason reason;
};

struct rig_packet {
	struct rig_packet *next;
	bool is_to_peer;
	struct tcp_tuple tuple; /* seen by the receiver */
	uint32_t len;
	uint8_t data[1600];
};

struct rig {
	struct dataplane dp;
	struct msg_init init;
	struct core core;
	struct core_stats stats;
	struct mirror *mirror;
	struct ixd_ephemeral ephemeral;
	struct ip_core *ip;
	void *engine_memory, *peer_memory, *peer_surviving;
	struct tcp_engine *peer;
	struct tcp_stats peer_stats;
	struct rig_peer_conn peers[RIG_PEER_CONNS];
	struct rig_packet *wire_head, **wire_tail;
	bool wire_is_cut; /* nothing arrives at the peer */
	struct rig_client clients[RIG_CLIENTS];
	uint32_t evt_slots, rx_bytes; /* of clients to be added; set before rig_client_add() */
};

struct rig *rig_new(void);
void rig_free(struct rig *rig);
/* A dataplane process dies and the next one starts on its state. Clients are to be added again. */
void rig_restart(struct rig *rig);

void rig_client_add(struct rig *rig, uint32_t client, bool is_restart);
/* After `gone` the memories are unmapped as the main thread does. */
void rig_client_free(struct rig *rig, uint32_t client);
/* The listener on RIG_PORT, installed as the supervisor has it done. */
void rig_listen(struct rig *rig, uint32_t client);

/* One turn of the loop, and packets until none is under way. */
void rig_turn(struct rig *rig);
/* So many turns, with the clock moving on by step_ns before each. */
void rig_turns(struct rig *rig, unsigned count, uint64_t step_ns);

/* Writes a command and publishes it. Returns its sequence number. */
uint32_t rig_cmd(struct rig *rig, uint32_t client, struct ix_cmd cmd);
uint32_t rig_sendv(struct rig *rig, uint32_t client, uint64_t handle, uint64_t off, uint32_t len);
/* Takes the next event; false when there is none. */
bool rig_event(struct rig *rig, uint32_t client, struct ix_event *event);
/* Takes the next event and fails the test when there is none or it is of another type. */
struct ix_event rig_expect(struct rig *rig, uint32_t client, uint8_t type);
/* Fails the test when there is an event. */
void rig_expect_none(struct rig *rig, uint32_t client);
/* The next mail to the main thread of this type, others dropped; false when there is none. */
bool rig_mail(struct rig *rig, uint32_t type, struct mail *mail);

/* The peer connects to RIG_PORT, or waits for connections on `port`. */
uint32_t rig_peer_connect(struct rig *rig);
void rig_peer_listen(struct rig *rig, uint16_t port);
/* The peer sends len bytes of its pattern. */
void rig_peer_send(struct rig *rig, uint32_t conn, uint32_t len);

/* Connects the peer and accepts as client 0 with this cookie; the events up to the first `sent` are taken.
 * Returns the handle, *conn is the peer's index. */
uint64_t rig_open(struct rig *rig, uint64_t cookie, uint32_t *conn);

/* Byte at an offset of any stream in the tests. */
static inline uint8_t rig_pattern(uint64_t off)
{
	return (uint8_t)(off * 7 + (off >> 8));
}

#endif
