# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
#
# 10 to 250,000 connections, of which 64 at a time have a message under way, each in its turn (figure 4); and
# what an idle connection costs ixd in memory.
#
# A process has room for so many descriptors, RLIMIT_NOFILE; for more connections the kernel's server runs as several
# processes (SO_REUSEPORT: the kernel deals the connections out), an epoll each, all on the server's CPU. They sleep:
# of several that spin on one CPU each would hold the others up for its time slice.

COUNTS=(10 100 1000 10000 100000 250000)
COUNTS_OF_PROCESSES=(10000 100000 250000)
IXD_MANY='limits = { connections = 300000; rx_bytes = "1G"; };
sizes = { connections_per_core = 262144; ring_slots = 8192; };'

part_many() {
	local limit rounds=$ROUNDS most=${COUNTS[-1]} several=()
	[ -z "${QUICK:-}" ] || COUNTS=(10 1000 10000 250000) COUNTS_OF_PROCESSES=(10000 250000)
	[ -z "${QUICK:-}" ] || rounds=1
	limit=$(ulimit -Hn)
	calibrate_messages "${KERNEL_SERVERS[@]}"
	if [ "$limit" -lt $((most + 100)) ]; then
		several=(kernel_many)
		# The hash gives some a few percent more than others.
		MANY_PROCESSES=$((most * 107 / 100 / (limit - 100) + 1))
		TUNING[kernel_many]=${TUNING[kernel_block]}
		note limit many "a process may have $limit descriptors (RLIMIT_NOFILE): one that uses epoll or io_uring \
cannot hold more connections. For more the kernel's server was $MANY_PROCESSES processes on one CPU (SO_REUSEPORT), \
an epoll each, sleeping: several that spin on one CPU would hold each other up"
	fi
	rounds "$rounds" many_turn "${KERNEL_SERVERS[@]}" "${several[@]}" ixd_spin
	rounds "$rounds" memory_turn ixd_spin
}

many_turn() {
	local count counts=("${COUNTS[@]}")
	[[ $1 != *_block ]] || return 0
	# The kernel has no claim here.
	[ "$ROUND" -le "$CURVE_ROUNDS" ] || [[ $1 = ixd_* ]] || return 0
	contender_up "$1" echo "$IXD_MANY" || return 1
	[ "$1" != kernel_many ] || counts=("${COUNTS_OF_PROCESSES[@]}")
	for count in "${counts[@]}"; do
		if [[ $1 = *_spin && $1 != ixd_* ]] && [ "$count" -ge "$(($(ulimit -Hn) - 100))" ]; then
			continue
		fi
		load "$ECHO" --source "$SOURCES" --connections "$count" --active $((count < 64 ? count : 64)) \
			--duration "$CURVE_D" --warmup 0.2 || return 1
		samples_of_load "$1" "$count" many_msgs=.messages_per_s many_p99_us=.latency_us.p99
	done
}

# ixd_memory: JSON of the kilobytes of all of ixd's processes, clients' memories excluded
ixd_memory() {
	local path pids=()
	for path in /proc/[0-9]*; do
		! is_ixd "$path" || pids+=("$(basename "$path")")
	done
	"$PYTHON" -B "$BENCH_DIR/report/memory.py" "${pids[@]}"
}

# Tables that exist from the start count as their size divided by what they can hold, touched or not, the rest as
# what grew.
memory_turn() {
	local before after count=250000 capacity=262144
	contender_up "$1" echo "$IXD_MANY" || return 1
	before=$(ixd_memory)
	start hold in_peer timeout 100 ix-load --if p0 --target "$ECHO" --cpu "$CLIENT_CPU" --source "$SOURCES" \
		--connections $count --active 1 --rate 0 --duration 60 --warmup 0 --json
	wait_until 40 connections_are $count || {
		note fault bytes_per_idle_connection "only $(connections_open) of $count connections opened"
		stop hold
		return 1
	}
	after=$(ixd_memory)
	stop hold
	echo "$before $after" | jq -s '{before: .[0], after: .[1]}' >"$BENCH_OUT/memory.json"
	sample bytes_per_idle_connection "$1" "$(jq -s ".[1].growing_bytes - .[0].growing_bytes | if . < 0 then 0 \
		else . end / $count" <<<"$before $after")"
	sample table_bytes_per_connection "$1" "$(jq ".table_bytes / $capacity" <<<"$after")"
	[ "$ROUND" != 1 ] || note setting "memory per idle connection" "$(memory_words "$capacity" "$count" \
		<<<"$before $after")"
}

# memory_words CAPACITY COUNT: from what there was before and after, what counts and how much
memory_words() {
	jq -rs --argjson capacity "$1" --argjson count "$2" '
		def each(bytes; number): bytes / number * 10 | round / 10 | tostring + " B";
		"by size over the capacity of \($capacity): state memory (connection records of engine and client side, " +
		"TIME_WAIT, listeners, pieces of sendv) " + each(.[1].tables["ixd-state"]; $capacity) +
		", tables rebuilt at start (links, timers, sent segments, hash table, cursors) " +
		each(.[1].tables.engine; $capacity) + ", routes and neighbours " +
		each(.[1].tables["ixd-mirror"]; $capacity) + "; by growth over \($count): everything else, " +
		each(.[1].growing_bytes - .[0].growing_bytes; $count) +
		"; not: packet frames, which are not for connections, and memories of clients"'
}

connections_open() {
	ixctl --json status | jq .connections
}

connections_are() {
	[ "$(connections_open)" -ge "$1" ]
}
