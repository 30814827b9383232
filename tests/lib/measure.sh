# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# Measurements that the demo prints and tests/net/speed.sh judges: the same client program, once against ixd and
# once against the kernel with the same server logic. Sourced after harness.sh.
#
# Servers run on the first CPU, clients on the second, when there are two: on the kernel's side the server and
# its network stack share a CPU, too. Each figure is the median of RUNS runs.

RUNS=${RUNS:-3}
CPUS=$(nproc)
SERVER_CPU=0
CLIENT_CPU=$((CPUS > 1 ? 1 : 0))

median() {
	sort -g | awk '{ value[NR] = $1 } END { print NR ? value[int((NR + 1) / 2)] : 0 }'
}

# field NAME: its value in the NAME=VALUE list that k-client prints
field() {
	tail -n 1 | tr ' ' '\n' | sed -n "s/^$1=//p"
}

# measure FIELD ADDRESS:PORT K-CLIENT-ARGUMENTS...
measure() {
	local name=$1 i
	shift
	for ((i = 0; i < RUNS; i++)); do
		in_peer taskset -c $CLIENT_CPU k-client "$@" --timeout 60 | field "$name"
	done | median
}

# measure_bulk FILE, measure_rtt: set DOWN, UP (Gb/s) and RTT (µs, median of 64-byte round trips) against
# whoever serves HTTP at port 8080 and echoes at port 7000
measure_bulk() {
	DOWN=$(measure gbps "$IX_ADDR:8080" get --path "/$1")
	UP=$(measure gbps "$IX_ADDR:8080" put --path /sink --bytes "${UPLOAD_BYTES:-256M}")
}

measure_rtt() {
	RTT=$(measure p50_us "$IX_ADDR:7000" rtt --rounds "${ROUNDS:-20000}" --spin)
}

# kernel_pair OFFLOADS(on|off): a fresh pair of namespaces without XDP
kernel_pair() {
	ip netns del "$NS_IX"
	ip netns del "$NS_PEER"
	net_pair || return 1
	in_ix ethtool -K ix0 tso "$1" gso "$1" gro "$1" >/dev/null
	in_peer ethtool -K p0 tso "$1" gso "$1" gro "$1" >/dev/null
}

# kernel_measure OFFLOADS(on|off) FILE: sets DOWN, UP and RTT of the kernel. The spinning echo server runs only for its own
# measurement: it would take the CPU from the other.
kernel_measure() {
	kernel_pair "$1" || return 1
	start khttpd in_ix taskset -c $SERVER_CPU k-httpd -l "$IX_ADDR:8080" --root "$T/www" --timeout 100
	wait_line khttpd 'listening on' || return 1
	measure_bulk "$2"
	stop khttpd
	start kecho in_ix taskset -c $SERVER_CPU k-echo -l "$IX_ADDR:7000" --spin --timeout 100
	wait_line kecho 'listening on' || return 1
	measure_rtt
	stop kecho
}

# ratio A B: A / B with two digits
ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'
}

# at_least A B, at_most A B: comparisons of decimal numbers
at_least() {
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'
}

at_most() {
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'
}

# ixd_ticks: clock ticks (10 ms) of CPU that ixd and its children have used so far
ixd_ticks() {
	local path sum=0 fields
	for path in /proc/[0-9]*; do
		is_ixd "$path" || continue
		read -r -a fields <<<"$(sed 's/.*) //' "$path/stat")"
		sum=$((sum + fields[11] + fields[12]))
	done
	echo $sum
}

# ixd_resident_kb: private memory and program text. UMEM, connection state and client memories are memfds, that
# is shared memory, and are not counted.
ixd_resident_kb() {
	local path sum=0
	for path in /proc/[0-9]*; do
		is_ixd "$path" || continue
		sum=$((sum + $(awk '/^Rss(Anon|File)/ { kb += $2 } END { print kb + 0 }' "$path/status")))
	done
	echo $sum
}

# ixd_conf_fast NAME: one core beside its application; both spin, as the kernel's server does. Where there are only
# two CPUs, the peer needs one of them, so application and core thread take turns on the other.
APP_CPU=2 APP_SPIN_US=1000 PLACEMENT=dedicated
[ "$CPUS" -gt 2 ] || APP_CPU=$SERVER_CPU PLACEMENT=shared
ixd_conf_fast() {
	CORES="[ $SERVER_CPU ]" EXTRA="placement = \"$PLACEMENT\"; spin_us = 1000; ${EXTRA:-}" ixd_conf "$1"
}
