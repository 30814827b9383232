#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fast Open cookies that are made up or repeated, also while the backlog is full, Accurate ECN's option in every wrong
# form, and storms of ICMP errors: counted, bounded, and nobody else is harmed.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/engine.sh"
. "$TEST_ROOT/tests/lib/ghost.sh"

BACKLOG=330 # more than PENDING
PENDING=256
FORGERIES=$(dirname "$0")/forgeries.py
SECONDS_EACH=$((60 * TIME_SCALE))

net_pair && ghost_join 10.77.0.51 || exit 1
# What a wire would carry, so that sizes can be judged.
in_ix ethtool -K ix0 tx off tso off gso off >/dev/null
EXTRA="tcp = { syn_backlog = $BACKLOG; fast_open = true; ecn = \"accurate\"; };" ixd_conf default
ixd_start || exit 1
serve early ix-echo -F -l "$IX_ADDR:7000" || exit 1
serve echo ix-echo -l "$IX_ADDR:7001" || exit 1
dataplane=$(child_of ixd-default ixd-dataplane)

# forge WHAT COUNTER...: the others are served, and each counter moves
forge() {
	local what=$1 name
	local -A before
	shift
	for name; do
		before[$name]=$(counter "$name")
	done
	check "$what: the others are served" in_peer timeout $SECONDS_EACH /usr/bin/python3 "$FORGERIES" "$what" \
		"${GHOST[@]}" 7000 "$TIME_SCALE"
	cp "$T/log/check" "$T/log/$what"
	for name; do
		check "$what: $name moves" test "$(counter "$name")" -gt "${before[$name]}"
	done
}

# within WHAT NAME LEAST MOST: what forgeries.py printed
within() {
	local number
	number=$(sed -n "s/.*\<$2=\([0-9]*\).*/\1/p" "$T/log/$1")
	check "$1: $2 is ${number:-none}, $3 to $4" test "${number:--1}" -ge "$3" -a "${number:-999999}" -le "$4"
}

forge accecn_options accecn_opens drop_malformed
forge icmp_storm path_mtu_shrinks icmp_ignored soft_errors
within icmp_storm longest 100 536
forge forged_cookies fast_open_bad_cookies
within forged_cookies taken 0 0
within forged_cookies left 30 40
check "nothing was taken" test "$(counter fast_open_in)" = 0
# One address is as good as another to the limits: who repeats a cookie fills them, and then nobody is taken early.
forge replayed_cookies fast_open_in fast_open_bad_cookies fast_open_limited syn_cookies_out
within replayed_cookies taken 100 $PENDING
check "no more than may be unconfirmed were taken" test "$(counter fast_open_in)" -le $PENDING
within replayed_cookies flood_taken 0 0
within replayed_cookies flood_left 100 300
attack_again "$dataplane" $SECONDS_EACH "$FORGERIES" icmp_storm accecn_options forged_cookies
stop echo
stop early
ixd_stop
