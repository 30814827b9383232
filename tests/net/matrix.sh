#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Queues and cores in other numbers than one each, and both attach modes.
. "$(dirname "$0")/../lib/harness.sh"

LARGE=32M MANY=200 EACH=50000 OUT=16
[ -z "${IXD_TEST_SMALL:-}" ] || LARGE=1M MANY=40 EACH=20000 OUT=4

# run QUEUES CORES MODE: the peer sends on as many queues, so packets of one flow come on each of ours.
run() {
	local what="$1 queues, $2 cores, $3"
	ip netns del ix 2>/dev/null
	ip netns del peer 2>/dev/null
	net_pair "$1" "$1" || return 1
	# In generic mode nothing splits what the peer's kernel left whole.
	[ "$3" != generic ] || in_peer ethtool -K p0 tso off gso off tx off >/dev/null
	QUEUES=$1 CORES=$2 XDP_MODE=$3 ixd_conf default
	ixd_start || return 1
	serve echo ix-echo -l "$IX_ADDR:7000"
	check "$what: $MANY connections" \
		in_peer k-client "$IX_ADDR:7000" echo --connections $MANY --bytes $EACH --timeout 60
	check "$what: $LARGE on one connection" \
		in_peer k-client "$IX_ADDR:7000" echo --bytes $LARGE --size 65536 --timeout 60
	peer_serve far k-echo -l "$PEER_ADDR:7200" --timeout 100
	check "$what: connecting out $OUT times" bash -c "
		for i in \$(seq $OUT); do
			k-pattern 10000 | client timeout 20 ix-cat -N $PEER_ADDR:7200 | k-pattern --check 10000 || exit 1
		done"
	if [ "$2" = 2 ]; then
		check "$what: both cores had work" bash -c "ixctl --json cores | jq -e \
			'[.. | objects | .rx_packets? // empty | select(. > 100)] | length >= 2'"
	fi
	stop far
	stop echo
	ixd_stop
}
[ -n "${IXD_TEST_SMALL:-}" ] || {
	run 1 2 native
	run 2 1 native
}
run 2 2 native
[ -n "${IXD_TEST_SMALL:-}" ] || run 1 1 generic
[ -n "${IXD_TEST_SMALL:-}" ] || run 2 2 generic
