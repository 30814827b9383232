#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The kernel keeps everything that ixd does not own, on the same address at the same time: ping, its own TCP
# services in both directions, UDP; and gets a port back when ixd's client lets go of it.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
start kernel in_ix k-echo -l "$IX_ADDR:7001" --timeout 200
wait_line kernel 'listening on'
peer_serve far k-echo -l "$PEER_ADDR:7002" --timeout 200

check "ixd serves" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 100000
check "the kernel serves another port of the address" \
	in_peer k-client "$IX_ADDR:7001" echo --connections 10 --bytes 100000
check "the kernel connects out" in_ix k-client "$PEER_ADDR:7002" echo --connections 10 --bytes 100000
check "ping" in_peer ping -c 3 -i 0.2 -W 2 -q "$IX_ADDR"
check "large pings, fragmented" in_peer ping -c 2 -i 0.2 -W 2 -q -s 4000 "$IX_ADDR"
check "the kernel refuses ports that nobody owns" bash -c \
	"! in_peer k-client $IX_ADDR:7003 echo --bytes 1 2>&1 | tee /dev/stderr | grep -q nothing"
all() {
	local pids=() pid
	in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 1M & pids+=($!)
	in_peer k-client "$IX_ADDR:7001" echo --connections 20 --bytes 1M & pids+=($!)
	in_ix k-client "$PEER_ADDR:7002" echo --connections 20 --bytes 1M & pids+=($!)
	in_peer ping -c 5 -i 0.2 -W 2 -q "$IX_ADDR" & pids+=($!)
	for pid in "${pids[@]}"; do
		wait "$pid" || return 1
	done
}
check "all at once" all
check_says "the kernel cannot take a port that ixd holds" 'in use' in_ix k-echo -l "$IX_ADDR:7000"
check_says "ixd cannot take a port that the kernel uses" '(in use|EADDRINUSE)' \
	client timeout 10 ix-echo -l "$IX_ADDR:7001"
stop echo
kernel_again() {
	start kernel2 in_ix k-echo -l "$IX_ADDR:7000" --timeout 60
	wait_line kernel2 'listening on'
}
check "the port goes back to the kernel" wait_until 5 kernel_again
check "which serves it" in_peer k-client "$IX_ADDR:7000" echo --bytes 100000
stop kernel2
stop kernel
ixd_stop
