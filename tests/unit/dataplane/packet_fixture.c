/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core in plain memory, the kernel's and the engine's part played by the test.
 */
#include "tests/unit/dataplane/packet_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/dataplane/conn.h"
#include "daemon/dataplane/mailbox.h"

const uint8_t fixture_mac[6] = {2, 0, 0, 0, 0, 1}, fixture_peer_mac[6] = {2, 0, 0, 0, 0, 2};
const uint8_t fixture_local[16] = {[10] = 0xff, [11] = 0xff, 10, 1, 0, 1};
const uint8_t fixture_remote[16] = {[10] = 0xff, [11] = 0xff, 10, 1, 0, 2};

static struct fixture *in_use;

void __wrap_tcp_input(struct tcp_engine *e, tcp_time now, const struct tcp_packet *packet);
void __real_tcp_input(struct tcp_engine *e, tcp_time now, const struct tcp_packet *packet);
void __wrap_tcp_input(struct tcp_engine *e, tcp_time now, const struct tcp_packet *packet)
{
	struct fixture_seen *seen;

	if (in_use == NULL) {
		__real_tcp_input(e, now, packet);
		return;
	}
	seen = &in_use->seen;
	seen->segments++;
	seen->last_len = packet->len;
	seen->last_vlan = packet->vlan;
	seen->last_ecn = packet->ecn;
	memcpy(seen->last, packet->data, packet->len);
}

uint32_t __wrap_tcp_prefetch(struct tcp_engine *e, const struct tcp_packet *packet);
uint32_t __real_tcp_prefetch(struct tcp_engine *e, const struct tcp_packet *packet);
uint32_t __wrap_tcp_prefetch(struct tcp_engine *e, const struct tcp_packet *packet)
{
	return in_use == NULL ? __real_tcp_prefetch(e, packet) : 0;
}

uint32_t __wrap_tcp_prefetch_record(const struct tcp_engine *e, uint32_t place);
uint32_t __real_tcp_prefetch_record(const struct tcp_engine *e, uint32_t place);
uint32_t __wrap_tcp_prefetch_record(const struct tcp_engine *e, uint32_t place)
{
	return in_use == NULL ? __real_tcp_prefetch_record(e, place) : TCP_NONE;
}

void __wrap_tcp_icmp_input(struct tcp_engine *e, tcp_time now, const struct tcp_tuple *tuple, uint32_t seq,
			   enum tcp_icmp kind, uint16_t mtu);
void __real_tcp_icmp_input(struct tcp_engine *e, tcp_time now, const struct tcp_tuple *tuple, uint32_t seq,
			   enum tcp_icmp kind, uint16_t mtu);
void __wrap_tcp_icmp_input(struct tcp_engine *e, tcp_time now, const struct tcp_tuple *tuple, uint32_t seq,
			   enum tcp_icmp kind, uint16_t mtu)
{
	if (in_use == NULL) {
		__real_tcp_icmp_input(e, now, tuple, seq, kind, mtu);
		return;
	}
	in_use->seen.icmp++;
	in_use->seen.icmp_tuple = *tuple;
	in_use->seen.icmp_seq = seq;
	in_use->seen.icmp_kind = kind;
	in_use->seen.icmp_mtu = mtu;
}

uint8_t fixture_stream_byte(uint64_t off)
{
	return (uint8_t)(off * 7 + (off >> 8));
}

bool __wrap_conn_gather(struct core *core, uint32_t conn, uint64_t off, uint32_t len, uint8_t *dst,
			uint64_t *sum);
bool __real_conn_gather(struct core *core, uint32_t conn, uint64_t off, uint32_t len, uint8_t *dst,
			uint64_t *sum);
bool __wrap_conn_gather(struct core *core, uint32_t conn, uint64_t off, uint32_t len, uint8_t *dst,
			uint64_t *sum)
{
	if (in_use == NULL)
		return __real_conn_gather(core, conn, off, len, dst, sum);
	if (in_use->seen.stream_is_gone)
		return false;
	for (uint32_t i = 0; i < len; i++)
		dst[i] = fixture_stream_byte(off + i);
	if (sum != NULL)
		*sum = inet_checksum_add(*sum, dst, len);
	return true;
}

/* The bytes lie in two pieces, however many there are. */
uint32_t __wrap_conn_gather_pieces(struct core *core, uint32_t conn, uint64_t off, uint32_t len,
				   struct iovec *pieces, uint32_t *count);
uint32_t __real_conn_gather_pieces(struct core *core, uint32_t conn, uint64_t off, uint32_t len,
				   struct iovec *pieces, uint32_t *count);
uint32_t __wrap_conn_gather_pieces(struct core *core, uint32_t conn, uint64_t off, uint32_t len,
				   struct iovec *pieces, uint32_t *count)
{
	static uint8_t bytes[65536];
	uint32_t first = len / 3;

