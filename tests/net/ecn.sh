#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ECN with ecn = "accurate" against a kernel that speaks classic ECN, or none: both roles get what the other side knows.
. "$(dirname "$0")/../lib/harness.sh"

# options PORT: what `ixctl ss` says of the connection that is held there.
options() {
	ixctl --json ss | jq -r "[.. | objects | select(.local_port? == $1 or .remote_port? == $1)][0] | \"\(.ecn) \(.accurate_ecn)\""
}

options_are() {
	[ "$(options "$1")" = "$2" ]
}

net_pair || exit 1
EXTRA='tcp = { ecn = "accurate"; };' ixd_conf default
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
for row in '1 true' '0 false'; do
	read -r setting expected <<<"$row"
	in_peer sysctl -qw net.ipv4.tcp_ecn="$setting"
	start hold in_peer k-client "$IX_ADDR:7000" hold --connections 1 --bytes 10 --timeout 60
	wait_line hold 'held=1'
	check "the kernel's client with tcp_ecn=$setting: ECN $expected, classic" options_are 7000 "$expected false"
	stop hold
	peer_serve sink k-echo -l "$PEER_ADDR:7200" --timeout 60
	start cat client ix-cat -k "$PEER_ADDR:7200"
	check "the kernel's server with tcp_ecn=$setting: ECN $expected, classic" wait_until 10 options_are 7200 "$expected false"
	stop cat
	stop sink
	check "and 1 MB there and back" in_peer k-client "$IX_ADDR:7000" echo --connections 4 --bytes 1000000
done
stop echo
ixd_stop
