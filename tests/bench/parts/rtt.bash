# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2153
#
# The round trip of 64 bytes on one connection. Dedicated: an XDP program at the far end is the peer, so that ixd
# and its application have a CPU each, and the kernel's application one. Shared: the server's side on one core.

part_rtt() {
	rtt_shared
	rtt_dedicated
}

rtt_shared() {
	calibrate echo "round trips/s by the median" score_trips "${KERNEL_SERVERS[@]}"
	rounds "$ROUNDS" rtt_shared_turn "${KERNEL_SERVERS[@]}" ixd_spin ixd_sleep
}

rtt_shared_turn() {
	contender_up "$1" echo || return 1
	load "$ECHO" || return 1
	samples_of_load "$1" null rtt_shared_p50_us=.latency_us.p50 rtt_shared_p99_us=.latency_us.p99
}

rtt_dedicated() {
	has_tool ix-respond rtt_dedicated_p50 rtt_dedicated_p99 rtt_dedicated_over_raw_us || return 0
	has_tool k-load rtt_dedicated_p50 rtt_dedicated_p99 || return 0
	has_tool ix-rtt rtt_dedicated_p50 rtt_dedicated_p99 rtt_dedicated_over_raw_us || return 0
	local clients=(kernel_client)
	! command -v k-uring-load >/dev/null || clients+=(uring_client)
	rounds "$ROUNDS" rtt_dedicated_turn "${clients[@]}" ixd_dedicated raw
}

# Between an XDP program and a kernel without one, the kernel's end of a veth needs some program as well; and the
# responder does not compute sums from nothing.
rtt_dedicated_turn() {
	local server=$PEER_ADDR:7000
	use_pair dedicated
	in_ix ethtool -K ix0 tx off >/dev/null
	start server in_peer ix-respond --if p0 --listen "$server"
	wait_line server 'listening on' || return 1
	case $1 in
	kernel_client) rtt_kernel_client "$1" k-load "$server" ;;
	uring_client) rtt_kernel_client "$1" k-uring-load "$server" ;;
	ixd_dedicated) rtt_ixd_client "$server" ;;
	raw) rtt_raw "$server" ;;
	esac
}

rtt_kernel_client() { # CONTENDER PROGRAM SERVER
	start client-end in_ix ix-respond --if ix0 --pass
	wait_line client-end 'passing on' || return 1
	LOAD=$(in_ix timeout 60 "$2" --target "$3" --spin --cpu "$CLIENT_CPU" --json --duration "$D" --warmup "$W" \
		2>"$T/log/load") || {
		note fault rtt "$2: $(tail -n 1 "$T/log/load")"
		return 1
	}
	samples_of_load "$1" null rtt_dedicated_p50_us=.latency_us.p50 rtt_dedicated_p99_us=.latency_us.p99
}

rtt_ixd_client() { # SERVER
	ixd_up ixd_dedicated '' || return 1
	LOAD=$(client timeout 60 ix-rtt --target "$1" --cpu "$CLIENT_CPU" --duration "$D" --warmup "$W" --json \
		2>"$T/log/load") || {
		note fault rtt "ix-rtt: $(tail -n 1 "$T/log/load")"
		return 1
	}
	samples_of_load ixd_dedicated null rtt_dedicated_p50_us=.latency_us.p50 rtt_dedicated_p99_us=.latency_us.p99
}

rtt_raw() { # SERVER
	LOAD=$(in_ix timeout 60 ix-load --if ix0 --target "$1" --cpu "$CLIENT_CPU" --raw-ping --json --duration "$D" \
		--warmup "$W" 2>"$T/log/load") || {
		note fault rtt "ix-load --raw-ping: $(tail -n 1 "$T/log/load")"
		return 1
	}
	samples_of_load raw null rtt_dedicated_p50_us=.latency_us.p50 rtt_dedicated_p99_us=.latency_us.p99
}
