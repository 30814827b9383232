/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 out: the engine's trains become frames. What is the same in all segments of a train is summed once;
 * the payload is copied from the client's memory with its checksum folded into the copy.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/dataplane/conn.h"
#include "daemon/dataplane/ip_train.h"
#include "daemon/dataplane/xsk.h"

#define PACKET_MAX            (IXD_FRAME_BYTES - IP_TX_OFF)
#define IP4_VERSION_AND_BYTES (4u << 4 | IP4_HEADER_BYTES / 4)
#define OPTION_WORD           4u
#define OPTIONS_BYTES_TS      12u
/* Frames sent per turn, in batches of the configured bound: so long as there is much to send, received
 * packets wait for so many at the most. */
#define TX_BATCHES            4
#define TX_FRAMES_MIN         256u

struct ip_core *ip_core_new(void)
{
	struct ip_core *ip = calloc(1, sizeof(*ip));

	if (ip != NULL)
		ip->ifaces_seq = 1; /* odd: what no finished change has */
	return ip;
}

void ip_core_free(struct ip_core *ip)
{
	free(ip);
}

static void ifaces_copy(struct ip_core *ip, const struct mirror *m)
{
	/* Acquire: the count is read before what it protects. */
	uint32_t seq = __atomic_load_n(&m->seq, __ATOMIC_ACQUIRE);
	struct mirror_iface copy[IXD_IFACES_MAX];
	uint32_t count;

	if ((seq & 1) != 0)
		return; /* in mid-change: the next turn will see it finished */
	count = m->ifaces_count < IXD_IFACES_MAX ? m->ifaces_count : IXD_IFACES_MAX;
	memcpy(copy, m->ifaces, sizeof(copy));
	/* The copy is complete before the count is looked at again. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&m->seq, __ATOMIC_RELAXED) != seq)
		return;
	memcpy(ip->ifaces, copy, sizeof(copy));
	ip->ifaces_count = count;
	ip->ifaces_seq = seq;
}

void ip_turn_begin(struct core *core)
{
	uint32_t frames = core->config.batch * TX_BATCHES;

	core->ip->tx_frames_left = frames < TX_FRAMES_MIN ? TX_FRAMES_MIN : frames;
	if (__atomic_load_n(&core->mirror->seq, __ATOMIC_RELAXED) != core->ip->ifaces_seq)
		ifaces_copy(core->ip, core->mirror);
}

int route_resolve(struct core *core, const struct tcp_tuple *tuple, struct conn_record *record,
		  struct mirror_hop *hop)
{
	int r = mirror_route_lookup(core->mirror, tuple->remote, hop);
	uint8_t mac[6];

	if (r < 0 || hop->iface >= core->ip->ifaces_count)
		return -ENETUNREACH;
	record->iface = hop->iface & 15u;
	record->route_generation = hop->generation;
	record->neigh = mirror_neigh_find(core->mirror, hop->next_hop, hop->iface, hop->vlan);
	if (record->neigh == MIRROR_NO_NEIGH || !mirror_neigh_mac(core->mirror, record->neigh, mac))
		neigh_ask(core, hop->next_hop, hop->iface, hop->vlan);
	return 0;
}

/* What the connection remembers, while nothing has changed. */
static bool way_is_known(const struct core *core, const struct conn_record *record, struct ip_way *way)
{
	const struct mirror *m = core->mirror;

	if (record->neigh >= MIRROR_NEIGHS_MAX || record->iface >= core->ip->ifaces_count ||
	    record->route_generation != __atomic_load_n(&m->generation, __ATOMIC_ACQUIRE) ||
	    !mirror_neigh_mac(m, record->neigh, way->mac))
		return false;
	way->iface = record->iface;
	way->vlan = m->neighs[record->neigh].vlan;
	way->has_mac = true;
	return true;
}

/* A new look at the routes. */
static int way_resolve(struct core *core, const struct tcp_emit *emit, struct conn_record *record,
		       struct ip_way *way)
{
	const struct mirror *m = core->mirror;
	struct mirror_hop hop;
	int r = route_resolve(core, emit->tuple, record, &hop);

	if (r < 0)
		return r;
	way->iface = hop.iface;
	way->vlan = hop.vlan;
	memcpy(way->next_hop, hop.next_hop, 16);
	way->has_mac = record->neigh != MIRROR_NO_NEIGH && mirror_neigh_mac(m, record->neigh, way->mac);
	return 0;
}

static int way_find(struct core *core, const struct tcp_emit *emit, struct ip_way *way)
{
	if (emit->conn == TCP_NONE) {
		struct conn_record nobody = {.neigh = MIRROR_NO_NEIGH};

		return way_resolve(core, emit, &nobody, way);
	}
	if (way_is_known(core, &core->conns[emit->conn], way))
		return 0;
	return way_resolve(core, emit, &core->conns[emit->conn], way);
}

/* Data offset and the flag beside it. */
static uint8_t tcp_offset_byte(const struct tcp_emit *emit)
{
	return (uint8_t)((TCP_HEADER_BYTES + emit->options_len) / 4 << 4 | emit->flags >> 8);
}

/* In the engine's pieces: see train_sums_make(). */
static void options_copy_ts(uint8_t *to, const uint8_t *options)
{
	uint32_t words[OPTIONS_BYTES_TS / OPTION_WORD];

	for (unsigned i = 0; i < OPTIONS_BYTES_TS / OPTION_WORD; i++)
		memcpy(&words[i], options + (size_t)i * OPTION_WORD, OPTION_WORD);
	memcpy(to, words, OPTIONS_BYTES_TS);
}

static uint64_t load_sum(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Sums are made of the values and not of the header: to read back bytes that were written in other pieces
 * waits until they are in the cache, and a frame's lines are with the CPU that has sent us its last packet.
 */
static void train_sums_make(struct train *t)
{
	const struct tcp_emit *emit = t->emit;
	const struct tcp_tuple *tuple = emit->tuple;
	uint64_t addresses = load_sum(tuple->local + 12) + load_sum(tuple->remote + 12);

	t->ip_sum = addresses + sum_of_be16(IP4_VERSION_AND_BYTES << 8 | t->traffic_class) +
		    sum_of_be16(IP4_FLAG_DF) + sum_of_be16((uint32_t)t->ttl << 8 | IP_PROTO_TCP);
	t->pseudo_sum = addresses + sum_of_be16(IP_PROTO_TCP);
	t->tcp_sum = t->pseudo_sum + sum_of_be16(tuple->local_port) + sum_of_be16(tuple->remote_port) +
		     sum_of_be32(emit->ack) + sum_of_be16((uint32_t)tcp_offset_byte(emit) << 8) +
		     sum_of_be16(emit->window);
	for (uint32_t i = 0; i < emit->options_len; i += OPTION_WORD)
		t->tcp_sum += load_sum(emit->options + i);
}

static void ip_header_write(const struct train *t, uint8_t *ip)
{
	const struct tcp_tuple *tuple = t->emit->tuple;

	memset(ip, 0, IP4_HEADER_BYTES);
	ip[0] = IP4_VERSION_AND_BYTES;
	ip[1] = t->traffic_class;
	store_be16(ip + 6, IP4_FLAG_DF);
	ip[8] = t->ttl;
	ip[9] = IP_PROTO_TCP;
	memcpy(ip + 12, tuple->local + 12, 4);
	memcpy(ip + 16, tuple->remote + 12, 4);
}

static void tcp_header_write(const struct tcp_emit *emit, uint8_t *tcp)
{
	memset(tcp, 0, TCP_HEADER_BYTES);
	store_be16(tcp, emit->tuple->local_port);
	store_be16(tcp + 2, emit->tuple->remote_port);
	store_be32(tcp + 8, emit->ack);
	tcp[12] = tcp_offset_byte(emit);
	store_be16(tcp + 14, emit->window);
	/* Nearly always timestamps, or nothing: a copy of any length takes longer to begin than to do. */
	if (emit->options_len == OPTIONS_BYTES_TS)
		options_copy_ts(tcp + TCP_HEADER_BYTES, emit->options);
	else
		memcpy(tcp + TCP_HEADER_BYTES, emit->options, emit->options_len);
}

void ip_train_header_write(const struct core *core, const struct train *t, uint8_t *header)
{
	eth_output(core->ip, &t->way, header);
	ip_header_write(t, header + t->ip_off);
	tcp_header_write(t->emit, header + t->tcp_off);
}

/* The connection's own code point, else the configuration's. */
static uint8_t code_point(const struct core *core, const struct tcp_emit *emit)
{
	uint8_t dscp = emit->conn == TCP_NONE ? 0 : core->conns[emit->conn].dscp;

	return dscp & CONN_DSCP_GIVEN ? dscp & (uint8_t)~CONN_DSCP_GIVEN : core->config.dscp;
}

static void train_make(const struct core *core, struct train *t)
{
	t->ip_off = ETH_HEADER_BYTES + (t->way.vlan != 0 ? ETH_VLAN_BYTES : 0);
	t->tcp_off = t->ip_off + IP4_HEADER_BYTES;
	t->payload_off = t->tcp_off + TCP_HEADER_BYTES + t->emit->options_len;
	t->traffic_class = (uint8_t)(code_point(core, t->emit) << 2 | (t->emit->ecn & 3));
	t->ttl = core->config.ttl;
	train_sums_make(t);
}

static uint8_t segment_flags(const struct tcp_emit *emit, bool is_first, bool is_last)
{
	uint8_t flags = (uint8_t)emit->flags;

	if (!is_first)
		flags &= (uint8_t)~emit->first_flags;
	if (!is_last)
		flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	return flags;
}

/* One segment into one frame. False: the stream does not have the bytes. */
static bool segment_make(struct core *core, const struct train *t, uint32_t at, uint32_t len, uint8_t *data)
{
	const struct tcp_emit *emit = t->emit;
	uint8_t *ip = data + t->ip_off, *tcp = data + t->tcp_off;
	uint32_t tcp_bytes = t->payload_off - t->tcp_off + len;
	uint32_t ip_bytes = IP4_HEADER_BYTES + tcp_bytes;
	uint16_t id = core->ip->next_id++;
	uint8_t flags = segment_flags(emit, at == 0, at + len == emit->payload_len);
	uint64_t sum = t->tcp_sum + sum_of_be16(tcp_bytes) + sum_of_be32(emit->seq + at) + sum_of_be16(flags);
	uint16_t check;

	ip_train_header_write(core, t, data);
	if (len > 0 &&
	    !conn_gather(core, emit->conn, emit->payload_off + at, len, data + t->payload_off, &sum))
		return false;
	store_be16(ip + 2, ip_bytes);
	store_be16(ip + 4, id);
	check = inet_checksum_fold(t->ip_sum + sum_of_be16(ip_bytes) + sum_of_be16(id));
	memcpy(ip + 10, &check, sizeof(check));
	store_be32(tcp + 4, emit->seq + at);
	tcp[13] = flags;
	check = inet_checksum_fold(sum);
	memcpy(tcp + 16, &check, sizeof(check));
	return true;
}

static void segment_send(struct core *core, const struct train *t, frame_index frame, uint32_t bytes)
{
	if (t->way.has_mac) {
		xsk_tx_put(core, t->way.iface, frame, IP_TX_OFF, bytes);
		return;
	}
	if (!neigh_park(core, frame, bytes, &t->way)) {
		core->stats->drop_tx_no_neigh++;
		frame_release(core, frame);
	}
}

/* From payload byte `at` on. Returns payload bytes sent in all, or -EAGAIN when not even the first segment
 * found a frame. */
static int64_t train_send(struct core *core, const struct train *t, uint32_t at, uint32_t room)
{
	const struct tcp_emit *emit = t->emit;

	do {
		uint32_t len = emit->payload_len - at < emit->mss ? emit->payload_len - at : emit->mss;
		frame_index frame;

		if (core->ip->tx_frames_left == 0)
			return at; /* never in the first segment; the next turn goes on */
		if (room == 0 || !frame_alloc(core->frames, &frame)) {
			core->stats->drop_tx_no_frame++;
			xsk_frames_wanted(core);
			return at == 0 ? -EAGAIN : (int64_t)at;
		}
		room--;
		core->ip->tx_frames_left--;
		if (!segment_make(core, t, at, len, core->dp->umem + frame_addr(frame) + IP_TX_OFF)) {
			frame_release(core, frame);
			return -EIO;
		}
		segment_send(core, t, frame, t->payload_off + len);
		at += len;
	} while (at < emit->payload_len);
	return at;
}

int64_t ip_output(void *ctx, const struct tcp_emit *emit)
{
	struct core *core = ctx;
	struct train t;
	uint32_t wanted, room;
	int64_t large;
	int r;

	if (core->ip->tx_frames_left == 0)
		return -EAGAIN; /* the turn has sent its share; the rest goes in the next */
	t.emit = emit;
	r = way_find(core, emit, &t.way);
	if (r < 0) {
		core->stats->drop_tx_no_route++;
		return r;
	}
	train_make(core, &t);
	if (t.payload_off + (emit->payload_len < emit->mss ? emit->payload_len : emit->mss) > PACKET_MAX)
		return -EMSGSIZE;
	large = ip_large_send(core, &t);
	if (large < 0 || (large > 0 && large == emit->payload_len))
		return large;
	/* Not how many there are, which would take a division, but how many may go at the most. */
	wanted = emit->payload_len <= emit->mss ? 1 : core->ip->tx_frames_left;
	room = t.way.has_mac ? xsk_tx_room(core, t.way.iface, wanted) : wanted;
	return train_send(core, &t, (uint32_t)large, room);
}
