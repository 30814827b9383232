/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet socket through which the dataplane sends what is larger than a packet (ip_large.c there).
 */
#ifndef DAEMON_SUPERVISOR_PACKET_SOCKET_H
#define DAEMON_SUPERVISOR_PACKET_SOCKET_H

#include <stdint.h>

/* A socket that sends on one interface, takes a virtio-net header in front of each packet, and receives
 * nothing. Its descriptor, the caller's to close, or negative errno. Needs CAP_NET_RAW. */
int packet_socket_open(uint32_t ifindex);

#endif
