/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The flow hash, one function for the XDP program and user space: what the one computes for a packet and the
 * other for a connection must be the same number, or a flow would have two cores.
 */
#ifndef BPF_TOEPLITZ_H
#define BPF_TOEPLITZ_H

#include "bpf/ixd_bpf.h"

#define IXD_TOEPLITZ_INPUT_V4 12
#define IXD_TOEPLITZ_INPUT_V6 36

/* input: remote address, local address, remote port, local port, all in network order. input_bytes must be a
 * constant where the target is BPF, so that the loop unrolls. */
static inline __attribute__((always_inline)) __u32
ixd_toeplitz_bytes(const volatile struct ixd_toeplitz *toeplitz, const __u8 *input, const __u32 input_bytes)
{
	__u32 hash = 0;

#pragma GCC unroll 36
	for (__u32 i = 0; i < input_bytes; i++)
		hash ^= toeplitz->table[i][input[i]];
	return hash;
}

#endif
