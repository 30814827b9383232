/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of the measuring programs, IPv4 in host byte order, and what the kernel knows about the link.
 */
#ifndef TESTS_BENCH_LIB_NET_H
#define TESTS_BENCH_LIB_NET_H

#include <stdbool.h>
#include <stdint.h>

struct bench_endpoint {
	uint32_t ip;
	uint16_t port;
};

struct bench_range {
	uint32_t first, last; /* both inside */
};

/* "10.0.0.1:80" */
bool bench_endpoint_parse(const char *text, struct bench_endpoint *endpoint);
/* "10.0.0.1" or "10.0.0.1-10.0.0.4" */
bool bench_addresses_parse(const char *text, struct bench_range *range);
/* "1024-65535" or "7000" */
bool bench_ports_parse(const char *text, struct bench_range *range);

/* An interface's first IPv4 address; ends the program when it has none. */
uint32_t bench_iface_ip(const char *iface);
void bench_iface_mac(const char *iface, uint8_t mac[6]);
unsigned bench_iface_mtu(const char *iface);
/* The hardware address of a neighbour on the link, which the kernel finds out: ends the program when there is
 * no answer within seconds. */
void bench_neighbour_mac(const char *iface, uint32_t ip, uint8_t mac[6]);

/* Runs this process on one CPU. */
void bench_pin(unsigned cpu);

#endif
