/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow hash in user space: its table from the key, and the hash of a connection.
 */
#ifndef DAEMON_COMMON_TOEPLITZ_H
#define DAEMON_COMMON_TOEPLITZ_H

#include <stdint.h>

#include "daemon/common/limits.h"

/* Derives the table from the RSS key, which NICs define bit by bit. Some 10 µs; once per process. */
void ixd_toeplitz_table(const uint8_t key[IXD_TOEPLITZ_KEY_BYTES], struct ixd_toeplitz *out);

/* Hash of a connection as the XDP program computes it for a packet that arrives: remote is the packet's
 * source. Addresses are 16 bytes; the IPv4 form of the input is hashed when both are mapped. Ports in host
 * order. The flow group is the hash & (flow groups - 1). */
uint32_t ixd_toeplitz_tuple(const struct ixd_toeplitz *table, const uint8_t remote[16],
			    const uint8_t local[16], uint16_t remote_port, uint16_t local_port);

#endif