	if (in_use == NULL)
		return __real_conn_gather_pieces(core, conn, off, len, pieces, count);
	cr_assert_leq(len, sizeof(bytes));
	cr_assert_geq(*count, 2);
	if (in_use->seen.stream_is_gone) {
		pieces[0] = (struct iovec){.iov_base = NULL, .iov_len = len}; /* a page that is not there */
		*count = 1;
		return len;
	}
	if (len > in_use->seen.pieces_bytes_max)
		len = in_use->seen.pieces_bytes_max;
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = fixture_stream_byte(off + i);
	pieces[0] = (struct iovec){.iov_base = bytes, .iov_len = first};
	pieces[1] = (struct iovec){.iov_base = bytes + first, .iov_len = len - first};
	*count = 2;
	return len;
}

/* All four rings in one piece of memory each: producer, consumer, flags, slots. */
static void ring_make(struct xsk_ring *ring, size_t slot_bytes)
{
	uint8_t *memory = calloc(1, 192 + FIXTURE_SLOTS * slot_bytes);

	cr_assert_not_null(memory);
	ring->producer = (uint32_t *)(void *)memory;
	ring->consumer = (uint32_t *)(void *)(memory + 64);
	ring->flags = (uint32_t *)(void *)(memory + 128);
	ring->slots = memory + 192;
	ring->mask = FIXTURE_SLOTS - 1;
}

static void mirror_make(struct mirror *m)
{
	mirror_write_begin(m);
	m->ifaces_count = 1;
	m->ifaces[0] = (struct mirror_iface){.name = "test",
					     .ifindex = 7,
					     .queues = 1,
					     .mtu = 1500,
					     .is_up = 1,
					     .rx_checksum = MIRROR_CHECKSUM_FULL};
	memcpy(m->ifaces[0].mac, fixture_mac, 6);
	m->addrs_count = 1;
	m->addrs[0].prefix_len = 120;
	memcpy(m->addrs[0].addr, fixture_local, 16);
	m->routes_count = 1;
	m->routes[0].prefix_len = 120;
	memcpy(m->routes[0].dst, fixture_local, 15);
	mirror_write_end(m);
}

void fixture_neigh_learn(struct fixture *f)
{
	cr_assert_eq(mirror_neigh_set(f->mirror, fixture_remote, 0, 0, fixture_peer_mac), 0);
}

static void core_make(struct fixture *f)
{
	struct core *core = aligned_alloc(64, sizeof(*core));

	cr_assert_not_null(core);
	memset(core, 0, sizeof(*core));
	f->core = core;
	f->dp.core[0] = core;
	core->dp = &f->dp;
	core->now = (tcp_time){1000000000};
	core->config.batch = 64;
	core->mirror = f->mirror;
	core->stats = calloc(1, sizeof(*core->stats) + 64);
	core->conns = calloc(4, sizeof(*core->conns));
	core->conns[0].neigh = MIRROR_NO_NEIGH;
	core->frames = frame_pool_new(f->dp.frame_owner, 0, FIXTURE_FRAMES);
	core->rx = calloc(1, sizeof(*core->rx));
	core->ip = ip_core_new();
	core->xsk = xsk_core_new();
	core->wake_fd = eventfd(0, EFD_NONBLOCK);
	core->outbox = mailbox_new(64, core->wake_fd);
	f->port = &core->xsk->ports[0];
	core->xsk->ports_count = 1;
	core->xsk->tx_port[0] = f->port;
	core->xsk->refill_credit = XSK_REFILL_FRAMES;
	*f->port = (struct xsk_port){
	    .fd = -1, .packet_fd = -1, .is_primary = true, .has_tx = true, .is_zerocopy = true};
	ring_make(&f->port->rx, sizeof(struct xdp_desc));
	ring_make(&f->port->tx, sizeof(struct xdp_desc));
	ring_make(&f->port->fill, sizeof(uint64_t));
	ring_make(&f->port->comp, sizeof(uint64_t));
}

void fixture_init(struct fixture *f)
{
	static struct msg_init init;

	memset(f, 0, sizeof(*f));
	init.fixed.conns_per_core = 4;
	init.fixed.frames_per_core = FIXTURE_FRAMES;
	f->dp.init = &init;
	f->dp.cores = 1;
	f->dp.frames_total = FIXTURE_FRAMES;
	f->dp.umem = calloc(FIXTURE_FRAMES, IXD_FRAME_BYTES);
	f->dp.frame_owner = calloc(1, FIXTURE_FRAMES);
	f->dp.exchange = frame_exchange_new(1, FIXTURE_FRAMES);
	f->mirror = calloc(1, sizeof(*f->mirror));
	f->dp.mirror = f->mirror;
	mirror_make(f->mirror);
	core_make(f);
	f->seen.pieces_bytes_max = UINT32_MAX;
	ip_turn_begin(f->core);
	in_use = f;
}

