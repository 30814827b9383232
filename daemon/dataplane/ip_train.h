/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A train on its way out: what ip_output.c, which makes packets of it, and ip_large.c, which lets the kernel
 * do that, share.
 */
#ifndef DAEMON_DATAPLANE_IP_TRAIN_H
#define DAEMON_DATAPLANE_IP_TRAIN_H

#include "daemon/dataplane/ip.h"

#define IP_HEADER_MAX (ETH_HEADER_BYTES + ETH_VLAN_BYTES + IP4_HEADER_BYTES + TCP_HEADER_BYTES + 40)

/* What is the same in all segments of a train. */
struct train {
	const struct tcp_emit *emit;
	struct ip_way way;
	uint32_t ip_off, tcp_off, payload_off; /* from the Ethernet header */
	uint8_t traffic_class, ttl;            /* DSCP and ECN; both as in the IP header */
	uint64_t pseudo_sum;                   /* of the addresses and the protocol */
	uint64_t ip_sum;                       /* of the IP header without length and id */
	uint64_t tcp_sum; /* of pseudo and TCP header without length, sequence number and flags */
};

/* Writes the headers as they are in all segments, t->payload_off bytes; the rest is zero. */
void ip_train_header_write(const struct core *core, const struct train *t, uint8_t *header);

/* Sends the first part of a train by one system call, so much as one such call can take. Returns payload
 * bytes sent; 0 when that cannot be or is not worth it, and the train must go packet by packet; -EAGAIN when
 * there is no room now. */
int64_t ip_large_send(struct core *core, const struct train *t);

#endif
