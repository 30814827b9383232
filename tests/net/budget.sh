#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What ixd may cost: at most 1 % of a core when idle, at most 64 MB resident beside UMEM and connection state,
# and at most a second from its start to the first accepted connection.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/measure.sh"

[ -z "${IXD_SAN:-}" ] || skip_all "a sanitised build is not measured"
# first_connection: sets TOOK_MS
first_connection() {
	local started_ms
	started_ms=$(now_ms)
	start ixd-default in_ix ixd -i default -c "$T/default.conf"
	wait_until 5 test -S /run/ixd/default/client.sock
	start echo client ix-echo -l "$IX_ADDR:7000"
	wait_line echo 'listening on' || exit 1
	check "the first connection" in_peer k-client "$IX_ADDR:7000" echo --bytes 1 || exit 1
	TOOK_MS=$(($(now_ms) - started_ms))
	wait_line ixd-default ready
}

net_pair || exit 1
ixd_conf default
first_connection
# Others on the machine make it slower, nothing makes it faster: the shortest of a few starts is ixd's own time.
for _ in 1 2 3 4; do
	[ "$TOOK_MS" -gt 1000 ] || break
	echo "# start to first connection: $TOOK_MS ms, once more"
	stop echo
	ixd_stop
	first_connection
done
check "start to first connection: $TOOK_MS ms, at most 1000" test "$TOOK_MS" -le 1000

start hold in_peer k-client "$IX_ADDR:7000" hold --connections 500 --bytes 64 --timeout 60
wait_line hold 'held=500'
before=$(ixd_ticks)
sleep 4 # the measuring interval
used=$(($(ixd_ticks) - before))
# A tick is 10 ms; 4 s are 400 ticks of one core.
check "idle with 500 connections: $used of 400 ticks, at most 4" test "$used" -le 4
kb=$(ixd_resident_kb)
check "resident: $kb KB, at most 65536" test "$kb" -le 65536
check "and it wakes up" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 1000
stop hold
stop echo
ixd_stop
