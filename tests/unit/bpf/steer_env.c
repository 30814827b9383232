/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running the XDP program on frames made by hand.
 */
#include "tests/unit/bpf/steer_env.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/toeplitz.h"

struct ixd_bpf *steer;
struct ixd_toeplitz steer_toeplitz;

static int xsk_fd = -1;

static const uint8_t hash_key[IXD_TOEPLITZ_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

void steer_load(uint32_t cores)
{
	if (unshare(CLONE_NEWNET) < 0)
		cr_skip_test("needs root for a network namespace and BPF: %s", strerror(errno));
	steer = ixd_bpf__open();
	cr_assert_not_null(steer);
	steer->rodata->config = (struct ixd_bpf_config){
	    .cores = cores,
	    .cores_max = IXD_CORES_MAX,
	    .group_mask = IXD_FLOW_GROUPS - 1,
	    .ephemeral_base = EPHEMERAL_BASE,
	    .ephemeral_span = EPHEMERAL_SPAN,
	};
	ixd_toeplitz_table(hash_key, &steer_toeplitz);
	steer->rodata->toeplitz = steer_toeplitz;
	int err = ixd_bpf__load(steer);

	if (err == -EPERM)
		cr_skip_test("needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
	cr_assert_eq(err, 0, "load: %s", strerror(-err));
	/* A slot takes a socket that is not bound; redirecting ends before the difference shows. */
	xsk_fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (xsk_fd < 0)
		cr_skip_test("no AF_XDP socket: %s", strerror(errno));
}

void steer_setup(void)
{
	steer_load(1);
	iface_add(LOOPBACK_IFINDEX, 0, 1);
	slot_fill(0, 0);
	local_add("10.0.0.1", 0);
}

void steer_teardown(void)
{
	if (xsk_fd >= 0)
		close(xsk_fd);
	ixd_bpf__destroy(steer);
}

void addr_mapped(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (text == NULL)
		return;
	addr[10] = addr[11] = 0xff;
	cr_assert_eq(inet_pton(AF_INET, text, addr + 12), 1);
}

static void map_put(const struct bpf_map *map, const void *key, const void *value)
{
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0, "%s: %s",
		     bpf_map__name(map), strerror(errno));
}

void owned_add(const char *addr, uint16_t port, uint16_t vlan)
{
	struct ixd_owned_key key = {.port = htons(port), .vlan = vlan, .proto = IPPROTO_TCP};
	struct ixd_owned_value value = {.listener = 1};

	addr_mapped(addr, key.addr);
	map_put(steer->maps.owned, &key, &value);
}

void local_add(const char *addr, uint16_t vlan)
{
	struct ixd_local_key key = {.vlan = vlan};
	uint32_t value = 1;

	addr_mapped(addr, key.addr);
	map_put(steer->maps.local_addrs, &key, &value);
}

void iface_add(uint32_t ifindex, uint32_t queue_base, uint32_t queues)
{
	struct ixd_iface_value value = {.queue_base = queue_base, .queues = queues};

	map_put(steer->maps.ifaces, &ifindex, &value);
}

void ephemeral_mark(uint16_t port, uint16_t users)
{
	static struct ixd_ephemeral marks;
	uint32_t zero = 0;

	marks.users[port - EPHEMERAL_BASE] = users;
	map_put(steer->maps.ephemeral, &zero, &marks);
}

void group_set(uint32_t group, uint32_t core)
{
	map_put(steer->maps.flow_groups, &group, &core);
}

void slot_fill(uint32_t queue, uint32_t core)
{
	uint32_t slot = queue * IXD_CORES_MAX + core;

	map_put(steer->maps.xsks, &slot, &xsk_fd);
}

void slot_empty(uint32_t queue, uint32_t core)
{
	uint32_t slot = queue * IXD_CORES_MAX + core;

	bpf_map_delete_elem(bpf_map__fd(steer->maps.xsks), &slot);
}

static void frame_put(struct frame *f, const void *bytes, size_t len)
{
	cr_assert_leq(f->len + len, sizeof(f->bytes));
	memcpy(f->bytes + f->len, bytes, len);
	f->len += (uint32_t)len;
}

static void frame_put16(struct frame *f, uint16_t value)
{
	uint16_t wire = htons(value);

	frame_put(f, &wire, sizeof(wire));
}

/* Options are no-operations (1). */
static void frame_put_ipv4(struct frame *f, const char *src, const char *dst, uint8_t version, uint8_t ihl,
			   uint8_t protocol, uint16_t fragment, uint16_t total_len)
{
	uint8_t header[60];
	struct in_addr from, to;

	memset(header, 1, sizeof(header));
	memset(header, 0, 20);
	header[0] = (uint8_t)(version << 4 | ihl);
	header[2] = (uint8_t)(total_len >> 8);
	header[3] = (uint8_t)total_len;
	header[6] = (uint8_t)(fragment >> 8);
	header[7] = (uint8_t)fragment;
	header[8] = 64;
	header[9] = protocol;
	cr_assert_eq(inet_pton(AF_INET, src, &from), 1);
	cr_assert_eq(inet_pton(AF_INET, dst, &to), 1);
	memcpy(header + 12, &from, 4);
	memcpy(header + 16, &to, 4);
	frame_put(f, header, ihl >= 5 ? ihl * 4u : 20);
}

static void frame_put_tcp(struct frame *f, uint16_t sport, uint16_t dport, uint16_t payload)
{
	static const uint8_t rest[16] = {[8] = 0x50, [9] = 0x10}, zeros[400];

	frame_put16(f, sport);
	frame_put16(f, dport);
	frame_put(f, rest, sizeof(rest));
	frame_put(f, zeros, payload);
}

/* The eight bytes of TCP that every router must quote, and no more. */
static void frame_put_quote(struct frame *f, const struct shape *s, const char *dst)
{
	static const uint8_t seq[4] = {1, 2, 3, 4};

	frame_put_ipv4(f, s->quoted_src ? s->quoted_src : dst, s->src ? s->src : "10.0.0.2", 4,
		       s->quoted_ihl ? s->quoted_ihl : 5,
		       s->quoted_protocol ? s->quoted_protocol : IPPROTO_TCP, s->quoted_fragment, 1500);
	frame_put16(f, s->dport ? s->dport : 80);
	frame_put16(f, s->sport ? s->sport : 40000);
	frame_put(f, seq, sizeof(seq));
}

void frame_make(struct frame *f, const struct shape *s)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	const char *dst = s->dst ? s->dst : "10.0.0.1";
	uint8_t protocol = s->protocol ? s->protocol : IPPROTO_TCP;

	f->len = 0;
	frame_put(f, macs, sizeof(macs));
	if (s->is_tagged) {
		frame_put16(f, ETH_P_8021Q);
		frame_put16(f, s->tci);
	}
	frame_put16(f, s->ethertype ? s->ethertype : ETH_P_IP);
	uint32_t ip_off = f->len;
	/* An ICMP error comes from a router on the way, not from the peer. */
	const char *src = protocol == IPPROTO_ICMP ? "10.99.0.1" : s->src ? s->src : "10.0.0.2";

	frame_put_ipv4(f, src, dst, s->version ? s->version : 4, s->ihl ? s->ihl : 5, protocol, s->fragment,
		       0);
	if (protocol == IPPROTO_ICMP) {
		uint8_t icmp[8] = {s->icmp_type};

		frame_put(f, icmp, sizeof(icmp));
		frame_put_quote(f, s, dst);
	} else {
		frame_put_tcp(f, s->sport ? s->sport : 40000, s->dport ? s->dport : 80, s->payload);
	}
	uint16_t total_len =
	    s->total_len ? (uint16_t)(s->total_len > 0 ? s->total_len : 0) : (uint16_t)(f->len - ip_off);

	f->bytes[ip_off + 2] = (uint8_t)(total_len >> 8);
	f->bytes[ip_off + 3] = (uint8_t)total_len;
}

