# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# The batch bound B (figure 6): messages per second with 64 connections, and the tail at a low load, of the median
# slice as in parts/kv.bash. The bound changes while ixd runs.

BATCHES=(1 2 8 16 64)
BATCH_LOW_RATE=20000

part_batch() {
	[ -z "${QUICK:-}" ] || BATCHES=(1 8 64)
	rounds "$ROUNDS" batch_turn ixd_spin
}

batch_turn() {
	local index bound
	contender_up "$1" echo || return 1
	cp "$T/default.conf" "$T/batch.conf"
	for ((index = 0; index < ${#BATCHES[@]}; index++)); do
		bound=${BATCHES[(index + ROUND) % ${#BATCHES[@]}]}
		{ cat "$T/batch.conf" && echo "batch = $bound;"; } >"$T/default.conf"
		ixctl reconfigure >"$T/log/reconfigure" 2>&1 || {
			note fault batch "ixctl reconfigure: $(tail -n 1 "$T/log/reconfigure")"
			return 1
		}
		load "$ECHO" --connections 64 || return 1
		samples_of_load "$1" "$bound" batch_msgs=.messages_per_s
		[ "$bound" = 1 ] || [ "$bound" = 64 ] || continue
		load "$ECHO" --connections 64 --rate $BATCH_LOW_RATE || return 1
		samples_of_load "$1" "$bound" batch_low_p99_us=.slices.p99
	done
}
