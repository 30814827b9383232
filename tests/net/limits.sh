#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each table that a stranger can fill has a limit in the configuration. Filled from outside, it counts what it turns
# away; connections beside go on, new ones are served, and the dataplane does not grow.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/engine.sh"
. "$TEST_ROOT/tests/lib/ghost.sh"

LIMITS=$(dirname "$0")/limits.py

net_pair && ghost_join || exit 1
EXTRA='tcp = { syn_backlog = 16; challenge_acks_per_s = 20; };
sizes = { ooo_records_per_core = 64; time_waits_per_core = 16; };' ixd_conf default
ixd_start || exit 1
serve orders ix-orders "$IX_ADDR:7000" || exit 1
serve echo ix-echo -l "$IX_ADDR:7001" || exit 1
dataplane=$(child_of ixd-default ixd-dataplane)

# fill WHAT COUNTER: the table, and the counter that must move
fill() {
	local what=$1 counter=$2 before
	before=$(counter "$counter")
	check "$what: the others are served" in_peer timeout 120 /usr/bin/python3 "$LIMITS" "$what" \
		"${GHOST[@]}" 7000 "$TIME_SCALE"
	cp "$T/log/check" "$T/log/$what"
	check "$what: $counter moves" test "$(counter "$counter")" -gt "$before"
}

# within WHAT NAME MOST: what limits.py printed
within() {
	local number
	number=$(sed -n "s/^$2=//p" "$T/log/$1" | sort -n | tail -n 1)
	check "$1: $2 is ${number:-none}, no more than $3" test "${number:-999999}" -le "$3"
}

# Once each, so that what grows with use has grown; then again.
for what in syns:syn_cookies_out challenges:challenge_acks_limited_conn ranges:drop_no_record time_waits:time_waits_recycled; do
	fill "${what%:*}" "${what#*:}"
done
# 10 in 5 seconds for one connection, and the answers may fall into two.
within challenges challenges 20
attack_again "$dataplane" 120 "$LIMITS" syns challenges ranges time_waits
check "half-open connections are few" bash -c \
	"[ \$(ixctl --json ss | jq '[.. | objects | select(.state? // \"\" | test(\"syn.r\"))] | length') -le 16 ]"
stop echo
stop orders
ixd_stop
