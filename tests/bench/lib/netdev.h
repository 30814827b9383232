/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel says of a device in its netlink family "netdev".
 */
#ifndef TESTS_BENCH_LIB_NETDEV_H
#define TESTS_BENCH_LIB_NETDEV_H

#include <stdbool.h>

struct mnl_socket;

struct bench_netdev {
	struct mnl_socket *socket; /* NULL: the kernel has no such family */
	unsigned family, ifindex;
};

void bench_netdev_open(struct bench_netdev *netdev, unsigned ifindex);
void bench_netdev_close(struct bench_netdev *netdev);
/* Whether frames that are redirected to the device leave it. A veth says no when its other end has neither an
 * XDP program nor GRO: it would drop them, and nobody would be told. */
bool bench_netdev_takes_frames(const struct bench_netdev *netdev);

#endif
