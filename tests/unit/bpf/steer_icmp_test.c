/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors: those that quote a segment of an owned flow go with it, all others are the kernel's.
 */
#include "tests/unit/bpf/steer_env.h"

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>

static void setup(void)
{
	steer_setup();
	owned_add("10.0.0.1", 80, 0);
}

TestSuite(steer_icmp, .init = setup, .fini = steer_teardown);

static const struct shape unreachable = {.protocol = IPPROTO_ICMP, .icmp_type = 3};

static void expect_taken(const struct shape *shape, const char *what)
{
	struct ixd_verdicts delta;
	struct frame f;

	frame_make(&f, shape);
	cr_expect_eq(frame_run(&f, LOOPBACK_IFINDEX, 0, &delta), XDP_REDIRECT, "%s", what);
	cr_expect_eq(delta.redirected, 1, "%s", what);
	cr_expect_eq(delta.redirected_icmp, 1, "%s", what);
}

static void expect_passed(const struct shape *shape, const char *what)
{
	shape_expect(shape, XDP_PASS, VERDICT(passed_not_tcp), what);
}

Test(steer_icmp, errors_about_owned_flows_are_taken)
{
	struct shape s = unreachable;

	expect_taken(&s, "unreachable");
	s.icmp_type = 11;
	expect_taken(&s, "time exceeded");
	s.icmp_type = 12;
	expect_taken(&s, "parameter problem");
	s.ihl = 15;
	expect_taken(&s, "options outside");
	for (s.quoted_ihl = 6; s.quoted_ihl <= 15; s.quoted_ihl++)
		expect_taken(&s, "options inside");
	s = unreachable;
	s.quoted_fragment = 0x4000;
	expect_taken(&s, "quote with do-not-fragment");
	s = unreachable;
	s.is_tagged = true;
	s.tci = 9;
	owned_add("10.0.0.1", 80, 9);
	expect_taken(&s, "in a VLAN");
}

Test(steer_icmp, about_outgoing_connections)
{
	struct shape s = unreachable;

	s.dport = EPHEMERAL_BASE + 5;
	expect_passed(&s, "not marked");
	ephemeral_mark(EPHEMERAL_BASE + 5, 1);
	expect_taken(&s, "marked");
}

Test(steer_icmp, other_types_are_the_kernels)
{
	for (unsigned type = 0; type < 256; type++) {
		struct shape s = unreachable;

		if (type == 3 || type == 11 || type == 12)
			continue;
		s.icmp_type = (uint8_t)type;
		expect_passed(&s, "not an error, or one that nobody may send");
	}
}

Test(steer_icmp, quotes_of_others_are_the_kernels)
{
	struct shape s = unreachable;

	s.dport = 81;
	expect_passed(&s, "port that is not owned");
	s = unreachable;
	s.quoted_protocol = IPPROTO_UDP;
	expect_passed(&s, "UDP");
	s = unreachable;
	s.quoted_fragment = 8;
	expect_passed(&s, "later fragment: no ports in it");
	s = unreachable;
	s.quoted_src = "10.0.0.7";
	owned_add("10.0.0.7", 80, 0);
	expect_passed(&s, "quotes another sender than it is addressed to");
	s = unreachable;
	s.dst = "10.0.0.5";
	expect_passed(&s, "address that is not ours");
	s = unreachable;
	s.fragment = 0x2000;
	expect_passed(&s, "the error itself is a fragment");
}

Test(steer_icmp, cut_at_every_byte)
{
	struct frame whole, cut;
	char what[64];

	frame_make(&whole, &unreachable);
	for (uint32_t len = 14; len < whole.len; len++) {
		snprintf(what, sizeof(what), "%u of %u bytes", len, whole.len);
		cut = whole;
		cut.len = len;
		frame_expect(&cut, XDP_PASS, len < 34 ? VERDICT(passed_malformed) : VERDICT(passed_not_tcp),
			     what);
	}
	/* The same by the length in the header, with all bytes there. */
	for (int len = 20; len < (int)whole.len - 14; len++) {
		struct shape s = unreachable;

		snprintf(what, sizeof(what), "length %d", len);
		s.total_len = len;
		shape_expect(&s, XDP_PASS, VERDICT(passed_not_tcp), what);
	}
}

Test(steer_icmp, without_a_socket_they_are_dropped)
{
	slot_empty(0, 0);
	shape_expect(&unreachable, XDP_DROP, VERDICT(dropped_no_socket), "empty slot");
}
