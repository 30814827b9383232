/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rig: two engines, a wire, clients' memories.
 */
#include "tests/unit/dataplane/client_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CMD_SLOTS  64u
#define TX_BYTES   (1u << 20)
#define RING_OFF   4096u
#define RX_OFF     (1u << 20)
#define TX_OFF     (1u << 20)
#define HEADER_MAX 60u
#define MTU        1500u

static const uint8_t local_addr[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
static const uint8_t peer_addr[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2};

static void *zeroed(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(memory, MAP_FAILED);
	return memory;
}

/* ---- The wire */

static void header_make(const struct tcp_emit *t, uint32_t part_off, bool is_first, bool is_last, uint8_t *h)
{
	uint16_t flags = t->flags;

	if (!is_last)
		flags &= (uint16_t) ~(TCP_FIN | TCP_PSH);
	if (!is_first)
		flags &= (uint16_t)~t->first_flags;
	memset(h, 0, TCP_HEADER_BYTES);
	store_be16(h, t->tuple->local_port);
	store_be16(h + 2, t->tuple->remote_port);
	store_be32(h + 4, t->seq + part_off);
	store_be32(h + 8, t->ack);
	h[12] = (uint8_t)((TCP_HEADER_BYTES + t->options_len) / 4 << 4 | flags >> 8);
	h[13] = (uint8_t)flags;
	store_be16(h + 14, t->window);
	memcpy(h + TCP_HEADER_BYTES, t->options, t->options_len);
}

static struct rig_packet *packet_new(struct rig *rig, const struct tcp_emit *t, bool is_to_peer)
{
	struct rig_packet *p = calloc(1, sizeof(*p));

	cr_assert_not_null(p);
	p->is_to_peer = is_to_peer;
	memcpy(p->tuple.local, t->tuple->remote, 16);
	memcpy(p->tuple.remote, t->tuple->local, 16);
	*rig->wire_tail = p;
	rig->wire_tail = &p->next;
	return p;
}

static int64_t transmit(struct rig *rig, const struct tcp_emit *t, bool is_to_peer,
			void (*fill)(struct rig *rig, uint32_t conn, uint64_t off, uint32_t len,
				     uint8_t *dst))
{
	uint32_t done = 0;

	do {
		struct rig_packet *p = packet_new(rig, t, is_to_peer);
		uint32_t header = TCP_HEADER_BYTES + t->options_len;
		uint32_t part = t->payload_len - done;

		if (part > t->mss)
			part = t->mss;
		cr_assert_leq(header + part, sizeof(p->data));
		header_make(t, done, done == 0, done + part == t->payload_len, p->data);
		if (part)
			fill(rig, t->conn, t->payload_off + done, part, p->data + header);
		p->len = header + part;
		done += part;
	} while (done < t->payload_len);
	return t->payload_len;
}

static void fill_ours(struct rig *rig, uint32_t conn, uint64_t off, uint32_t len, uint8_t *dst)
{
	uint64_t sum = 0;

	cr_assert(conn_gather(&rig->core, conn, off, len, dst, &sum));
	cr_assert_eq(inet_checksum_fold(sum), inet_checksum_fold(inet_checksum_add(0, dst, len)));
}

static int64_t emit_ours(void *ctx, const struct tcp_emit *t)
{
	struct core *core = ctx;
	struct rig *rig = (struct rig *)((char *)core - offsetof(struct rig, core));

	return transmit(rig, t, true, fill_ours);
}

static void wire_run(struct rig *rig)
{
	while (rig->wire_head) {
		struct rig_packet *p = rig->wire_head;
		struct tcp_packet packet = {
		    .local = p->tuple.local, .remote = p->tuple.remote, .data = p->data, .len = p->len};

		rig->wire_head = p->next;
		if (!rig->wire_head)
			rig->wire_tail = &rig->wire_head;
		if (!p->is_to_peer)
			tcp_input(rig->core.tcp, rig->core.now, &packet);
		else if (!rig->wire_is_cut)
			tcp_input(rig->peer, rig->core.now, &packet);
		free(p);
	}
}

/* ---- The peer */

static void fill_peer(struct rig *rig, uint32_t conn, uint64_t off, uint32_t len, uint8_t *dst)
{
	memcpy(dst, rig->peers[conn].tx + off, len);
}

static int64_t peer_emit(void *ctx, const struct tcp_emit *t)
{
	return transmit(ctx, t, false, fill_peer);
}

static bool peer_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path)
{
	(void)ctx;
	(void)listener;
	(void)tuple;
	*path = (struct tcp_path){.mtu = MTU, .rcv_window = RIG_PEER_BYTES, .rcv_window_max = RIG_PEER_BYTES};
	return true;
}

