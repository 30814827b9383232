# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Connections per second, each with one 64-byte message; messages per second by messages per connection (figures
# 3a and 3b). The generator closes first and keeps TIME_WAIT; several source addresses.

TRIPS=(1 2 8 32 128 1024)

part_conn() {
	calibrate echo connections/s score_connections "${KERNEL_SERVERS[@]}"
	rounds "$ROUNDS" conn_turn "${KERNEL_SERVERS[@]}" ixd_spin
	rounds "$CURVE_ROUNDS" trips_turn "${KERNEL_SERVERS[@]}" ixd_spin
}

IXD_CONN_SIZES='sizes = { connections_per_core = 65536; time_waits_per_core = 65536; };'
conn_turn() {
	contender_up "$1" echo "$IXD_CONN_SIZES" || return 1
	load "$ECHO" --source "$SOURCES" --connections 64 --round-trips 1 || return 1
	samples_of_load "$1" null conn_rate=.connections_per_s conn_errors=.errors.sum
}

trips_turn() {
	local trips list=("${TRIPS[@]}")
	[ -z "${QUICK:-}" ] || list=(1 32 1024)
	[[ $1 != *_block ]] || return 0
	contender_up "$1" echo "$IXD_CONN_SIZES" || return 1
	for trips in "${list[@]}"; do
		load "$ECHO" --source "$SOURCES" --connections 64 --round-trips "$trips" --duration "$CURVE_D" \
			--warmup 0.1 || return 1
		samples_of_load "$1" "$trips" trips_msgs=.slices.messages_per_s
	done
}
