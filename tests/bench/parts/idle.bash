# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2153
#
# What ixd uses of a core while 10,000 connections say nothing.

part_idle() {
	local rounds=$ROUNDS
	[ -z "${QUICK:-}" ] || rounds=1
	rounds "$rounds" idle_turn ixd_spin
}

# ixd_cpu_ns: CPU time of all threads of ixd so far
ixd_cpu_ns() {
	local path
	for path in /proc/[0-9]*; do
		is_ixd "$path" && cat "$path"/task/*/schedstat
	done | awk '{ ns += $1 } END { printf "%.0f\n", ns }'
}

# No turn of the loop during half a second: what the opening left to do is done.
is_quiet() {
	local turns
	turns=$(loop_turns)
	sleep 0.5 # the observed interval
	[ $(($(loop_turns) - turns)) -le 5 ]
}

loop_turns() {
	ixctl --json stats | jq '.counters[] | select(.name == "loop_turns") | .value'
}

idle_turn() {
	local used_ns began_us seconds=1 count=10000
	contender_up "$1" echo || return 1
	start hold in_peer timeout 60 ix-load --if p0 --target "$ECHO" --cpu "$CLIENT_CPU" --source "$SOURCES" \
		--connections $count --active 1 --think-us fixed:50000000 --duration 50 --warmup 0
	wait_until 20 connections_are $count || return 1
	wait_until 10 is_quiet || note limit idle "ixd was not quiet 10 s after 10,000 connections were opened"
	used_ns=$(ixd_cpu_ns)
	began_us=${EPOCHREALTIME/./}
	sleep $seconds # the measuring interval
	used_ns=$(($(ixd_cpu_ns) - used_ns))
	sample idle_core_share "$1" "$(awk -v used=$used_ns -v us=$((${EPOCHREALTIME/./} - began_us)) \
		'BEGIN { printf "%.6f\n", used / 1000 / us }')"
	stop hold
}