static void verdicts_sum(struct ixd_verdicts *sum)
{
	static struct ixd_verdicts per_cpu[1024];
	uint32_t zero = 0;
	int cpus = libbpf_num_possible_cpus();

	cr_assert(cpus > 0 && cpus <= 1024);
	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(steer->maps.verdicts), &zero, per_cpu), 0);
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < cpus; cpu++) {
#define SUM_FIELD(name, doc) sum->name += per_cpu[cpu].name;
		IXD_VERDICTS(SUM_FIELD)
#undef SUM_FIELD
	}
}

uint32_t frame_run(const struct frame *f, uint32_t ifindex, uint32_t queue, struct ixd_verdicts *delta)
{
	struct xdp_md ctx = {.data_end = f->len, .ingress_ifindex = ifindex, .rx_queue_index = queue};
	struct ixd_verdicts before, after;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = f->len, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	verdicts_sum(&before);
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(steer->progs.ixd_steer), &opts), 0, "%s",
		     strerror(errno));
	verdicts_sum(&after);
#define DELTA_FIELD(name, doc) delta->name = after.name - before.name;
	IXD_VERDICTS(DELTA_FIELD)
#undef DELTA_FIELD
	return opts.retval;
}

void frame_expect(const struct frame *f, uint32_t action, size_t verdict, const char *what)
{
	static const char *const names[] = {
#define NAME_FIELD(name, doc) #name,
	    IXD_VERDICTS(NAME_FIELD)
#undef NAME_FIELD
	};
	struct ixd_verdicts delta;
	__u64 counts[sizeof(delta) / sizeof(__u64)];

	cr_expect_eq(frame_run(f, LOOPBACK_IFINDEX, 0, &delta), action, "%s: action", what);
	memcpy(counts, &delta, sizeof(delta));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		cr_expect_eq(counts[i], i == verdict ? 1 : 0, "%s: counter %s is %llu", what, names[i],
			     counts[i]);
}

void shape_expect(const struct shape *shape, uint32_t action, size_t verdict, const char *what)
{
	struct frame f;

	frame_make(&f, shape);
	frame_expect(&f, action, verdict, what);
}
