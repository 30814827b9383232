# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
#
# One connection, as much as it can: to and from a kernel client, packets of the MTU's size. The kernel with TSO is
# reported only: AF_XDP has no segmentation offload. The limit is a raw socket that sends in one direction.

part_bulk() {
	local bytes=256M sleeping=(kernel_block) spinning=(kernel_spin)
	! command -v k-uring-httpd >/dev/null || sleeping+=(uring_block) spinning+=(uring_spin)
	# Against the kernel's best wherever it runs: the peer's end is the kernel's for all.
	local WAYS=(plain gro rps gro_rps napi) WAYS_ELSEWHERE=()
	[ -z "${QUICK:-}" ] || bytes=64M WAYS=(plain napi)
	BULK_BYTES=$bytes
	head -c $bytes /dev/urandom >"$T/www/file"
	head -c 64M "$T/www/file" >"$T/www/part"
	calibrate http "Gb/s, both directions together" score_bulk "${sleeping[@]}"
	# Beside a server that spins, a NAPI thread on its CPU starves: 0.2 to 0.3 Gb/s.
	unset 'WAYS[-1]'
	calibrate http "Gb/s, both directions together" score_bulk "${spinning[@]}"
	! command -v k-uring-httpd >/dev/null || calibrate_zero_copy uring_block uring_spin
	rounds "$ROUNDS" bulk_turn "${sleeping[@]}" "${spinning[@]}" kernel_tso ixd_spin raw
	rm "$T/www/file" "$T/www/part"
}

bulk_turn() {
	case $1 in
	raw) raw_bulk_turn ;;
	kernel_tso)
		contender_up kernel_block http && offloads on && bulk_both kernel_tso
		use_pair kernel
		offloads off
		;;
	*) contender_up "$1" http && bulk_both "$1" ;;
	esac
}

# A file is served from memory, the kernel's page cache or ixd's client's own: the first download brings it there
# and does not count.
bulk_both() {
	RUNS=1 measure gbps "$HTTP" get --path /file >/dev/null
	sample goodput_from_gbps "$1" "$(RUNS=1 measure gbps "$HTTP" get --path /file)"
	sample goodput_to_gbps "$1" "$(RUNS=1 measure gbps "$HTTP" put --path /sink --bytes "$BULK_BYTES")"
	[[ $1 != ixd_* ]] || sample bulk_drops "$1" "$(ixd_losses)"
}

# What arrived counts, not what was sent. 1448 bytes are payload of a packet of TCP with timestamps.
raw_bulk_turn() {
	command -v ix-reflect >/dev/null || return 0
	raw_up --sink || return 1
	load "$ECHO" --raw --one-way --transmit xsk --size 1448 || return 1
	stop server
	sample goodput_to_gbps raw "$(tail -n 1 "$T/log/server" | jq .goodput_gbps)"
}
