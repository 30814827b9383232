# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# A key-value store under the USR and ETC distributions (figure 5): the most requests per second of an open loop with
# a 99th percentile below the bound, which is claimed for USR, and latency by load.
#
# The percentile is that of the median slice of a measurement, a twentieth. Here the hypervisor takes a CPU away for
# milliseconds, many times a second: whatever the server, one percent of the requests meets that, and the percentile
# of the whole tells of the machine. The samples have both.

KV_SLA_US=500
KV_CONNECTIONS=64
KV_SCORE_RATE=40000 # far below what any of them can
KV_LOADS=(30 60 90) # percent of what a closed loop achieves
KV_STEPS=5 # of halving, without a curve before it
KV_STEPS_AFTER=2

part_kv() {
	local spinning=(kernel_spin) sleeping=(kernel_block)
	has_tool ix-kv kv_usr_sla && has_tool k-kv kv_usr_sla || return 0
	! command -v k-uring-kv >/dev/null || spinning+=(uring_spin) sleeping+=(uring_block)
	[ -z "${QUICK:-}" ] || KV_LOADS=(50 80) KV_STEPS=3 KV_STEPS_AFTER=1 sleeping=()
	calibrate kv "1 / p99 at $KV_SCORE_RATE requests/s, 1/s" score_key_value "${spinning[@]}" "${sleeping[@]}"
	rounds "$ROUNDS" kv_turn "${spinning[@]}" "${sleeping[@]}" ixd_spin
}

kv_turn() {
	contender_up "$1" kv || return 1
	# Curves are drawn and not claimed.
	if [ "$ROUND" -gt "$CURVE_ROUNDS" ] || [[ $1 != *_spin ]]; then
		kv_peak "$1" usr && kv_search "$1" usr $KV_STEPS
		return
	fi
	kv_peak "$1" usr && kv_curve "$1" usr && kv_search "$1" usr $KV_STEPS_AFTER &&
		kv_peak "$1" etc && kv_curve "$1" etc && kv_search "$1" etc $KV_STEPS_AFTER
}

kv_load() { # usr|etc IX-LOAD-ARGUMENTS...
	load "$KV" --workload "$1" --connections "$KV_CONNECTIONS" --duration "$CURVE_D" --warmup 0.1 "${@:2}"
}

# kv_peak CONTENDER usr|etc: what a closed loop achieves, PEAK; nothing is known of rates yet
kv_peak() {
	MET=0 MISSED=0 BEST_RATE=0
	kv_load "$2" && PEAK=$(jq '.slices.messages_per_s | floor' <<<"$LOAD") && [ "$PEAK" -gt 0 ] &&
		sample "kv_$2_peak" "$1" "$PEAK"
}

# kv_try usr|etc RATE: MET is the highest rate that met the bound, MISSED the lowest above it that did not
kv_try() {
	local achieved=0
	# A miss far below what is possible is the machine's more often than the server's: once more.
	for _ in 1 2; do
		kv_load "$1" --rate "$2" || return 1
		achieved=$(jq --argjson bound $KV_SLA_US \
			'if .slices.p99 < $bound then .slices.messages_per_s | floor else 0 end' <<<"$LOAD")
		if [ "$achieved" -gt 0 ] || [ "$2" -ge $((PEAK * 3 / 4)) ]; then
			break
		fi
	done
	if [ "$achieved" -eq 0 ]; then
		[ "$2" -lt "$MET" ] || { [ "$MISSED" -gt 0 ] && [ "$2" -gt "$MISSED" ]; } || MISSED=$2
		return
	fi
	[ "$2" -lt "$MISSED" ] || MISSED=0
	[ "$2" -lt "$MET" ] || MET=$2
	[ "$achieved" -le "$BEST_RATE" ] || BEST_RATE=$achieved
}

kv_curve() { # CONTENDER usr|etc
	local percent
	for percent in "${KV_LOADS[@]}"; do
		kv_try "$2" $((PEAK * percent / 100)) || return 1
		samples_of_load "$1" "$percent" "kv_$2_p99_us=.slices.p99" "kv_$2_rate=.messages_per_s"
	done
}

# Half the distance between MET and MISSED, and half again. What counts was measured, not what lies between.
kv_search() { # CONTENDER usr|etc STEPS
	local rate step
	for ((step = 0; step < $3; step++)); do
		rate=$(((MET + MISSED) / 2))
		[ "$MISSED" -gt 0 ] || rate=$((MET > 0 ? MET * 5 / 4 : PEAK * 7 / 10))
		kv_try "$2" $rate || return 1
		samples_of_load "$1" $rate "kv_$2_steps_us=.slices.p99"
	done
	sample "kv_$2_sla" "$1" "$BEST_RATE"
}
