/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the steering program of the measuring tools and its loader share: which TCP packets go to the AF_XDP
 * socket. All in host byte order; a remote address or port of 0 is any.
 */
#ifndef TESTS_BENCH_LIB_STEER_H
#define TESTS_BENCH_LIB_STEER_H

#include <linux/types.h>

struct bench_steer {
	__u32 remote_ip;
	__u32 local_first, local_last;
	__u16 remote_port;
	__u16 local_port_first, local_port_last;
};

struct bench_steer_counts {
	__u64 redirected; /* to the socket */
	__u64 passed;     /* everything else, to the kernel */
};

#endif
