/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP as a peer that shares no code with the kernel: one connection that sends or receives the pattern, on
 *an interface to which the kernel itself has no address (or it would answer with RSTs).
 *
 *	k-lwip INTERFACE ADDRESS listen|connect ADDRESS:PORT send|receive BYTES
 *
 * The main thread uses lwIP's blocking calls, a second one carries frames from a packet socket into it;
 *lwIP's own thread sends on the same socket.
 */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "tests/net/k.h"

/* lwIP has names of its own for what <arpa/inet.h> defines as macros or functions. */
#undef htons
#undef htonl
#undef ntohs
#undef ntohl
#include <lwip/api.h>
#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>

#define TIMEOUT_S         180
#define FRAME_BYTES_MAX   2048
#define SOCKET_BYTES      (16 << 20)
#define PREFIX_24         0xffffff00u
#define ETH_P_ALL_ON_WIRE __builtin_bswap16(ETH_P_ALL)

static struct {
	int packet_fd;
	uint8_t mac[ETH_ALEN];
	struct netif netif;
} stack;

static void interface_open(const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = ETH_P_ALL_ON_WIRE};
	struct ifreq request = {0};
	int on = 1, size = SOCKET_BYTES;

	stack.packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, ETH_P_ALL_ON_WIRE);
	if (stack.packet_fd < 0)
		k_die("packet socket: %s", strerror(errno));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	address.sll_ifindex = (int)if_nametoindex(name);
	if (address.sll_ifindex == 0 || ioctl(stack.packet_fd, SIOCGIFHWADDR, &request) != 0 ||
	    setsockopt(stack.packet_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
	    setsockopt(stack.packet_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    bind(stack.packet_fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		k_die("%s: %s", name, strerror(errno));
	memcpy(stack.mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

/* lwIP's thread. A frame that the interface does not take is lost, as on a wire. */
static err_t frame_output(struct netif *netif, struct pbuf *packet)
{
	uint8_t frame[FRAME_BYTES_MAX];
	u16_t len = pbuf_copy_partial(packet, frame, sizeof(frame), 0);

	(void)netif;
	return send(stack.packet_fd, frame, len, 0) == len ? ERR_OK : ERR_IF;
}

static err_t netif_start(struct netif *netif)
{
	memcpy(netif->name, "lw", 2);
	memcpy(netif->hwaddr, stack.mac, ETH_ALEN);
	netif->hwaddr_len = ETH_ALEN;
	netif->mtu = 1500;
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
	netif->output = etharp_output;
	netif->linkoutput = frame_output;
	return ERR_OK;
}

static void *frames_in(void *unused)
{
	uint8_t frame[FRAME_BYTES_MAX];

	for (;;) {
		ssize_t len = recv(stack.packet_fd, frame, sizeof(frame), 0);
		struct pbuf *packet;

		if (len <= 0)
			continue;
		packet = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
		if (packet == NULL)
			continue;
		pbuf_take(packet, frame, (u16_t)len);
		if (stack.netif.input(packet, &stack.netif) != ERR_OK)
			pbuf_free(packet);
	}
	return unused;
}

static void on_started(void *semaphore)
{
	sys_sem_signal(semaphore);
}

static void host_start(const char *interface, const char *address)
{
	struct in_addr parsed;
	ip4_addr_t ip, mask = {.addr = __builtin_bswap32(PREFIX_24)}, gateway = {0};
	sys_sem_t started;
	pthread_t thread;

	if (inet_pton(AF_INET, address, &parsed) != 1)
		k_die("'%s' is not an IPv4 address", address);
	ip.addr = parsed.s_addr;
	interface_open(interface);
	if (sys_sem_new(&started, 0) != ERR_OK)
		k_die("lwIP does not start");
	tcpip_init(on_started, &started);
	sys_sem_wait(&started);
	LOCK_TCPIP_CORE();
	if (netif_add(&stack.netif, &ip, &mask, &gateway, NULL, netif_start, tcpip_input) == NULL)
		k_die("lwIP does not take the interface");
	netif_set_default(&stack.netif);
	netif_set_up(&stack.netif);
	UNLOCK_TCPIP_CORE();
	if (pthread_create(&thread, NULL, frames_in, NULL) != 0)
		k_die("no thread");
	pthread_detach(thread);
}

static struct netconn *open_connection(bool is_listening, const char *where)
{
	struct sockaddr_in address = k_address(where);
	ip_addr_t ip = IPADDR4_INIT(address.sin_addr.s_addr);
	uint16_t port = __builtin_bswap16(address.sin_port);
	struct netconn *conn = netconn_new(NETCONN_TCP), *accepted;
	err_t error;

	if (conn == NULL)
		k_die("no connection");
	if (!is_listening) {
		error = netconn_connect(conn, &ip, port);
		if (error != ERR_OK)
			k_die("connect: %s", strerror(err_to_errno(error)));
		return conn;
	}
	if (netconn_bind(conn, &ip, port) != ERR_OK || netconn_listen(conn) != ERR_OK)
		k_die("%s: cannot listen", where);
	/* Tests wait for this line. */
	printf("listening on %s\n", where);
	fflush(stdout);
	error = netconn_accept(conn, &accepted);
	if (error != ERR_OK)
		k_die("accept: %s", strerror(err_to_errno(error)));
	return accepted;
}

/* Sends all, half-closes, and waits for the other side's end. */
static void send_pattern(struct netconn *conn, uint64_t bytes)
{
	static uint8_t buffer[65536];
	struct pbuf *packet;
	err_t error;

	for (uint64_t off = 0; off < bytes;) {
		size_t len = bytes - off < sizeof(buffer) ? (size_t)(bytes - off) : sizeof(buffer);

		k_pattern_fill(buffer, off, len);
		error = netconn_write(conn, buffer, len, NETCONN_COPY);
		if (error != ERR_OK)
			k_die("write after %llu bytes: %s", (unsigned long long)off,
			      strerror(err_to_errno(error)));
		off += len;
	}
	netconn_shutdown(conn, 0, 1);
	error = netconn_recv_tcp_pbuf(conn, &packet);
	if (error != ERR_CLSD)
		k_die("not an orderly end: %s",
		      error == ERR_OK ? "bytes came" : strerror(err_to_errno(error)));
}

static void receive_pattern(struct netconn *conn, uint64_t bytes)
{
	uint64_t off = 0;
	struct pbuf *packet;
	err_t error;

	while ((error = netconn_recv_tcp_pbuf(conn, &packet)) == ERR_OK) {
		for (const struct pbuf *part = packet; part != NULL; part = part->next) {
			size_t good = k_pattern_check(part->payload, off, part->len);

			if (good < part->len)
				k_die("wrong byte at offset %llu", (unsigned long long)(off + good));
			off += part->len;
		}
		pbuf_free(packet);
	}
	if (error != ERR_CLSD)
		k_die("after %llu bytes: %s", (unsigned long long)off, strerror(err_to_errno(error)));
	if (off != bytes)
		k_die("%llu bytes came, %llu were expected", (unsigned long long)off,
		      (unsigned long long)bytes);
}

int main(int argc, char **argv)
{
	struct netconn *conn;

	if (argc != 7)
		k_die("usage: k-lwip INTERFACE ADDRESS listen|connect ADDRESS:PORT send|receive BYTES");
	k_limit_time(TIMEOUT_S);
	srand((unsigned)k_now_ns()); /* where lwIP takes its ports from: not those of the run before */
	host_start(argv[1], argv[2]);
	conn = open_connection(strcmp(argv[3], "listen") == 0, argv[4]);
	if (strcmp(argv[5], "send") == 0)
		send_pattern(conn, k_number(argv[6]));
	else
		receive_pattern(conn, k_number(argv[6]));
	netconn_close(conn);
	netconn_delete(conn);
	printf("%s %s bytes, orderly end\n", argv[5], argv[6]);
	fflush(stdout);
	/* TIME_WAIT lives in this process: the other side may not have our last ACK yet. The test ends us. */
	for (;;)
		pause();
}
