#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The same injected segments to ixd and to the kernel's TCP, on two ports of one host: answers are the same, or
# differential.table says why not.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/ghost.sh"

here=$(dirname "$0")

net_pair && ghost_join || exit 1
# The kernel answers each segment, not some in a second. It may; a comparison needs all.
in_ix sysctl -qw net.ipv4.tcp_invalid_ratelimit=0 net.ipv4.tcp_challenge_ack_limit=1000000
EXTRA='tcp = { challenge_acks_per_s = 100000; };' ixd_conf default
ixd_start || exit 1
serve orders ix-orders "$IX_ADDR:7000" || exit 1
start kernel in_ix /usr/bin/python3 "$here/orders.py" "$IX_ADDR" 7100
wait_line kernel 'listening on' || exit 1
dataplane=$(child_of ixd-default ixd-dataplane)

in_peer /usr/bin/python3 "$here/differential.py" "${GHOST[@]}" 7000 7100 \
	"$here/differential.table" "$TIME_SCALE" "$@" | tee "$T/log/probes"
status=${PIPESTATUS[0]}
FAILED=$((FAILED + $(grep -c '^not ok' "$T/log/probes")))
PASSED=$((PASSED + $(grep -c '^ok' "$T/log/probes")))
[ "$status" = 0 ] || [ "$FAILED" -gt 0 ] || not_ok "differential.py ended early"
check "the dataplane is the same process" test "$dataplane" = "$(child_of ixd-default ixd-dataplane)"
stop kernel
stop orders
ixd_stop