static void peer_on_open(void *ctx, uint32_t conn, uint32_t listener)
{
	struct rig_peer_conn *p = &((struct rig *)ctx)->peers[conn];

	(void)listener;
	p->rx_end = p->acked = 0;
	p->is_open = p->has_eof = p->is_dead = false;
}

static void peer_on_established(void *ctx, uint32_t conn, uint32_t listener)
{
	(void)listener;
	((struct rig *)ctx)->peers[conn].is_open = true;
}

static bool peer_rx_store(void *ctx, uint32_t conn, uint64_t off, const uint8_t *data, uint32_t len)
{
	if (off + len > RIG_PEER_BYTES)
		return false;
	memcpy(((struct rig *)ctx)->peers[conn].rx + off, data, len);
	return true;
}

static void peer_on_readable(void *ctx, uint32_t conn, uint64_t end_off)
{
	((struct rig *)ctx)->peers[conn].rx_end = end_off;
}

static void peer_on_acked(void *ctx, uint32_t conn, uint64_t acked_off)
{
	((struct rig *)ctx)->peers[conn].acked = acked_off;
}

static void peer_on_eof(void *ctx, uint32_t conn)
{
	((struct rig *)ctx)->peers[conn].has_eof = true;
}

static bool peer_on_dead(void *ctx, uint32_t conn, enum tcp_reason reason)
{
	((struct rig *)ctx)->peers[conn].is_dead = true;
	((struct rig *)ctx)->peers[conn].reason = reason;
	return false;
}

static const struct tcp_ops peer_ops = {
    .emit = peer_emit,
    .path = peer_path,
    .on_open = peer_on_open,
    .on_established = peer_on_established,
    .rx_store = peer_rx_store,
    .on_readable = peer_on_readable,
    .on_acked = peer_on_acked,
    .on_eof = peer_on_eof,
    .on_dead = peer_on_dead,
};

static const struct tcp_ops our_ops = {
    .emit = emit_ours,
    .path = conn_path,
    .on_open = conn_on_open,
    .on_established = conn_on_established,
    .rx_store = conn_rx_store,
    .on_readable = conn_on_readable,
    .on_acked = conn_on_acked,
    .on_eof = conn_on_eof,
    .on_urgent = conn_on_urgent,
    .on_soft_error = conn_on_soft_error,
    .on_dead = conn_on_dead,
};

uint32_t rig_peer_connect(struct rig *rig)
{
	static uint16_t port = 20000;
	struct tcp_tuple tuple = {.local_port = port++, .remote_port = RIG_PORT};
	struct tcp_params params = {.flags = 0};
	int64_t conn;

	memcpy(tuple.local, peer_addr, 16);
	memcpy(tuple.remote, local_addr, 16);
	conn = tcp_connect(rig->peer, rig->core.now, &tuple, &params);
	cr_assert_geq(conn, 0);
	peer_on_open(rig, (uint32_t)conn, TCP_NONE);
	return (uint32_t)conn;
}

void rig_peer_listen(struct rig *rig, uint16_t port)
{
	struct tcp_params params = {.flags = 0};

	cr_assert_geq(tcp_listen(rig->peer, peer_addr, port, 0, &params), 0);
}

