#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ECN with ecn = "accurate" against a kernel that speaks classic ECN, or none: both roles get what the other side knows.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/engine.sh"

net_pair || exit 1
EXTRA='tcp = { ecn = "accurate"; };' ixd_conf default
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
for row in '1 true' '0 false'; do
	read -r setting expected <<<"$row"
	in_peer sysctl -qw net.ipv4.tcp_ecn="$setting"
	ecn_in_both_roles "tcp_ecn=$setting: ECN $expected, classic" "$expected false"
	check "and 1 MB there and back" in_peer k-client "$IX_ADDR:7000" echo --connections 4 --bytes 1000000
done
stop echo
ixd_stop
