#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: ixd beside the kernel with the same server logic and the same client program. Contenders take
# turns round by round, so that a machine that becomes slower becomes slower for all; the summary quotes
# medians, spreads and ratios, and says when the noise is larger than the difference.
# Environment: ROUNDS (default 5; QUICK=1: 3 shorter ones), BENCH_OUT (folder for the results).
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/measure.sh"

BENCH_OUT=${BENCH_OUT:-$IXD_BUILD/bench}
mkdir -p "$BENCH_OUT"
SAMPLES=$BENCH_OUT/samples.tsv
ROUNDS=${ROUNDS:-5} FILE_BYTES=256M RTT_ROUNDS=20000 ECHO_BYTES=640000
[ -z "${QUICK:-}" ] || { ROUNDS=3 FILE_BYTES=64M RTT_ROUNDS=5000 ECHO_BYTES=128000; }
RUNS=1
CONTENDERS=(kernel_block kernel_spin ixd)
: >"$SAMPLES"

sample() { # CONTENDER FIGURE VALUE
	printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$SAMPLES"
}

# messages_per_second CONNECTIONS: round trips of 64 bytes, one in flight on each connection
messages_per_second() {
	local bytes=$((ECHO_BYTES / ($1 > 16 ? $1 / 16 : 1) / 64 * 64))
	in_peer taskset -c $CLIENT_CPU k-client "$IX_ADDR:7000" echo --connections "$1" --bytes $bytes \
		--size 64 --window 64 --spin --timeout 60 |
		awk '{ for (i = 1; i <= NF; i++) { split($i, f, "="); v[f[1]] = f[2] } } END { print v["bytes"] / 64 / v["seconds"] }'
}

echo_figures() {
	sample "$1" rtt_p50_us "$(measure p50_us "$IX_ADDR:7000" rtt --rounds $RTT_ROUNDS --spin)"
	sample "$1" rtt_p99_us "$(measure p99_us "$IX_ADDR:7000" rtt --rounds $RTT_ROUNDS --spin)"
	sample "$1" msgs_64 "$(messages_per_second 64)"
	sample "$1" msgs_1024 "$(messages_per_second 1024)"
}

bulk_figures() {
	sample "$1" download_gbps "$(measure gbps "$IX_ADDR:8080" get --path /file)"
	sample "$1" upload_gbps "$(measure gbps "$IX_ADDR:8080" put --path /sink --bytes $FILE_BYTES)"
}

round_kernel() { # CONTENDER [K-ECHO-OPTION]
	kernel_pair off || return 1
	start khttpd in_ix taskset -c $SERVER_CPU k-httpd -l "$IX_ADDR:8080" --root "$T/www" --timeout 100
	wait_line khttpd 'listening on' || return 1
	bulk_figures "$1"
	stop khttpd
	start kecho in_ix taskset -c $SERVER_CPU k-echo -l "$IX_ADDR:7000" ${2:+"$2"} --timeout 100
	wait_line kecho 'listening on' || return 1
	echo_figures "$1"
	stop kecho
}

round_ixd() {
	kernel_pair off || return 1
	ixd_conf_fast default
	ixd_start || return 1
	serve httpd taskset -c "$SERVER_CPU" ix-httpd -l "$IX_ADDR:8080" --root "$T/www" --sink /sink || return 1
	bulk_figures ixd
	stop httpd
	serve echo taskset -c "$SERVER_CPU" ix-echo -l "$IX_ADDR:7000" || return 1
	echo_figures ixd
	stop echo
	ixctl --json stats >"$BENCH_OUT/ixd-stats.json"
	stop ixd-default
}

head -c $FILE_BYTES /dev/urandom >"$T/www/file"
net_pair || exit 1
for ((round = 1; round <= ROUNDS; round++)); do
	for contender in "${CONTENDERS[@]}"; do
		echo "bench: round $round of $ROUNDS, $contender"
		case $contender in
		kernel_block) round_kernel kernel_block ;;
		kernel_spin) round_kernel kernel_spin --spin ;;
		ixd) round_ixd ;;
		esac || not_ok "round $round of $contender"
	done
done
check "results of $ROUNDS rounds" python3 "$TEST_ROOT/tests/bench/summary.py" "$SAMPLES" "$BENCH_OUT"
cat "$BENCH_OUT/results.md"
