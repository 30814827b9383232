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
KV_LOADS=(20 50 70 90) # percent of what a closed loop achieves
KV_STEPS=6

part_kv() {
	local servers=(kernel_block kernel_spin)
	has_tool ix-kv kv_usr_sla && has_tool k-kv kv_usr_sla || return 0
	! command -v k-uring-kv >/dev/null || servers+=(uring_block uring_spin)
	calibrate kv requests/s score_key_value "${servers[@]}"
	[ -z "${QUICK:-}" ] || KV_LOADS=(50 80)
	[ -z "${QUICK:-}" ] || KV_STEPS=4
	rounds "$ROUNDS" kv_turn "${servers[@]}" ixd_spin
}

kv_turn() {
	contender_up "$1" kv || return 1
	kv_peak usr && kv_search "$1" usr || return 1
	# Curves are drawn and not claimed.
	[ "$ROUND" -le "$CURVE_ROUNDS" ] && [[ $1 = *_spin ]] || return 0
	kv_curve "$1" usr && kv_peak etc && kv_curve "$1" etc || return 1
	[ -n "${QUICK:-}" ] || kv_search "$1" etc
}

kv_load() { # usr|etc IX-LOAD-ARGUMENTS...
	load "$KV" --workload "$1" --connections "$KV_CONNECTIONS" --duration "$CURVE_D" --warmup 0.1 "${@:2}"
}

# kv_peak usr|etc: what a closed loop achieves; sets PEAK
kv_peak() {
	kv_load "$1" && PEAK=$(jq '.slices.messages_per_s | floor' <<<"$LOAD") && [ "$PEAK" -gt 0 ]
}

# Between the highest rate that met the bound and the lowest that did not, half and half again. What counts was
# measured, not what lies between.
kv_search() { # CONTENDER usr|etc
	local met=0 missed=0 rate=$((PEAK * 7 / 10)) best=0 step achieved
	sample "kv_$2_peak" "$1" "$PEAK"
	for ((step = 0; step < KV_STEPS; step++)); do
		kv_load "$2" --rate $rate || return 1
		samples_of_load "$1" $rate "kv_$2_steps_us=.slices.p99"
		achieved=$(jq --argjson bound $KV_SLA_US 'if .slices.p99 < $bound then .slices.messages_per_s | floor
			else 0 end' <<<"$LOAD")
		if [ "$achieved" -gt 0 ]; then
			met=$rate
			[ "$achieved" -le "$best" ] || best=$achieved
			rate=$((missed > 0 ? (met + missed) / 2 : met * 5 / 4))
		else
			missed=$rate
			rate=$(((met + missed) / 2))
		fi
	done
	sample "kv_$2_sla" "$1" "$best"
}

kv_curve() { # CONTENDER usr|etc
	local percent
	for percent in "${KV_LOADS[@]}"; do
		kv_load "$2" --rate $((PEAK * percent / 100)) || return 1
		samples_of_load "$1" "$percent" "kv_$2_p99_us=.slices.p99" "kv_$2_rate=.messages_per_s"
	done
}
