# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# A key-value store under the USR and ETC distributions (figure 5): latency by load in an open loop, and the most
# requests per second with a 99th percentile below the bound.

KV_SLA_US=500
KV_CONNECTIONS=64
KV_LOADS=(20 40 60 70 80 90) # percent of what a closed loop achieves

part_kv() {
	has_tool ix-kv kv_usr_sla && has_tool k-kv kv_usr_sla || return 0
	calibrate kv requests/s score_key_value kernel_block kernel_spin
	rounds "$ROUNDS" kv_turn kernel_block kernel_spin ixd_spin
}

kv_turn() {
	contender_up "$1" kv || return 1
	kv_curve "$1" usr || return 1
	# ETC is drawn and not claimed.
	[ -n "${QUICK:-}" ] || [ "$ROUND" -gt "$CURVE_ROUNDS" ] || kv_curve "$1" etc
}

# A closed loop says how much is possible; then open loops below it. The most that meets the bound is a point of
# the curve that was measured, not one between.
kv_curve() { # CONTENDER usr|etc
	local peak percent rate best=0 achieved loads=("${KV_LOADS[@]}")
	[ "$2" = usr ] || loads=(30 60 90)
	[ -z "${QUICK:-}" ] || loads=(50 80)
	load "$KV" --workload "$2" --connections "$KV_CONNECTIONS" --duration 0.3 || return 1
	peak=$(jq '.messages_per_s | floor' <<<"$LOAD")
	sample "kv_$2_peak" "$1" "$peak"
	for percent in "${loads[@]}"; do
		rate=$((peak * percent / 100))
		load "$KV" --workload "$2" --connections "$KV_CONNECTIONS" --rate $rate --duration "$CURVE_D" || return 1
		samples_of_load "$1" "$percent" "kv_$2_p99_us=.latency_us.p99" "kv_$2_rate=.messages_per_s"
		achieved=$(jq --argjson bound $KV_SLA_US \
			'if .latency_us.p99 < $bound then .messages_per_s | floor else 0 end' <<<"$LOAD")
		[ "$achieved" -le "$best" ] || best=$achieved
	done
	sample "kv_$2_sla" "$1" "$best"
}
