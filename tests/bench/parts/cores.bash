# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# Two cores against one: 64-byte messages of 64 connections to a peer that needs no CPU (an XDP program, whose little
# work is done in the sender's call). On each core an application asks on its share of the connections: ixd's shares
# the core with a dataplane thread, the kernel's with the kernel.

CORES_CONNECTIONS=64

part_cores() {
	has_tool ix-respond msgs_2_cores && has_tool ix-rtt msgs_2_cores && has_tool k-load msgs_2_cores || return 0
	[ "$CPUS" -ge 2 ] || {
		note limit cores "there is one CPU; two cores against one were not measured"
		return 0
	}
	use_pair two
	pair_make 2 || return 1
	# The responder does not compute sums from nothing.
	in_ix ethtool -K ix0 tx off >/dev/null
	rounds "$CURVE_ROUNDS" cores_turn kernel_client ixd_client
}

cores_turn() {
	local cores
	for cores in 1 2; do
		use_pair two
		start server in_peer ix-respond --if p0 --listen "$PEER_ADDR:7000"
		wait_line server 'listening on' || return 1
		"cores_$1" $cores || return 1
		contender_down
	done
}

# cores_sum CONTENDER CORES: what the applications on all of them achieved together; they ran at the same time
cores_sum() {
	local core logs=()
	for ((core = 0; core < $2; core++)); do
		wait_end "asks-$core" 60 || {
			note fault cores "$1 on core $core: $(tail -n 1 "$T/log/asks-$core")"
			return 1
		}
		logs+=("$T/log/asks-$core")
	done
	sample "msgs_$2_cores" "$1" "$(cat "${logs[@]}" | jq -s 'map(.messages_per_s) | add')"
}

cores_kernel_client() { # CORES
	local core
	start client-end in_ix ix-respond --if ix0 --pass
	wait_line client-end 'passing on' || return 1
	for ((core = 0; core < $1; core++)); do
		start "asks-$core" in_ix k-load --target "$PEER_ADDR:7000" --connections $((CORES_CONNECTIONS / $1)) --spin \
			--cpu $core --json --duration "$D" --warmup 0.3
	done
	cores_sum kernel_client "$1"
}

cores_ixd_client() { # CORES
	local core list=0
	[ "$1" = 1 ] || list="0, 1"
	QUEUES=2 CORES="[ $list ]" EXTRA='placement = "shared"; spin_us = 1000;' ixd_conf default
	ixd_start || return 1
	for ((core = 0; core < $1; core++)); do
		start "asks-$core" client env IXD_INSTANCE=default ix-rtt --target "$PEER_ADDR:7000" \
			--connections $((CORES_CONNECTIONS / $1)) --cpu $core --core $core --spin-us 1000 --json \
			--duration "$D" --warmup 0.3
	done
	cores_sum ixd_client "$1"
}
