/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An attacker off the path: it reads nothing, but knows addresses and ports, and sometimes guesses a place in
 * the window (RFC 5961). No connection may suffer from any of it.
 */
#include <stdlib.h>

#include "tcp/tcp_engine.h"
#include "tests/sim/sim.h"

#define STRANGER_PORT 50000

enum forgery {
	FORGE_BLIND,     /* any flags, numbers out of nowhere */
	FORGE_IN_WINDOW, /* RST, SYN or no ACK in the window, but not where RST would be believed */
	FORGE_OLD_ACK,   /* data in the window that acknowledges what nobody sent, or long ago */
	FORGE_MALFORMED,
	FORGE_MULTICAST,
	FORGE_STRANGER,  /* a SYN that nobody meant: fills the backlog */
	FORGE_COOKIE,    /* an ACK for a cookie that was never made */
	FORGE_FAST_OPEN, /* a SYN with a cookie for Fast Open that was never given */
	FORGE_ICMP,
	FORGE_COUNT
};

/* A connection of the host that is open, to be aimed at; TCP_NONE. */
static uint32_t choose_target(struct sim *s, const struct tcp_engine *e)
{
	uint32_t first = sim_random_below(&s->random, SIM_RECORDS);

	for (uint32_t i = 0; i < SIM_RECORDS; i++) {
		uint32_t conn = (first + i) % SIM_RECORDS;

		if (e->conns[conn].state >= TCP_ESTABLISHED)
			return conn;
	}
	return TCP_NONE;
}

static void aim(struct sim *s, const struct tcp_conn *c, enum forgery what, struct wire_header *h)
{
	uint32_t window = (uint32_t)(c->rcv_adv > c->rcv_nxt ? c->rcv_adv - c->rcv_nxt : 0);
	uint32_t random = (uint32_t)sim_random_next(&s->random);

	h->from = c->tuple.remote_port;
	h->to = c->tuple.local_port;
	h->seq = random;
	h->ack = random * 7;
	h->flags = (uint8_t)(random >> 24);
	if (what == FORGE_BLIND)
		return;
	h->seq = tcp_seq_wire(c->irs, c->rcv_nxt) + (window > 1 ? 1 + random % (window - 1) : 1);
	h->ack = tcp_seq_wire(c->iss, c->snd_una);
	if (what == FORGE_OLD_ACK) {
		h->flags = TCP_ACK;
		h->ack += random & 1 ? UINT32_C(0x40000000) : UINT32_C(0xc0000000);
		return;
	}
	h->flags = random % 3 == 0 ? TCP_RST : random % 3 == 1 ? TCP_SYN : 0;
}

/* Header lengths and option lengths that lie. */
static uint32_t spoil(struct sim *s, uint8_t *p)
{
	switch (sim_random_below(&s->random, 4)) {
	case 0:
		p[12] = (uint8_t)(sim_random_below(&s->random, 5) << 4);
		return WIRE_HEADER_BYTES;
	case 1:
		p[12] = 0xf0;
		return WIRE_HEADER_BYTES + 8;
	case 2:
		return sim_random_below(&s->random, WIRE_HEADER_BYTES);
	default:
		p[12] = 6 << 4;
		p[20] = 2; /* MSS, of length 0 */
		p[21] = p[22] = p[23] = 0;
		return WIRE_HEADER_BYTES + 4;
	}
}

static void forge_icmp(struct sim *s, struct sim_host *h, uint32_t conn)
{
	const struct tcp_conn *c = &h->bench.engine->conns[conn];
	/* Far from anything in flight. */
	uint32_t seq = tcp_seq_wire(c->iss, c->snd_una) + UINT32_C(0x40000000) +
		       sim_random_below(&s->random, UINT32_C(0x80000000));

	tcp_icmp_input(h->bench.engine, (tcp_time){s->now_ns}, &c->tuple, seq,
		       (enum tcp_icmp)sim_random_below(&s->random, 3), 576);
}

void sim_forge(struct sim *s)
{
	struct sim_host *h = &s->hosts[sim_random_below(&s->random, 2)];
	enum forgery what = (enum forgery)sim_random_below(&s->random, FORGE_COUNT);
	uint32_t conn = choose_target(s, h->bench.engine);
	struct sim_packet p = {.to = h->index};
	uint32_t payload = 0;
	struct wire_header header = {.window = 100, .options_len = 0};

	if (what == FORGE_ICMP && conn != TCP_NONE) {
		forge_icmp(s, h, conn);
		return;
	}
	if (what <= FORGE_OLD_ACK && conn != TCP_NONE) {
		aim(s, &h->bench.engine->conns[conn], what, &header);
		payload = what == FORGE_OLD_ACK ? 1 : 0;
	} else {
		header.from = (uint16_t)(STRANGER_PORT + sim_random_below(&s->random, 1000));
		header.to = h->index ? SIM_SERVER_PORT : SIM_FIRST_PORT;
		header.seq = (uint32_t)sim_random_next(&s->random);
		header.ack = (uint32_t)sim_random_next(&s->random);
		header.flags = what == FORGE_COOKIE ? TCP_ACK : TCP_SYN;
	}
	if (what == FORGE_FAST_OPEN) {
		/* Two bytes of padding, the option with its length, eight bytes of cookie. */
		wire_put32(p.data + WIRE_HEADER_BYTES, UINT32_C(0x0101220a));
		wire_put32(p.data + WIRE_HEADER_BYTES + 4, (uint32_t)sim_random_next(&s->random));
		wire_put32(p.data + WIRE_HEADER_BYTES + 8, (uint32_t)sim_random_next(&s->random));
		header.options_len = 12;
	}
	p.len = wire_header_write(p.data, &header) + payload;
	if (what == FORGE_MALFORMED)
		p.len = spoil(s, p.data);
	if (what == FORGE_MULTICAST)
		p.kind = SIM_PACKET_MULTICAST;
	if (p.len >= WIRE_HEADER_BYTES)
		sim_trace_segment(s, !h->index, p.data, p.len, "forged");
	sim_host_input(h, &p);
}
