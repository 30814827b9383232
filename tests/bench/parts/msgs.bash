# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# 64-byte echo on a shared core: messages per second and the tail, 64 and 1024 connections; the raw reflector
# with as many packets in flight; message sizes (figures 2 and 3c); ixd at both ends.

SIZES=(64 256 1024 4096 16384 65536 262144 524288)
MANY_SIZES=(64 256 1024 2048 4096 8192)

part_msgs() {
	local spinning=(kernel_spin)
	! command -v k-uring >/dev/null || spinning+=(uring_spin)
	calibrate_messages "${KERNEL_SERVERS[@]}"
	rounds "$ROUNDS" msgs_turn "${KERNEL_SERVERS[@]}" ixd_spin raw raw_live
	rounds "$CURVE_ROUNDS" sizes_turn "${spinning[@]}" kernel_tso ixd_spin
	both_ends
}

msgs_turn() {
	local connections
	case $1 in
	raw)
		raw_msgs_turn raw
		return
		;;
	raw_live)
		# Drawn beside, and no claim.
		[ -z "${QUICK:-}" ] && [ "$ROUND" -le "$CURVE_ROUNDS" ] || return 0
		raw_msgs_turn raw_live --transmit auto
		return
		;;
	esac
	contender_up "$1" echo || return 1
	for connections in 64 1024; do
		load "$ECHO" --connections $connections || return 1
		samples_of_load "$1" $connections "msgs_$connections=.messages_per_s" \
			"p99_${connections}_us=.latency_us.p99" "p999_${connections}_us=.latency_us.p999"
	done
	[[ $1 != ixd_* ]] || sample drops_1024 "$1" "$(ixd_losses)"
	[ -n "${QUICK:-}" ] || [ "$ROUND" -gt "$CURVE_ROUNDS" ] || [[ $1 != *_spin ]] || cross_check "$1"
}

# An ordinary generator on the kernel's TCP, against the same server: slower, but it should say the same of who is
# faster.
cross_check() {
	command -v k-load >/dev/null || return 0
	LOAD=$(in_peer timeout 60 k-load --target "$ECHO" --connections 64 --spin --cpu "$CLIENT_CPU" --json \
		--duration "$CURVE_D" --warmup "$W" 2>"$T/log/load") || {
		note fault cross_check "k-load: $(tail -n 1 "$T/log/load")"
		return 0
	}
	samples_of_load "$1" 64 cross_check_msgs_64=.messages_per_s
}

raw_msgs_turn() { # CONTENDER IX-REFLECT-ARGUMENTS...
	local in_flight contender=$1
	shift
	command -v ix-reflect >/dev/null || return 0
	raw_up "$@" || return 1
	for in_flight in 64 1024; do
		load "$ECHO" --raw --in-flight $in_flight || return 1
		samples_of_load "$contender" $in_flight "msgs_$in_flight=.messages_per_s" \
			"p99_${in_flight}_us=.latency_us.p99" "p999_${in_flight}_us=.latency_us.p999"
	done
}

# Latency and goodput of one connection by size, and messages/s of 64 connections. With TSO the kernel cuts its segments
# last, or here not at all; that is told, as AF_XDP has nothing like it.
sizes_turn() {
	if [ "$1" != kernel_tso ]; then
		contender_up "$1" echo && sizes_of_one "$1" && sizes_of_many "$1"
		return
	fi
	contender_up kernel_spin echo && offloads on && sizes_of_one kernel_tso
	use_pair kernel
	offloads off
}

sizes_of_one() {
	local size sizes=("${SIZES[@]}")
	[ -z "${QUICK:-}" ] || sizes=(64 16384 524288)
	for size in "${sizes[@]}"; do
		load "$ECHO" --size "$size" --duration "$CURVE_D" --warmup 0.1 || return 1
		samples_of_load "$1" "$size" size_p50_us=.slices.p50 "size_gbps=(.slices.messages_per_s * $size * 8 / 1e9)"
	done
}

sizes_of_many() {
	local size sizes=("${MANY_SIZES[@]}")
	[ -z "${QUICK:-}" ] || sizes=(64 1024)
	for size in "${sizes[@]}"; do
		load "$ECHO" --connections 64 --size "$size" --duration "$CURVE_D" --warmup 0.1 || return 1
		samples_of_load "$1" "$size" msgs_by_size=.slices.messages_per_s
	done
}

# ixd at both ends: its application echoes on one core, another one asks on the other.
both_ends() {
	has_tool ix-rtt msgs_64_both_ends || return 0
	rounds "$ROUNDS" both_ends_turn ixd_both
}

both_ends_turn() {
	contender_up ixd_spin echo || return 1
	IFACE=p0 CORES="[ $CLIENT_CPU ]" EXTRA='placement = "shared"; spin_us = 1000;' ixd_conf other
	start ixd-other in_peer ixd -i other -c "$T/other.conf"
	wait_line ixd-other ready || return 1
	LOAD=$(in_peer setpriv --reuid="$CLIENT_ID" --regid="$CLIENT_ID" --clear-groups --no-new-privs \
		env IXD_INSTANCE=other timeout 60 ix-rtt --target "$ECHO" --cpu "$CLIENT_CPU" --connections 64 \
		--duration "$D" --warmup "$W" --json 2>"$T/log/load")
	stop ixd-other
	[ -n "$LOAD" ] || {
		note fault msgs_64_both_ends "ix-rtt: $(tail -n 1 "$T/log/load")"
		return 1
	}
	sample msgs_64_both_ends ixd_both "$(jq .messages_per_s <<<"$LOAD")"
}
