/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_XDP sockets made for real on a veth: every kind of socket, what the kernel refuses, and a packet that
 * goes through the XDP program to the socket of its core.
 */
#include "daemon/supervisor/xsk_create.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/toeplitz.h"
#include "daemon/supervisor/xdp_attach.h"
#include "tests/unit/supervisor/netns_env.h"

#define SLOTS 64

static struct umem umem = {.fd = -1};
static struct why why;

static void setup(void)
{
	netns_enter();
	netns_veth(2);
	cr_assert_eq(umem_create(&umem, 2 * 512 * IXD_FRAME_BYTES, UMEM_PAGES_NEVER_HUGE, &why), 0, "%s",
		     why.text);
}

static void teardown(void)
{
	umem_close(&umem);
}

TestSuite(xsk_create, .init = setup, .fini = teardown, .timeout = 30);

static struct xsk_request request(uint32_t queue, int first_fd, int primary_fd)
{
	return (struct xsk_request){
	    .iface_name = "va0",
	    .ifindex = if_nametoindex("va0"),
	    .queue = queue,
	    .is_primary = primary_fd < 0,
	    .copy = XSK_COPY_COPY,
	    .ring_slots = SLOTS,
	    .umem = &umem,
	    .first_fd = first_fd,
	    .primary_fd = primary_fd,
	};
}

static struct xsk_made make(struct xsk_request r)
{
	struct xsk_made made;

	cr_assert_eq(xsk_create(&r, &made, &why), 0, "%s", why.text);
	return made;
}

/* A request after the first socket was made. */
static struct xsk_request followed(struct xsk_request r, const struct xsk_made *first)
{
	r.is_late = !first->is_bound;
	return r;
}

Test(xsk_create, counts_queues)
{
	cr_expect_eq(xsk_queues_of("va0", &why), 2);
	cr_expect_eq(xsk_queues_of("lo", &why), 1);
	cr_expect_eq(xsk_queues_of("nosuch0", &why), -ENODEV);
	cr_expect_not_null(strstr(why.text, "nosuch0"), "%s", why.text);
}

Test(xsk_create, two_queues_and_two_cores_share_one_umem)
{
	struct xsk_made first = make(request(0, -1, -1));
	struct xsk_made second = make(followed(request(1, first.fd, -1), &first));
	struct xsk_made third = make(followed(request(0, first.fd, first.fd), &first));
	struct xsk_made fourth = make(followed(request(1, first.fd, second.fd), &first));

	cr_expect_eq(first.fill_slots, SLOTS);
	cr_expect_eq(second.comp_slots, SLOTS);
	cr_expect_eq(third.fill_slots, 0);
	cr_expect_eq(fourth.comp_slots, 0);
	cr_expect_eq(third.rx_slots, SLOTS);
	cr_expect(third.has_tx);
	cr_expect_eq(fourth.tx_slots, SLOTS);
	cr_expect_not(first.is_zerocopy);
	/* The supervisor's mapping may go: the pages are the kernel's and the memfd's. */
	umem_unmap(&umem);
	close(fourth.fd);
	close(third.fd);
	close(second.fd);
	close(first.fd);
}

Test(xsk_create, copy_on_request_gives_no_reason)
{
	struct xsk_request r = request(0, -1, -1);

	r.copy = XSK_COPY_COPY;
	struct xsk_made made = make(r);

	cr_expect_not(made.is_zerocopy);
	cr_expect_str_empty(made.copy_why);
	close(made.fd);
}

static void expect_refused(struct xsk_request r, int error, const char *word)
{
	struct xsk_made made;

	cr_expect_eq(xsk_create(&r, &made, &why), error, "%s: %s", word, why.text);
	cr_expect_eq(made.fd, -1);
	cr_expect_not_null(strstr(why.text, word), "no \"%s\" in: %s", word, why.text);
}

Test(xsk_create, zero_copy_is_zero_copy_or_nothing)
{
	struct xsk_request r = request(0, -1, -1);

	r.copy = XSK_COPY_ZEROCOPY;
	expect_refused(r, -EOPNOTSUPP, "driver (veth) has no zero copy");
}

Test(xsk_create, queue_beyond_the_last)
{
	expect_refused(request(2, -1, -1), -EINVAL, "2 queues");
}

Test(xsk_create, ring_sizes_are_powers_of_two)
{
	struct xsk_request r = request(0, -1, -1);

	r.ring_slots = 100;
	expect_refused(r, -EINVAL, "power of two");
}