void fixture_fini(struct fixture *f)
{
	struct core *core = f->core;

	in_use = NULL;
	free(f->port->rx.producer);
	free(f->port->tx.producer);
	free(f->port->fill.producer);
	free(f->port->comp.producer);
	mailbox_free(core->outbox);
	close(core->wake_fd);
	free(core->xsk);
	ip_core_free(core->ip);
	free(core->rx);
	frame_pool_free(core->frames);
	free(core->conns);
	free(core->stats);
	free(core);
	frame_exchange_free(f->dp.exchange);
	free(f->dp.frame_owner);
	free(f->dp.umem);
	free(f->mirror);
}

const uint8_t *fixture_tx_take(struct fixture *f, uint32_t *len, uint64_t *addr)
{
	struct xsk_ring *tx = &f->port->tx;
	const struct xdp_desc *desc;

	if (*tx->consumer == *tx->producer)
		return NULL;
	desc = xsk_ring_desc(tx, (*tx->consumer)++);
	cr_assert_lt(desc->addr, (uint64_t)FIXTURE_FRAMES * IXD_FRAME_BYTES);
	cr_assert_leq(desc->addr % IXD_FRAME_BYTES + desc->len, IXD_FRAME_BYTES);
	*len = desc->len;
	if (addr != NULL)
		*addr = desc->addr;
	return f->dp.umem + desc->addr;
}

bool fixture_rx_put(struct fixture *f, const void *data, uint32_t len)
{
	struct xsk_ring *fill = &f->port->fill, *rx = &f->port->rx;
	uint64_t addr;

	if (*fill->consumer == *fill->producer || *rx->producer - *rx->consumer == FIXTURE_SLOTS)
		return false;
	addr = *xsk_ring_addr(fill, (*fill->consumer)++) + 256;
	memcpy(f->dp.umem + addr, data, len);
	*xsk_ring_desc(rx, (*rx->producer)++) = (struct xdp_desc){.addr = addr, .len = len};
	return true;
}

void fixture_complete(struct fixture *f, uint64_t addr)
{
	struct xsk_ring *comp = &f->port->comp;

	*xsk_ring_addr(comp, (*comp->producer)++) = addr;
}

void fixture_ip_sum(uint8_t *ip)
{
	uint16_t sum;

	memset(ip + 10, 0, 2);
	sum = inet_checksum_fold(inet_checksum_add(0, ip, (ip[0] & 15u) * 4));
	memcpy(ip + 10, &sum, 2);
}

uint32_t fixture_packet(uint8_t *at, uint16_t vlan, const uint8_t *ip_options, uint32_t options_len,
			const void *payload, uint32_t payload_len)
{
	uint32_t eth_bytes = vlan != 0 ? 18 : 14, ip_bytes = 20 + options_len, tcp_bytes = 20 + payload_len;
	uint8_t *ip = at + eth_bytes, *tcp = ip + ip_bytes;
	uint16_t sum;

	memset(at, 0, eth_bytes + ip_bytes + tcp_bytes);
	memcpy(at, fixture_mac, 6);
	memcpy(at + 6, fixture_peer_mac, 6);
	if (vlan != 0) {
		store_be16(at + 12, ETH_TYPE_VLAN);
		store_be16(at + 14, vlan);
	}
	store_be16(at + eth_bytes - 2, ETH_TYPE_IPV4);
	ip[0] = (uint8_t)(4 << 4 | ip_bytes / 4);
	store_be16(ip + 2, ip_bytes + tcp_bytes);
	ip[8] = 64;
	ip[9] = IP_PROTO_TCP;
	memcpy(ip + 12, fixture_remote + 12, 4);
	memcpy(ip + 16, fixture_local + 12, 4);
	if (options_len > 0)
		memcpy(ip + 20, ip_options, options_len);
	fixture_ip_sum(ip);
	store_be16(tcp, 4000);
	store_be16(tcp + 2, 80);
	tcp[12] = 5 << 4;
	tcp[13] = TCP_ACK;
	if (payload_len > 0)
		memcpy(tcp + 20, payload, payload_len);
	sum = inet_checksum_fold(inet_checksum_add(
	    inet_checksum_pseudo(fixture_remote, fixture_local, IP_PROTO_TCP, tcp_bytes), tcp, tcp_bytes));
	memcpy(tcp + 16, &sum, 2);
	return eth_bytes + ip_bytes + tcp_bytes;
}

void fixture_input(struct fixture *f, const void *data, uint32_t len)
{
	uint8_t *exact = malloc(len + (len == 0));

	cr_assert_not_null(exact);
	memcpy(exact, data, len);
	f->core->rx->count = 1;
	f->core->rx->packets[0] = (struct rx_packet){.data = exact, .len = len};
	eth_input(f->core, f->core->rx);
	free(exact);
}
