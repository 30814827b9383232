/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and ports as they are written. */
#include <criterion/criterion.h>

#include "tests/bench/lib/net.h"

Test(net, endpoints)
{
	static const char *const wrong[] = {
	    "",       "10.0.0.1",    "10.0.0.1:",  "10.0.0.1:0",   "10.0.0.1:65536",
	    ":80",    "10.0.0:80",   "10.0.0.1:x", "10.0.0.1:80x", "10.0.0.256:80",
	    "1:2:80", "10.0.0.1:-1", "name:80",    "10.0.0.1: 80"};
	struct bench_endpoint endpoint;

	cr_assert(bench_endpoint_parse("10.0.0.1:65535", &endpoint));
	cr_assert_eq(endpoint.ip, 0x0a000001u);
	cr_assert_eq(endpoint.port, 65535);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not(bench_endpoint_parse(wrong[i], &endpoint), "%s", wrong[i]);
}

Test(net, address_ranges)
{
	struct bench_range range;

	cr_assert(bench_addresses_parse("10.0.0.7", &range));
	cr_assert(range.first == 0x0a000007u && range.last == range.first);
	cr_assert(bench_addresses_parse("10.0.0.7-10.0.1.2", &range));
	cr_assert(range.first == 0x0a000007u && range.last == 0x0a000102u);
	cr_assert_not(bench_addresses_parse("10.0.0.7-10.0.0.6", &range));
	cr_assert_not(bench_addresses_parse("10.0.0.7-", &range));
	cr_assert_not(bench_addresses_parse("10.0.0.7-8", &range));
}

Test(net, port_ranges)
{
	struct bench_range range;

	cr_assert(bench_ports_parse("80", &range));
	cr_assert(range.first == 80 && range.last == 80);
	cr_assert(bench_ports_parse("1-65535", &range));
	cr_assert(range.first == 1 && range.last == 65535);
	cr_assert_not(bench_ports_parse("0-10", &range));
	cr_assert_not(bench_ports_parse("10-9", &range));
	cr_assert_not(bench_ports_parse("10-65536", &range));
	cr_assert_not(bench_ports_parse("x", &range));
}
