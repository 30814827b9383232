#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `ixctl reconfigure` and SIGHUP: one change or none, told as a difference, and no connection notices.
. "$(dirname "$0")/../lib/harness.sh"

policy() {
	POLICY="policy = ( { user = \"$CLIENT_ID\"; listen = ( $1 ); } );" EXTRA="${2:-}" ixd_conf default
}

net_pair || exit 1
policy '"*:7000"'
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
dataplane=$(child_of ixd-default ixd-dataplane)
start hold in_peer k-client "$IX_ADDR:7000" hold --connections 10 --bytes 10 --timeout 120
wait_line hold 'held=10'
check_says "a port outside the policy" '(policy|[Pp]ermission|denied|allowed)' client timeout 10 ix-echo -l "$IX_ADDR:7001"

policy '"*:7000-7001"' 'batch = 32;'
check "reconfigure shows the difference" bash -c "ixctl reconfigure | tee /dev/stderr | grep -q 'batch.*32'"
check "the port is inside now" serve echo2 ix-echo -l "$IX_ADDR:7001"
check "and is served" in_peer k-client "$IX_ADDR:7001" echo --connections 10 --bytes 10000
check "the batch bound is the new one" bash -c "ixctl --json status | jq -e '[.. | .batch_packets? // empty] == [32]'"

policy '"*:7000"' 'batch = 5000;'
check_says "a bad file is refused with its line" 'default\.conf:[0-9]+.*batch' ixctl reconfigure
check "and has changed nothing" bash -c "ixctl --json status | jq -e '[.. | .batch_packets? // empty] == [32]'"
CORES=2 policy '"*:7000"' 'batch = 16;'
check_says "a key that cannot change while running is named" 'cores' ixctl reconfigure
check "and the others have not changed" bash -c "ixctl --json status | jq -e '[.. | .batch_packets? // empty] == [32]'"

policy '"*:7000-7001"' 'batch = 48;'
kill -HUP "${PIDS[ixd-default]}"
check "SIGHUP does the same" wait_until 5 bash -c \
	"ixctl --json status | jq -e '[.. | .batch_packets? // empty] == [48]'"
check "no connection noticed" is_alive hold
check "the dataplane is the same process" test "$dataplane" = "$(child_of ixd-default ixd-dataplane)"
check "new connections are served" in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 10000
# What leaves from now on; connections that there are, too.
policy '"*:7000-7001"' 'batch = 48; tcp = { ttl = 17; dscp = 46; };'
in_peer nft -f - <<-RULES
	table inet seen { chain in { type filter hook input priority 0;
		tcp sport 7000 ip ttl 17 ip dscp 46 counter accept; tcp sport 7000 counter; }; }
RULES
# seen: packets with both values, and those with others
seen() {
	in_peer nft -j list chain inet seen in | jq -r '[.. | .counter? // empty | .packets] | map(tostring) | join(" ")'
}
check "no packet has the new TTL and DSCP before" bash -c "ixctl status --json | jq -e '.settings | .ttl == 64 and .dscp == 0'"
check "TTL and DSCP: the difference" bash -c "ixctl reconfigure | tee /dev/stderr | grep -q 'dscp.*46'"
# The cores hear of it a moment later than ixctl; what left before they did does not count.
is_in_force() {
	local with
	in_peer k-client "$IX_ADDR:7000" echo --bytes 1
	read -r with _ <<<"$(seen)"
	[ "$with" -gt 0 ]
}
check "TTL and DSCP: they come into force" wait_until 5 is_in_force
in_peer nft reset counters table inet seen >/dev/null
kill -USR1 "${PIDS[hold]}"
check "TTL and DSCP: connections go on" wait_line hold '^round=1$' 10
check "TTL and DSCP: new ones" in_peer k-client "$IX_ADDR:7000" echo --connections 5 --bytes 100000
has_new_values() {
	local with without
	read -r with without <<<"$(seen)"
	echo "$with packets with them, $without others"
	[ "$with" -gt 20 ] && [ "$without" = 0 ]
}
check "TTL and DSCP: all packets have them" has_new_values

stop hold
stop echo
stop echo2

# RFC 9293 MUST-48: a listener's own code point, and a connection's.
serve own ix-orders "$IX_ADDR:7001" 0 10 || exit 1
in_peer nft -f - <<-RULES
	table inet own { chain in { type filter hook input priority 0;
		tcp sport 7001 ip dscp 10 counter accept; tcp sport 7001 ip dscp 46 counter accept;
		tcp sport 7001 counter; }; }
RULES
# own: packets with the listener's code point, with the connection's, and with others
own() {
	in_peer nft -j list chain inet own in | jq -r '[.. | .counter? // empty | .packets] | map(tostring) | join(" ")'
}
orders_twice() {
	/usr/bin/python3 -c "
import socket
s = socket.create_connection(('$IX_ADDR', 7001), 30)
for order in b's', b'ds', b's':
    s.send(order)
    assert s.recv(4, socket.MSG_WAITALL) == b'data'"
}
has_own_values() {
	local listener connection others
	read -r listener connection others <<<"$(own)"
	echo "$listener packets with the listener's, $connection with the connection's, $others with others"
	[ "$listener" -ge 2 ] && [ "$connection" -ge 2 ] && [ "$others" = 0 ]
}
check "DSCP: a connection takes another" in_peer bash -c "$(declare -f orders_twice); IX_ADDR=$IX_ADDR orders_twice"
check "DSCP: packets have the listener's and then the connection's" has_own_values
stop own

# RFC 9293 MUST-27: the interval of keepalives is configurable.
policy '"*:7000-7001"' 'batch = 48; tcp = { keepalive_idle_s = 1; };'
check "keepalives: the difference" bash -c "ixctl reconfigure | tee /dev/stderr | grep -q 'keepalive_idle_s.*1'"
serve orders ix-orders "$IX_ADDR:7000" || exit 1
start idle in_peer /usr/bin/python3 -c "
import socket, time
s = socket.create_connection(('$IX_ADDR', 7000))
s.send(b'k')
time.sleep(100)"
check "keepalives: sent after the time that is configured" wait_until 20 bash -c "ixctl --json stats | jq -e '[.. | objects |
	select(.name? == \"keepalive_probes\" and .value > 0)] | length > 0'"
check "keepalives: the connection goes on" is_alive idle
stop idle
stop orders
ixd_stop
