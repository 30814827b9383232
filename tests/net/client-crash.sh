#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients that are killed: at many moments of their lives, with the peer watching, and all at once.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
ixd_start || exit 1

# The peer of a killed client gets a reset, not silence.
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
start hold in_peer k-client "$IX_ADDR:7000" hold --connections 50 --bytes 100 --timeout 30
check "50 connections are held" wait_line hold 'held=50'
stop echo KILL
check "each of them is reset" wait_line hold 'reset=50' 10
wait_end hold

# Die after 0 … 380 ms, in start, hello, listen, accept, transfer or close.
crash_at() {
	local ms=$1 load
	start victim client ix-echo -l "$IX_ADDR:7000"
	in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 1M --timeout 10 >/dev/null 2>&1 &
	load=$!
	read -rt "0.$(printf %03d "$ms")" <> <(:)
	kill -KILL "${PIDS[victim]}"
	wait "${PIDS[victim]}" "$load" 2>/dev/null
	unset 'PIDS[victim]'
}
for ms in 0 1 2 5 10 20 40 80 120 180 260 380; do
	crash_at $ms
done
check "ixd lives" is_alive ixd-default
check "nothing of the dead clients is left" wait_until 10 bash -c "ixctl --json clients | jq -e '[.. | objects | select(has(\"pid\"))] | length == 0'"
check "the port is free again" serve echo ix-echo -l "$IX_ADDR:7000"
check "and serves" in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 100000
stop echo
ixd_stop
