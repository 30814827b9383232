#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Accurate ECN (RFC 9768) against a kernel that speaks it, both roles and both directions, on a path that marks.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/engine.sh"
. "$TEST_ROOT/tests/lib/relay.sh"

BYTES=20M
[ -z "${IXD_TEST_SMALL:-}" ] || BYTES=2M

has_grown() {
	[ "$(counter "$1")" -gt "$2" ]
}

relay_net || exit 1
in_peer sysctl -qw net.ipv4.tcp_ecn=3 2>/dev/null ||
	skip_all "this kernel ($(uname -r)) does not take net.ipv4.tcp_ecn = 3 (Accurate ECN)"
EXTRA='tcp = { ecn = "accurate"; };' ixd_conf default
ixd_start || exit 1
relay_start 1 --mark 2 --delay 1 || exit 1

serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
ecn_in_both_roles accurate "true true"
for role in listen connect; do
	ce=$(counter accecn_ce_in) told=$(counter accecn_marks_in)
	check "$role: the kernel sends $BYTES" transfer ixd "$role-receive" $BYTES
	check "$role: marks were seen" has_grown accecn_ce_in "$ce"
	check "$role: ixd sends $BYTES" transfer ixd "$role-send" $BYTES
	check "$role: the kernel told of marks" has_grown accecn_marks_in "$told"
done
check "neither found what the other says impossible" [ "$(counter accecn_mangled)" = 0 ]
stop echo
ixd_stop
relay_stop
