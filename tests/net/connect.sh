#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Connections that ixd opens: to a kernel server, refused, unreachable, both orders of half-closing.
. "$(dirname "$0")/../lib/harness.sh"

# round_trip SIZE: ix-cat sends the pattern to k-echo and gets it back.
round_trip() {
	client timeout $((60 * TIME_SCALE)) \
		bash -c "set -o pipefail; k-pattern $1 | ix-cat -N $PEER_ADDR:7200 | k-pattern --check $1"
}

SIZES="0 1 1448 65536 1M 16M" CLIENTS=20
[ -z "${IXD_TEST_SMALL:-}" ] || SIZES="0 1 1448 65536 1M" CLIENTS=8

net_pair || exit 1
ixd_start || exit 1
peer_serve echo k-echo -l "$PEER_ADDR:7200" --timeout 250
for size in $SIZES; do
	check "$size bytes to a kernel server and back" round_trip "$size"
done
check_says "a closed port is refused" 'refuse' client timeout 20 ix-cat "$PEER_ADDR:7299"
check_says "an address without a host ends with a reason" '(nreachable|imed out|no connection)' \
	client timeout $((60 * TIME_SCALE)) ix-cat -w 3 10.77.0.99:7299
check_says "an address without a route ends with a reason" '([Uu]nreachable|no route)' \
	client timeout 20 ix-cat -w 5 192.0.2.1:7299
many() {
	local i pids=()
	for i in $(seq "$CLIENTS"); do
		round_trip 100000 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || return 1
	done
}
check "$CLIENTS clients at once" many

peer_serve sink k-sink -l "$PEER_ADDR:7201" --source 100000 --source-after --timeout 250
check "ixd's side closes its half first, then receives" bash -c "set -o pipefail
	k-pattern 200000 | client timeout 60 ix-cat -N $PEER_ADDR:7201 | k-pattern --check 100000"
check "the peer got all of it and an orderly end" wait_line sink 'received 200000 sent 100000 end eof'
stop sink
stop echo
ixd_stop
