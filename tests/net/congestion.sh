#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Congestion control is chosen for the instance, for a listener and for a connection, and ixctl shows which it is,
# what state it is in, and what was lost.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
EXTRA='tcp = { cc = "newreno"; };' ixd_conf default
ixd_start || exit 1

# connection LOCAL-PORT FIELD: of the one connection with this local port
connection() {
	ixctl --json ss -s established -l "$1" | jq -r "[.. | objects | select(has(\"congestion_control\"))][0].$2"
}

# runs_with NAME PORT CC
runs_with() {
	check "$1: $3" wait_until 10 bash -c "[ \"\$(ixctl --json ss -s established -l $2 |
		jq -r '[.. | objects | .congestion_control // empty][0]')\" = $3 ]"
}

serve plain ix-echo -l "$IX_ADDR:7000" || exit 1
serve chosen ix-echo -C dctcp -l "$IX_ADDR:7001" || exit 1
serve orders ix-orders "$IX_ADDR:7002" || exit 1
for port in 7000 7001; do
	start "hold$port" in_peer k-client "$IX_ADDR:$port" hold --connections 1 --bytes 10 --timeout 200
	wait_line "hold$port" 'held=1'
done
runs_with "the instance's choice" 7000 newreno
runs_with "a listener's choice" 7001 dctcp

# A connection's own, at the open and later.
peer_serve far k-echo -l "$PEER_ADDR:7100"
start cat client bash -c "sleep 100 | ix-cat -k -C cubic $PEER_ADDR:7100"
check "a connection's choice: cubic" wait_until 10 bash -c "[ \"\$(ixctl --json ss -r 7100 |
	jq -r '[.. | objects | .congestion_control // empty][0]')\" = cubic ]"
start order in_peer /usr/bin/python3 -c "
import socket, time
s = socket.create_connection(('$IX_ADDR', 7002))
s.send(b'1')
time.sleep(100)"
runs_with "a connection's choice, changed later" 7002 cubic
check_says "a name that is none" 'bbr.*cubic' client ix-echo -C bbr -l "$IX_ADDR:7003"

# What the engine knows. The peer drops one packet in a hundred, so that there is something to know.
loss 10
# (It sends for as long as it takes to look, and is stopped then.)
start bulk in_peer k-client "$IX_ADDR:7000" echo --bytes 1000G --timeout 200
check "losses are shown" wait_until 60 bash -c "ixctl --json ss -l 7000 | jq -e '[.. | objects |
	select(.lost? != null and .lost > 0 and .retransmits > 0 and .delivery_rate > 0 and .min_rtt_us > 0)] | length > 0'"
check "the reordering window is shown" wait_until 60 bash -c "ixctl --json ss -l 7000 | jq -e '[.. | objects |
	select(.reordering_window_us? != null and .reordering_window_us > 0)] | length > 0'"
check "the state is one of four" bash -c "ixctl --json ss -l 7000 | jq -e '[.. | objects | .congestion_state // empty] |
	length > 0 and all(. == \"open\" or . == \"cwr\" or . == \"recovery\" or . == \"loss\")'"
check "the table has the columns" bash -c "ixctl ss | head -n 1 | grep -E 'RETRANS +LOST +RATE +CC +CC-STATE +REO'"
no_loss
stop bulk
check "recoveries are counted" bash -c "ixctl --json stats | jq -e '[.. | objects |
	select(.name? == \"fast_recoveries\" and .value > 0)] | length > 0'"

for name in order cat far hold7000 hold7001 orders chosen plain; do
	stop $name
done
ixd_stop