void rig_peer_send(struct rig *rig, uint32_t conn, uint32_t len)
{
	cr_assert_eq(tcp_send(rig->peer, rig->core.now, conn, len), 0);
}

/* ---- The core */

static void mirror_make(struct rig *rig)
{
	struct mirror *m = zeroed(sizeof(*m));

	m->magic = MIRROR_MAGIC;
	m->generation = 1;
	m->ifaces_count = 1;
	m->ifaces[0] =
	    (struct mirror_iface){.name = "rig0", .ifindex = 1, .queues = 1, .mtu = MTU, .is_up = 1};
	m->addrs_count = 1;
	memcpy(m->addrs[0].addr, local_addr, 16);
	m->addrs[0].prefix_len = 120;
	m->routes_count = 1;
	memcpy(m->routes[0].dst, peer_addr, 15);
	memcpy(m->routes[0].prefsrc, local_addr, 16);
	m->routes[0].prefix_len = 120;
	rig->mirror = m;
}

static void fixed_make(struct static_config *f)
{
	*f = (struct static_config){
	    .cores = 1,
	    .queues = 1,
	    .frames_per_core = 64,
	    .conns_per_core = 64,
	    .time_waits_per_core = 64,
	    .syn_backlog_max_per_core = 64,
	    .sent_records_per_core = 4096,
	    .ooo_records_per_core = 64,
	    .send_chunks_per_core = 256,
	    .xsk_ring_slots = 64,
	    .flow_groups = 256,
	    .ephemeral_base = 61000,
	    .ephemeral_span = 16,
	    .rx_window_initial_bytes = 65536,
	    .rx_window_max_bytes = 262144,
	    .send_buffer_bytes = 131072,
	};
}

static void engine_start(struct rig *rig)
{
	struct core *core = &rig->core;
	struct tcp_limits limits;
	struct tcp_config config;

	state_engine_limits(&rig->init.fixed, &limits);
	tcp_config_default(&config);
	rig->engine_memory = zeroed(tcp_volatile_size(&limits));
	core->tcp = tcp_engine_init(rig->dp.state + rig->dp.layout.core_off[0] + rig->dp.layout.engine_off,
				    rig->engine_memory, &limits, &config, &rig->dp.keys, &our_ops, core,
				    &rig->stats.tcp, core->now);
	cr_assert_not_null(core->tcp);
}

static void core_begin(struct rig *rig)
{
	struct core *core = &rig->core;

	core->dp = &rig->dp;
	core->stats = &rig->stats;
	core->mirror = rig->mirror;
	core->ip = rig->ip;
	core->config.linger_ms = 1000;
	core->epoll_fd = epoll_create1(0);
	core->outbox = mailbox_new(64, -1);
	rig->dp.core[0] = core;
	cr_assert_eq(client_side_init(core), 0);
	engine_start(rig);
	client_side_recover(core);
}

static void core_end(struct rig *rig)
{
	struct tcp_limits limits;

	state_engine_limits(&rig->init.fixed, &limits);
	client_side_fini(&rig->core);
	munmap(rig->engine_memory, tcp_volatile_size(&limits));
	mailbox_free(rig->core.outbox);
	close(rig->core.epoll_fd);
}

static void peer_begin(struct rig *rig)
{
	struct tcp_limits limits = {.conns = RIG_PEER_CONNS,
				    .listeners = 4,
				    .syn_backlog = 64,
				    .time_waits = 64,
				    .sent_records = 4096,
				    .ooo_records = 64};
	struct tcp_config config;
	struct tcp_keys keys = {.isn = {1}, .hash = {2}};

	tcp_config_default(&config);
	rig->peer_memory = zeroed(tcp_volatile_size(&limits));
	rig->peer_surviving = zeroed(tcp_surviving_size(&limits));
	rig->peer = tcp_engine_init(rig->peer_surviving, rig->peer_memory, &limits, &config, &keys, &peer_ops,
				    rig, &rig->peer_stats, rig->core.now);
	cr_assert_not_null(rig->peer);
	for (unsigned i = 0; i < RIG_PEER_CONNS; i++) {
		rig->peers[i].tx = zeroed(RIG_PEER_BYTES);
		rig->peers[i].rx = zeroed(RIG_PEER_BYTES);
		for (uint32_t off = 0; off < RIG_PEER_BYTES; off++)
			rig->peers[i].tx[off] = rig_pattern(off);
	}
}

