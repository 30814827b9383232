/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors for IPv6, at the edge. */
#include <criterion/criterion.h>

#include "tests/unit/tcp/rig.h"

/* RFC 8201 section 4: an error that names less than the 1280 bytes that every link takes is discarded. */
Test(tcp_icmp, rfc8201_4_not_below_1280)
{
	struct tcp_tuple tuple = {.local = {0x20, 0x01, [15] = 1},
				  .remote = {0x20, 0x01, [15] = 2},
				  .local_port = 40000,
				  .remote_port = 80};
	struct tcp_params params = {.flags = 0};
	struct rig *r = rig_new();
	tcp_time now;
	int64_t conn;

	rig_start(r);
	now.ns = r->now_ns;
	conn = tcp_connect(r->engine, now, &tuple, &params);
	cr_assert_geq(conn, 0);
	r->conn = (uint32_t)conn;
	rig_output(r);
	cr_assert_eq(rig_conn(r)->mss_max, 1500 - 60);
	tcp_icmp_input(r->engine, now, &tuple, rig_conn(r)->iss, TCP_ICMP_FRAG_NEEDED, 1279);
	cr_assert_eq(rig_conn(r)->mss_max, 1500 - 60);
	cr_assert_eq(r->stats.icmp_ignored, 1);
	tcp_icmp_input(r->engine, now, &tuple, rig_conn(r)->iss, TCP_ICMP_FRAG_NEEDED, 1280);
	cr_assert_eq(rig_conn(r)->mss_max, 1280 - 60);
	cr_assert_eq(r->stats.path_mtu_shrinks, 1);
	rig_free(r);
}