Test(xsk_create, queue_of_another_program)
{
	struct xsk_request r = request(0, -1, -1);
	struct xsk_made other = make(r);

	if (!other.is_bound) {
		r.is_late = true;
		cr_assert_eq(xsk_bind(&r, other.fd, &why), 0, "%s", why.text);
	}
	expect_refused(request(0, -1, -1), -EBUSY, "another program");
	close(other.fd);
}

Test(xsk_create, interface_that_is_gone)
{
	struct xsk_request r = request(0, -1, -1);

	netns_run("ip link del va0");
	expect_refused(r, -ENODEV, "does not exist");
}

Test(xsk_create, says_that_it_lacks_net_raw)
{
	struct xsk_request r = request(0, -1, -1);

	netns_capability_drop(CAP_NET_RAW);
	expect_refused(r, -EPERM, "CAP_NET_RAW");
}

Test(xsk_create, packet_memory_is_sealed_and_private)
{
	cr_expect_eq(fcntl(umem.fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	cr_expect_lt(ftruncate(umem.fd, 0), 0);
	cr_expect_not_null(umem.area);
}

Test(xsk_create, huge_pages_or_words_about_them)
{
	struct umem huge;
	/* More than any machine has reserved. */
	size_t bytes = (size_t)1 << 44;

	cr_expect_lt(umem_create(&huge, bytes, UMEM_PAGES_HUGE, &why), 0);
	cr_expect_not_null(strstr(why.text, "vm.nr_hugepages"), "%s", why.text);
	cr_expect_eq(huge.fd, -1);
	/* Without any huge page this falls back, with them it does not; both must give memory. */
	cr_assert_eq(umem_create(&huge, 3 << 20, UMEM_PAGES_AUTO, &why), 0, "%s", why.text);
	cr_expect_geq(huge.bytes, 3 << 20);
	cr_expect_eq(huge.bytes % (huge.is_hugetlb ? 2u << 20 : 4096u), 0);
	umem_close(&huge);
	cr_expect_eq(huge.fd, -1);
}

struct ring {
	uint32_t *producer, *consumer;
	void *slots;
};

static struct ring ring_map(int fd, off_t page, const struct xdp_ring_offset *off, size_t slot_bytes)
{
	uint8_t *area =
	    mmap(NULL, off->desc + SLOTS * slot_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page);

	cr_assert_neq((void *)area, MAP_FAILED);
	return (struct ring){.producer = (uint32_t *)(void *)(area + off->producer),
			     .consumer = (uint32_t *)(void *)(area + off->consumer),
			     .slots = area + off->desc};
}

/* Sends a SYN from 10.0.0.2:sport to 10.0.0.1:80 out of vb0. */
static void syn_send(uint16_t sport)
{
	uint8_t frame[54] = {[12] = 8, [14] = 0x45, [17] = 40, [22] = 64, [23] = IPPROTO_TCP, [26] = 10,
			     [29] = 2, [30] = 10,   [33] = 1,  [37] = 80, [46] = 0x50,        [47] = 2};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("vb0")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	memset(frame, 0xff, 6);
	frame[34] = (uint8_t)(sport >> 8);
	frame[35] = (uint8_t)sport;
	cr_assert_eq(sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(frame));
	close(fd);
}

/* One queue, two cores: a primary and a secondary socket behind the program. */
struct testbed {
	struct bpf_set *set;
	struct xsk_request requests[2];
	struct xsk_made made[2];
	struct ring rx[2], fill;
	struct ixd_toeplitz toeplitz;
};

static void testbed_open(struct testbed *t, bool is_late)
{
	static const uint8_t any[16], local[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
	struct static_config fixed = netns_static_config(2);
	uint32_t ifindex = if_nametoindex("va0");
	struct xdp_attached got;
	struct xdp_mmap_offsets off;
	socklen_t bytes = sizeof(off);
	char pin_dir[128];

	snprintf(pin_dir, sizeof(pin_dir), "%s/ixd/unit", netns_bpffs);
	cr_assert_eq(bpf_set_load(&fixed, pin_dir, &t->set, &why), 0, "%s", why.text);
	ixd_toeplitz_table(fixed.toeplitz_key, &t->toeplitz);
	cr_assert_eq(bpf_set_iface_add(t->set, ifindex, 0, 1, false), 0);
	cr_assert_eq(bpf_set_local_add(t->set, local, 0), 0);
	cr_assert_eq(bpf_set_owned_add(t->set, any, 80, 0, 0), 0);
	t->requests[0] = request(0, -1, -1);
	t->requests[0].is_late = is_late;
	t->made[0] = make(t->requests[0]);
	t->requests[1] = request(0, t->made[0].fd, t->made[0].fd);
	t->requests[1].is_late = !t->made[0].is_bound;
	t->made[1] = make(t->requests[1]);
	cr_assert_eq(getsockopt(t->made[0].fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &bytes), 0);
	for (uint32_t core = 0; core < 2; core++) {
		cr_assert_eq(bpf_set_xsk(t->set, 0, core, t->made[core].fd), 0);
		t->rx[core] = ring_map(t->made[core].fd, XDP_PGOFF_RX_RING, &off.rx, sizeof(struct xdp_desc));
	}
	t->fill = ring_map(t->made[0].fd, (off_t)XDP_UMEM_PGOFF_FILL_RING, &off.fr, sizeof(uint64_t));
	for (uint64_t i = 0; i < SLOTS; i++)
		((uint64_t *)t->fill.slots)[i] = i * IXD_FRAME_BYTES;
	__atomic_store_n(t->fill.producer, SLOTS, __ATOMIC_RELEASE);
	/* What the supervisor does when the dataplane has mapped the rings. */
	for (uint32_t core = 0; core < 2; core++)
		if (!t->made[core].is_bound)
			cr_assert_eq(xsk_bind(&t->requests[core], t->made[core].fd, &why), 0, "%s", why.text);
	cr_assert_eq(xdp_attach(t->set, "va0", ifindex, XDP_MODE_AUTO, &got, &why), 0, "%s", why.text);
}

static void testbed_close(struct testbed *t)
{
	close(t->made[1].fd);
	close(t->made[0].fd);
	bpf_set_free(t->set);
}

/* The core that a SYN of testbed's peer belongs to. */
static uint32_t syn_core(const struct testbed *t, uint16_t sport)
{
	static const uint8_t remote[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
			     local[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};

	return (ixd_toeplitz_tuple(&t->toeplitz, remote, local, sport, 80) & (IXD_FLOW_GROUPS - 1)) % 2;
}

static void packets_reach_their_core(bool is_late)
{
	struct testbed t;
	uint32_t sent[2] = {0, 0};

	/* The peer transmits by its first queue alone, so everything comes in by ours. */
	netns_run("ip link del va0; ip link add va0 numrxqueues 2 type veth peer name vb0 numtxqueues 1 && "
		  "ip link set va0 up && ip link set vb0 up");
	testbed_open(&t, is_late);
	for (uint16_t sport = 2000; sport < 2020; sport++) {
		uint32_t core = syn_core(&t, sport);
		struct pollfd wait = {.fd = t.made[core].fd, .events = POLLIN};

		syn_send(sport);
		cr_assert_eq(poll(&wait, 1, 5000), 1, "port %u: nothing on core %u", sport, core);
		cr_assert_eq(__atomic_load_n(t.rx[core].producer, __ATOMIC_ACQUIRE), ++sent[core], "port %u",
			     sport);
		const struct xdp_desc *desc =
		    (const struct xdp_desc *)t.rx[core].slots + (sent[core] - 1) % SLOTS;
		const uint8_t *frame = (const uint8_t *)umem.area + desc->addr;

		cr_expect_eq(desc->len, 54);
		cr_expect_eq(frame[34] << 8 | frame[35], sport);
		__atomic_store_n(t.rx[core].consumer, sent[core], __ATOMIC_RELEASE);
	}
	cr_expect_gt(sent[0], 0);
	cr_expect_gt(sent[1], 0);
	testbed_close(&t);
}

Test(xsk_create, packets_reach_the_socket_of_their_core)
{
	packets_reach_their_core(false);
}

Test(xsk_create, sockets_bound_after_their_rings_were_mapped_work_as_well)
{
	packets_reach_their_core(true);
}

Test(xsk_create, late_socket_knows_its_mode_beforehand)
{
	struct xsk_request r = request(0, -1, -1);

	r.is_late = true;
	struct xsk_made made = make(r);

	cr_expect_not(made.is_bound);
	cr_expect_not(made.is_zerocopy);
	close(made.fd);
	r.copy = XSK_COPY_ZEROCOPY;
	made = make(r);
	cr_expect(made.is_zerocopy);
	cr_expect_eq(xsk_bind(&r, made.fd, &why), -EOPNOTSUPP);
	cr_expect_not_null(strstr(why.text, "zero copy"), "%s", why.text);
	close(made.fd);
}