struct rig *rig_new(void)
{
	struct rig *rig = zeroed(sizeof(*rig));

	rig->wire_tail = &rig->wire_head;
	rig->core.now.ns = 1000000000;
	rig->evt_slots = 256;
	rig->rx_bytes = 2u << 20;
	fixed_make(&rig->init.fixed);
	rig->dp.init = &rig->init;
	rig->dp.cores = 1;
	rig->dp.ephemeral = &rig->ephemeral;
	state_layout_compute(&rig->init.fixed, &rig->dp.layout);
	rig->dp.state = zeroed(rig->dp.layout.bytes);
	rig->ip = zeroed(sizeof(*rig->ip));
	rig->ip->ifaces_count = 1;
	mirror_make(rig);
	core_begin(rig);
	peer_begin(rig);
	return rig;
}

void rig_free(struct rig *rig)
{
	for (unsigned i = 0; i < RIG_CLIENTS; i++)
		if (rig->clients[i].mapping.daemon_memory)
			rig_client_free(rig, i);
	core_end(rig);
	while (rig->wire_head) {
		struct rig_packet *p = rig->wire_head;

		rig->wire_head = p->next;
		free(p);
	}
}

void rig_restart(struct rig *rig)
{
	core_end(rig);
	rig->init.is_restart = 1;
	rig->init.epoch++;
	for (unsigned i = 0; i < RIG_CLIENTS; i++)
		rig->clients[i].mapping.shared = NULL;
	core_begin(rig);
}

/* ---- Clients */

static void layout_make(struct rig *rig, struct ix_welcome *l)
{
	*l = (struct ix_welcome){
	    .cores = 1,
	    .cmd_slots = CMD_SLOTS,
	    .evt_slots = rig->evt_slots,
	    .daemon_bytes = RX_OFF + rig->rx_bytes,
	    .client_bytes = TX_OFF + TX_BYTES,
	    .evt_off = RING_OFF,
	    .rx_off = RX_OFF,
	    .rx_bytes = rig->rx_bytes,
	    .cmd_off = RING_OFF,
	    .tx_off = TX_OFF,
	    .tx_bytes = TX_BYTES,
	};
}

void rig_client_add(struct rig *rig, uint32_t client, bool is_restart)
{
	struct rig_client *c = &rig->clients[client];
	uint8_t *client_memory;
	int pair[2];

	if (!is_restart) {
		*c = (struct rig_client){.mapping = {.client = client}};
		layout_make(rig, &c->mapping.layout);
		c->mapping.daemon_memory = zeroed(c->mapping.layout.daemon_bytes);
		client_memory = zeroed(c->mapping.layout.client_bytes);
		c->mapping.client_memory = client_memory;
		c->mine = (void *)client_memory;
		c->cmds = (void *)(client_memory + RING_OFF);
		c->tx = client_memory + TX_OFF;
		c->theirs = (void *)c->mapping.daemon_memory;
		c->evts = (void *)(c->mapping.daemon_memory + RING_OFF);
		c->rx = c->mapping.daemon_memory + RX_OFF;
		c->policy.limits = (struct client_limits){.conns_max = 64, .listeners_max = 4};
	} else {
		close(c->doorbell);
		close(c->mapping.doorbell_fd[0]);
	}
	c->mapping.is_restart = is_restart;
	c->mapping.policy[0] = &c->policy;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	c->mapping.doorbell_fd[0] = pair[0];
	c->doorbell = pair[1];
	channel_add(&rig->core, &c->mapping);
}

