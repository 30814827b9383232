# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# A host that exists only in tests/net/wire.py, in the peer's place and beside it. Sourced after harness.sh.

GHOST_ADDR=10.77.0.50
GHOST_MAC=02:00:00:00:00:50
GHOST=() # the arguments of a program that begin its Peer: device, its own addresses, ixd's

# ghost_join [ADDRESS...]: ix0 knows where it is, and its other addresses. After net_pair.
ghost_join() {
	local address
	for address in "$GHOST_ADDR" "$@"; do
		ip -n "$NS_IX" neigh add "$address" lladdr "$GHOST_MAC" dev ix0 || return 1
	done
	GHOST=(p0 "$GHOST_MAC" "$GHOST_ADDR" "$(ip -n "$NS_IX" -j link show ix0 | jq -r '.[0].address')" "$IX_ADDR")
}

resident_kb() {
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

# attack_again DATAPLANE SECONDS PROGRAM WHAT...: once more what has been done, now that what grows with use has grown;
# then the dataplane has not, is the process that it was, and serves
attack_again() {
	local dataplane=$1 seconds=$2 program=$3 rss what
	shift 3
	rss=$(resident_kb "$dataplane")
	for what; do
		in_peer timeout "$seconds" /usr/bin/python3 "$program" "$what" "${GHOST[@]}" 7000 "$TIME_SCALE" >/dev/null 2>&1
	done
	check "the dataplane has not grown by 2 MB" test "$(($(resident_kb "$dataplane") - rss))" -lt 2048
	check "the kernel's peer is served" in_peer k-client "$IX_ADDR:7001" echo --connections 20 --bytes 10000
	check "the dataplane is the same process" test "$dataplane" = "$(child_of ixd-default ixd-dataplane)"
}
