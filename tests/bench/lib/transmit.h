/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way out without an skb (bpf/transmit.h), beside an AF_XDP socket: for bursts of packets, through a
 * device that can take frames. A sender with the socket alone is slower than what it measures. Loaded and
 * called by the code that ixd uses.
 */
#ifndef TESTS_BENCH_LIB_TRANSMIT_H
#define TESTS_BENCH_LIB_TRANSMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/dataplane/xdp_transmit.h"
#include "daemon/supervisor/transmit_program.h"

enum bench_transmit_mode {
	BENCH_TRANSMIT_AUTO, /* bursts as frames if the device can, the rest by the socket */
	BENCH_TRANSMIT_XSK,  /* everything by the socket */
	BENCH_TRANSMIT_LIVE, /* everything as frames; it is an error if the device cannot */
};

struct bench_transmit {
	enum bench_transmit_mode mode;
	struct transmit_program *program;
	struct xdp_transmit *core; /* NULL: everything by the socket */
	unsigned ifindex;
	uint16_t netdev_family;
	bool is_able;       /* the device took frames when it was last asked */
	uint32_t passed_by; /* bursts since then */
	uint32_t staged;
	uint64_t packets, calls;
};

/* "auto", "xsk", "live" */
bool bench_transmit_parse(const char *text, enum bench_transmit_mode *mode);
/* Loads the program for one device. Ends this program with a message if the mode asks for what cannot be had.
 */
void bench_transmit_open(struct bench_transmit *transmit, enum bench_transmit_mode mode, const char *iface,
			 unsigned ifindex);
void bench_transmit_close(struct bench_transmit *transmit);
/* Whether a burst of `count` packets goes this way. */
bool bench_transmit_takes(struct bench_transmit *transmit, uint32_t count);
/* Copies a packet of at most IXD_TX_DATA_BYTES; sends what is there already if it has no room. */
void bench_transmit_put(struct bench_transmit *transmit, const uint8_t *data, uint32_t len);
/* Sends what was put. */
void bench_transmit_flush(struct bench_transmit *transmit);
/* For reports: what was used, "xsk", "live" or "both". */
const char *bench_transmit_used(uint64_t frames, uint64_t kicks);

#endif