void rig_client_free(struct rig *rig, uint32_t client)
{
	struct rig_client *c = &rig->clients[client];

	munmap(c->mapping.daemon_memory, c->mapping.layout.daemon_bytes);
	munmap(c->mine, c->mapping.layout.client_bytes);
	close(c->doorbell);
	close(c->mapping.doorbell_fd[0]);
	c->mapping.daemon_memory = NULL;
}

void rig_listen(struct rig *rig, uint32_t client)
{
	struct msg_listen listen = {
	    .client = client, .cookie = RIG_COOKIE + client, .listener = 5, .port = RIG_PORT};

	cr_assert_eq(listener_install(&rig->core, &listen), 0);
}

void rig_turn(struct rig *rig)
{
	struct core *core = &rig->core;

	for (unsigned i = 0; i < 200; i++) {
		rig->core.now.ns += 1000;
		tcp_output(rig->peer, core->now, 64, true);
		wire_run(rig);
		event_flush(core);
		command_drain(core, 64);
		tcp_output(core->tcp, core->now, 64, true);
		if (!rig->wire_head && !tcp_output_pending(core->tcp) && !tcp_output_pending(rig->peer))
			break;
	}
	event_flush(core);
}

void rig_turns(struct rig *rig, unsigned count, uint64_t step_ns)
{
	for (unsigned i = 0; i < count; i++) {
		rig->core.now.ns += step_ns;
		tcp_timer_run(rig->core.tcp, rig->core.now, 100);
		tcp_timer_run(rig->peer, rig->core.now, 100);
		client_side_timer_run(&rig->core);
		rig_turn(rig);
	}
}

uint32_t rig_cmd(struct rig *rig, uint32_t client, struct ix_cmd cmd)
{
	struct rig_client *c = &rig->clients[client];

	cmd.seq = ++c->seq;
	c->cmds[c->cmd_prod & (CMD_SLOTS - 1)] = cmd;
	ix_ring_store(&c->mine->cmd_prod, ++c->cmd_prod);
	return cmd.seq;
}

uint32_t rig_sendv(struct rig *rig, uint32_t client, uint64_t handle, uint64_t off, uint32_t len)
{
	return rig_cmd(
	    rig, client,
	    (struct ix_cmd){
		.op = IX_OP_SENDV, .sg_count = 1, .handle = handle, .sg = {{.off = off, .len = len}}});
}

bool rig_event(struct rig *rig, uint32_t client, struct ix_event *event)
{
	struct rig_client *c = &rig->clients[client];

	if (ix_ring_load(&c->theirs->evt_prod) == c->evt_cons)
		return false;
	*event = c->evts[c->evt_cons & (c->mapping.layout.evt_slots - 1)];
	ix_ring_store(&c->mine->evt_cons, ++c->evt_cons);
	return true;
}

struct ix_event rig_expect(struct rig *rig, uint32_t client, uint8_t type)
{
	struct ix_event event = {.type = 0};

	cr_assert(rig_event(rig, client, &event), "an event of type %u, but there is none", type);
	cr_assert_eq(event.type, type, "type %u, expected %u (outcome %d)", event.type, type, event.outcome);
	return event;
}

void rig_expect_none(struct rig *rig, uint32_t client)
{
	struct ix_event event = {.type = 0};

	cr_assert_not(rig_event(rig, client, &event), "an event of type %u", event.type);
}

bool rig_mail(struct rig *rig, uint32_t type, struct mail *mail)
{
	while (mailbox_take(rig->core.outbox, mail))
		if (mail->type == type)
			return true;
	return false;
}

uint64_t rig_open(struct rig *rig, uint64_t cookie, uint32_t *conn)
{
	struct ix_event knock;

	*conn = rig_peer_connect(rig);
	rig_turn(rig);
	knock = rig_expect(rig, 0, IX_EV_KNOCK);
	rig_cmd(rig, 0,
		(struct ix_cmd){.op = IX_OP_ACCEPT, .handle = knock.handle, .accept = {.cookie = cookie}});
	rig_turn(rig);
	rig_expect(rig, 0, IX_EV_SENT);
	return knock.handle;
}
