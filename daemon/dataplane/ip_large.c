/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large sends: many segments of one connection leave as one packet of up to 64 KB, which the device, or the
 * kernel just in front of it, cuts into segments (GSO). AF_XDP has no such thing; in copy mode each of its
 * packets costs an allocation, a copy, a completion and, on a veth, the peer's whole receive path by itself.
 * So this goes through a packet socket on the same interface. The payload is copied by the kernel straight
 * from the client's memory, and the checksum is the device's work.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "daemon/dataplane/conn.h"
#include "daemon/dataplane/ip_train.h"
#include "daemon/dataplane/xsk.h"

/* Fewer segments are not worth the call. */
#define SEGMENTS_MIN   2u
#define IP_BYTES_MAX   65535u
#define PIECES_MAX     64u
#define TCP_CHECK_OFF  16u
/* A large send weighs in the turn's budget of frames as so many of its segments. */
#define SEGMENTS_SHIFT 2

#define VNET_BYTES     sizeof(struct virtio_net_hdr)

/* The device's work order. All numbers are in host order: the socket was made for that. */
static void vnet_make(const struct train *t, struct virtio_net_hdr *vnet)
{
	*vnet = (struct virtio_net_hdr){
	    .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	    .hdr_len = (uint16_t)t->payload_off,
	    .gso_size = t->emit->mss,
	    .csum_start = (uint16_t)t->tcp_off,
	    .csum_offset = TCP_CHECK_OFF,
	};
	if (t->emit->flags & t->emit->first_flags)
		vnet->gso_type |= VIRTIO_NET_HDR_GSO_ECN; /* CWR stands in the first segment only */
}

/* Completes the headers for `len` bytes of payload; PSH and FIN, which the kernel leaves to the last segment,
 * only when all goes. */
static void header_finish(struct core *core, const struct train *t, uint32_t len, uint8_t *header)
{
	uint8_t *ip = header + t->ip_off, *tcp = header + t->tcp_off;
	uint32_t tcp_bytes = t->payload_off - t->tcp_off + len;
	uint32_t ip_bytes = IP4_HEADER_BYTES + tcp_bytes;
	uint16_t id = core->ip->next_id;
	uint8_t flags = (uint8_t)t->emit->flags;
	uint16_t check;

	ip_train_header_write(core, t, header);
	core->ip->next_id = (uint16_t)(id + 1 + len / t->emit->mss);
	store_be16(ip + 2, ip_bytes);
	store_be16(ip + 4, id);
	check = inet_checksum_fold(t->ip_sum + sum_of_be16(ip_bytes) + sum_of_be16(id));
	memcpy(ip + 10, &check, sizeof(check));
	store_be32(tcp + 4, t->emit->seq);
	if (len < t->emit->payload_len)
		flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	tcp[13] = flags;
	/* The pseudo header's sum, not complemented: whoever computes the rest begins with it. */
	check = (uint16_t)~inet_checksum_fold(t->pseudo_sum + sum_of_be16(tcp_bytes));
	memcpy(tcp + TCP_CHECK_OFF, &check, sizeof(check));
}

/* How much goes: whole segments, as many as fit into one IP packet. */
static uint32_t payload_fitting(const struct train *t)
{
	uint32_t room = IP_BYTES_MAX - (t->payload_off - t->ip_off);
	uint32_t len = t->emit->payload_len;

	return len <= room ? len : room - room % t->emit->mss;
}

static int64_t refused(struct core *core, int error)
{
	/* No room in the socket or in the interface's queue; nothing of it has gone. */
	if (error == EAGAIN || error == ENOBUFS) {
		core->stats->drop_tx_no_frame++;
		return -EAGAIN;
	}
	core->stats->tx_large_failed++;
	return 0;
}

static void count_sent(struct core *core, const struct train *t, uint32_t len)
{
	/* The division is one for many segments. */
	uint32_t segments = (len + t->emit->mss - 1) / t->emit->mss;
	uint32_t weight = (segments >> SEGMENTS_SHIFT) + 1;
	struct core_stats *stats = core->stats;

	stats->tx_large++;
	stats->tx_kicks++;
	stats->tx_packets += segments;
	stats->tx_bytes += len + (uint64_t)segments * t->payload_off;
	core->ip->tx_frames_left -= weight < core->ip->tx_frames_left ? weight : core->ip->tx_frames_left;
}

int64_t ip_large_send(struct core *core, const struct train *t)
{
	const struct tcp_emit *emit = t->emit;
	uint8_t head[VNET_BYTES + IP_HEADER_MAX];
	struct iovec parts[1 + PIECES_MAX]; /* no initial value: most trains are one segment, and end here */
	struct virtio_net_hdr vnet;
	uint32_t len, count = PIECES_MAX;
	int fd;

	if (emit->payload_len <= (SEGMENTS_MIN - 1) * emit->mss || !t->way.has_mac || t->way.vlan != 0)
		return 0;
	/* With Accurate ECN each segment may have CWR; the kernel would leave it to the first. */
	if (emit->flags & ~emit->first_flags & TCP_CWR)
		return 0;
	len = conn_gather_pieces(core, emit->conn, emit->payload_off, payload_fitting(t), parts + 1, &count);
	if (len < emit->payload_len)
		len -= len % emit->mss;
	fd = len > (SEGMENTS_MIN - 1) * emit->mss ? xsk_tx_overtake(core, t->way.iface) : -1;
	if (fd < 0)
		return 0;
	parts[0] = (struct iovec){.iov_base = head, .iov_len = VNET_BYTES + t->payload_off};
	vnet_make(t, &vnet);
	memcpy(head, &vnet, VNET_BYTES);
	header_finish(core, t, len, head + VNET_BYTES);
	/* len may have been rounded down: the pieces end with it. */
	for (uint32_t i = 1, left = len; i <= count; i++) {
		if (parts[i].iov_len > left)
			parts[i].iov_len = left;
		left -= (uint32_t)parts[i].iov_len;
	}
	/* All or nothing. A page of the client that cannot be had is EFAULT here; packet by packet the guard
	 * of client_shared.h takes care of it. */
	if (writev(fd, parts, (int)count + 1) < 0)
		return refused(core, errno);
	count_sent(core, t, len);
	return len;
}
