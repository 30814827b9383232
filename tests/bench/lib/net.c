/* SPDX-License-Identifier: BSD-2-Clause */
/* Parsing addresses, and asking the kernel about interfaces and neighbours. */
#include "tests/bench/lib/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/lib/clock.h"
#include "tests/bench/lib/options.h"

#define NEIGHBOUR_WAIT_NS 3000000000u
#define NEIGHBOUR_POLL_NS 5000000
#define DISCARD_PORT      9

static bool ip_parse(const char *text, size_t len, uint32_t *ip)
{
	char copy[16];
	struct in_addr address;

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &address) != 1)
		return false;
	*ip = ntohl(address.s_addr);
	return true;
}

static bool port_parse(const char *text, const char *end, uint32_t *port)
{
	char *stop;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return false;
	value = strtoul(text, &stop, 10);
	if (stop != end || value == 0 || value > UINT16_MAX)
		return false;
	*port = (uint32_t)value;
	return true;
}

bool bench_endpoint_parse(const char *text, struct bench_endpoint *endpoint)
{
	const char *colon = strrchr(text, ':');
	uint32_t port;

	if (colon == NULL || !ip_parse(text, (size_t)(colon - text), &endpoint->ip) ||
	    !port_parse(colon + 1, colon + strlen(colon), &port))
		return false;
	endpoint->port = (uint16_t)port;
	return true;
}

bool bench_addresses_parse(const char *text, struct bench_range *range)
{
	const char *dash = strchr(text, '-');

	if (dash == NULL) {
		if (!ip_parse(text, strlen(text), &range->first))
			return false;
		range->last = range->first;
		return true;
	}
	return ip_parse(text, (size_t)(dash - text), &range->first) &&
	       ip_parse(dash + 1, strlen(dash + 1), &range->last) && range->first <= range->last;
}

bool bench_ports_parse(const char *text, struct bench_range *range)
{
	const char *dash = strchr(text, '-');

	if (dash == NULL) {
		if (!port_parse(text, text + strlen(text), &range->first))
			return false;
		range->last = range->first;
		return true;
	}
	return port_parse(text, dash, &range->first) &&
	       port_parse(dash + 1, dash + strlen(dash), &range->last) && range->first <= range->last;
}

static void iface_ask(const char *iface, unsigned long what, struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*request = (struct ifreq){0};
	request->ifr_addr.sa_family = AF_INET;
	if (strlen(iface) >= sizeof(request->ifr_name))
		bench_die("\"%s\" is longer than an interface's name may be", iface);
	strcpy(request->ifr_name, iface);
	if (fd < 0 || ioctl(fd, what, request) != 0)
		bench_die("interface %s: %s", iface,
			  errno == EADDRNOTAVAIL ? "it has no IPv4 address" : strerror(errno));
	close(fd);
}

uint32_t bench_iface_ip(const char *iface)
{
	struct ifreq request;
	struct sockaddr_in address;

	iface_ask(iface, SIOCGIFADDR, &request);
	memcpy(&address, &request.ifr_addr, sizeof(address));
	return ntohl(address.sin_addr.s_addr);
}

void bench_iface_mac(const char *iface, uint8_t mac[6])
{
	struct ifreq request;

	iface_ask(iface, SIOCGIFHWADDR, &request);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
}

unsigned bench_iface_mtu(const char *iface)
{
	struct ifreq request;

	iface_ask(iface, SIOCGIFMTU, &request);
	return (unsigned)request.ifr_mtu;
}

static bool neighbour_look(int fd, const char *iface, const struct sockaddr_in *address, uint8_t mac[6])
{
	struct arpreq request = {0};

	memcpy(&request.arp_pa, address, sizeof(*address));
	snprintf(request.arp_dev, sizeof(request.arp_dev), "%s", iface);
	if (ioctl(fd, SIOCGARP, &request) != 0 || (request.arp_flags & ATF_COM) == 0)
		return false;
	memcpy(mac, request.arp_ha.sa_data, 6);
	return true;
}

void bench_neighbour_mac(const char *iface, uint32_t ip, uint8_t mac[6])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};
	const struct timespec pause = {.tv_nsec = NEIGHBOUR_POLL_NS};
	uint64_t until_ns = bench_now_ns() + NEIGHBOUR_WAIT_NS;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[INET_ADDRSTRLEN];

	if (fd < 0)
		bench_die("socket: %s", strerror(errno));
	while (!neighbour_look(fd, iface, &address, mac)) {
		/* A datagram to nobody makes the kernel ask for the address. */
		address.sin_port = htons(DISCARD_PORT);
		(void)sendto(fd, "", 0, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof(address));
		address.sin_port = 0;
		if (bench_now_ns() > until_ns)
			bench_die("%s does not answer on %s; it must be on the same link",
				  inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text)), iface);
		nanosleep(&pause, NULL);
	}
	close(fd);
}

void bench_pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= CPU_SETSIZE)
		bench_usage("there is no CPU %u", cpu);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		bench_die("CPU %u: %s", cpu, strerror(errno));
}
